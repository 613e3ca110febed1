"""Run a submission's job: by the stack's own submit service, or by PySpark on this machine."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from graders.clients.spark import Cluster
from graders.errors import ApiError, MachineError, StackError
from graders.model import Work
from graders.stack import evidence
from graders.stack.evidence import ServiceState
from graders.suite import Say
from graders.tools import surroundings
from graders.tools.spark_roles import Parts

JOIN = 180.0  # seconds that a worker has to join its master: a busy machine takes one minute
SETTLE = 10.0  # seconds that the cluster has to note the end of an application
PAUSE = 0.5
TELL = 10.0  # seconds between two messages while the job runs
TAIL = 200  # lines of the job's log
LOG_MOST = 64 << 10  # bytes kept of a local job's log


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended: its exit code (None where its time was over), the end of its log.

    `applications` are those that ran meanwhile, by the master's own account; None where there is
    no master to ask.
    """

    code: int | None
    how: str
    log: str
    seconds: float
    applications: Mapping[str, str] | None = None


class Runner(Protocol):
    """A place where the job can be run again and again."""

    results: Path

    def feed(self, folder: Path) -> None:
        """Put other data in the place of the data."""
        ...

    def run(self, timeout: float) -> Ended:
        """Empty the results and run the job."""
        ...

    def executors(self, application: str) -> set[str]:
        """Return the executors that workers started for an application."""
        ...


class InStack:
    """The job as the student's stack runs it: their service, started again."""

    def __init__(self, work: Work, stack: Any, parts: Parts, cluster: Cluster, say: Say) -> None:
        self.results = work.results
        self.stack = stack
        self.parts = parts
        self.cluster = cluster
        self.say = say

    def feed(self, folder: Path) -> None:
        """Put other data in the place of the data, under the containers' eyes."""
        self.stack.replace_data(folder)

    def executors(self, application: str) -> set[str]:
        """Return the executors that the workers started for an application."""
        return self.cluster.executors(application)

    def run(self, timeout: float) -> Ended:
        """Start the submit service again on empty results, and wait until it ends."""
        name = self.parts.submit
        self.stack.stop(name)
        self._settle(())
        self._unlock()
        empty(self.results)
        before = self.cluster.applications().keys()
        start = time.monotonic()
        self.stack.start(name)
        state = self._wait(name, start, timeout)
        seconds = time.monotonic() - start
        if not state.over:
            self.stack.stop(name)
        log = self.stack.logs(name, TAIL)
        after = self._settle(before)
        self._unlock()
        return Ended(state.code, str(state), log, seconds,
                     {k: v for k, v in after.items() if k not in before})  # fmt: skip

    def _wait(self, name: str, start: float, timeout: float) -> Any:
        told = start
        while True:
            self.stack.check()
            state = self.stack.state(name)
            now = time.monotonic()
            if state.over or now - start > timeout:
                return state
            if now - told > TELL:
                told = now
                self.say(f"le job tourne, {now - start:.0f} s")
            time.sleep(PAUSE)

    def _settle(self, known: Any) -> Mapping[str, str]:
        """Wait until the master knows that no application runs any more; return what it knows."""
        deadline = time.monotonic() + SETTLE
        while True:
            there = self.cluster.applications()
            busy = [a for a, state in there.items() if state in ("RUNNING", "WAITING")]
            if time.monotonic() > deadline or not [a for a in busy if a not in known]:
                return there
            time.sleep(PAUSE)

    def _unlock(self) -> None:
        """Let us read and remove what Spark keeps to the container's user (the event log)."""
        if os.geteuid() == 0:
            return
        place = next(
            (m["target"] for m in self.stack.services[self.parts.workers[0]].get("volumes", ())
             if m.get("source") == str(self.results)), "")  # fmt: skip
        if place:
            self.stack.exec(self.parts.workers[0], ["chmod", "-R", "a+rwX", place])


class Local:
    """The job in PySpark's local mode, in a process group of its own, on the student's machine."""

    def __init__(self, work: Work, place: Path) -> None:
        self.place = place
        self.results = place / "resultats"
        self.data = place / "donnees"
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(work.submission.root, place, symlinks=True)
        self.results.mkdir(exist_ok=True)
        self.feed(work.data)

    def feed(self, folder: Path) -> None:
        """Put other data in the place of the data."""
        shutil.rmtree(self.data, ignore_errors=True)
        shutil.copytree(folder, self.data)

    def executors(self, application: str) -> set[str]:  # noqa: ARG002 - as the protocol says
        """Return nothing: local mode has no workers."""
        return set()

    def run(self, timeout: float) -> Ended:
        """Run job.py with this machine's PySpark on empty results."""
        empty(self.results)
        start = time.monotonic()
        options = (
            "--master local[2] --conf spark.ui.enabled=false --conf spark.eventLog.enabled=true "
            f"--conf spark.eventLog.dir={self.results.as_uri()} pyspark-shell"
        )
        log = self.place / "job.log"
        with log.open("wb") as output:
            job = subprocess.Popen(
                [sys.executable, "job.py"],
                cwd=self.place,
                env={
                    **surroundings.environment("JAVA_HOME", "SPARK_HOME"),
                    "PYSPARK_SUBMIT_ARGS": options,
                    "PYSPARK_PYTHON": sys.executable,
                },
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                code: int | None = job.wait(timeout)
            except subprocess.TimeoutExpired:
                code = None
            finally:
                _end(job)
        how = f"job.py : terminé, code {code}"
        return Ended(code, how, _tail(log), time.monotonic() - start)


def _end(job: subprocess.Popen[bytes]) -> None:
    """Let the JVM of a job that has ended close its event log, then leave nothing of it behind."""
    with suppress(ProcessLookupError):
        deadline = time.monotonic() + (SETTLE if job.poll() is not None else 0.0)
        while time.monotonic() < deadline:
            os.killpg(job.pid, 0)
            time.sleep(PAUSE)
        os.killpg(job.pid, signal.SIGKILL)
    job.wait()


def _tail(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - LOG_MOST))
        return file.read().decode("utf-8", "replace")


def empty(folder: Path) -> None:
    """Remove all that lies in a folder; the folder, which is mounted, stays."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    if left := [p.name for p in folder.iterdir()]:
        raise MachineError(f"the results could not be removed: {left[:3]}")


@contextmanager
def opened(work: Work, stack: Any, parts: Parts, say: Say) -> Iterator[InStack]:
    """Wait until the cluster has a worker, then give the runner; the job is stopped at the end."""
    cluster = Cluster(
        stack.http,
        stack.url(parts.master, 8080, "/json/"),
        [stack.url(worker, 8081, "/json/") for worker in parts.workers],
    )

    def states() -> list[ServiceState]:
        there = [stack.state(worker) for worker in parts.workers]
        return [replace(s, log=stack.logs(s.service, 10)) if s.over else s for s in there]

    say("le worker rejoint le master")
    stack.stop(parts.submit)  # it would only take the workers' time
    joined(cluster, states)
    runner = InStack(work, stack, parts, cluster, say)
    try:
        yield runner
    finally:
        with suppress(Exception):  # a stack that is gone has no job left
            stack.stop(parts.submit)


def joined(
    cluster: Cluster,
    states: Callable[[], Sequence[ServiceState]],
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Return once a worker has joined the master; StackError where none does."""
    deadline = clock() + JOIN
    why = "aucun worker n'est inscrit"
    while True:
        try:
            if cluster.alive():
                return
        except ApiError as error:
            why = str(error)
        there = states()
        if all(state.over for state in there):
            raise StackError(evidence.story("Le worker s'est arrêté.", list(there)))
        if clock() > deadline:
            raise StackError(
                f"Le cluster Spark n'est pas prêt après {JOIN:g} s : {why}. L'adresse donnée au "
                "worker doit être celle du master (spark://master:7077)."
            )
        time.sleep(PAUSE)
