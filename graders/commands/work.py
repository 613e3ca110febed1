"""`start` (the starter folder) and `demo` (a solution and a flawed variant, side by side)."""

from __future__ import annotations

from pathlib import Path

import click

DEMO = "07_dbt"


@click.command()
@click.argument("exercise")
@click.option("--team", required=True, help="Votre équipe : minuscules, chiffres et tirets.")
def start(exercise: str, team: str) -> None:
    """Copie le dossier de départ d'un exercice dans submissions/<équipe>/<exercice>/."""
    import shutil

    from graders import course, intake
    from graders.errors import UsageError

    folder = course.exercise(exercise)
    if not intake.SLUG.fullmatch(team):
        raise UsageError(f"« {team} » : minuscules sans accent, chiffres et tirets (40 au plus).")
    target = Path("submissions", team, folder.name)
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
