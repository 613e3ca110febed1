"""An engine that dies, or whose disk is full: ours, never a zero, and cleaned once it is back.

A second engine is started for it, in a network namespace and on a disk of its own.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import docker
import pytest

from graders import images
from tests.docker.conftest import BASE, left, name
from tests.docker.test_stack_killed import HARNESS, ROOT, eventually, watchdogs

pytestmark = pytest.mark.docker
SMALL = 900 << 20  # bytes of the second engine's disk
# Does not look first at the room that is left on the disk.
HASTY = "from graders.stack import disk\ndisk.RESERVE = 0\n" + HARNESS


@dataclass
class Second:
    """Another engine, that a test may kill."""

    place: Path
    space: str
    process: subprocess.Popen[bytes] | None = None
    harnesses: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def host(self) -> str:
        return f"unix://{self.place}/d.sock"

    def words(self, *command: str) -> list[str]:
        return ["nsenter", f"--net=/var/run/netns/{self.space}", *command]

    def start(self) -> None:
        (self.place / "pid").unlink(missing_ok=True)
        options = {
            "-H": self.host,
            "--data-root": f"{self.place}/disk/data",
            "--exec-root": f"{self.place}/exec",
            "--pidfile": f"{self.place}/pid",
            "--cgroup-parent": f"/{self.space}",
        }
        flat = [word for pair in options.items() for word in pair]
        for _ in range(3):  # an engine gives up where what the last one left is slow to go
            with (self.place / "log").open("ab") as log:
                words = self.words("dockerd", *flat)
                self.process = subprocess.Popen(words, stdout=log, stderr=log)
            eventually(lambda: self.answers() or self.dead(), 60)
            if self.answers():
                return
            self.kill()
        raise AssertionError((self.place / "log").read_text()[-2000:])

    def answers(self) -> bool:
        return run(["docker", "-H", self.host, "version"])

    def dead(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def kill(self) -> None:
        assert self.process
        self.process.kill()
        self.process.wait()

    def python(self, code: str, *words: str) -> subprocess.Popen[str]:
        environment = {**os.environ, "DOCKER_HOST": self.host}
        command = self.words(sys.executable, "-c", code, *words)
        pipe = subprocess.PIPE
        self.harnesses.append(
            subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=pipe, stderr=pipe, text=True
            )
        )
        return self.harnesses[-1]


def run(words: Sequence[str]) -> bool:
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Second]:
    if os.geteuid() or not all(map(shutil.which, ("dockerd", "nsenter", "ip", "mkfs.ext4"))):
        pytest.skip("a second engine needs root, dockerd, nsenter, ip and mkfs.ext4")
    engine = Second(Path("/tmp") / f"bmoteur-{secrets.token_hex(3)}", f"bm{secrets.token_hex(3)}")
    disk = engine.place / "disk.img"
    (engine.place / "disk").mkdir(parents=True)
    try:
        with disk.open("wb") as file:
            file.truncate(SMALL)
        made = run(["mkfs.ext4", "-q", str(disk)]) and run(["ip", "netns", "add", engine.space])
        if not made or not run(["mount", "-o", "loop", str(disk), str(engine.place / "disk")]):
            pytest.skip("no loop device or network namespace can be had here")
        run(engine.words("ip", "link", "set", "lo", "up"))
        engine.start()
        door = images.catalogue()["door"].tag
        save = subprocess.Popen(["docker", "save", BASE, door], stdout=subprocess.PIPE)
        load = ["docker", "-H", engine.host, "load"]
        with save:
            assert subprocess.run(load, stdin=save.stdout, check=False).returncode == 0
        assert save.returncode == 0
        yield engine
    finally:
        for harness in engine.harnesses:
            harness.kill()
            harness.communicate()
        if engine.process:
            engine.process.terminate()
            engine.process.wait()
        run(["ip", "netns", "del", engine.space])
        run(["umount", "-R", str(engine.place / "disk")])  # the engine mounts its data once more
        shutil.rmtree(engine.place, ignore_errors=True)


def remains(second: Second, project: str) -> list[str]:
    with contextlib.closing(docker.DockerClient(second.host)) as client:
        return left(client, project)


def test_an_engine_that_restarts_is_cleaned_and_the_fault_is_ours(second: Second) -> None:
    project = name()
    harness = second.python(HASTY, project)
    assert harness.stdout
    assert harness.stdout.readline() == "prêt\n"
    assert remains(second, project)
    second.kill()
    words = [sys.executable, "-c", "from graders.stack import lacking; print(lacking())"]
    gone = {**os.environ, "DOCKER_HOST": second.host}
    said = subprocess.run(words, cwd=ROOT, env=gone, capture_output=True, check=True).stdout
    assert "ne répond pas" in said.decode()
    harness.kill()
    time.sleep(1)
    second.start()
    assert eventually(lambda: not watchdogs(project) and not remains(second, project), 60)


def fill(path: Path) -> None:
    for size in (1 << 20, 1 << 12):
        with contextlib.suppress(OSError), path.open("ab", buffering=0) as file:
            while file.write(bytes(size)) == size:
                pass


def test_a_full_disk_is_said_plainly(second: Second) -> None:
    out, err = second.python(HARNESS, name()).communicate(timeout=60)
    assert not out
    assert "MachineError: Il ne reste que" in err
    ballast = second.place / "disk" / "ballast"
    fill(ballast)
    try:
        project = name()
        out, err = second.python(HASTY, project).communicate(timeout=120)
        assert not out
        assert "MachineError: Le disque de cette machine est plein" in err
    finally:
        ballast.unlink()
    assert eventually(lambda: not remains(second, project), 30)
