"""Many submissions, each graded in a process of its own: one that fails never stops the rest."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from dataclasses import dataclass, replace
from pathlib import Path

from graders import course, intake, reports
from graders.errors import ReportError, UsageError
from graders.model import Outcome, Report

GRADED, REFUSED, OURS = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Target:
    """One folder to grade, and as what."""

    folder: Path
    exercise: str
    team: str


@dataclass(frozen=True, slots=True)
class Done:
    """How one submission's process ended. `report` is None when it left none."""

    target: Target
    code: int
    report: Path | None
    error: str


def targets(paths: Sequence[Path], exercise: str | None = None) -> list[Target]:
    """Return what lies at `paths`: submissions, teams' folders or a folder of teams.

    A submission's folder is named after its exercise, unless `exercise` says what it is.
    """
    found: list[Target] = []
    for path in paths:
        here = list(_below(path, exercise))
        if not here:
            raise UsageError(
                f"Rien à corriger dans « {path} » : un dossier de rendu porte le nom de son "
                f"exercice ({', '.join(course.exercises())})."
            )
        found += here
    return found


def _below(path: Path, exercise: str | None) -> Iterator[Target]:
    known = course.exercises()
    path = path.resolve()
    if exercise:
        yield Target(path, course.exercise(exercise).name, path.parent.name)
        return
    if path.name in known:
        yield Target(path, path.name, path.parent.name)
        return
    for depth in ("*", "*/*"):
        for folder in sorted(path.glob(depth)):
            if folder.name in known and folder.is_dir() and not folder.is_symlink():
                yield Target(folder, folder.name, folder.parent.name)


def run(
    todo: Sequence[Target],
    out: Path,
    flags: Sequence[str],
    *,
    jobs: int,
    timeout: float,
    on_done: Callable[[Done], None],
) -> list[Done]:
    """Grade `todo` in at most `jobs` processes at once; `flags` go to `bareme grade` as they are.

    Each process has `timeout` seconds, then it is killed with what it started.
    """
    out.mkdir(parents=True, exist_ok=True)
    done: list[Done] = []
    with futures.ThreadPoolExecutor(max_workers=jobs) as pool:
        waiting = [pool.submit(_one, target, out, flags, timeout) for target in todo]
        for ended in futures.as_completed(waiting):
            done.append(ended.result())
            on_done(done[-1])
    return sorted(done, key=lambda d: (d.target.team, d.target.exercise))


def _one(target: Target, out: Path, flags: Sequence[str], timeout: float) -> Done:
    if not intake.SLUG.fullmatch(target.team):
        return Done(target, REFUSED, None, f"« {target.team} » n'est pas un nom d'équipe.")
    report = out / f"{target.team}-{target.exercise}.json"
    report.unlink(missing_ok=True)
    argv = [sys.executable, "-m", "graders.cli", "grade", str(target.folder)]
    argv += ["--exercise", target.exercise, "--team", target.team, "--out", str(out), *flags]
    process = subprocess.Popen(
        argv,
        cwd=course.ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        _, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.terminate()  # it unwinds and tears its stack down
        try:
            process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.communicate()
        return Done(target, OURS, None, f"arrêté après {timeout:.0f} s")
    last = err.decode("utf-8", "replace").strip().splitlines()[-1:]
    code = process.returncode
    return Done(target, code, report if report.is_file() else None, "".join(last)[:500])


def workers(memory: int = 2048) -> int:
    """Return how many submissions to grade at once: one per core, `memory` MiB each."""
    pages = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20
    return max(1, min(multiprocessing.cpu_count(), pages // memory))


def report_of(done: Done) -> Report:
    """Return the report that a process left, else one that says to grade again."""
    if done.report is not None:
        try:
            return reports.json.load(done.report)
        except ReportError as error:
            done = replace(done, code=OURS, error=str(error))
    return Report(
        exercise=done.target.exercise,
        title=done.target.exercise,
        team=done.target.team,
        members=(),
        commit="",
        outcome=Outcome.REFUSED if done.code == REFUSED else Outcome.TO_REGRADE,
        results=(),
        out_of=20.0,
        notices=(done.error,),
    )
