"""Add to a vetted document what is the launcher's: labels, the door, and no outside DNS. Pure."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Mapping
from typing import Any

from graders.stack import door, owner
from graders.stack.firewall import DOORS

DOOR = "bareme-door"
OUTER = "bareme-door"
# Names of services are answered by the engine itself. For others it would ask the host's resolver,
# in some versions from the host's own network: a way out. Now they fail, and soon.
NO_DNS = {"dns": ["127.0.0.1"], "dns_search": ["."], "dns_opt": ["timeout:1", "attempts:2"]}
Document = Mapping[str, Any]


def dress(
    document: Document,
    labels: Mapping[str, str],
    image: str,
    token: str,
    life: float,
    runtime: str = "",
) -> dict[str, Any]:
    """Return the document that is started: the plan's, and nothing of it taken away."""
    chosen = {"runtime": runtime} if runtime else {}
    project = labels[owner.PROJECT]
    networks = {
        name: {**(network or {}), "labels": {**_labels(network), **labels}}
        for name, network in (document.get("networks") or {"default": {"internal": True}}).items()
    }
    services = {
        name: {**service, **NO_DNS, **chosen, "labels": {**_labels(service), **labels}}
        for name, service in document["services"].items()
    }
    return {
        **document,
        "services": {**services, DOOR: _door(image, list(networks), labels, token, life)},
        "networks": {**networks, OUTER: _outer(project, labels)},
        "volumes": {
            name: {**(volume or {}), "labels": {**_labels(volume), **labels}}
            for name, volume in (document.get("volumes") or {}).items()
        },
    }


def _labels(thing: Document | None) -> dict[str, str]:
    found = (thing or {}).get("labels") or {}
    if isinstance(found, list):
        return dict(text.partition("=")[::2] for text in found)
    return dict(found)


def _door(
    image: str, networks: list[str], labels: Mapping[str, str], token: str, life: float
) -> dict[str, Any]:
    return {
        "image": image,
        "entrypoint": ["python3", "-I", "-B", "-c", _source()],
        "user": "65534:65534",
        "environment": {"BAREME_TOKEN": token, "BAREME_LIFE": str(life)},
        "networks": [*networks, OUTER],
        "ports": [
            {"mode": "ingress", "host_ip": "127.0.0.1", "target": door.PORT, "protocol": "tcp"}
        ],
        "labels": {**labels, owner.ROLE: "door"},
        **NO_DNS,
        "init": True,
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "sysctls": {"net.ipv4.ip_forward": "0"},
        "mem_limit": "96m",
        "memswap_limit": "96m",
        "pids_limit": 64,
        "restart": "no",
        "logging": {"driver": "json-file", "options": {"max-size": "1m", "max-file": "1"}},
    }


def _source() -> str:
    """Return the door's program as Compose takes it: each `$` doubled."""
    return inspect.getsource(door).replace("$", "$$")


def _outer(project: str, labels: Mapping[str, str]) -> dict[str, Any]:
    name = hashlib.sha256(project.encode()).hexdigest()[:9]
    return {
        "labels": dict(labels),
        "driver_opts": {
            "com.docker.network.bridge.name": f"{DOORS}{name}",
            "com.docker.network.bridge.enable_ip_masquerade": "false",
        },
    }
