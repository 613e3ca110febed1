"""What the tests with a real engine share: plans of small services, and a look at what is left."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import docker
import pytest

from graders.model import Criterion, Limits, Plan, Rubric
from graders.stack import Stack, engine, owner, up

BASE = "bareme/base:bookworm"
MakePlan = Callable[..., Plan]


@pytest.fixture(scope="session", autouse=True)
def _an_engine() -> None:
    if lacking := engine.lacking():
        pytest.skip(lacking)


@pytest.fixture(scope="session")
def client() -> Iterator[docker.DockerClient]:
    with contextlib.closing(engine.connect()) as found:
        yield found


def name() -> str:
    return f"bareme-essai-{secrets.token_hex(4)}"


def service(command: list[str], **more: Any) -> dict[str, Any]:
    """Return a service as the policy writes them, on the base image."""
    return {
        "image": BASE,
        "command": command,
        "init": True,
        "networks": {"default": None},
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "mem_limit": 128 << 20,
        "memswap_limit": 128 << 20,
        "pids_limit": 64,
        "restart": "no",
        "logging": {"driver": "json-file", "options": {"max-size": "1m", "max-file": "2"}},
        **more,
    }


def python(code: str, **more: Any) -> dict[str, Any]:
    return service(["python3", "-u", "-c", code], **more)


def plan(services: Mapping[str, Any], **volumes: Any) -> Plan:
    """Return a plan whose network has no way out."""
    project = name()
    options = {"com.docker.network.bridge.name": "brm" + project[-8:]}
    network = {"name": f"{project}_default", "internal": True, "driver_opts": options}
    return Plan(
        project,
        {"services": dict(services), "networks": {"default": network}, "volumes": volumes},
    )


def bind(source: Path, target: str, *, writable: bool = False) -> dict[str, Any]:
    return {"type": "bind", "source": str(source), "target": target, "read_only": not writable}


def rubric(*ready: Any, **limits: Any) -> Rubric:
    criteria = (Criterion("a", "Titre", 20.0, "indice"),)
    bounds = Limits(**{"start": 60.0, "life": 300.0, **limits})
    return Rubric("07_dbt", 1, "t", criteria, "0" * 64, Path(), ready=ready, limits=bounds)


@contextlib.contextmanager
def started(
    services: Mapping[str, Any], *ready: Any, volumes: Any = None, **limits: Any
) -> Iterator[Stack]:
    with up(plan(services, **(volumes or {})), rubric(*ready, **limits), lambda _: None) as stack:
        yield stack


def left(client: docker.DockerClient, project: str) -> list[str]:
    """Return what the engine still has of a project, by label and by name."""
    mine = {"label": f"{owner.PROJECT}={project}"}
    api = client.api
    return [
        *(c["Id"] for c in api.containers(all=True, filters=mine)),
        *(c["Id"] for c in api.containers(all=True, filters={"name": project})),
        *(n["Id"] for n in api.networks(filters=mine)),
        *(n["Id"] for n in api.networks(names=[project])),
        *(v["Name"] for v in api.volumes(filters=mine)["Volumes"] or []),
        *(v["Name"] for v in api.volumes(filters={"name": project})["Volumes"] or []),
    ]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the kill tables last: they fit themselves into the time that is left."""
    items.sort(key=lambda item: "test_selftest" in item.nodeid)
