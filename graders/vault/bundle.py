"""A folder as one reproducible tar.gz stream, and back without ever leaving the folder.

Only plain files and folders exist in a bundle. `tarfile` reads the headers; it never touches the
disk: its extraction filters are missing from Python 3.11 before 3.11.4 (Debian 12 has 3.11.2).
"""

from __future__ import annotations

import gzip
import os
import shutil
import stat
import tarfile
import unicodedata
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from graders.errors import VaultError

MAX_BYTES = 512 * 1024 * 1024
MAX_ENTRIES = 20_000
_ALLOWED = (tarfile.REGTYPE, tarfile.DIRTYPE)
_EXECUTABLE = 0o111


def pack(folder: Path, out: IO[bytes]) -> None:
    """Write `folder` to `out`: same names, contents and executable bits, same bytes."""
    inventory = _Inventory()
    with (
        gzip.GzipFile(filename="", fileobj=out, mode="wb", compresslevel=6, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.USTAR_FORMAT) as tar,
    ):
        for path in _walk(folder):
            _pack_one(tar, path, path.relative_to(folder).as_posix(), inventory)
    if inventory.entries == 0:
        raise _refusal("empty", f"le dossier {folder} est vide")


def unpack(stream: IO[bytes], to: Path) -> None:
    """Recreate in the empty folder `to` what `pack` wrote; refuse anything else."""
    inventory = _Inventory()
    try:
        with (
            gzip.GzipFile(fileobj=stream, mode="rb") as plain,
            tarfile.open(
                fileobj=cast(IO[bytes], plain), mode="r|", tarinfo=_Member, encoding="utf-8"
            ) as tar,
        ):
            for member in tar:
                inventory.add(member.name, folder=member.isdir(), size=member.size)
                _unpack_one(tar, member, to / member.name)
    except (tarfile.TarError, zlib.error, EOFError, gzip.BadGzipFile) as error:
        raise _refusal("format", f"contenu illisible ({error})") from None


class _Member(tarfile.TarInfo):
    """A tar header that can only be a plain file or a folder.

    Refusing here, before `tarfile` acts on the header, also keeps out the extended headers, whose
    announced sizes are read into memory.
    """

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Member:
        member = super().frombuf(buf, encoding, errors)
        if member.type not in _ALLOWED:
            raise _refusal("type", f"ni fichier ordinaire ni dossier : {member.name!a}")
        if not 0 <= member.size <= MAX_BYTES:
            raise _refusal("size", f"taille refusée : {member.name!a}")
        return member


class _Inventory:
    """What a bundle holds so far; refuses what must not be in one."""

    def __init__(self) -> None:
        self.entries = 0
        self._bytes = 0
        self._seen: dict[str, tuple[str, bool]] = {}  # folded path -> (spelling, is a folder)

    def add(self, name: str, *, folder: bool, size: int) -> None:
        self.entries += 1
        self._bytes += size
        if self.entries > MAX_ENTRIES:
            raise _refusal("count", f"plus de {MAX_ENTRIES} fichiers et dossiers")
        if self._bytes > MAX_BYTES:
            raise _refusal("size", f"plus de {MAX_BYTES // 2**20} Mio une fois décompressée")
        parts = name.split("/")
        if {"", ".", ".."} & set(parts) or {"\\", ":"} & set(name) or not name.isprintable():
            raise _refusal("name", f"nom refusé : {name!a}")
        for depth in range(1, len(parts)):
            self._claim("/".join(parts[:depth]), folder=True)
        self._claim(name, folder=folder)

    def _claim(self, name: str, *, folder: bool) -> None:
        folded = unicodedata.normalize("NFC", name).casefold()
        known = self._seen.get(folded)
        if known is None:
            self._seen[folded] = (name, folder)
        elif not folder or known != (name, True):  # only a folder comes twice, spelt the same
            raise _refusal("collision", f"deux entrées de même nom : {known[0]!a} et {name!a}")


def _walk(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _walk(path)


def _pack_one(tar: tarfile.TarFile, path: Path, name: str, inventory: _Inventory) -> None:
    info = tarfile.TarInfo(name)  # no owner, no group, no date: they'd differ between machines
    status = path.lstat()
    if stat.S_ISDIR(status.st_mode):
        info.type, info.mode = tarfile.DIRTYPE, 0o755
    elif stat.S_ISREG(status.st_mode):
        info.mode = 0o755 if status.st_mode & stat.S_IXUSR else 0o644
        info.size = status.st_size
    else:
        raise _refusal("type", f"ni fichier ordinaire ni dossier : {name!a}")
    inventory.add(name, folder=info.isdir(), size=info.size)
    try:
        info.tobuf(tarfile.USTAR_FORMAT)
    except ValueError:
        raise _refusal("name", f"nom trop long : {name!a}") from None
    if info.isdir():
        tar.addfile(info)
    else:
        with path.open("rb") as file:
            tar.addfile(info, file)


def _unpack_one(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    if member.isdir():
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    content = tar.extractfile(member)
    if content is None:
        raise _refusal("format", f"contenu absent : {member.name!a}")
    with content, path.open("xb") as file:  # x: neither an existing file nor a link is followed
        shutil.copyfileobj(content, file)
        if member.mode & _EXECUTABLE:
            readable = stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o444
            path.chmod(stat.S_IMODE(path.stat().st_mode) | readable >> 2)


def _refusal(rule: str, message: str) -> VaultError:
    return VaultError(f"Archive refusée : {message} [archive-{rule}]")
