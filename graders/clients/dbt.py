"""Talk to a warm dbt (`tools/dbt_worker.py`) through its exchange folder, and read its manifest."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from graders.errors import ApiError, MachineError, OutOfBounds

BIGGEST = 64 << 20  # bytes of one JSON file
WALL = 6.0  # times the CPU limit: what a busy machine may take
GRACE = 20.0  # seconds that the worker has to say that a command was late
PAUSE = 0.01
FLAGS = ("--no-use-colors", "--quiet", "--log-level-file", "none", "--no-version-check")
FAILED = frozenset({"fail", "error", "runtime error"})


class Worker(Protocol):
    """A started worker, on the host or in a container."""

    def alive(self) -> bool:
        """Say whether it still runs."""
        ...

    def log(self) -> str:
        """Return the end of what it printed."""
        ...


@dataclass(frozen=True, slots=True)
class Row:
    """What dbt says of one node: `id` is its unique id, `message` the database's or dbt's own."""

    id: str
    status: str
    message: str

    @property
    def name(self) -> str:
        """Return the node's name, by which it can be selected."""
        return self.id.split(".")[2]

    @property
    def is_test(self) -> bool:
        """Say whether the node is a test, generic or singular."""
        return self.id.startswith("test.")

    @property
    def failed(self) -> bool:
        """Say whether the node ended badly; a test that only warns did not."""
        return self.status in FAILED


@dataclass(frozen=True, slots=True)
class Answer:
    """How one command ended; `running` names the nodes at work when it was stopped.

    `aside` has the files that parsing was done without, and what dbt said of each.
    """

    success: bool = False
    error: str = ""
    rows: tuple[Row, ...] = ()
    late: bool = False
    running: tuple[str, ...] = ()
    seconds: float = 0.0
    aside: Mapping[str, str] = field(default_factory=dict)

    def failures(self, *, tests: bool) -> tuple[Row, ...]:
        """Return the tests, or the other nodes, that ended badly."""
        return tuple(r for r in self.rows if r.failed and r.is_test is tests)


class Dbt:
    """A warm dbt: parsed once, then as many commands as asked, one at a time per lane."""

    def __init__(self, exchange: Path, worker: Worker) -> None:
        self.exchange = exchange
        self.worker = worker
        self._numbers = itertools.count(1)

    @staticmethod
    def prepare(exchange: Path, job: Mapping[str, Any]) -> None:
        """Write how the worker is to start, before it does."""
        exchange.mkdir(parents=True, exist_ok=True)
        _write(exchange / "job.json", {"flags": list(FLAGS)} | dict(job))

    def parsed(self, cpu: float) -> Answer:
        """Wait until the project is parsed; its manifest can then be read."""
        return self._wait("parse", WALL * cpu)

    def run(
        self,
        args: Sequence[str],
        *,
        cpu: float,
        lane: int = 0,
        env: Mapping[str, str] | None = None,
    ) -> Answer:
        """Run one command in a lane and wait for its end, for so many seconds of CPU at most."""
        name = f"{next(self._numbers):03d}"
        command = {"args": list(args), "lane": lane, "env": dict(env or {})}
        limits = {"cpu": cpu, "limit": WALL * cpu}
        _write(self.exchange / f"{name}.json", command | limits)
        return self._wait(name, limits["limit"])

    def stop(self) -> None:
        """Ask the worker to end."""
        (self.exchange / "stop").touch()

    def _wait(self, name: str, limit: float) -> Answer:
        path = self.exchange / name / "result.json"
        deadline = time.monotonic() + limit + GRACE
        while not path.exists():
            if not self.worker.alive() and not path.exists():
                raise ApiError(f"dbt s'est arrêté brutalement. {self.worker.log()}".strip())
            if time.monotonic() > deadline:
                raise OutOfBounds(f"dbt n'a pas répondu en {limit:.0f} s.")
            time.sleep(PAUSE)
        return _answer(read_json(path), path.with_name("running.txt"))


def _answer(raw: Mapping[str, Any], notes: Path) -> Answer:
    if raw.get("late") or raw.get("died"):
        seen = notes.read_text("utf-8").split() if notes.exists() else []
        ended = {line[1:] for line in seen if line[0] == "-"}
        running = tuple(n[1:] for n in seen if n[0] == "+" and n[1:] not in ended)
        error = "" if raw.get("late") else "dbt s'est arrêté brutalement (mémoire épuisée ?)."
        return Answer(late=True, error=error, running=running)
    rows = tuple(Row(r["id"], r["status"], r["message"]) for r in raw["rows"])
    aside = {a["path"]: a["error"] for a in raw.get("aside", [])}
    return Answer(raw["success"], raw["error"], rows, seconds=raw["seconds"], aside=aside)


@dataclass(frozen=True)
class Manifest:
    """What dbt understood of a project: manifest.json, of which we read a few keys."""

    raw: Mapping[str, Any] = field(repr=False)

    @cached_property
    def project(self) -> str:
        """Return the project's own name: nodes of packages bear another."""
        return str(self.raw["metadata"]["project_name"])

    @cached_property
    def models(self) -> dict[str, Mapping[str, Any]]:
        """Return the project's models by name."""
        return {n["name"]: n for n in self.nodes("model")}

    def nodes(self, *kinds: str) -> list[Mapping[str, Any]]:
        """Return the project's own nodes of these resource types."""
        return [
            n
            for n in self.raw["nodes"].values()
            if n["resource_type"] in kinds and n["package_name"] == self.project
        ]

    def parents(self, node: Mapping[str, Any]) -> list[str]:
        """Return the unique ids of what a node reads."""
        return list(node.get("depends_on", {}).get("nodes", []))

    def ancestors(self, ids: Collection[str]) -> set[str]:
        """Return the unique ids of all that these nodes read, directly or not."""
        found: set[str] = set()
        todo = list(ids)
        while todo:
            node = self.raw["nodes"].get(todo.pop())
            fresh = set(self.parents(node)) - found if node else set()
            found |= fresh
            todo += fresh
        return found

    def sources(self, schema: str) -> dict[str, str]:
        """Return the unique id of each source of a schema, by table."""
        return {
            s["identifier"].lower(): key
            for key, s in self.raw["sources"].items()
            if s["schema"].lower() == schema
        }

    def own_macros(self) -> dict[str, Mapping[str, Any]]:
        """Return the project's macros by unique id, tests and overridden ones included."""
        return {
            key: macro
            for key, macro in self.raw["macros"].items()
            if macro["package_name"] == self.project
        }


def read_json(path: Path) -> Any:
    """Read a JSON file of bounded size."""
    try:
        if path.stat().st_size > BIGGEST:
            raise OutOfBounds(f"{path.name} dépasse {BIGGEST >> 20} Mio.")
        return json.loads(path.read_bytes())
    except OSError as error:
        raise MachineError(f"{path.name}: {error}") from error
    except ValueError as error:
        raise ApiError(f"{path.name} n'est pas du JSON lisible : {error}") from error


def _write(path: Path, value: Any) -> None:
    part = path.with_suffix(".part")
    part.write_text(json.dumps(value), "utf-8")
    part.replace(path)
