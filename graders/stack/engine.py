"""The Docker engine: a client of it, its errors mapped once, and what it has of a project."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from typing import Any

import docker
import requests
from docker.errors import APIError, DockerException, ImageNotFound

from graders.errors import MachineError
from graders.stack import owner
from graders.text import one_line

LINE = 300  # characters of the engine's own words in a message
FULL = ("no space left on device", "disk quota exceeded")


def connect() -> docker.DockerClient:
    """Return a client of the engine that the environment names; MachineError if none answers."""
    try:
        client = docker.from_env(timeout=60, max_pool_size=32)
        client.ping()
    except (DockerException, requests.RequestException) as error:
        raise MachineError(f"Le moteur Docker ne répond pas : {one_line(error, LINE)}") from error
    return client


def lacking() -> str:
    """Return what this machine lacks to run stacks, or nothing."""
    try:
        connect().close()
    except MachineError as error:
        return str(error)
    return ""


def check_runtime(name: str) -> None:
    """Raise MachineError where the engine has no OCI runtime of this name."""
    client = connect()
    try:
        known = sorted(client.info().get("Runtimes") or {})
    finally:
        client.close()
    if name not in known:
        raise MachineError(f"le moteur n'a pas de runtime « {name} » (il a : {', '.join(known)}).")


def environment() -> dict[str, str]:
    """Return the variables that lead Compose to the same engine as the SDK."""
    names = ("DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH")
    return {name: os.environ[name] for name in names if name in os.environ}


@contextlib.contextmanager
def ours() -> Iterator[None]:
    """Map the engine's errors to MachineError: they are never the student's fault."""
    try:
        yield
    except ImageNotFound as error:
        raise MachineError(f"L'image manque : {one_line(error.explanation, LINE)}") from error
    except APIError as error:
        raise machine_error(str(error.explanation or error)) from error
    except (DockerException, requests.RequestException) as error:
        raise MachineError(f"Le moteur Docker ne répond plus : {one_line(error, LINE)}") from error


def machine_error(text: str) -> MachineError:
    """Return the engine's complaint as our error; a full disk is said plainly."""
    if any(mark in text.lower() for mark in FULL):
        return MachineError(f"Le disque de cette machine est plein : {one_line(text, LINE)}")
    return MachineError(f"Le moteur Docker a refusé : {one_line(text, LINE)}")


def containers(client: docker.DockerClient, project: str) -> list[Mapping[str, Any]]:
    """Return the engine's rows of a project's containers, one-offs and door included."""
    filters = {"label": f"{owner.PROJECT}={project}"}
    rows: list[Mapping[str, Any]] = client.api.containers(all=True, filters=filters)
    return rows
