"""`batch` and `pr`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from graders.commands.shared import (
    CODES,
    FOLDER,
    OUT,
    How,
    graded,
    key_of,
    leave,
    marks_of,
    options_of,
    shared,
    writable,
)  # fmt: skip

if TYPE_CHECKING:
    from graders.batch import Done
    from graders.model import Report
    from graders.pipeline import Options
    from graders.pullrequest import Change


@click.command()
@click.argument("root", type=FOLDER)
@click.option("--out", type=OUT, required=True, help="Dossier des rapports et de grades.csv.")
@shared
@click.option("--jobs", type=click.IntRange(1, 64), help="Corrections simultanées.")
@click.option("--timeout", type=click.IntRange(1, 86_400), default=3600, help="Secondes par rendu.")
def batch(
    root: Path,
    out: Path,
    how: How,
    jobs: int | None,
    timeout: int,
) -> None:
    """Corrige tous les rendus de ROOT, chacun dans son processus, et écrit grades.csv."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

    from graders import batch as batches
    from graders import reports

    todo = batches.targets([root])
    for told in batches.overlooked(root):
        click.echo(f"Laissé de côté : {told}", err=True)
    writable(out)
    if how.key_file:
        key_of(how.key_file)  # one bad key, one message, before two hundred processes
    marked = marks_of(how.marks).keys() if how.marks else set()
    if absent := sorted(marked - {target.team for target in todo}):
        click.echo(f"{how.marks} : équipes sans rendu : {', '.join(absent)}", err=True)
    console = Console(stderr=True)
    with Progress(
        "{task.description}",
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    ) as progress:
        bar = progress.add_task("Correction", total=len(todo))

        def on_done(done: batches.Done) -> None:
            progress.advance(bar)
            progress.console.print(_line(done), markup=False, highlight=False)

        ended = batches.run(
            todo,
            out.resolve(),
            how.flags(),
            jobs=jobs or batches.workers(),
            timeout=timeout,
            on_done=on_done,
        )
    rows = [batches.report_of(d) for d in ended]
    reports.csv.grades(rows, out / "grades.csv")
    again = sum(r.outcome.value == "to_regrade" for r in rows)
    click.echo(f"{len(rows)} rendus, dont {again} à recorriger : {out / 'grades.csv'}")
    sys.exit(batches.OURS if any(d.code == batches.OURS for d in ended) else batches.GRADED)


def _line(done: Done) -> str:
    from graders import batch as batches
    from graders.text import inert, number, one_line

    report = batches.report_of(done)
    label = {"graded": "", "refused": " (refusé)", "to_regrade": " (à recorriger)"}
    name = f"{done.target.team} {done.target.exercise}"
    line = f"{name} : {number(report.score)} / {number(report.out_of)}{label[report.outcome.value]}"
    return inert(one_line(line + (f" {done.error}" if done.report is None else "")))


@click.command()
@click.option("--base", required=True, help="Référence de la branche cible.")
@click.option("--head", required=True, help="Référence de la pull request.")
@click.option("--out", type=OUT, required=True, help="Dossier des rapports.")
@click.option("--repo", type=FOLDER, default=Path(), help="Dépôt (par défaut, ici).")
@shared
def pr(
    base: str,
    head: str,
    out: Path,
    repo: Path,
    how: How,
) -> None:
    """Corrige ce qu'une pull request change, avec le barème et les correcteurs de la base."""
    from graders import course, pullrequest, reports
    from graders.errors import BaremeError, SubmissionError
    from graders.text import inert, one_line

    writable(out)

    def summed_up(text: str) -> None:
        reports.write_text(out / "resume.md", text)

    def one(change: Change, exercise: str) -> Report:
        options = options_of(exercise, change.team, how)
        return _graded(repo.resolve(), change, exercise, options)

    try:
        change = pullrequest.read(repo.resolve(), base, head, course.exercises())
        ended = [one(change, exercise) for exercise in change.exercises]
    except SubmissionError as error:
        summed_up(f"### Pull request refusée\n\n{reports.markdown.escape(str(error))}\n")
        click.echo(f"Refusé : {inert(one_line(error, 1000))}", err=True)
        sys.exit(CODES["refused"])
    except BaremeError as error:
        why = reports.markdown.escape(str(error))
        summed_up(f"### Pull request non corrigée\n\nCe n'est pas la faute du rendu. {why}\n")
        raise
    for report in ended:
        reports.write(report, out)
    told = _besides(change, course.exercises())
    parts = [reports.markdown.escape(told)] * bool(told)
    summed_up("\n".join([*parts, *(reports.markdown.render(r) for r in ended)]))
    if told:
        click.echo(told, err=True)
    if not ended and change.others:
        sys.exit(CODES["refused"])
    leave(ended)


def _graded(repo: Path, change: Change, exercise: str, options: Options) -> Report:
    """Grade one changed submission from its blobs."""
    import dataclasses

    from graders import pipeline, pullrequest

    with pipeline.scratch() as place:
        folder = pullrequest.write_out(repo, change, exercise, place)
        report = graded(folder, exercise, options, None, False, False)
    return dataclasses.replace(report, commit=change.head)


def _besides(change: Change, known: list[str]) -> str:
    """Say what was not graded: folders that are no exercise's, or nothing at all."""
    if change.others:
        return (
            f"Non corrigé, aucun exercice ne porte ce nom : {', '.join(change.others)}. "
            f"Les exercices : {', '.join(known)}."
        )
    return "" if change.exercises else "Aucun rendu n'a changé : rien n'est à corriger."
