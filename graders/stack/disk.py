"""Watch what a stack writes to disk, which overlay2 cannot cap: beyond its limit, it is killed."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import docker
from docker.errors import NotFound

from graders import images
from graders.errors import MachineError, StackError
from graders.stack import engine, files
from graders.stack.handle import RESULTS, Stack

log = logging.getLogger(__name__)
EVERY = 2.0  # seconds between two measures
FILES_PER_MIB = 100  # of the disk limit: 2 GiB allow 200,000 files
RESERVE = 2 << 30  # bytes that must be free on the engine's disk for a stack to start
_METER = (
    "import os,sys\n"
    "n=s=0\n"
    "for d,f,g in os.walk('/m'):\n"
    "  for x in f+g:\n"
    "    n+=1; s+=os.lstat(os.path.join(d,x)).st_blocks*512\n"
    "  if n>int(sys.argv[1]): break\n"
    "print(s,n)"
)


def refuse_if_full(client: docker.DockerClient) -> None:
    """Raise MachineError where the engine's disk has no room left for a stack."""
    with engine.ours():
        root = client.info()["DockerRootDir"]
    with contextlib.suppress(OSError):
        if (free := shutil.disk_usage(root).free) < RESERVE:
            raise MachineError(
                f"Il ne reste que {free >> 20} Mio sur le disque de Docker ({root}) : "
                "`bareme clean`, ou faites de la place."
            )


@contextlib.contextmanager
def watched(client: docker.DockerClient, stack: Stack) -> Iterator[None]:
    """Measure the stack in the background, and condemn it when it goes beyond its limit."""
    over = threading.Event()

    def loop() -> None:
        while not over.wait(EVERY):
            try:
                if why := excess(stack, *measure(client, stack)):
                    stack.condemn(why)
                    return
            except Exception as error:  # one measure may fail; the watch goes on
                log.debug("the disk of %s was not measured: %s", stack.project, error)

    thread = threading.Thread(target=loop, name=f"disk-{stack.project}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def excess(stack: Stack, size: int, count: int) -> str:
    """Return in French by what a stack exceeds its disk limit, or nothing."""
    limit = stack.limits.disk
    if size > limit << 20:
        return f"La pile a écrit {size >> 20} Mio sur le disque : elle a été arrêtée à {limit} Mio."
    if count > limit * FILES_PER_MIB:
        most = limit * FILES_PER_MIB
        return f"La pile a créé plus de {most} fichiers : elle a été arrêtée."
    return ""


def measure(client: docker.DockerClient, stack: Stack) -> tuple[int, int]:
    """Return the bytes and files written by a stack: layers, volumes, results."""
    most = stack.limits.disk * FILES_PER_MIB
    size = count = 0
    volumes: dict[str, str] = {}
    for seen in _containers(client, stack):
        upper = (seen["GraphDriver"].get("Data") or {}).get("UpperDir", "")
        volumes |= {
            m["Name"]: m["Source"] for m in seen["Mounts"] if m["Type"] == "volume" and m["Name"]
        }
        one = files.usage(upper, most) if _readable(upper) else _layer(client, seen)
        size, count = size + one[0], count + one[1]
    readable = [place for place in volumes.values() if _readable(place)]
    hidden = [name for name, place in volumes.items() if not _readable(place)]
    for place in [*readable, *_results(stack)]:
        one = files.usage(place, most)
        size, count = size + one[0], count + one[1]
    if hidden:
        one = _metered(client, hidden, stack, most)
        size, count = size + one[0], count + one[1]
    return size, count


def _containers(client: docker.DockerClient, stack: Stack) -> Iterator[Mapping[str, Any]]:
    for row in stack.containers.rows():
        with contextlib.suppress(NotFound):  # a one-off that has ended
            yield client.api.inspect_container(row["Id"])


def _readable(place: str) -> bool:
    return bool(place) and os.geteuid() == 0 and Path(place).is_dir()


def _results(stack: Stack) -> list[str]:
    try:
        return [str(stack.folder(RESULTS))]
    except StackError:
        return []


def _layer(client: docker.DockerClient, seen: Mapping[str, Any]) -> tuple[int, int]:
    """Return the size of a container's layer by the engine's own count, which names no files."""
    rows = client.api.containers(all=True, size=True, filters={"id": seen["Id"]})
    return sum(int(row.get("SizeRw") or 0) for row in rows), 0


def _metered(
    client: docker.DockerClient, names: list[str], stack: Stack, most: int
) -> tuple[int, int]:
    """Measure volumes that only the engine can read, from a container without a network."""
    text = client.containers.run(
        images.catalogue()["door"].tag,
        ["-I", "-c", _METER, str(most)],
        entrypoint="python3",
        user="0:0",
        network_mode="none",
        cap_drop=["ALL"],
        cap_add=["DAC_READ_SEARCH"],
        security_opt=["no-new-privileges:true"],
        read_only=True,
        mem_limit="128m",
        pids_limit=16,
        labels=dict(stack.labels),
        remove=True,
        volumes={name: {"bind": f"/m/{n}", "mode": "ro"} for n, name in enumerate(names)},
    )
    size, count = text.decode().split()
    return int(size), int(count)
