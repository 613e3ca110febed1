# ruff: noqa: S608 - names and texts put into SQL are quoted
"""Start dbt in the student's own stack, on their PostgreSQL."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pandas as pd

from graders.clients.dbt import Dbt
from graders.errors import ApiError, StackError
from graders.stack import Output, Stack
from graders.tools import dbt_project, dbt_worker
from graders.tools.dbt_project import Project
from graders.tools.dbt_warehouse import READ_LIMIT, Relation

STATEMENT_LIMIT = 25_000  # milliseconds of one statement of dbt's
BEFORE, SAVED = "bareme_avant", "bareme_sauvegarde"
_NULL = "\\N"
_OPTIONS = "-c search_path=pg_catalog -c datestyle=ISO -c timezone=UTC -c client_min_messages=error"


class StackWorker:
    """The one-off container of the dbt service, which a thread waits for."""

    def __init__(self, waiting: Future[Output]) -> None:
        self._waiting = waiting

    def alive(self) -> bool:
        """Say whether the container still runs; raises what went wrong with it."""
        if self._waiting.done():
            self._waiting.result()
            return False
        return True

    def log(self) -> str:
        """Return the end of what it printed."""
        output = self._waiting.result()
        return (output.stdout + output.stderr)[-600:]


@contextlib.contextmanager
def start(project: Project, service: str, stack: Stack, place: Path, cpu: int) -> Iterator[Dbt]:
    """Give a warm dbt in a container of the student's dbt service, next to their database."""
    target = project.target("postgres")
    if not target:
        raise StackError("profiles.yml n'a aucune cible de type postgres.")
    exchange, copy = place / "echange", place / "projet"
    dbt_project.copy(project.root, copy)
    Dbt.prepare(
        exchange,
        {
            "project": "/bareme/projet",
            "options": ["--project-dir", "/bareme/projet", "--profiles-dir", "/bareme/profil",
                        "--target", target],
            "limits": {},
            "guard": [],
            "lanes": 1,
            "parse_cpu": cpu,
            "packages": project.packages,
        },
    )  # fmt: skip
    for folder in (exchange, copy, *copy.rglob("*/")):
        folder.chmod(0o777)  # whatever user the student's service runs as
    mounts = {
        Path(dbt_worker.__file__): "/bareme/worker.py",
        exchange: "/bareme/echange:rw",
        copy: "/bareme/projet:rw",
        project.profiles: "/bareme/profil",
    }
    # The service may have begun a build of its own when the stack started.
    stack.stop(service)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(
            stack.run,
            service,
            ["/bareme/worker.py", "/bareme/echange"],
            timeout=stack.limits.life,
            mounts=mounts,
            env={
                "PGOPTIONS": f"-c statement_timeout={STATEMENT_LIMIT}",
                "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            },
            entrypoint=["python", "-I", "-B"],  # nothing of the student's is imported by its name
        )
        dbt = Dbt(exchange, StackWorker(waiting))
        try:
            yield dbt
        finally:
            dbt.stop()


class Postgres:
    """The student's database. States are databases of the same server, copied as templates."""

    lanes = 1

    def __init__(self, stack: Stack, service: str) -> None:
        environment = stack.services[service].get("environment", {})
        self._stack = stack
        self._service = service
        self._user = str(environment.get("POSTGRES_USER") or "postgres")
        self._database = str(environment.get("POSTGRES_DB") or self._user)
        self._copy(self._database, BEFORE)

    def load(self, _lane: int, data: Path) -> None:
        """Go back to the database as the student's stack made it, then load the raw tables."""
        self._copy(BEFORE, self._database)
        self._psql(self._database, (data / "boutique.sql").read_bytes())

    def save(self, _lane: int) -> None:
        """Copy the database aside."""
        self._copy(self._database, SAVED)

    def restore(self, _lane: int) -> None:
        """Copy the database back."""
        self._copy(SAVED, self._database)

    def execute(self, _lane: int, statements: Sequence[str]) -> None:
        """Run statements in one transaction."""
        self._psql(self._database, "; ".join(["BEGIN", *statements, "COMMIT;"]).encode())

    def rows(self, _lane: int, relation: Relation, limit: int) -> pd.DataFrame:
        """Read a relation as CSV."""
        query = (
            f"SET statement_timeout = {READ_LIMIT * 1000:.0f};"
            f"COPY (SELECT * FROM {relation.quoted} LIMIT {limit}) "
            f"TO STDOUT WITH (FORMAT csv, HEADER, NULL '{_NULL}')"
        )
        try:
            text = self._psql(relation.database, query.encode())
        except StackError as error:
            raise ApiError(f"{relation.name} est illisible : {error}") from error
        found = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False, na_values=[_NULL])
        return found.astype(object).where(found.notna(), None)

    def env(self, _lane: int) -> Mapping[str, str]:
        """Return nothing: the student's profile points at the database."""
        return {}

    def _copy(self, source: str, target: str) -> None:
        busy = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = "
        self._psql(
            "template1",
            f"{busy}{_text(source)};\nDROP DATABASE IF EXISTS {_name(target)} WITH (FORCE);\n"
            f"CREATE DATABASE {_name(target)} TEMPLATE {_name(source)};".encode(),
        )

    def _psql(self, database: str, sql: bytes) -> str:
        """Run SQL as the owner of the student's database; StackError with the server's message."""
        command = ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=terse"]
        done = self._stack.exec(
            self._service,
            [*command, "-U", self._user, "-d", database],
            stdin=sql,
            env={"PGOPTIONS": _OPTIONS},
            limit=64 << 20,
        )
        if done.code:
            raise StackError(f"PostgreSQL répond : {done.stderr.strip()[-500:]}")
        return done.stdout


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
