"""A lane answers once the database's file is free: it is replaced before the next command."""

from __future__ import annotations

import gc
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from graders.tools import dbt_worker

duckdb = pytest.importorskip("duckdb")
connections = pytest.importorskip("dbt.adapters.duckdb.connections")


class Environment:
    """Stands for dbt's own: it holds the connection to the file."""

    def __init__(self, path: Path) -> None:
        self.conn = duckdb.connect(str(path))

    def close(self) -> None:
        self.conn.close()


class Cycle:
    """What an error leaves: an object that only the garbage collector frees."""

    def __init__(self, cursor: Any) -> None:
        self.cursor, self.itself = cursor, self


class Stubborn:
    """A runner whose commands leave a connection to the file open."""

    def __init__(self, exchange: Path) -> None:
        self.exchange = exchange
        self.kept: list[Any] = []

    def run(self, name: str, args: list[str]) -> tuple[None, dict[str, Any]]:
        (self.exchange / name).mkdir()
        self.kept.append(duckdb.connect(args[0]))
        return None, {"success": True, "pid": os.getpid()}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    duckdb.connect(str(tmp_path / "a.duckdb")).close()
    return tmp_path / "a.duckdb"


def test_what_an_error_still_refers_to_is_closed_too(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = Environment(path)
    monkeypatch.setattr(connections.DuckDBConnectionManager, "_ENV", environment)
    gc.disable()
    try:
        Cycle(environment.conn.cursor())
        assert dbt_worker.open_databases() == [str(path)]
        assert dbt_worker.closed()
        assert dbt_worker.open_databases() == []
    finally:
        gc.enable()


def test_a_file_that_stays_open_costs_its_lane_and_not_the_answer(path: Path) -> None:
    lane = dbt_worker.Lane(Stubborn(path.parent))  # type: ignore[arg-type]
    first = lane.pid
    try:
        for name in ("001", "002"):
            command = {"args": [str(path)], "lane": 0}
            (path.parent / f"{name}.json").write_text(json.dumps(command))
            lane.give(name, 30, 30)
            deadline = time.monotonic() + 30
            while lane.name and time.monotonic() < deadline:
                lane.look()
                time.sleep(0.01)
            answer = json.loads((path.parent / name / "result.json").read_text())
            assert answer["success"]
            duckdb.connect(str(path)).close()  # an exclusive lock: nobody has it open
        assert answer["pid"] != first
    finally:
        os.kill(lane.pid, signal.SIGKILL)
        os.waitpid(lane.pid, 0)
        os.close(lane.pipe)
