"""Run commands in a stack: inside a service, or in a new container of its own definition."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from docker.errors import APIError, NotFound

from graders.errors import MachineError, OutOfBounds
from graders.stack import evidence, streams
from graders.stack.containers import ONE_OFF, SERVICE, Containers
from graders.stack.streams import Output
from graders.text import one_line

LIMIT = 8 << 20  # bytes of a command's output


@dataclass(frozen=True, slots=True)
class Command:
    """A command and its bounds; `seconds` is what the stack's life still allows of `timeout`."""

    service: str
    argv: Sequence[str]
    timeout: float
    seconds: float
    limit: int = LIMIT
    env: Mapping[str, str] = field(default_factory=dict)

    @contextlib.contextmanager
    def bounded(self, there: Containers, kill: Callable[[], None]) -> Iterator[None]:
        """Turn the end of its time or room into OutOfBounds, and kill it."""
        what = f"{self.service} : « {one_line(' '.join(self.argv), 80)} »"
        try:
            yield
        except streams.TooLong:
            kill()
            there.check()
            raise OutOfBounds(f"{what} n'a pas fini en {self.timeout:g} s.") from None
        except streams.TooMuch:
            kill()
            size = self.limit / (1 << 20)
            raise OutOfBounds(f"{what} a écrit plus de {size:g} Mio.") from None


def inside(there: Containers, command: Command, stdin: bytes | None, user: str) -> Output:
    """Run a command in a running service."""
    deadline = time.monotonic() + command.seconds
    service = command.service
    with there.calling(service):
        run = there.api.exec_create(
            there.id(service),
            list(command.argv),
            stdin=stdin is not None,
            environment=dict(command.env),
            user=user,
        )["Id"]
        sock = there.api.exec_start(run, socket=True)
    with streams.Attached(sock) as attached:
        if stdin is not None:
            attached.feed(stdin)
        with command.bounded(there, lambda: _kill(there, service, run)):
            out, err = attached.collect(deadline, command.limit)
    with there.calling(service):
        code = there.api.exec_inspect(run)["ExitCode"]
    there.check()
    if code is None:  # the container died under it
        raise MachineError(f"the engine lost a command of {service}")
    return Output(int(code), out, err)


def _kill(there: Containers, service: str, run: str) -> None:
    """Kill a command that overstays, where the engine runs on this very kernel."""
    pid = int(there.api.exec_inspect(run)["Pid"] or 0)
    with contextlib.suppress(OSError):
        marks = Path(f"/proc/{pid}/cgroup").read_text("ascii", "replace")
        if pid > 1 and there.id(service) in marks:
            os.kill(pid, 9)


def aside(
    there: Containers,
    command: Command,
    mounts: Mapping[Path, str],
    entrypoint: Sequence[str] | None,
) -> Output:
    """Run a command in a new container of the service's definition, then remove it."""
    deadline = time.monotonic() + command.seconds
    service, api = command.service, there.api
    config, networks = _config(there.inspect(service), command, mounts, entrypoint)
    name = f"{there.project}-{service}-run-{secrets.token_hex(4)}"
    with there.calling(service):
        made = api.create_container_from_config(config, name)["Id"]  # type: ignore[no-untyped-call]
    try:
        with there.calling(service):
            for network in networks:
                api.connect_container_to_network(made, network)
            sock = api.attach_socket(made, {"stdout": 1, "stderr": 1, "stream": 1})
            with streams.Attached(sock) as attached:
                api.start(made)
                with command.bounded(there, lambda: None):
                    out, err = attached.collect(deadline, command.limit)
            code = int(api.wait(made, timeout=30)["StatusCode"])
            seen = api.inspect_container(made)
    except MachineError as error:
        return _not_started(error)
    finally:
        with contextlib.suppress(NotFound, MachineError), there.calling(service):
            api.remove_container(made, force=True, v=True)
    there.check()
    if seen["State"].get("OOMKilled"):
        err += f"\n[{evidence.state(service, seen)}]"
    return Output(code, out, err)


def _not_started(error: MachineError) -> Output:
    """Return what a shell would where the command is not in the image; else it is our error."""
    text = str(error.__cause__)
    if isinstance(error.__cause__, APIError) and "unable to start container process" in text:
        return Output(127, "", str(error))
    raise error


def _config(
    seen: Mapping[str, Any],
    command: Command,
    mounts: Mapping[Path, str],
    entrypoint: Sequence[str] | None,
) -> tuple[dict[str, Any], list[str]]:
    """Return a container's own configuration with another command, and its further networks."""
    config, host = seen["Config"], seen["HostConfig"]
    places = {place.removesuffix(":rw") for place in mounts.values()}
    rows = [m for m in host.get("Mounts") or [] if m["Target"] not in places]
    for path, place in mounts.items():
        target, writable = place.removesuffix(":rw"), place.endswith(":rw")
        row = {"Type": "bind", "Source": str(path), "Target": target}
        rows.append({**row, "ReadOnly": not writable})
    first, *others = seen["NetworkSettings"]["Networks"]
    return {
        **{key: config[key] for key in ("Image", "User", "WorkingDir")},
        "Entrypoint": config["Entrypoint"] if entrypoint is None else list(entrypoint),
        "Cmd": list(command.argv),
        "Env": [*(config["Env"] or []), *(f"{k}={v}" for k, v in command.env.items())],
        "Labels": {k: v for k, v in config["Labels"].items() if k != SERVICE} | {ONE_OFF: "True"},
        "Healthcheck": {"Test": ["NONE"]},
        "AttachStdout": True,
        "AttachStderr": True,
        "HostConfig": {
            **host,
            "Binds": [b for b in host.get("Binds") or [] if b.split(":")[1] not in places],
            "Mounts": rows,
            "PortBindings": {},
        },
        "NetworkingConfig": {"EndpointsConfig": {first: {}}},
    }, others
