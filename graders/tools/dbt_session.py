"""A session on a running dbt: builds the team's data, then the hidden data, then the faults."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import pandas as pd

from datagen import shop, shop_truths
from datagen.shop_models import MODELS
from graders.clients.dbt import Answer, Dbt, Manifest, Row, read_json
from graders.errors import ApiError, OutOfBounds
from graders.model import Work
from graders.statics import fold
from graders.suite import Say
from graders.tools import dbt_faults
from graders.tools.dbt_faults import Fault
from graders.tools.dbt_rows import Difference, compare
from graders.tools.dbt_text import RAW, hard_coded, readable
from graders.tools.dbt_warehouse import Relation, Warehouse

BUILD_CPU = 25.0  # seconds of CPU of one `dbt build`, several times what the solution needs
FAULT_CPU = 15.0
_STATUSES = {
    "error": "dbt ne l'a pas construit",
    "skipped": "un modèle qu'il lit n'est pas construit",
    "stuck": "il ne se termine pas",
    "absent": "dbt ne l'a pas construit : désactivé, éphémère, en Python, ou après un tel modèle",
}


@lru_cache(maxsize=4)
def tables(seed: int) -> Mapping[str, pd.DataFrame]:
    """Return the raw tables of a seed."""
    return shop.build(seed)


@dataclass(frozen=True, slots=True)
class State:
    """What a build of one set of data gave: dbt's answer, and what is wrong with each model.

    `stuck` names the nodes that were left out of a second build because they did not end.
    """

    answer: Answer
    stuck: tuple[str, ...]
    differences: Mapping[str, Difference | None]
    columns: Mapping[str, tuple[str, ...]]
    unbuilt: Mapping[str, str]  # unique id of each model that is not there, and why
    docs: Answer | None = None

    @property
    def healthy(self) -> set[str]:
        """Return the tests that ran and did not fail."""
        return {r.id for r in self.answer.rows if r.is_test and r.status in ("pass", "warn")}

    @property
    def right(self) -> set[str]:
        """Return the models whose rows are the expected ones."""
        return {name for name, difference in self.differences.items() if difference is None}


@dataclass(frozen=True, slots=True)
class Trial:
    """What happened under one fault: the tests that failed."""

    fault: Fault
    tests: tuple[str, ...]


class Session:
    """Everything the live checks and drills ask of one submission; each thing is done once."""

    def __init__(
        self,
        work: Work,
        dbt: Dbt,
        warehouse: Warehouse,
        manifest: Manifest,
        say: Say,
        aside: Mapping[str, str],
    ) -> None:
        self.work = work
        self.dbt = dbt
        self.warehouse = warehouse
        self.manifest = manifest
        self.aside = {path: readable(error) for path, error in aside.items()}
        self.say = say
        self.pool = ThreadPoolExecutor(warehouse.lanes)
        self._ahead: Future[State] | None = None

    def close(self) -> None:
        """Let no thread outlive the session."""
        self.pool.shutdown(cancel_futures=True)

    @cached_property
    def models(self) -> dict[str, Mapping[str, object]]:
        """Return the project's models by folded name."""
        return {fold(name): node for name, node in self.manifest.models.items()}

    @cached_property
    def python(self) -> list[str]:
        """Return the models in Python: PostgreSQL has none, and on DuckDB they would run here."""
        return [n["name"] for n in self.manifest.nodes("model") if n["language"] == "python"]

    @cached_property
    def team(self) -> State:
        """Build the team's own data, docs included; the hidden data too where a lane is free."""
        if self.warehouse.lanes > 1:
            self._ahead = self.pool.submit(self._examine, 1, self.work.hidden)
        self.say("dbt construit les modèles sur les données de l'équipe")
        return self._examine(0, self.work.data, docs=True)

    @cached_property
    def hidden(self) -> State:
        """Build the hidden data, and save that state for the faults."""
        if self._ahead is not None:
            return self._ahead.result()
        self.say("dbt construit les modèles sur des données cachées")
        lane = self.warehouse.lanes - 1
        return self._examine(lane, self.work.hidden)

    @cached_property
    def trials(self) -> tuple[Trial, ...]:
        """Inject the control and the ten faults into the hidden data, each on its own."""
        control, faults = dbt_faults.draw(
            tables(self.work.hidden_seed), self.work.hidden_seed, dt.datetime.now(dt.UTC).date()
        )
        stuck = self.hidden.stuck
        todo = [control, *faults]
        self.say("dix sortes de mauvaises lignes sont injectées, une à une")
        lanes = range(self.warehouse.lanes)
        parts = [self.pool.submit(self._lane, n, todo[n :: len(lanes)], stuck) for n in lanes]
        found = {t.fault.label: t for part in parts for t in part.result()}
        return tuple(found[fault.label] for fault in todo)

    def explain(self, row: Row) -> str:
        """Return what dbt said of a node, with its file and line."""
        node = self.manifest.raw["nodes"].get(row.id, {})
        return readable(row.message, str(node.get("raw_code", "")))

    def _examine(self, lane: int, data: Path, *, docs: bool = False) -> State:
        """Load, build and compare one set of data."""
        self.warehouse.load(lane, data)
        answer, stuck = self._build(lane)
        unbuilt = self._unbuilt(lane, answer, stuck)
        documented = None
        if docs:
            args = ["docs", "generate", "--no-compile"]
            env = self.warehouse.env(lane)
            documented = self.dbt.run(args, lane=lane, cpu=BUILD_CPU, env=env)
        seed = self.work.seed if docs else self.work.hidden_seed
        wanted = shop_truths.models(tables(seed))
        if not docs:
            self.warehouse.save(lane)
        differences: dict[str, Difference | None] = {}
        columns: dict[str, tuple[str, ...]] = {}
        for name, model in MODELS.items():
            try:
                seen = self._rows(lane, name, 2 * len(wanted[name]) + 100, unbuilt)
            except (ApiError, OutOfBounds) as error:
                differences[name] = Difference(str(error))
            else:
                columns[name] = tuple(map(str, seen.columns))
                differences[name] = compare(model, seen, wanted[name])
        return State(answer, stuck, differences, columns, unbuilt, documented)

    def _build(self, lane: int) -> tuple[Answer, tuple[str, ...]]:
        """Build all; where a node does not end, build the others without it."""
        env = self.warehouse.env(lane)
        args = ["build", "--no-write-json", *_without(self.python)]
        answer = self.dbt.run(args, lane=lane, cpu=BUILD_CPU, env=env)
        if not answer.late or not answer.running:
            return answer, ()
        stuck = tuple(node.split(".")[2] for node in answer.running)
        args = ["build", "--no-write-json", *_without([*self.python, *stuck])]
        again = self.dbt.run(args, lane=lane, cpu=BUILD_CPU, env=env)
        return again, stuck

    def _unbuilt(self, lane: int, answer: Answer, stuck: Sequence[str]) -> dict[str, str]:
        """Return the status of each model that is not there.

        A test that fails makes `dbt build` skip the models behind it; they are built all the same,
        so that a test costs its own criteria only.
        """
        rows = [r for r in answer.rows if not r.is_test]
        if any(r.is_test and r.failed for r in answer.rows):
            args = ["run", "--no-write-json", *_without([*self.python, *stuck])]
            again = self.dbt.run(args, lane=lane, cpu=BUILD_CPU, env=self.warehouse.env(lane))
            rows += again.rows
        last = {r.id: r.status for r in rows}
        last |= {str(self.models[n]["unique_id"]): "stuck" for n in stuck if n in self.models}
        ids = (str(node["unique_id"]) for node in self.models.values())
        return {i: last.get(i, "absent") for i in ids if last.get(i) != "success"}

    def _rows(self, lane: int, name: str, limit: int, unbuilt: Mapping[str, str]) -> pd.DataFrame:
        node = self.models.get(name)
        if node is None:
            for path, error in self.aside.items():
                if fold(Path(path).stem) == name:
                    raise ApiError(f"dbt ne peut pas le lire : {error}")
            raise ApiError("ce modèle n'est pas dans le projet")
        if status := unbuilt.get(str(node["unique_id"])):
            raise ApiError(_STATUSES.get(status, f"dbt ne l'a pas construit ({status})"))
        relation = Relation(str(node["database"]), str(node["schema"]), str(node["alias"]))
        return self.warehouse.rows(lane, relation, limit)

    def _lane(self, lane: int, faults: Sequence[Fault], stuck: Sequence[str]) -> list[Trial]:
        return [self._trial(lane, fault, stuck) for fault in faults]

    def _trial(self, lane: int, fault: Fault, stuck: Sequence[str]) -> Trial:
        """Start from the clean build, inject the fault, see which tests fail."""
        self.warehouse.restore(lane)
        self.warehouse.execute(lane, fault.statements)
        env = self.warehouse.env(lane)
        options = ["--no-write-json", *_without([*self.python, *stuck])]
        if early := self._early_tests(fault.tables):
            # Most faults are seen here already, and the tables need not be built again.
            args = ["test", "--fail-fast", *options, "--select", *early]
            answer = self.dbt.run(args, lane=lane, cpu=FAULT_CPU, env=env)
            if found := self._seen(answer):
                return Trial(fault, found)
        args = ["build", *options, *self._descendants(fault.tables)]
        return Trial(fault, self._seen(self.dbt.run(args, lane=lane, cpu=FAULT_CPU, env=env)))

    def _seen(self, answer: Answer) -> tuple[str, ...]:
        """Return the tests that fail now and did not before the fault."""
        failed = answer.failures(tests=True)
        return tuple(row.name for row in failed if row.id in self.hidden.healthy)

    def _early_tests(self, names: Sequence[str]) -> list[str]:
        """Return the tests that see these raw tables through views alone."""
        sources = self.manifest.sources(RAW)
        touched = {sources[name] for name in names if name in sources}
        views = {
            n["unique_id"]
            for n in self.manifest.nodes("model")
            if n["config"]["materialized"] in ("view", "ephemeral")
        }
        found = []
        for test in self.manifest.nodes("test"):
            read = self.manifest.ancestors([test["unique_id"]])
            if read & touched and all(r in views or r.startswith("source.") for r in read):
                found.append(test["name"])
        return found

    def _descendants(self, names: Sequence[str]) -> list[str]:
        """Return dbt's selection of all that reads these raw tables; nothing where unsure."""
        sources = self.manifest.sources(RAW)
        nodes = self.manifest.nodes("model", "test", "snapshot")
        if not set(shop_truths.RAW_TABLES) <= sources.keys() or any(map(hard_coded, nodes)):
            return []
        chosen = [sources[name].split(".", 2)[2] for name in names]
        return ["--select", *(f"source:{name}+" for name in chosen)]


def _without(stuck: Sequence[str]) -> list[str]:
    return ["--exclude", *(f"{name}+" for name in stuck)] if stuck else []


def open_session(work: Work, dbt: Dbt, warehouse: Warehouse, cpu: float, say: Say) -> Session:
    """Wait until the project is parsed; ApiError or OutOfBounds says why it is not."""
    say("dbt lit le projet")
    answer = dbt.parsed(cpu)
    if answer.late:
        raise OutOfBounds(f"dbt n'a pas fini de lire le projet en {cpu:.0f} s de calcul.")
    if not answer.success:
        told = [readable(error) for error in answer.aside.values()] or [readable(answer.error)]
        raise ApiError(f"dbt ne peut pas lire le projet. {told[0]}")
    manifest = Manifest(read_json(dbt.exchange / "parse" / "manifest.json"))
    return Session(work, dbt, warehouse, manifest, say, answer.aside)
