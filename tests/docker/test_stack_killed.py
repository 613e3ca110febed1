"""A harness that is killed leaves nothing; what is alive, or not ours, is not touched."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import docker
import pytest

from graders import clean
from graders.stack import owner, sweep
from tests.docker.conftest import BASE, left, name, service, started

pytestmark = pytest.mark.docker
ROOT = Path(__file__).parents[2]
HARNESS = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever started us may ignore it
from graders.model import Plan
from graders.stack import up
from tests.docker.conftest import rubric, service
bridge = {"com.docker.network.bridge.name": "brm" + sys.argv[1][-8:]}
slow = {"test": ["CMD", "sleep", "1"], "interval": "1s", "retries": 5}
first = service(["sleep", "infinity"], healthcheck=slow, volumes=[
    {"type": "volume", "source": "v", "target": "/v"}, {"type": "volume", "target": "/anonyme"}])
second = service(["sleep", "infinity"], depends_on={"a": {"condition": "service_healthy"}})
document = {"services": {"a": first, "b": second}, "volumes": {"v": None},
            "networks": {"default": {"internal": True, "driver_opts": bridge}}}
with up(Plan(sys.argv[1], document), rubric(), lambda _: None):
    print("prêt", flush=True)
    time.sleep(600)
"""


def harness(project: str) -> subprocess.Popen[str]:
    """Start another harness, which holds a stack until it is killed."""
    words = [sys.executable, "-c", HARNESS, project]
    return subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    assert process.stdout
    process.stdout.close()


def watchdogs(project: str) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode().split("\0")
        except OSError:
            continue
        if project in words and any(w.endswith("watchdog.py") for w in words):
            found.append(int(path.parent.name))
    return found


def eventually(holds: Callable[[], bool], seconds: float = 45.0) -> bool:
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.3)
    return holds()


def volumes(client: docker.DockerClient) -> set[str]:
    return {v["Name"] for v in client.api.volumes()["Volumes"] or []}


def test_killed_at_any_point_nothing_is_left(client: docker.DockerClient) -> None:
    projects = [name() for _ in range(5)]
    for delay, project in enumerate(projects):
        process = harness(project)
        time.sleep(0.8 + 0.7 * delay)
        kill(process)
    for project in projects:
        assert eventually(lambda p=project: not watchdogs(p) and not left(client, p))
    assert not list(Path("/tmp").glob(f"bareme-{process.pid}-*"))


def test_killed_when_ready_nothing_is_left(client: docker.DockerClient) -> None:
    project, process = "", None
    project = name()
    process = harness(project)
    assert process.stdout
    assert process.stdout.readline() == "prêt\n"
    mounts = [
        m for c in client.containers.list(filters={"name": project}) for m in c.attrs["Mounts"]
    ]
    mine = {m["Name"] for m in mounts if m["Type"] == "volume"}
    assert len(mine) == 2
    kill(process)
    assert eventually(lambda: not watchdogs(project) and not left(client, project))
    assert not mine & volumes(client)


def test_clean_takes_orphans_and_nothing_else(client: docker.DockerClient) -> None:
    other = client.containers.create(
        BASE, ["true"], name=f"autre-{secrets.token_hex(4)}", labels={"projet": "autre"}
    )
    project = name()
    process = harness(project)
    try:
        with started({"vivant": service(["sleep", "infinity"])}) as alive:
            assert process.stdout
            assert process.stdout.readline() == "prêt\n"
            assert project not in sweep.projects(client)
            for pid in watchdogs(project):
                os.kill(pid, signal.SIGKILL)
            kill(process)
            assert project in sweep.projects(client)
            counts = clean.clean()
            assert counts["containers"] >= 3
            assert counts["networks"] >= 2
            assert counts["volumes"] >= 1
            assert not left(client, project)
            assert alive.state("vivant").status == "running"
        other.reload()
    finally:
        other.remove()


def test_an_interrupted_harness_unwinds(client: docker.DockerClient) -> None:
    project = name()
    process = harness(project)
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    process.wait(timeout=60)
    assert process.stdout
    process.stdout.close()
    assert not left(client, project)
    assert not watchdogs(project)


def test_whose_labels_say_what() -> None:
    mine = owner.labels("p", 60)
    assert not owner.gone(mine)
    assert owner.gone({**mine, owner.UNTIL: "0"})
    assert owner.gone({**mine, owner.OWNER: "faux"})
    machine, boot, space, pid, since = mine[owner.OWNER].split("|")
    assert owner.gone({**mine, owner.OWNER: "|".join((machine, boot, space, pid, "1"))})
    assert owner.gone({**mine, owner.OWNER: "|".join((machine, "avant", space, pid, since))})
    assert not owner.gone({**mine, owner.OWNER: "|".join(("autre", boot, space, pid, "1"))})
    assert not owner.gone({**mine, owner.OWNER: "|".join((machine, boot, "pid:[1]", pid, "1"))})
