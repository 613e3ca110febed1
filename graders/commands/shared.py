"""What the commands that grade share: their options, one grading, the exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from graders.model import Report
    from graders.pipeline import Options

F = TypeVar("F", bound=Callable[..., Any])
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
OUT = click.Path(file_okay=False, path_type=Path)
RUNTIMES = click.Choice(["auto", "docker", "embedded"])
CODES = {"graded": 0, "refused": 1, "to_regrade": 2}


def shared(function: F) -> F:
    """Add the options that `grade` and `batch` share."""
    for option in (
        click.option("--runtime", type=RUNTIMES, default="auto", help="Docker ou dbt embarqué."),
        click.option("--static", is_flag=True, help="Ne vérifie que les fichiers."),
        click.option(
            "--trust",
            is_flag=True,
            help="Accepte que le code de l'étudiant tourne sur cette machine, sans Docker.",
        ),
        click.option("--marks", type=FILE, help="Notes de l'enseignant (YAML)."),
        click.option("--engine-runtime", default="", help="Runtime du moteur Docker (runsc…)."),
        click.option(
            "--key-file", type=FILE, help="Clé secrète d'où dérivent les graines cachées."
        ),
    ):
        function = option(function)
    return function


def options_of(
    exercise: str,
    runtime: str,
    *,
    trust: bool,
    team: str,
    marks: Path | None = None,
    key_file: Path | None = None,
    engine_runtime: str = "",
    replay: int | None = None,
    quiet: bool = False,
) -> Options:
    """Return a grading's options; UsageError or MachineError where the runtime can't be had."""
    from graders import pipeline, tools

    chosen = pipeline.choose(runtime, tools.suite(exercise), trusted=trust)
    if chosen == "embedded":
        _no_password_in_sight()
        click.echo(
            "Sans Docker : le code du rendu tourne sur cette machine, sans isolement.", err=True
        )
    return pipeline.Options(
        runtime=chosen,
        team=team,
        key=key_file.read_bytes().strip() if key_file else None,
        replay=replay,
        marks=_marks(marks, team, exercise),
        engine_runtime=engine_runtime,
        say=(lambda _: None) if quiet else _say,
    )


def _say(text: str) -> None:
    from graders.text import inert, one_line

    click.echo(f"  {inert(one_line(text))}", err=True)


def _no_password_in_sight() -> None:
    """Refuse to run a submission's code here while it could read the corrections' password.

    Removing the variable is not enough: a child of the same user reads /proc/<parent>/environ.
    """
    import os

    from graders.commands.vault import VARIABLE
    from graders.errors import UsageError

    if VARIABLE in os.environ:
        raise UsageError(
            f"La variable {VARIABLE} serait lisible par le code du rendu : « unset {VARIABLE} »."
        )


def _marks(path: Path | None, team: str, exercise: str) -> Mapping[str, float]:
    from graders.errors import UsageError
    from graders.untrusted import read_yaml

    if path is None:
        return {}
    data = read_yaml(path.read_bytes(), path.name)
    marks = (data.get(team) or {}).get(exercise) or {}
    if not all(isinstance(v, int | float) for v in marks.values()):
        raise UsageError(f"{path} : {team}, {exercise} : un nombre par critère est attendu.")
    return {str(k): float(v) for k, v in marks.items()}


def graded(
    folder: Path, exercise: str, options: Options, out: Path | None, as_json: bool, student: bool
) -> Report:
    """Grade a folder, show its report, and write it into `out`."""
    from rich.console import Console

    from graders import pipeline, reports

    report = pipeline.grade(folder, exercise, options)
    if as_json:
        click.echo(reports.json.render(report), nl=False)
    else:
        reports.console.show(report, Console(), student=student)
    if out is not None:
        for path in reports.write(report, out).values():
            click.echo(f"Rapport : {path}", err=True)
    return report


def leave(reports: Iterable[Report]) -> None:
    """Exit with the code of the worst report."""
    sys.exit(max((CODES[r.outcome.value] for r in reports), default=0))
