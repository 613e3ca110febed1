"""Start dbt on this machine, on DuckDB: a process group of its own, bounded and killed with us.

To import dbt takes longer than to run it, so a fork server imports it once for all the gradings of
this process, and from `warm` on while these do something else.
"""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from functools import cache
from multiprocessing import forkserver, get_context
from multiprocessing.process import BaseProcess
from multiprocessing.util import Finalize
from pathlib import Path

import yaml

from graders.clients.dbt import Dbt
from graders.errors import MachineError
from graders.tools import dbt_project, dbt_worker
from graders.tools.dbt_project import Project

LIMITS = {"as": 8 << 30, "fsize": 1 << 30, "core": 0}  # bytes
SCHEMA = "analytique"
_CONTEXT = get_context("forkserver")
_STARTING = threading.Lock()


def warm() -> None:
    """Have the fork server import dbt, in the background."""
    with _STARTING:
        _CONTEXT.set_forkserver_preload(["graders.tools.dbt_warm"])
        # Its socket lies in a folder that the sweep knows, should this process be killed.
        kept, tempfile.tempdir = tempfile.tempdir, _folder()
        try:
            forkserver.ensure_running()
        finally:
            tempfile.tempdir = kept


@cache
def _folder() -> str:
    folder = tempfile.mkdtemp(prefix=f"bareme-{os.getpid()}-")
    # After multiprocessing has removed what it put there, at its own priority of -100.
    Finalize(None, os.rmdir, [folder], exitpriority=-200)
    return folder


class HostWorker:
    """The worker's process and what it printed."""

    def __init__(self, process: BaseProcess, printed: Path) -> None:
        self._process = process
        self._printed = printed

    def alive(self) -> bool:
        """Say whether it still runs."""
        return self._process.is_alive()

    def log(self) -> str:
        """Return the end of what it printed."""
        return self._printed.read_text("utf-8", "replace")[-600:]


@contextlib.contextmanager
def start(project: Project, place: Path, lanes: int, cpu: int) -> Iterator[Dbt]:
    """Give a warm dbt on a copy of the project; its whole process group ends with the block."""
    exchange, copy, home = place / "echange", place / "projet", place / "maison"
    dbt_project.copy(project.root, copy)
    home.mkdir()
    _write_profile(project, home)
    Dbt.prepare(
        exchange,
        {
            "project": str(copy),
            "options": ["--project-dir", str(copy), "--profiles-dir", str(home),
                        "--target", "duckdb"],
            "limits": LIMITS,
            "guard": [f"{copy}/"],
            "lanes": lanes,
            "parse_cpu": cpu,
            "packages": project.packages,
        },
    )  # fmt: skip
    printed = exchange / "sortie.txt"
    theirs, ours = _CONTEXT.Pipe(duplex=False)
    process = _CONTEXT.Process(
        target=dbt_worker.serve_forked,
        args=(exchange, copy, _environment(home), printed, theirs),
        daemon=True,
    )
    try:
        warm()
        process.start()
    except OSError as error:
        raise MachineError(f"dbt cannot be started: {error}") from error
    theirs.close()
    try:
        yield Dbt(exchange, HostWorker(process, printed))
    finally:
        assert process.pid is not None  # noqa: S101 - started above
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.kill()  # where it had not got as far as to have a group
        process.join()
        ours.close()


def _environment(home: Path) -> dict[str, str]:
    """Return an environment without the grader's own: it may hold secrets."""
    return {
        "PATH": os.defpath,
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "TMPDIR": str(home),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "OMP_NUM_THREADS": "1",
        "BAREME_DUCKDB": str(home / "boutique.duckdb"),  # of the parse, which opens nothing
    }


def _write_profile(project: Project, home: Path) -> None:
    """Write the profile that takes the place of the student's: our file, nothing of the host."""
    from graders.tools.dbt_warehouse import DUCKDB_MEMORY  # noqa: PLC0415 - pandas costs 0.5 s

    output = {
        "type": "duckdb",
        "path": "{{ env_var('BAREME_DUCKDB') }}",
        "schema": SCHEMA,
        "threads": 1,
        "disable_transactions": True,  # a tenth of dbt's time; a failed build's rows count nowhere
        "config_options": {
            "memory_limit": DUCKDB_MEMORY,
            "threads": 1,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        },
        "plugins": [{"module": "bareme_guard"}],
    }
    document = {project.profile: {"target": "duckdb", "outputs": {"duckdb": output}}}
    (home / "profiles.yml").write_text(yaml.safe_dump(document), "utf-8")
