"""A running stack, as the tools see it: URLs, commands, services, data. All of it bounded."""

from __future__ import annotations

import base64
import contextlib
import functools
import time
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import docker

from graders.errors import MachineError, OutOfBounds, StackError
from graders.http import Client
from graders.model import Limits, Plan
from graders.stack import commands, door, dress, files, owner
from graders.stack.commands import LIMIT, Command
from graders.stack.containers import Containers
from graders.stack.evidence import ServiceState
from graders.stack.streams import Output
from graders.wire import Wire

DATA, RESULTS = "donnees", "resultats"  # the folders of Work, as the plan's binds name them
_STARTING = 30.0  # seconds that our own door may take
_STOP = 5  # seconds between SIGTERM and SIGKILL


class Stack:
    """A stack that is up. What goes wrong in a service is a StackError, ApiError or OutOfBounds.

    `services` are the plan's definitions by name.
    """

    def __init__(
        self,
        client: docker.DockerClient,
        plan: Plan,
        limits: Limits,
        labels: Mapping[str, str],
        token: str,
    ) -> None:
        self.project = plan.project
        self.services: Mapping[str, Any] = plan.document["services"]
        self.limits = limits
        self.labels = labels
        self.until = float(labels[owner.UNTIL])
        self.containers = Containers(client, plan.project, self.services, self.check)
        self._token = token
        self._verdict = ""
        self._opened = False

    def url(self, service: str, port: int, path: str = "/") -> str:
        """Return the URL of a service, which only this stack's sessions can open."""
        self.containers.known(service)
        return f"http://{service}:{port}/{path.lstrip('/')}"

    @functools.cached_property
    def http(self) -> Client:
        """Return the session that goes through the door; `session()` gives others."""
        return self.session()

    def session(self) -> Client:
        """Return a new session through the door: its own cookies and headers."""
        return Client(Wire(f"http://bareme:{self._token}@127.0.0.1:{self._door}"), watch=self.check)

    def opened(self) -> bool:
        """Tell whether the door answers yet."""
        if not self._opened:
            near = HTTPConnection("127.0.0.1", self._door, timeout=5)
            with contextlib.closing(near), contextlib.suppress(OSError, HTTPException):
                near.request("GET", "/")
                self._opened = near.getresponse().status == 204
        return self._opened

    def listens(self, service: str, port: int) -> bool:
        """Tell whether a service accepts connections on a port."""
        self.containers.known(service)
        secret = base64.b64encode(f"bareme:{self._token}".encode()).decode()
        tunnel = HTTPConnection("127.0.0.1", self._door, timeout=10)
        tunnel.set_tunnel(service, port, {"Proxy-Authorization": f"Basic {secret}"})
        with contextlib.closing(tunnel):
            try:
                tunnel.connect()
            except (OSError, HTTPException):
                return False
        return True

    @functools.cached_property
    def _door(self) -> int:
        """Return the port of the door on this machine."""
        deadline = time.monotonic() + _STARTING
        while True:
            seen = self.containers.inspect(dress.DOOR)
            if ports := seen["NetworkSettings"]["Ports"].get(f"{door.PORT}/tcp"):
                return int(ports[0]["HostPort"])
            if seen["State"]["Status"] in {"exited", "dead"} or time.monotonic() > deadline:
                raise MachineError(f"the stack's door did not start: {seen['State']}")
            time.sleep(0.05)

    def exec(
        self,
        service: str,
        argv: Sequence[str],
        *,
        stdin: bytes | None = None,
        timeout: float = 60.0,
        limit: int = LIMIT,
        env: Mapping[str, str] | None = None,
        user: str = "",
    ) -> Output:
        """Run a command in a running service; a command that is not there ends with 126 or 127."""
        command = self._command(service, argv, timeout, limit, env)
        return commands.inside(self.containers, command, stdin, user)

    def run(
        self,
        service: str,
        argv: Sequence[str],
        *,
        timeout: float = 120.0,
        limit: int = LIMIT,
        mounts: Mapping[Path, str] | None = None,
        env: Mapping[str, str] | None = None,
        entrypoint: Sequence[str] | None = None,
    ) -> Output:
        """Run a command in a new container of the service's own definition, then remove it.

        `mounts` maps a host path to its place in the container, read-only unless the place ends
        in `:rw`; it takes the place of what the service mounts there.
        """
        command = self._command(service, argv, timeout, limit, env)
        return commands.aside(self.containers, command, mounts or {}, entrypoint)

    def stop(self, service: str) -> None:
        """Stop a service: SIGTERM, then SIGKILL five seconds later."""
        self.check()
        with self.containers.calling(service):
            self.containers.api.stop(self.containers.id(service), timeout=_STOP)

    def start(self, service: str) -> None:
        """Start a service that was stopped; it may not be ready yet."""
        self.check()
        with self.containers.calling(service):
            self.containers.api.start(self.containers.id(service))

    def restart(self, service: str) -> None:
        """Stop and start a service; it may not be ready yet."""
        self.stop(service)
        self.start(service)

    def logs(self, service: str, lines: int = 40) -> str:
        """Return a service's last lines, stripped of control sequences and bounded."""
        return self.containers.logs(service, lines)

    def state(self, service: str) -> ServiceState:
        """Return how a service stands."""
        return self.containers.state(service)

    def evidence(self, lines: int = 20) -> list[ServiceState]:
        """Return how each service stands, with its last lines."""
        return self.containers.evidence(lines)

    def append(self, path: str | Path, data: bytes) -> None:
        """Add to a file of `donnees/...` or `resultats/...`, which the stack has mounted."""
        self.check()
        files.append(*self._place(path), data)

    def read(self, path: str | Path, limit: int = 64 << 20) -> bytes:
        """Return a file of `donnees/...` or `resultats/...`; links are not followed."""
        return files.read(*self._place(path), limit)

    def replace_data(self, folder: Path) -> None:
        """Make the mounted data folder hold what `folder` holds; kept files keep their inode."""
        self.check()
        files.replace(self.folder(DATA), folder)

    def folder(self, name: str) -> Path:
        """Return the host's folder behind the binds of `donnees` or `resultats`."""
        for service in self.services.values():
            for mount in service.get("volumes") or ():
                source = Path(mount["source"]) if mount.get("type") == "bind" else Path()
                for place in (source, *source.parents):
                    if place.name == name:
                        return place
        raise StackError(f"Aucun service ne monte ./{name}.")

    def check(self) -> None:
        """Raise if the stack was stopped for going beyond its limits."""
        if self._verdict:
            raise OutOfBounds(self._verdict)
        if time.time() > self.until:
            minutes = self.limits.life / 60
            raise OutOfBounds(f"La pile a dépassé sa durée de vie ({minutes:g} minutes).")

    def condemn(self, why: str) -> None:
        """Kill every container of the student's at once; whoever asks later is told why."""
        self._verdict = self._verdict or why
        self.containers.kill()

    def _command(
        self,
        service: str,
        argv: Sequence[str],
        timeout: float,
        limit: int,
        env: Mapping[str, str] | None,
    ) -> Command:
        self.check()
        seconds = max(0.1, min(timeout, self.until - time.time()))
        return Command(service, argv, timeout, seconds, limit, env or {})

    def _place(self, path: str | Path) -> tuple[Path, str]:
        for name in (DATA, RESULTS):
            with contextlib.suppress(StackError, ValueError):
                root = self.folder(name)
                return root, str((root.parent / path).relative_to(root))
        raise ValueError(f"{path} lies neither in {DATA} nor in {RESULTS} of this stack")
