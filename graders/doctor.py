"""What this machine has and lacks to grade, each with what to type. Looks only, changes nothing."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from graders import compose, images
from graders.errors import BaremeError, MachineError
from graders.stack import firewall

GIB = 1 << 30
_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"  # not on the PATH of a plain user of Debian


class Need(StrEnum):
    """What an item serves: grading without Docker, or with it."""

    EMBEDDED = "embarqué"
    DOCKER = "docker"


@dataclass(frozen=True, slots=True)
class Item:
    """One thing looked at: whether it will do, what was seen, and what to type where it won't."""

    id: str
    title: str
    need: Need
    ok: bool
    seen: str
    todo: str = ""


@dataclass(frozen=True, slots=True)
class Machine:
    """The places that the items look at, so that tests can name others."""

    proc: Path = Path("/proc")
    cgroup: Path = Path("/sys/fs/cgroup")
    disk: Path = field(default_factory=Path.cwd)
    path: str = field(default_factory=lambda: f"{os.environ.get('PATH', '')}:{_SBIN}")

    def program(self, name: str) -> str:
        """Return the path of a program, or nothing."""
        return shutil.which(name, path=self.path) or ""


def examine(machine: Machine | None = None) -> list[Item]:
    """Return every item, those of the embedded path first."""
    machine = machine or Machine()
    items = [look(machine) for look in _EMBEDDED + _DOCKER]
    return [*items, *_engine_and_images(machine)]


def ready(items: Iterable[Item], need: Need) -> bool:
    """Tell whether all that `need` asks for is there."""
    return all(item.ok for item in items if item.need is need)


def _python(_machine: Machine) -> Item:
    seen = ".".join(map(str, sys.version_info[:3]))
    ok = sys.version_info >= (3, 11)
    return Item("python", "Python 3.11 ou plus", Need.EMBEDDED, ok, seen, "apt-get install python3")


def _packages(_machine: Machine) -> Item:
    names = ("dbt.cli", "dbt.adapters.duckdb", "duckdb", "pyarrow", "docker", "git")
    missing = [name for name in names if not _importable(name)]
    seen = f"manquent : {', '.join(missing)}" if missing else "tous là"
    return Item("paquets", "Paquets Python", Need.EMBEDDED, not missing, seen, "make setup")


def _git(machine: Machine) -> Item:
    found = machine.program("git")
    todo = "apt-get install git"
    return Item("git", "Git", Need.EMBEDDED, bool(found), found or "absent", todo)


def _memory(need: Need, wanted: float) -> Callable[[Machine], Item]:
    def look(machine: Machine) -> Item:
        rows = (machine.proc / "meminfo").read_text("ascii").splitlines()
        kib = {name: int(rest.split()[0]) for name, _, rest in (r.partition(":") for r in rows)}
        free = kib["MemAvailable"] * 1024
        seen = f"{free / GIB:.1f} Gio libres sur {kib['MemTotal'] * 1024 / GIB:.1f}"
        title = f"Mémoire : {wanted:g} Gio libres"
        todo = "fermez d'autres programmes, ou prenez une machine plus grande"
        return Item(f"memoire_{need}", title, need, free >= wanted * GIB, seen, todo)

    return look


def _disk(need: Need, wanted: float) -> Callable[[Machine], Item]:
    def look(machine: Machine) -> Item:
        free = shutil.disk_usage(machine.disk).free
        title = f"Disque : {wanted:g} Gio libres"
        seen = f"{free / GIB:.1f} Gio libres ({machine.disk})"
        todo = "faites de la place : `bareme clean`, `docker image prune`"
        return Item(f"disque_{need}", title, need, free >= wanted * GIB, seen, todo)

    return look


def _inodes(machine: Machine) -> Item:
    stat = os.statvfs(machine.disk)
    # some file systems (btrfs) count none
    ok = stat.f_files == 0 or stat.f_favail >= 200_000
    seen = "sans limite" if stat.f_files == 0 else f"{stat.f_favail} libres"
    todo = "supprimez des dossiers de nombreux petits fichiers"
    return Item("inodes", "Inodes : 200 000 libres", Need.DOCKER, ok, seen, todo)


def _cores(_machine: Machine) -> Item:
    count = len(os.sched_getaffinity(0))
    todo = "les piles démarreront lentement : `bareme batch --jobs 1`"
    return Item("coeurs", "Deux cœurs ou plus", Need.DOCKER, count >= 2, str(count), todo)


def _cgroup(machine: Machine) -> Item:
    version = 2 if (machine.cgroup / "cgroup.controllers").exists() else 1
    ok = version == 2 or (machine.cgroup / "memory").is_dir()
    todo = "montez les cgroups : sans eux, aucune limite de mémoire"
    return Item("cgroup", "Cgroups (limites)", Need.DOCKER, ok, f"version {version}", todo)


def _iptables(machine: Machine) -> Item:
    found = machine.program("iptables")
    todo = "make engine (ou apt-get install iptables)"
    seen = f"{found} ; {_shield()}" if found else "absent"
    return Item("iptables", "iptables", Need.DOCKER, bool(found), seen, todo)


def _shield() -> str:
    """Say whether the containers of a stack reach the services of this very machine."""
    if firewall.in_force():
        return "les services de cette machine sont hors d'atteinte des piles"
    if os.geteuid() == 0:
        return "la première pile mettra les services de cette machine hors d'atteinte"
    return "sans root, une pile atteint les services de cette machine qui écoutent partout"


def _compose(_machine: Machine) -> Item:
    try:
        found = str(compose.binary())
    except MachineError:
        found = ""
    todo = "make setup"
    return Item("compose", "Docker Compose", Need.DOCKER, bool(found), found or "absent", todo)


_EMBEDDED = (_python, _packages, _git, _memory(Need.EMBEDDED, 1), _disk(Need.EMBEDDED, 1))
_DOCKER = (
    _memory(Need.DOCKER, 4),
    _disk(Need.DOCKER, 10),
    _inodes,
    _cores,
    _cgroup,
    _iptables,
    _compose,
)


def _engine_and_images(machine: Machine) -> list[Item]:
    title = "Moteur Docker"
    try:
        with contextlib.closing(images.engine()) as client:
            info = client.info()
            states = images.states(client)
    except BaremeError as error:
        seen = str(error).partition(". ")[0]
        return [Item("moteur", title, Need.DOCKER, False, seen, "make engine")]
    seen = f"{info['ServerVersion']}, {info['Driver']}, {info['DockerRootDir']}"
    return [Item("moteur", title, Need.DOCKER, True, seen), *(_image(machine, s) for s in states)]


def _image(machine: Machine, state: images.State) -> Item:
    name = state.recipe.name
    wanted = f"{state.recipe.megabytes} Mo, {state.recipe.seconds} s de construction"
    seen = f"{state.size / 1e6:.0f} Mo, {state.kind}" if state.usable else f"absente ({wanted})"
    todo = f"bareme images build {name}"
    if "rootfs" in state.recipe.context and not machine.program("mmdebstrap"):
        todo = f"apt-get install mmdebstrap (ou make engine), puis {todo}"
    ok = bool(state.usable)
    return Item(f"image_{name}", f"Image {state.recipe.tag}", Need.DOCKER, ok, seen, todo)


def _importable(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def as_json(items: Iterable[Item]) -> list[dict[str, Any]]:
    """Return the items as plain values."""
    return [
        {
            "id": item.id,
            "title": item.title,
            "need": item.need.value,
            "ok": item.ok,
            "seen": item.seen,
            "todo": "" if item.ok else item.todo,
        }
        for item in items
    ]
