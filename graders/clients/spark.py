"""Ask a Spark standalone cluster what it ran, and read the event log of an application.

The log lies where the student's containers can write: its answers count only where the master and
the workers, asked through their own pages, say the same.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import pyarrow as pa

from graders.errors import ApiError, OutOfBounds

LOG_MOST = 256 << 20  # bytes of a log, decompressed
LINE_MOST = 16 << 20  # bytes of one event: the plan of a query can be large
EVENTS_MOST = 500_000
DRIVER = "driver"  # the executor's name where there is no cluster
_BUFFER = 8 << 10  # bytes: what is lost before the cut of a log that ends in the middle of a frame
_ZSTD = b"\x28\xb5\x2f\xfd"


class Http(Protocol):
    """What is needed of `graders.http.Client`."""

    def json(self, url: str) -> Any:
        """Return the JSON of a page."""
        ...


class Cluster:
    """A standalone cluster's own pages: the master's and the workers'."""

    def __init__(self, http: Http, master: str, workers: Sequence[str]) -> None:
        self.http = http
        self.master = master
        self.workers = tuple(workers)

    def alive(self) -> int:
        """Return how many workers are registered and alive."""
        rows = _rows(self.http.json(self.master), "workers", self.master)
        return sum(row.get("state") == "ALIVE" for row in rows)

    def applications(self) -> dict[str, str]:
        """Return the state of every application that the master knows, by its id."""
        page = self.http.json(self.master)
        rows = [r for k in ("activeapps", "completedapps") for r in _rows(page, k, self.master)]
        return {str(row.get("id")): str(row.get("state")) for row in rows}

    def executors(self, application: str) -> set[str]:
        """Return the executors that the workers started for an application."""
        found = set()
        for worker in self.workers:
            page = self.http.json(worker)
            for kind in ("executors", "finishedexecutors"):
                for row in _rows(page, kind, worker):
                    if row.get("appid") == application:
                        found.add(str(row.get("id")))
        return found


def _rows(page: Any, key: str, url: str) -> list[Mapping[str, Any]]:
    rows = page.get(key) if isinstance(page, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ApiError(f"{url} n'est pas la page d'un Spark autonome : « {key} » manque.")
    return rows


@dataclass
class Log:
    """What an event log says of one application. Sizes are in bytes.

    `tasks`, `read` and `executors` are by executor; `sent` is what the driver received as results,
    by stage.
    """

    application: str = ""
    master: str = ""
    executors: set[str] = field(default_factory=set)
    stages: int = 0
    tasks: dict[str, int] = field(default_factory=dict)
    read: dict[str, int] = field(default_factory=dict)
    sent: dict[int, int] = field(default_factory=dict)


def read_log(parts: Iterable[bytes]) -> Log:
    """Read the files of one event log, in order; plain or zstd, whole or cut short."""
    log = Log()
    events = 0
    for line in _lines(parts):
        events += 1
        if events > EVENTS_MOST:
            raise OutOfBounds(f"Le journal d'événements a plus de {EVENTS_MOST} événements.")
        name = line[:80].partition(b'"Event":"')[2].partition(b'"')[0].decode("ascii", "replace")
        if name not in _TAKEN:
            continue
        try:
            _TAKEN[name](log, json.loads(line))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise ApiError(f"Journal d'événements illisible : {name}, {type(error).__name__}.") \
                from error  # fmt: skip
    return log


def _lines(parts: Iterable[bytes]) -> Iterator[bytes]:
    size = 0
    for part in parts:
        file: Any = io.BytesIO(part)
        if part.startswith(_ZSTD):  # one frame after the other, which this stream reads across
            stream = pa.CompressedInputStream(pa.BufferReader(part), "zstd")
            file = io.BufferedReader(stream, _BUFFER)
        try:
            while line := file.readline(LINE_MOST):
                size += len(line)
                if size > LOG_MOST:
                    most = LOG_MOST >> 20
                    raise OutOfBounds(f"Le journal d'événements dépasse {most} Mio.")
                if line.endswith(b"\n"):  # else cut short, with the job
                    yield line
        except OSError:
            continue  # cut in the middle of a frame: what came before counts


def _start(log: Log, event: Any) -> None:
    log.application = str(event["App ID"])


def _environment(log: Log, event: Any) -> None:
    log.master = str(event["Spark Properties"].get("spark.master", ""))


def _executor(log: Log, event: Any) -> None:
    log.executors.add(str(event["Executor ID"]))


def _stage(log: Log, event: Any) -> None:
    log.stages += "Failure Reason" not in event["Stage Info"]


def _task(log: Log, event: Any) -> None:
    if event["Task End Reason"]["Reason"] != "Success":
        return
    executor, stage = str(event["Task Info"]["Executor ID"]), int(event["Stage ID"])
    metrics = event.get("Task Metrics") or {}
    log.tasks[executor] = log.tasks.get(executor, 0) + 1
    rows = max(0, int(metrics.get("Input Metrics", {}).get("Records Read", 0)))
    log.read[executor] = log.read.get(executor, 0) + rows
    size = max(0, int(metrics.get("Result Size", 0)))
    log.sent[stage] = log.sent.get(stage, 0) + size


_TAKEN: Mapping[str, Callable[[Log, Any], None]] = {
    "SparkListenerApplicationStart": _start,
    "SparkListenerEnvironmentUpdate": _environment,
    "SparkListenerExecutorAdded": _executor,
    "SparkListenerStageCompleted": _stage,
    "SparkListenerTaskEnd": _task,
}
