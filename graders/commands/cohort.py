"""`batch` and `pr`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from graders.commands.shared import CODES, FOLDER, OUT, graded, leave, options_of, shared

if TYPE_CHECKING:
    from graders.batch import Done


@click.command()
@click.argument("root", type=FOLDER)
@click.option("--out", type=OUT, required=True, help="Dossier des rapports et de grades.csv.")
@shared
@click.option("--jobs", type=click.IntRange(1, 64), help="Corrections simultanées.")
@click.option("--timeout", type=float, default=3600.0, help="Secondes par rendu.")
def batch(
    root: Path,
    out: Path,
    runtime: str,
    static: bool,
    trust: bool,
    marks: Path | None,
    key_file: Path | None,
    engine_runtime: str,
    jobs: int | None,
    timeout: float,
) -> None:
    """Corrige tous les rendus de ROOT, chacun dans son processus, et écrit grades.csv."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

    from graders import batch as batches
    from graders import reports

    todo = batches.targets([root])
    flags = ["--runtime", runtime]
    flags += [f for f, on in (("--static", static), ("--trust", trust)) if on]
    flags += ["--marks", str(marks.resolve())] if marks else []
    flags += ["--key-file", str(key_file.resolve())] if key_file else []
    flags += ["--engine-runtime", engine_runtime] if engine_runtime else []
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
            flags,
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
    runtime: str,
    static: bool,
    trust: bool,
    marks: Path | None,
    key_file: Path | None,
    engine_runtime: str,
) -> None:
    """Corrige ce qu'une pull request change, avec le barème et les correcteurs de la base."""
    import dataclasses

    from graders import course, pipeline, pullrequest, reports
    from graders.errors import SubmissionError

    try:
        change = pullrequest.read(repo.resolve(), base, head, course.exercises())
        ended = []
        for exercise in change.exercises:
            with pipeline.scratch() as place:
                folder = pullrequest.write_out(repo.resolve(), change, exercise, place)
                options = options_of(
                    exercise,
                    "static" if static else runtime,
                    trust=trust,
                    team=change.team,
                    marks=marks,
                    key_file=key_file,
                    engine_runtime=engine_runtime,
                )
                report = graded(folder, exercise, options, None, False, False)
                ended.append(dataclasses.replace(report, commit=change.head))
    except SubmissionError as error:
        out.mkdir(parents=True, exist_ok=True)
        refusal = f"### Pull request refusée\n\n{reports.markdown.escape(str(error))}\n"
        (out / "resume.md").write_text(refusal, "utf-8")
        click.echo(f"Refusé : {error}", err=True)
        sys.exit(CODES["refused"])
    for report in ended:
        reports.write(report, out)
    out.mkdir(parents=True, exist_ok=True)
    summary = "\n".join(reports.markdown.render(r) for r in ended)
    (out / "resume.md").write_text(summary, "utf-8")
    leave(ended)
