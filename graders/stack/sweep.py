"""Remove stacks: one that ends, and those whose owner died. Found by label, never by name."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, NotFound

from graders.errors import MachineError
from graders.stack import engine, owner

AGAIN = 3.0  # seconds: what a killed Compose had asked for may still appear
_PATIENCE = 20.0  # seconds for a removal that the engine says is in progress
_MEMORY = Path("/dev/shm")  # noqa: S108 - where embedded gradings work
_FOLDER = re.compile(r"bareme-(\d+)-")
Row = Mapping[str, Any]


def remove(client: docker.DockerClient, project: str) -> Counter[str]:
    """Remove all of a project: containers and their volumes, networks, volumes, built images."""
    counts: Counter[str] = Counter()
    deadline = time.monotonic() + _PATIENCE
    api = client.api
    mine = {"label": f"{owner.PROJECT}={project}"}
    built = {"label": f"com.docker.compose.project={project}"}
    with engine.ours(), ThreadPoolExecutor(8) as pool:
        while True:
            rows = engine.containers(client, project)
            for done in pool.map(_gone(api.remove_container, force=True, v=True), _ids(rows)):
                counts["containers"] += done
            networks = api.networks(filters=mine)
            volumes = api.volumes(filters=mine)["Volumes"] or []
            for done in pool.map(_gone(api.remove_network), _ids(networks)):
                counts["networks"] += done
            for done in pool.map(_gone(api.remove_volume), [v["Name"] for v in volumes]):
                counts["volumes"] += done
            if not (rows or networks or volumes):
                break
            if time.monotonic() > deadline:
                raise MachineError(f"Docker garde des restes de {project} : `bareme clean`.")
        for image in _ids(api.images(filters=built)):
            counts["images"] += _gone(api.remove_image, force=True)(image)
    return counts


def _ids(rows: Iterable[Row]) -> list[str]:
    return [row["Id"] for row in rows]


def _gone(call: Callable[..., object], **options: Any) -> Callable[[str], bool]:
    """Make a removal that counts, and that leaves what is in use or going for the next round."""

    def attempt(name: str) -> bool:
        try:
            call(name, **options)
        except NotFound:
            return False
        except APIError as error:
            if error.status_code in {403, 409} or "in progress" in str(error):
                time.sleep(0.1)
                return False
            raise
        return True

    return attempt


def projects(client: docker.DockerClient, *, everything: bool = False) -> set[str]:
    """Return the projects whose owner is gone, or all that carry our label."""
    mine = {"label": f"{owner.LABEL}=1"}
    with engine.ours():
        rows: list[Row] = [
            *client.api.containers(all=True, filters=mine),
            *client.api.networks(filters=mine),
            *(client.api.volumes(filters=mine)["Volumes"] or []),
        ]
    marks = [row.get("Labels") or {} for row in rows]
    return {
        m[owner.PROJECT] for m in marks if m.get(owner.PROJECT) and (everything or owner.gone(m))
    }


def orphans(client: docker.DockerClient, *, everything: bool = False) -> Counter[str]:
    """Remove the stacks whose owner is gone, twice if there was any, and our stale folders."""
    counts: Counter[str] = Counter()
    for last in (False, True):
        found = projects(client, everything=everything)
        for project in found:
            counts += remove(client, project)
        if last or not found:
            break
        time.sleep(AGAIN)
    counts["folders"] += folders()
    return +counts


def folders() -> int:
    """Remove the temporary folders of processes that are dead; return how many."""
    count = 0
    with contextlib.suppress(OSError):
        for path in (
            p for place in (Path(tempfile.gettempdir()), _MEMORY) for p in place.glob("bareme-*-*")
        ):
            match = _FOLDER.match(path.name)
            if not match or owner.started(int(match[1])) or path.is_symlink():
                continue
            if path.lstat().st_uid == os.getuid() and path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
                count += not path.exists()
    return count
