"""The containers of one stack: found by label, described, and spoken to with honest errors."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import docker
from docker.errors import APIError, NotFound

from graders.errors import MachineError, StackError
from graders.stack import dress, engine, evidence, owner
from graders.stack.evidence import ServiceState

SERVICE = "com.docker.compose.service"
ONE_OFF = "com.docker.compose.oneoff"


class Containers:
    """What the engine has of a stack. `check` raises where the stack broke its limits."""

    def __init__(
        self,
        client: docker.DockerClient,
        project: str,
        services: Mapping[str, Any],
        check: Callable[[], None],
    ) -> None:
        self.client, self.api = client, client.api
        self.project = project
        self.services = services
        self.check = check
        self._ids: dict[str, str] = {}

    def known(self, service: str) -> None:
        """Raise StackError if the plan has no such service."""
        if service not in self.services and service != dress.DOOR:
            there = ", ".join(sorted(self.services))
            raise StackError(f"Le service « {service} » n'est pas dans la pile ({there}).")

    def id(self, service: str) -> str:
        """Return the id of a service's container."""
        self.known(service)
        if service not in self._ids:
            for row in engine.containers(self.client, self.project):
                marks = row["Labels"]
                if marks.get(ONE_OFF) != "True" and SERVICE in marks:
                    self._ids[marks[SERVICE]] = row["Id"]
        if service not in self._ids:
            raise StackError(f"Le service « {service} » n'a pas été créé.")
        return self._ids[service]

    @contextlib.contextmanager
    def calling(self, service: str) -> Iterator[None]:
        """Tell the student's faults from the engine's while talking about a service."""
        try:
            with engine.ours():
                yield
        except MachineError as error:
            self.check()
            cause = error.__cause__
            if isinstance(cause, NotFound):
                self._ids.pop(service, None)
                raise StackError(f"Le conteneur du service « {service} » n'existe plus.") from error
            if isinstance(cause, APIError) and "is not running" in str(cause):
                raise StackError(f"Le service s'est arrêté. {self.state(service)}") from error
            raise

    def inspect(self, service: str) -> dict[str, Any]:
        """Return the engine's description of a service's container."""
        with self.calling(service):
            seen: dict[str, Any] = self.api.inspect_container(self.id(service))
        return seen

    def state(self, service: str, lines: int = 0) -> ServiceState:
        """Return how a service stands, with its last lines if asked for."""
        seen = self.inspect(service)
        return evidence.state(service, seen, self.logs(service, lines) if lines else "")

    def logs(self, service: str, lines: int) -> str:
        """Return a service's last lines, stripped of control sequences and bounded."""
        with self.calling(service):
            raw = self.api.logs(self.id(service), tail=lines)
        return evidence.plain(raw.decode("utf-8", "replace"), limit=200 * lines)

    def evidence(self, lines: int) -> list[ServiceState]:
        """Return how each service stands, with its last lines."""
        found = []
        for service, definition in self.services.items():
            if definition.get("profiles"):
                continue  # only started when asked for
            try:
                found.append(self.state(service, lines))
            except StackError:
                found.append(ServiceState(service, "absent"))
        return found

    def rows(self) -> list[Mapping[str, Any]]:
        """Return the engine's rows of all containers there are now, one-offs and door included."""
        return engine.containers(self.client, self.project)

    def kill(self) -> None:
        """Kill every container of the student's at once."""
        for row in self.rows():
            if row["State"] == "running" and row["Labels"].get(owner.ROLE) != "door":
                with contextlib.suppress(APIError):
                    self.api.kill(row["Id"])
