"""Many submissions, each graded in a process of its own: one that fails never stops the rest."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import subprocess
import sys
import threading
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
            linked = folder.is_symlink() or (depth == "*/*" and folder.parent.is_symlink())
            if folder.name in known and folder.is_dir() and not linked:
                yield Target(folder, folder.name, folder.parent.name)


def overlooked(root: Path) -> list[str]:
    """Return what looks like a submission below `root` and is not graded, with the reason."""
    known = {name.casefold(): name for name in course.exercises()}
    told = []
    for path in sorted([*root.glob("*"), *root.glob("*/*")]):
        name = known.get(path.name.casefold())
        where = path.relative_to(root)
        if path.is_symlink() and path.is_dir():
            told.append(f"{where} est un lien.")
        elif name and path.name != name:
            told.append(f"{where} : le dossier doit s'appeler « {name} ».")
        elif name and not path.is_dir():
            told.append(f"{where} n'est pas un dossier.")
    return told


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

    Each process has `timeout` seconds, then it is killed with what it started. An interruption
    ends those that run, and marks what is left as to be regraded.
    """
    out.mkdir(parents=True, exist_ok=True)
    done: list[Done] = []
    running = _Running()
    with futures.ThreadPoolExecutor(max_workers=jobs) as pool:
        waiting = [pool.submit(_one, target, out, flags, timeout, running) for target in todo]
        try:
            for ended in futures.as_completed(waiting):
                done.append(ended.result())
                on_done(done[-1])
        except KeyboardInterrupt:
            running.stop()
            done = [ended.result() for ended in waiting]  # at once, or as soon as it has unwound
    return sorted(done, key=lambda d: (d.target.team, d.target.exercise))


class _Running:
    """The processes at work, so that an interruption can end them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._processes: set[subprocess.Popen[bytes]] = set()
        self.stopped = False

    @contextlib.contextmanager
    def start(self, argv: Sequence[str]) -> Iterator[subprocess.Popen[bytes] | None]:
        """Give a new process, or None once all was stopped."""
        with self._lock:
            if self.stopped:
                process = None
            else:
                process = subprocess.Popen(
                    argv,
                    cwd=course.ROOT,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    start_new_session=True,
                )
                self._processes.add(process)
        try:
            yield process
        finally:
            if process:
                self._processes.discard(process)

    def stop(self) -> None:
        """End what runs, each unwinding by itself, and start nothing more."""
        with self._lock:
            self.stopped = True
            for process in self._processes:
                process.terminate()


def _one(
    target: Target, out: Path, flags: Sequence[str], timeout: float, running: _Running
) -> Done:
    if not intake.SLUG.fullmatch(target.team):
        return Done(target, REFUSED, None, f"« {target.team} » n'est pas un nom d'équipe.")
    report = out / f"{target.team}-{target.exercise}.json"
    try:
        for reporter in reports.REPORTERS.values():  # of an earlier batch: not to be taken for ours
            report.with_suffix(reporter.suffix).unlink(missing_ok=True)
    except OSError as error:
        return Done(target, OURS, None, f"{error.filename} : {error.strerror}")
    argv = [sys.executable, "-m", "graders.cli", "grade", str(target.folder)]
    argv += ["--exercise", target.exercise, "--team", target.team, "--out", str(out), *flags]
    with running.start(argv) as process:
        if process is None:
            return Done(target, OURS, None, "interrompu")
        code, err = _wait(process, timeout)
    if code is None:
        return Done(target, OURS, None, f"arrêté après {timeout:.0f} s")
    last = err.decode("utf-8", "replace").strip().splitlines()[-1:]
    if report.is_file():
        return Done(target, code, report, "".join(last)[:500])
    # A refusal is a report too: without one, the process was stopped or the fault is ours.
    why = (
        "interrompu" if running.stopped else f"le correcteur s'est arrêté ({code}) {''.join(last)}"
    )
    return Done(target, OURS, None, why[:500])


def _wait(process: subprocess.Popen[bytes], timeout: float) -> tuple[int | None, bytes]:
    """Return a process's exit code, None where it was late, and what it wrote on stderr."""
    try:
        _, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.terminate()  # it unwinds and tears its stack down
        try:
            process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.communicate()
        return None, b""
    return process.returncode, err


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
