"""Recognise a cluster's parts by what the services run, whatever their names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graders import policy
from graders.errors import PolicyError, StackError

MASTER, WORKER, SUBMIT = "master", "worker", "submit"
_RUNS = {
    MASTER: re.compile(r"deploy\.master\.Master\b|start-master"),
    WORKER: re.compile(r"deploy\.worker\.Worker\b|start-(worker|slave)"),
    SUBMIT: re.compile(r"spark-submit|\bpython3?\s|\bpyspark\b|deploy\.SparkSubmit\b"),
}
_CALLED = {MASTER: "un master", WORKER: "un worker", SUBMIT: "le service qui soumet job.py"}


@dataclass(frozen=True, slots=True)
class Parts:
    """The names of the services that make up the cluster."""

    master: str
    workers: tuple[str, ...]
    submit: str


def found(services: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the names of the services that play each part."""
    parts: dict[str, list[str]] = {role: [] for role in _RUNS}
    for name, service in services.items():
        text = f"{_words(service.get('entrypoint'))} {_words(service.get('command'))}"
        if played := next((r for r, runs in _RUNS.items() if runs.search(text)), None):
            parts[played].append(name)
    return parts


def parts(services: Mapping[str, Any]) -> Parts:
    """Return the cluster's parts; StackError in French where they are not all there, or unclear."""
    roles = found(services)
    if complaints := lacking(roles):
        raise StackError(f"La pile n'est pas un cluster Spark : {' ; '.join(complaints)}.")
    return Parts(roles[MASTER][0], tuple(roles[WORKER]), roles[SUBMIT][0])


def lacking(roles: Mapping[str, list[str]]) -> list[str]:
    """Return what is wrong with the parts, in French."""
    complaints = [f"il manque {_CALLED[role]}" for role, names in roles.items() if not names]
    complaints += [
        f"plusieurs services font la même chose ({', '.join(roles[role])})"
        for role in (MASTER, SUBMIT)
        if len(roles[role]) > 1
    ]
    return complaints


def complaints(root: Path) -> list[str]:
    """Return what is wrong with the services of a submission's Compose file, in French."""
    try:
        services = policy.find(root).document["services"]
    except PolicyError as error:
        return [str(error.refusals[0])]
    services = {name: body for name, body in services.items() if isinstance(body, dict)}
    wrong = lacking(found(services))
    wrong += [
        f"« {name} » est derrière un profil : « docker compose up » ne le lancerait pas"
        for name, body in services.items()
        if body.get("profiles")
    ]
    return wrong


def _words(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value or "")
