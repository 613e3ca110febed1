"""Judge and rewrite what a service mounts: only the submission's copy, the data, the results."""

from __future__ import annotations

import posixpath
import re
import shutil
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from graders.model import Work
from graders.policy.forbidden import Why
from graders.policy.roles import Role
from graders.policy.source import what

DATA, RESULTS = "donnees", "resultats"
TMPFS = 64 << 20  # bytes, where the student gives none
# A tool's own configuration; anything else of /etc belongs to the system.
_ETC = frozenset(
    [
        "airflow",
        "alertmanager",
        "dbt",
        "elasticsearch",
        "filebeat",
        "grafana",
        "kibana",
        "logstash",
        "loki",
        "metabase",
        "nginx",
        "postgresql",
        "prometheus",
        "spark",
        "superset",
    ]
)
_SYSTEM = ("proc", "sys", "dev", "boot", "bin", "sbin")
_BARE = frozenset(
    [
        "/",
        "/usr",
        "/usr/local",
        "/usr/share",
        "/etc",
        "/opt",
        "/var",
        "/var/lib",
        "/home",
        "/root",
        "/run",
    ]
)
_CODE = re.compile(r"bin|sbin|lib(32|64|x32)?|libexec|jars|modules|(site|dist)-packages")
_SOCKET = re.compile(r"(docker|containerd|podman)[^/]*\.sock")

OUTSIDE = Why(
    "montage-hors-du-rendu",
    "le dossier monté n'est pas dans le rendu",
    "Montez un chemin relatif du rendu (./dossier), ou un volume nommé.",
)
SOCKET = Why("socket-docker", "le conteneur commanderait le moteur Docker", "Retirez ce montage.")
ABSENT = Why(
    "montage-absent",
    "ce qui est monté n'existe pas dans le rendu, ou c'est un lien",
    "Déposez le fichier (un dossier vide se garde avec un fichier .gitkeep), ou écrivez sous "
    "./resultats ou dans un volume nommé.",
)
TARGET = Why(
    "montage-cible",
    "ce montage cacherait une partie du système ou du logiciel",
    "Montez ailleurs, par exemple sous /opt/airflow/dags, /etc/prometheus ou /data.",
)
TMPFS_SIZE = Why(
    "tmpfs", "le tmpfs est plus grand que la mémoire de l'exercice", "Demandez 64m, par exemple."
)
TMPFS_FORM = Why(
    "tmpfs", "les options de ce tmpfs sont refusées", "Écrivez /chemin ou /chemin:size=64m."
)


@dataclass(frozen=True, slots=True)
class Odd:
    """A refused mount: its target tells where it is written."""

    target: str
    why: Why
    detail: str = ""


def judge(mounts: list[Mapping[str, Any]], tmpfs: list[str], work: Work) -> Iterator[Odd]:
    """Yield what is refused among a service's mounts."""
    cap = work.rubric.limits.memory << 20
    for mount in mounts:
        target = mount["target"]
        if not harmless(target, tmpfs=mount["type"] == "tmpfs"):
            yield Odd(target, TARGET, f" ({target[:80]})")
        if mount["type"] == "bind":
            yield from _source(mount, work)
        if int(mount.get("tmpfs", {}).get("size", 0)) > cap:
            yield Odd(target, TMPFS_SIZE)
    for text in tmpfs:
        target, size = _tmpfs(text)
        if size is None or not target.startswith("/"):
            yield Odd(target, TMPFS_FORM)
        elif size > cap:
            yield Odd(target, TMPFS_SIZE)
        elif not harmless(target, tmpfs=True):
            yield Odd(target, TARGET, f" ({target[:80]})")


def _source(mount: Mapping[str, Any], work: Work) -> Iterator[Odd]:
    source, target = mount.get("source", ""), mount["target"]
    if _SOCKET.fullmatch(posixpath.basename(source)):
        yield Odd(target, SOCKET)
        return
    relative = inside(source, work.submission.root)
    if relative is None:
        yield Odd(target, OUTSIDE, f" ({_shown(source, work)})")
    elif relative.parts[:1] not in ((DATA,), (RESULTS,)):
        mode = what(work.submission.root, relative)
        if mode is None or not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            yield Odd(target, ABSENT, f" (./{relative})")


def _shown(source: str, work: Work) -> str:
    """Return a source as the student would know it: no path of the grader's."""
    return (
        posixpath.relpath(source, work.submission.root)
        if source.startswith(str(work.scratch))
        else source[:80]
    )


def inside(source: str, root: Path) -> PurePosixPath | None:
    """Return a bind's source relative to the submission, or None if it lies outside."""
    path = PurePosixPath(posixpath.normpath(source))
    if not path.is_absolute() or not path.is_relative_to(root):
        return None
    return path.relative_to(root)


def harmless(target: str, *, tmpfs: bool = False) -> bool:
    """Tell whether a container path may be mounted upon without hiding the system or the tool."""
    clean = posixpath.normpath(target)
    parts = clean.strip("/").split("/")
    plain = target.startswith("/") and not target.startswith("//") and ".." not in target.split("/")
    if not plain or _SOCKET.fullmatch(parts[-1]):
        return False
    if clean in _BARE or parts[0] in _SYSTEM:
        return tmpfs and clean in ("/run", "/dev/shm")  # noqa: S108 - a path of the container
    if parts[0] == "etc":
        return parts[1] in _ETC
    if parts[0] == "run" or parts[:2] == ["var", "run"]:
        return tmpfs or parts[-1] == "postgresql"
    if parts[:2] == ["var", "lib"]:
        return parts[2] not in ("docker", "containerd", "dpkg", "apt")
    return not any(_CODE.fullmatch(part) for part in parts)


def rewrite(
    service: str, body: Mapping[str, Any], work: Work, role: Role, cap: int
) -> list[dict[str, Any]]:
    """Return the mounts of a judged service as they will be started; `cap` bounds each tmpfs."""
    mounts = body.get("volumes", [])
    taken = {posixpath.normpath(m["target"]) for m in mounts}
    scene = _Scene(
        work, role, work.scratch / "ecrits" / service, taken, body.get("working_dir", "")
    )
    plan: list[dict[str, Any]] = []
    for mount in mounts:
        target = posixpath.normpath(mount["target"])
        read_only = bool(mount.get("read_only"))
        if mount["type"] == "tmpfs":
            options = mount.get("tmpfs", {})
            size = min(int(options.get("size") or TMPFS), cap)
            plan.append({"type": "tmpfs", "target": target, "tmpfs": {**options, "size": size}})
        elif mount["type"] == "volume":
            kept = {k: mount[k] for k in ("source", "volume") if mount.get(k)}
            plan.append({"type": "volume", "target": target, "read_only": read_only, **kept})
        else:
            plan.extend(scene.binds(mount["source"], target, read_only))
    return plan


@dataclass(frozen=True, slots=True)
class _Scene:
    """Where the binds of one service may lead. The submission's copy itself is never writable."""

    work: Work
    role: Role
    written: Path  # what the role may write besides the results
    taken: set[str]
    working_dir: str

    def binds(self, source: str, target: str, read_only: bool) -> Iterator[dict[str, Any]]:
        """Yield the bind for a source of the submission, and what must be mounted inside it."""
        relative = inside(source, self.work.submission.root)
        assert relative is not None  # noqa: S101 - judge() has refused the others
        head, rest = relative.parts[:1], PurePosixPath(*relative.parts[1:])
        if head == (DATA,):
            yield _bind(self.work.data / rest, target, read_only=True)
        elif head == (RESULTS,):
            yield self._results(rest, target, read_only)
        elif target in self.role.writable and not read_only:
            yield _bind(self._twin(relative, target), target)
        else:
            yield _bind(self.work.submission.root / relative, target, read_only=True)
            yield from self._nested(relative, target, read_only)

    def _nested(
        self, relative: PurePosixPath, target: str, read_only: bool
    ) -> Iterator[dict[str, Any]]:
        """Yield data and results below a bind of the whole submission, and the role's own folders.

        The folder of each must exist in the copy, or a read-only mount has no place for it.
        """
        root = self.work.submission.root
        if not relative.parts:
            for name in (DATA, RESULTS):
                if self._place(root / name, posixpath.join(target, name)):
                    nested = posixpath.join(target, name)
                    if name == DATA:
                        yield _bind(self.work.data, nested, read_only=True)
                    else:
                        yield self._results(PurePosixPath(), nested, read_only)
        here = posixpath.normpath(self.working_dir) if self.working_dir else target
        folders = dict.fromkeys(
            f for f in (target, here) if PurePosixPath(f).is_relative_to(target)
        )
        for folder in folders:
            below = root / relative / posixpath.relpath(folder, target)
            for name in self.role.folders:
                place = posixpath.join(folder, name)
                if below.is_dir() and self._place(below / name, place):
                    yield _bind(_open(self._name(place), self.work.scratch), place)

    def _place(self, point: Path, target: str) -> bool:
        """Make the mount point of `target` in the copy, unless something is mounted there."""
        if target in self.taken or (point.exists() and not point.is_dir()):
            return False
        point.mkdir(exist_ok=True)
        self.taken.add(target)
        return True

    def _results(self, rest: PurePosixPath, target: str, read_only: bool) -> dict[str, Any]:
        folder = _open(self.work.results / rest, self.work.scratch)
        return _bind(folder, target, read_only=read_only)

    def _name(self, target: str) -> Path:
        return self.written / target.strip("/").replace("/", "+")

    def _twin(self, relative: PurePosixPath, target: str) -> Path:
        """Return a writable copy of a part of the submission, so that the original stays as is."""
        source, twin = self.work.submission.root / relative, self._name(target)
        _open(twin.parent, self.work.scratch)
        if source.is_dir():
            shutil.copytree(source, twin)
        else:
            shutil.copyfile(source, twin)
        for path in (twin, *twin.rglob("*")):
            path.chmod(0o777 if path.is_dir() else 0o666)
        return twin


def _bind(source: Path, target: str, *, read_only: bool = False) -> dict[str, Any]:
    return {
        "type": "bind",
        "source": str(source),
        "target": target,
        "read_only": read_only,
        "bind": {"create_host_path": False},
    }


def _open(folder: Path, scratch: Path) -> Path:
    """Make a folder that any user of a container may write to; `scratch` itself stays private."""
    folder.mkdir(parents=True, exist_ok=True)
    place = folder
    while place != scratch:
        place.chmod(0o777)
        place = place.parent
    return folder


def tmpfs(texts: list[str], cap: int) -> list[str]:
    """Return the short `tmpfs` entries with a size, at most `cap` bytes each."""
    pairs = [_tmpfs(text) for text in texts]
    return [f"{target}:size={min(size or TMPFS, cap)},noexec,nosuid" for target, size in pairs]


def _tmpfs(text: str) -> tuple[str, int | None]:
    """Return target and size in bytes (0 if not given, None if the options are refused)."""
    target, _, options = text.partition(":")
    size = 0
    for option in filter(None, options.split(",")):
        if match := re.fullmatch(r"size=([0-9]{1,12})([kKmMgG]?)", option):
            size = int(match[1]) << {"": 0, "k": 10, "m": 20, "g": 30}[match[2].lower()]
        elif not re.fullmatch(
            r"rw|noexec|nosuid|nodev|exec|(mode|uid|gid|nr_inodes)=[0-9]{1,8}", option
        ):
            return target, None
    return target, size
