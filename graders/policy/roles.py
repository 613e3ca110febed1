"""What the rubric grants: which images, and what the services that use them may have."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_NAME = re.compile(r"[a-z0-9]+([._-]+[a-z0-9]+)*(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_HUB = ("docker.io/", "index.docker.io/", "registry-1.docker.io/", "registry.hub.docker.com/")


@dataclass(frozen=True, slots=True)
class Role:
    """What a service may be granted beyond the common minimum.

    `writable` are container paths: a bind there gets a writable copy of its source. `folders` are
    names that become writable below every folder that the service binds (dbt's `target`).
    `memory` is in MiB, for a service whose author gives no limit.
    """

    name: str = ""
    images: tuple[str, ...] = ()
    writable: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    build: bool = False
    memory: int | None = None


PLAIN = Role()


def roles(services: Mapping[str, Any]) -> tuple[Role, ...]:
    """Return the roles of a rubric's `services`, whose shape its JSON Schema has checked."""
    return tuple(_role(name, grants) for name, grants in services.items())


def _role(name: str, grants: Mapping[str, Any]) -> Role:
    return Role(
        name,
        images=tuple(grants.get("images", ())),
        writable=tuple(grants.get("writable", ())),
        folders=tuple(grants.get("folders", ())),
        capabilities=tuple(grants.get("capabilities", ())),
        build=grants.get("build", False),
        memory=grants.get("memory"),
    )


def split(reference: str) -> tuple[str, str]:
    """Return an image's official name and its reference with a tag; ("", "") if it is not one.

    `docker.io/library/postgres:15` is `postgres`; a missing tag is `latest`.
    """
    rest, _, digest = reference.partition("@")
    if digest and not _DIGEST.fullmatch(digest):
        return "", ""
    for hub in _HUB:
        rest = rest.removeprefix(hub)
    rest = rest.removeprefix("library/")
    name, tag = rest, "latest"
    if ":" in rest.rpartition("/")[2]:
        name, _, tag = rest.rpartition(":")
    if not _NAME.fullmatch(name) or not _TAG.fullmatch(tag) or len(name) > 200:
        return "", ""
    return name, f"{name}:{tag}" + (f"@{digest}" if digest else "")


def role_of(service: str, official: str, known: tuple[Role, ...]) -> Role:
    """Return the role that a service plays: by its image, or by its name where it is built."""
    for role in known:
        if official in role.images or (role.build and role.name == service):
            return role
    return PLAIN
