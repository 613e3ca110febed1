"""`selftest`: the graders graded, with their kill tables."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from graders.commands.shared import FILE, FOLDER, RUNTIMES

if TYPE_CHECKING:
    from graders.selftest import Verdict


@click.command()
@click.argument("exercises", nargs=-1)
@click.option("--runtime", type=RUNTIMES, default="auto")
@click.option("--corrections", type=FOLDER, help="Corrections déjà ouvertes, une par dossier.")
@click.option("--password-file", type=FILE, help="Fichier du mot de passe.")
@click.option("--only", multiple=True, help="Ne joue que ces cas (solution, starter, mutant).")
@click.option("--jobs", type=click.IntRange(1, 64), help="Corrections simultanées.")
def selftest(
    exercises: tuple[str, ...],
    runtime: str,
    corrections: Path | None,
    password_file: Path | None,
    only: tuple[str, ...],
    jobs: int | None,
) -> None:
    """Corrige la solution (20/20), le départ (0) et chaque mutant ; table des mutants."""
    from graders import course, pipeline
    from graders.commands.vault import password as ask
    from graders.errors import UsageError

    names = [course.exercise(e).name for e in exercises] or course.exercises()
    secret = "" if corrections else ask(password_file)
    healthy = True
    for name in names:
        with pipeline.scratch() as place:
            opened = corrections / name if corrections else _open(name, secret, place)
            if not (opened / "solution").is_dir():
                raise UsageError(f"« {opened} » ne contient pas de dossier solution/.")
            healthy &= _selftest(name, opened, place, runtime, only, jobs)
    sys.exit(0 if healthy else 1)


def _open(exercise: str, secret: str, place: Path) -> Path:
    from graders import course, rubric, vault

    archive = course.ROOT / "solutions_encrypted" / f"{exercise}.bareme"
    version = rubric.load(course.exercise(exercise)).version
    return vault.unlock(archive, exercise, secret, place / "correction", at_least=version)


def _selftest(
    name: str, opened: Path, place: Path, runtime: str, only: tuple[str, ...], jobs: int | None
) -> bool:
    import time

    from graders import batch as batches
    from graders import course, pipeline, rubric, selftest, tools
    from graders.errors import UsageError

    folder = course.exercise(name)
    rules = rubric.load(folder)
    runtime = pipeline.choose(runtime, tools.suite(name), trusted=True)
    todo = selftest.cases(opened, folder / "starter", rules, place / "cases")
    if unknown := set(only) - {c.name for c in todo}:
        raise UsageError(f"{name} n'a pas ces cas : {', '.join(sorted(unknown))}.")
    todo = [c for c in todo if not only or c.name in only]
    memory = rules.limits.memory if runtime == "docker" else 1024
    started = time.monotonic()
    verdicts = selftest.run(
        name,
        todo,
        runtime,
        "demo",
        jobs=jobs or batches.workers(memory),
    )
    alive = [] if only else selftest.unkilled(rules, verdicts)
    _table(name, [c.id for c in rules.criteria], verdicts)
    for case in verdicts:
        for defect in case.defects:
            click.echo(f"DEFECT {name} {case.case}: {defect}")
    for criterion in alive:
        click.echo(f"DEFECT {name}: no mutant kills {criterion}")
    seconds = time.monotonic() - started
    click.echo(f"{name} ({runtime}): {len(verdicts)} cases in {seconds:.0f} s")
    return not alive and not any(v.defects for v in verdicts)


def _table(name: str, criteria: list[str], verdicts: Iterable[Verdict]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"Kill table of {name}", show_lines=False)
    table.add_column("case")
    table.add_column("score", justify="right")
    table.add_column("lost criteria")
    table.add_column("s", justify="right")
    for case in verdicts:
        lost = "all" if len(case.lost) == len(criteria) else ", ".join(sorted(case.lost)) or "none"
        table.add_row(
            case.case,
            f"{case.score:g}",
            lost,
            f"{case.seconds:.0f}",
            style="red" * bool(case.defects),
        )
    Console(width=110).print(table)
