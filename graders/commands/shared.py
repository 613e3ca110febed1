"""What the commands that grade share: their options, one grading, the exit code."""

from __future__ import annotations

import dataclasses
import functools
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

if TYPE_CHECKING:
    from graders.model import Report
    from graders.pipeline import Options

F = TypeVar("F", bound=Callable[..., Any])
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
OUT = click.Path(file_okay=False, path_type=Path)
RUNTIMES = click.Choice(["auto", "docker", "embedded"])
LEAST_KEY = 16  # bytes
CODES = {"graded": 0, "refused": 1, "to_regrade": 2}


@dataclass(frozen=True, slots=True)
class How:
    """The options that `grade`, `batch` and `pr` share, as they were typed."""

    runtime: str = "auto"
    static: bool = False
    trust: bool = False
    marks: Path | None = None
    key_file: Path | None = None
    engine_runtime: str = ""

    def flags(self) -> list[str]:
        """Return them as words of a command line, for each submission's own process."""
        flags = ["--runtime", self.runtime]
        flags += [f for f, on in (("--static", self.static), ("--trust", self.trust)) if on]
        flags += ["--marks", str(self.marks.resolve())] if self.marks else []
        flags += ["--key-file", str(self.key_file.resolve())] if self.key_file else []
        flags += ["--engine-runtime", self.engine_runtime] if self.engine_runtime else []
        return flags


def shared(function: F) -> F:
    """Add the options of `How`, and hand them over as one."""

    @functools.wraps(function)
    def gathered(**options: Any) -> Any:
        how = How(**{f.name: options.pop(f.name) for f in dataclasses.fields(How)})
        return function(how=how, **options)

    command: Any = gathered
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
        command = option(command)
    return cast("F", command)


def options_of(
    exercise: str, team: str, how: How, *, replay: int | None = None, quiet: bool = False
) -> Options:
    """Return a grading's options; UsageError or MachineError where the runtime can't be had."""
    from graders import pipeline, tools

    wanted = "static" if how.static else how.runtime
    chosen = pipeline.choose(wanted, tools.suite(exercise), trusted=how.trust)
    if chosen == "embedded":
        _no_password_in_sight()
        click.echo(
            "Sans Docker : le code du rendu tourne sur cette machine, sans isolement.", err=True
        )
    if how.engine_runtime and chosen == "docker":
        from graders.stack import engine

        engine.check_runtime(how.engine_runtime)
    marks = marks_of(how.marks) if how.marks else {}
    return pipeline.Options(
        runtime=chosen,
        team=team,
        key=key_of(how.key_file) if how.key_file else None,
        replay=replay,
        marks=marks.get(team, {}).get(exercise, {}),
        engine_runtime=how.engine_runtime,
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


def key_of(path: Path) -> bytes:
    """Return the key; UsageError where it is one that can be guessed."""
    from graders.errors import UsageError

    with path.open("rb") as file:
        key = file.read(4096).strip()
    if len(key) < LEAST_KEY:
        raise UsageError(
            f"{path} : une clé d'au moins {LEAST_KEY} octets est attendue "
            "(« openssl rand -hex 32 » en écrit une)."
        )
    return key


def marks_of(path: Path) -> dict[str, dict[str, dict[str, float]]]:
    """Return an instructor's marks by team, exercise and criterion.

    UsageError names what is none: an exercise or a criterion that does not exist or that is not
    marked by a person, a mark out of its range.
    """
    from graders import course, rubric
    from graders.errors import SubmissionError, UsageError
    from graders.untrusted import read_yaml

    try:
        data = read_yaml(path.read_bytes(), str(path))
    except SubmissionError as error:
        raise UsageError(str(error)) from error
    found: dict[str, dict[str, dict[str, float]]] = {}
    for team, exercises in _mapping(data, path):
        found[team] = {}
        for exercise, marks in _mapping(exercises, path, team):
            if exercise not in course.exercises():
                raise UsageError(f"{path} : {team} : « {exercise} » n'est pas un exercice.")
            rules = rubric.load(course.exercise(exercise))
            most = {c.id: c.points for c in rules.criteria if c.human}
            found[team][exercise] = {}
            for name, mark in _mapping(marks, path, team, exercise):
                place = f"{path} : {team}, {exercise}, {name}"
                if name not in most:
                    raise UsageError(
                        f"{place} : ce critère ne se note pas à la main "
                        f"({', '.join(most) or 'aucun'} dans cet exercice)."
                    )
                number = isinstance(mark, int | float) and not isinstance(mark, bool)
                if not number or not 0 <= mark <= most[name]:
                    raise UsageError(f"{place} : un nombre de 0 à {most[name]:g} est attendu.")
                found[team][exercise][name] = float(mark)
    return found


def _mapping(value: object, *place: object) -> Iterable[tuple[str, Any]]:
    from graders.errors import UsageError

    if not isinstance(value, dict):
        raise UsageError(
            f"{' : '.join(map(str, place))} : équipe, exercice, critère puis note sont attendus, "
            "l'un sous l'autre."
        )
    return ((str(k), v) for k, v in value.items())


def writable(out: Path) -> None:
    """Make the reports' folder before anything is graded; UsageError where it cannot be one."""
    import os

    from graders.errors import UsageError

    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"« {out} » ne peut pas être créé : {error.strerror}.") from error
    if not os.access(out, os.W_OK | os.X_OK):
        raise UsageError(f"« {out} » : vous n'avez pas le droit d'y écrire.")


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
