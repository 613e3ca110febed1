"""`start` (the starter folder) and `demo` (a solution and a flawed variant, side by side)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from graders.model import Report

DEMO = "07_dbt"


@click.command()
@click.argument("exercise")
@click.option("--team", required=True, help="Votre équipe : minuscules, chiffres et tirets.")
def start(exercise: str, team: str) -> None:
    """Copie le dossier de départ d'un exercice dans submissions/<équipe>/<exercice>/."""
    import os
    import shutil

    from graders import course, intake
    from graders.errors import UsageError

    folder = course.exercise(exercise)
    if not intake.SLUG.fullmatch(team):
        raise UsageError(
            f"« {team} » : minuscules sans accent, chiffres et tirets (40 caractères au plus, "
            "dont le premier n'est pas un tiret)."
        )
    here = Path.cwd()
    top = next((p for p in (here, *here.parents) if (p / "cours.yaml").is_file()), here)
    target = Path(os.path.relpath(top / "submissions" / team / folder.name))
    if target.exists():
        raise UsageError(f"« {target} » existe déjà : rien n'a été changé.")
    shutil.copytree(folder / "starter", target)
    members = target.parent / "equipe.yaml"
    if not members.exists():
        members.write_text(f"equipe: {team}\nmembres:\n  - Prénom Nom\n", "utf-8")
    click.echo(
        f"Votre dossier : {target}\n"
        f"1. Complétez {members}.\n"
        f"2. bareme datagen {folder.name} --team {team}\n"
        f"3. Lisez exercises/{folder.name}/README.md, puis « bareme check {folder.name} »."
    )


@click.command()
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("rapports/demo"),
    help="Dossier des rapports.",
)
@click.option(
    "--password-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Fichier du mot de passe.",
)
def demo(out: Path, password_file: Path | None) -> None:
    """Corrige la solution de 07_dbt et une variante fautive, sans Docker."""
    from concurrent.futures import ThreadPoolExecutor

    from rich.console import Console

    from graders import course, pipeline, reports, rubric, tools, vault
    from graders.commands.vault import password

    tools.suite(DEMO).warm()
    secret = password(password_file)
    with pipeline.scratch() as place:
        click.echo("1. La correction scellée de 07_dbt s'ouvre avec le mot de passe.", err=True)
        archive = course.ROOT / "solutions_encrypted" / f"{DEMO}.bareme"
        version = rubric.load(course.exercise(DEMO)).version
        opened = vault.unlock(archive, DEMO, secret, place / "correction", at_least=version)
        click.echo(
            "2. La solution et une variante fautive sont corrigées : données de l'équipe « demo » "
            "et données cachées, dbt sur DuckDB, sans Docker.",
            err=True,
        )
        folders = _demo_folders(opened, place)
        with ThreadPoolExecutor(len(folders)) as pool:
            graded = list(pool.map(_grade_demo, folders))
    for folder, report in zip(folders, graded, strict=True):
        click.echo(f"\n{folder.name.capitalize()}")
        reports.console.show(report, Console(), student=False)
        written = reports.write(report, out / folder.name)
        click.echo(f"Rapport : {written['html'].resolve()}")
    if any(r.outcome.value != "graded" for r in graded):
        sys.exit(2)


def _demo_folders(opened: Path, place: Path) -> list[Path]:
    """Return the solution's folder and the flawed variant's: the solution under its patch."""
    import shutil

    flawed = place / "variante"
    shutil.copytree(opened / "solution", flawed)
    shutil.copytree(opened / "variante", flawed, dirs_exist_ok=True)
    return [opened / "solution", flawed]


def _grade_demo(folder: Path) -> Report:
    from graders import pipeline

    return pipeline.grade(folder, DEMO, pipeline.Options("embedded", team="demo"))
