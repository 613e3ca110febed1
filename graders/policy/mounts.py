"""Judge what a service mounts: only the submission's copy, the data and the results."""

from __future__ import annotations

import posixpath
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from graders.model import Work
from graders.policy.forbidden import Why
from graders.policy.source import what

DATA, RESULTS = "donnees", "resultats"
# A tool's own configuration; anything else of /etc belongs to the system.
_ETC = frozenset(
    ["airflow", "alertmanager", "dbt", "elasticsearch", "filebeat", "grafana", "kibana",
     "logstash", "loki", "metabase", "nginx", "postgresql", "prometheus", "spark", "superset"]
)  # fmt: skip
_SYSTEM = ("proc", "sys", "dev", "boot", "bin", "sbin")
_BARE = frozenset(
    ["/", "/usr", "/usr/local", "/usr/share", "/etc", "/opt", "/var", "/var/lib", "/home",
     "/root", "/run"]
)  # fmt: skip
# Where images keep the tool itself, in folders whose names do not tell: a mount there, or above,
# would put the student's own program in the place of the one that the grader trusts.
_TOOLS = ("/opt/dbt", "/opt/spark/python", "/app/superset", "/home/airflow/.local")
_CODE = re.compile(
    r"bin|sbin|lib(32|64|x32)?|libexec|jars|modules|(site|dist)-packages|\.local|\.?venv"
)
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
        target, size = short_tmpfs(text)
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
        yield Odd(target, OUTSIDE)
    elif relative.parts[:1] not in ((DATA,), (RESULTS,)):
        mode = what(work.submission.root, relative)
        if mode is None or not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            yield Odd(target, ABSENT, f" (./{relative})")


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
    return not (any(_CODE.fullmatch(part) for part in parts) or _hides_a_tool(clean))


def _hides_a_tool(target: str) -> bool:
    path = PurePosixPath(target)
    tools = map(PurePosixPath, _TOOLS)
    return any(path.is_relative_to(t) or t.is_relative_to(path) for t in tools)


def short_tmpfs(text: str) -> tuple[str, int | None]:
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
