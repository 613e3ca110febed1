"""Open a session on a dbt project: in the student's stack, or on this machine."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graders.clients.dbt import Dbt
from graders.errors import StackError
from graders.model import Work
from graders.suite import Say
from graders.tools import dbt_project
from graders.tools.dbt_project import Project

if TYPE_CHECKING:  # pandas and DuckDB cost half a second, which a refused stack need not wait for
    from graders.tools.dbt_session import Session
    from graders.tools.dbt_warehouse import Warehouse

LANES = 2
PARSE_CPU = 40  # seconds


def warm() -> None:
    """Have dbt imported on this machine while the files are checked."""
    from graders.tools import dbt_host  # noqa: PLC0415

    dbt_host.warm()


@contextlib.contextmanager
def connect(work: Work, stack: Any, say: Say) -> Iterator[Session]:
    """Start dbt on the student's project, in their stack or on this machine."""
    from graders.tools.dbt_session import open_session  # noqa: PLC0415

    project = dbt_project.load(work.submission.root)
    place = work.scratch / "dbt"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    starting = _on_host(project, place) if stack is None else _in_stack(project, place, work, stack)
    with starting as (dbt, warehouse):
        write_data(work.hidden_seed, work.hidden)  # while dbt starts
        session = open_session(work, dbt, warehouse, PARSE_CPU, say)
        with contextlib.closing(session):
            yield session


@contextlib.contextmanager
def _on_host(project: Project, place: Path) -> Iterator[tuple[Dbt, Warehouse]]:
    from graders.tools import dbt_host  # noqa: PLC0415
    from graders.tools.dbt_warehouse import DuckDB  # noqa: PLC0415

    warehouse = DuckDB(place / "entrepot", LANES)
    with dbt_host.start(project, place, LANES, PARSE_CPU) as dbt:
        yield dbt, warehouse


@contextlib.contextmanager
def _in_stack(
    project: Project, place: Path, work: Work, stack: Any
) -> Iterator[tuple[Dbt, Warehouse]]:
    from graders.tools import dbt_stack  # noqa: PLC0415 - the docker SDK costs 0.2 s

    played = dbt_project.services(work.submission.root, work.rubric.services)
    if lacking := {"postgres", "dbt"} - played.keys():
        raise StackError(f"compose.yaml : aucun service {', '.join(sorted(lacking))}.")
    with dbt_stack.start(project, played["dbt"], stack, place, PARSE_CPU) as dbt:
        yield dbt, dbt_stack.Postgres(stack, played["postgres"])


def write_data(seed: int, folder: Path) -> None:
    """Write the raw data as students get it."""
    from datagen import registry  # noqa: PLC0415

    registry.write("07_dbt", seed, folder)
