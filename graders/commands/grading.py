"""`check`, `grade`, `batch`, `pr` and `selftest`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from graders.batch import Done
    from graders.model import Report
    from graders.pipeline import Options
    from graders.selftest import Verdict

F = TypeVar("F", bound=Callable[..., Any])
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
OUT = click.Path(file_okay=False, path_type=Path)
RUNTIMES = click.Choice(["auto", "docker", "embedded"])
CODES = {"graded": 0, "refused": 1, "to_regrade": 2}


def _shared(function: F) -> F:
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


@click.command()
@click.argument("paths", nargs=-1, required=True, type=FOLDER)
@_shared
@click.option("--exercise", help="Exercice, si le dossier n'en porte pas le nom.")
@click.option("--team", help="Équipe, si le dossier parent n'en porte pas le nom.")
@click.option("--replay", type=int, help="Graine cachée d'un rapport à rejouer.")
@click.option("--out", type=OUT, help="Dossier des rapports (JSON, HTML, JUnit).")
@click.option("--json", "as_json", is_flag=True, help="Écrit le rapport JSON sur la sortie.")
def grade(
    paths: tuple[Path, ...],
    runtime: str,
    static: bool,
    trust: bool,
    marks: Path | None,
    key_file: Path | None,
    engine_runtime: str,
    exercise: str | None,
    team: str | None,
    replay: int | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Corrige des rendus. Codes : 0 corrigé, 1 refusé (rendu), 2 à recorriger (machine)."""
    from graders import batch as batches

    found = batches.targets(paths, exercise)
    reports = []
    for target in found:
        options = _options(
            target.exercise,
            "static" if static else runtime,
            trust=trust,
            team=team or target.team,
            marks=marks,
            key_file=key_file,
            engine_runtime=engine_runtime,
            replay=replay,
            quiet=as_json,
        )
        reports.append(_grade(target.folder, target.exercise, options, out, as_json, False))
    _exit(reports)


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
    wanted = "static" if static else runtime
    try:
        options = _options(exercise, wanted, trust=True, team=team or folder.parent.name)
    except MachineError as error:
        if tools.suite(exercise).embedded or runtime == "docker":
            raise
        click.echo(f"{error}\nSeuls les fichiers sont vérifiés.", err=True)
        options = _options(exercise, "static", trust=True, team=team or folder.parent.name)
    click.echo(f"Vérification de {folder} ({course.exercise(exercise).name})", err=True)
    _exit([_grade(folder, exercise, options, out, False, True)])


@click.command()
@click.argument("root", type=FOLDER)
@click.option("--out", type=OUT, required=True, help="Dossier des rapports et de grades.csv.")
@_shared
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
@_shared
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
                options = _options(
                    exercise,
                    "static" if static else runtime,
                    trust=trust,
                    team=change.team,
                    marks=marks,
                    key_file=key_file,
                    engine_runtime=engine_runtime,
                )
                report = _grade(folder, exercise, options, None, False, False)
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
    _exit(ended)


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

    names = [course.exercise(e).name for e in exercises] or course.exercises()
    secret = "" if corrections else ask(password_file)
    healthy = True
    for name in names:
        with pipeline.scratch() as place:
            opened = corrections / name if corrections else _open(name, secret, place)
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

    folder = course.exercise(name)
    rules = rubric.load(folder)
    runtime = pipeline.choose(runtime, tools.suite(name), trusted=True)
    todo = selftest.cases(opened, folder / "starter", rules, place / "cases")
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


def _own(what: str, team: str | None) -> tuple[Path, str]:
    """Return the folder and exercise that a student means by `what`."""
    from graders import course
    from graders.errors import UsageError

    path = Path(what)
    if path.is_dir() and path.resolve().name in course.exercises():
        return path.resolve(), path.resolve().name
    exercise = course.exercise(what).name
    teams = [team] if team else [p.parent.name for p in Path("submissions").glob(f"*/{exercise}")]
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


def _options(
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


def _grade(
    folder: Path, exercise: str, options: Options, out: Path | None, as_json: bool, student: bool
) -> Report:
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


def _exit(reports: Iterable[Report]) -> None:
    sys.exit(max((CODES[r.outcome.value] for r in reports), default=0))
