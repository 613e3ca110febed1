"""`grade` and `check`."""

from __future__ import annotations

from pathlib import Path

import click

from graders.commands.shared import (
    FOLDER,
    OUT,
    RUNTIMES,
    How,
    graded,
    leave,
    options_of,
    shared,
    writable,
)  # fmt: skip


@click.command()
@click.argument("paths", nargs=-1, required=True, type=FOLDER)
@shared
@click.option("--exercise", help="Exercice, si le dossier n'en porte pas le nom.")
@click.option("--team", help="Équipe, si le dossier parent n'en porte pas le nom.")
@click.option(
    "--replay", type=click.IntRange(0, 2**63 - 1), help="Graine cachée d'un rapport à rejouer."
)
@click.option("--out", type=OUT, help="Dossier des rapports (JSON, HTML, JUnit).")
@click.option("--json", "as_json", is_flag=True, help="Écrit le rapport JSON sur la sortie.")
def grade(
    paths: tuple[Path, ...],
    how: How,
    exercise: str | None,
    team: str | None,
    replay: int | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Corrige des rendus. Codes : 0 corrigé, 1 refusé (rendu), 2 à recorriger (machine)."""
    from graders import batch as batches
    from graders.errors import UsageError

    found = batches.targets(paths, exercise)
    if len(found) > 1 and (as_json or team):
        what = "--json" if as_json else "--team"
        raise UsageError(f"{what} vaut pour un seul rendu ; il y en a {len(found)} ici.")
    if out is not None:
        writable(out)
    reports = []
    for target in found:
        options = options_of(
            target.exercise, team or target.team, how, replay=replay, quiet=as_json
        )
        reports.append(graded(target.folder, target.exercise, options, out, as_json, False))
    leave(reports)


@click.command()
@click.argument("what")
@click.option("--team", help="Équipe, s'il y en a plusieurs dans submissions/.")
@click.option("--runtime", type=RUNTIMES, default="auto", help="Docker ou dbt embarqué.")
@click.option("--static", is_flag=True, help="Ne vérifie que les fichiers : une seconde.")
@click.option("--out", type=OUT, default=Path("rapports"), help="Dossier du rapport.")
def check(what: str, team: str | None, runtime: str, static: bool, out: Path) -> None:
    """Vérifie son propre travail : WHAT est un exercice (07_dbt) ou un dossier de rendu."""
    from graders import course, tools
    from graders.errors import MachineError

    folder, exercise = _own(what, team)
    team = team or folder.parent.name
    try:
        options = options_of(exercise, team, How(runtime, static=static, trust=True))
    except MachineError as error:
        if tools.suite(exercise).embedded or runtime == "docker":
            raise
        click.echo(f"{error}\nSeuls les fichiers sont vérifiés.", err=True)
        options = options_of(exercise, team, How(static=True))
    writable(out)
    click.echo(f"Vérification de {folder} ({course.exercise(exercise).name})", err=True)
    leave([graded(folder, exercise, options, out, False, True)])


def _own(what: str, team: str | None) -> tuple[Path, str]:
    """Return the folder and exercise that a student means by `what`."""
    from graders import course
    from graders.errors import UsageError

    path = Path(what)
    if path.is_dir() and path.resolve().name in course.exercises():
        return path.resolve(), path.resolve().name
    exercise = course.exercise(what).name
    begun = (p for p in Path("submissions").glob(f"*/{exercise}") if _begun(p))
    teams = [team] if team else [p.parent.name for p in begun]
    if len(teams) != 1:
        raise UsageError(
            f"Pas de dossier submissions/<équipe>/{exercise} ici."
            if not teams
            else f"Plusieurs équipes ({', '.join(sorted(teams))}) : précisez --team."
        )
    folder = Path("submissions", str(teams[0]), exercise)
    if not folder.is_dir():
        raise UsageError(f"Le dossier « {folder} » n'existe pas : « bareme start {exercise} ».")
    return folder.resolve(), exercise


def _begun(folder: Path) -> bool:
    """Say whether a folder holds more than the data that `make datagen` writes by itself."""
    return folder.is_dir() and any(path.name != "donnees" for path in folder.iterdir())
