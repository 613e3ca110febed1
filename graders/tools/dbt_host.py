"""Start dbt on this machine, on DuckDB: a process group of its own, bounded and killed with us."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

from graders.clients.dbt import Dbt
from graders.errors import MachineError
from graders.tools import dbt_worker
from graders.tools.dbt_project import Project
from graders.tools.dbt_warehouse import DUCKDB_MEMORY

LIMITS = {"as": 8 << 30, "fsize": 1 << 30, "core": 0}  # bytes
SCHEMA = "analytique"


class HostWorker:
    """The worker's process and what it printed."""

    def __init__(self, process: subprocess.Popen[bytes], printed: Path) -> None:
        self._process = process
        self._printed = printed

    def alive(self) -> bool:
        """Say whether it still runs."""
        return self._process.poll() is None

    def log(self) -> str:
        """Return the end of what it printed."""
        return self._printed.read_text("utf-8", "replace")[-600:]


@contextlib.contextmanager
def start(project: Project, place: Path, lanes: int, cpu: int) -> Iterator[Dbt]:
    """Give a warm dbt on a copy of the project; its whole process group ends with the block."""
    exchange, copy, home = place / "echange", place / "projet", place / "maison"
    shutil.copytree(project.root, copy)
    home.mkdir()
    _write_profile(project, home)
    command = [sys.executable, "-P", dbt_worker.__file__, str(exchange)]
    Dbt.prepare(
        exchange,
        {
            "options": ["--project-dir", str(copy), "--profiles-dir", str(home),
                        "--target", "duckdb"],
            "limits": LIMITS,
            "watch": True,
            "guard": [f"{copy}/"],
            "lanes": lanes,
            "parse_cpu": cpu,
            "packages": project.packages,
        },
    )  # fmt: skip
    printed = exchange / "sortie.txt"
    with printed.open("wb") as output:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=copy,
                env=_environment(home),
                start_new_session=True,
            )
        except OSError as error:
            raise MachineError(f"dbt cannot be started: {error}") from error
    try:
        yield Dbt(exchange, HostWorker(process, printed))
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert process.stdin is not None  # noqa: S101 - asked for above
        process.stdin.close()


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
    output = {
        "type": "duckdb",
        "path": "{{ env_var('BAREME_DUCKDB') }}",
        "schema": SCHEMA,
        "threads": 1,
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
