"""Rewrite what a service mounts, once judged: where each bind really leads, and who may write."""

from __future__ import annotations

import posixpath
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from graders.model import Work
from graders.policy import mounts
from graders.policy.mounts import DATA, RESULTS, inside
from graders.policy.roles import Role

TMPFS = 64 << 20  # bytes, where the student gives none


def rewrite(
    service: str, body: Mapping[str, Any], work: Work, role: Role, cap: int
) -> list[dict[str, Any]]:
    """Return the mounts of a judged service as they will be started; `cap` bounds each tmpfs."""
    listed = body.get("volumes", [])
    taken = {posixpath.normpath(m["target"]) for m in listed}
    scene = _Scene(
        work, role, work.scratch / "ecrits" / service, taken, body.get("working_dir", "")
    )
    plan: list[dict[str, Any]] = []
    for mount in listed:
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
    pairs = [mounts.short_tmpfs(text) for text in texts]
    return [f"{target}:size={min(size or TMPFS, cap)},noexec,nosuid" for target, size in pairs]
