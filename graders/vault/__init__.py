"""Sealed archives of corrections: seal a folder, unlock it, change its password.

Nothing is written before the whole archive has been authenticated, and a folder appears complete
or not at all. The cipher is in `sealed`, the contents in `bundle`.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from graders.errors import MachineError, UsageError, VaultError
from graders.vault import bundle, sealed
from graders.vault.sealed import COST, Cost, Header

__all__ = ["COST", "Cost", "Header", "read_header", "rekey", "seal", "unlock", "verify"]

MIN_PASSWORD = 8
_TEMPORARY = ".bareme-"
_TAKEN = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR)


def seal(
    folder: Path, exercise: str, version: int, password: str, out: Path, *, cost: Cost = COST
) -> None:
    """Encrypt `folder` into the archive `out`, replacing an older version of it at once."""
    _check_name(exercise)
    _check_password(password)
    if not folder.is_dir():
        raise UsageError(f"Dossier introuvable : {folder}")
    if out.resolve().is_relative_to(folder.resolve()):
        raise UsageError(f"L'archive {out} ne peut pas se trouver dans le dossier qu'elle scelle.")
    _check_monotonic(out, version)
    header = Header(exercise, version, cost)
    with _replacing(out) as file, _sealer(file, header, password) as stream:
        bundle.pack(folder, stream)


def unlock(
    archive: Path,
    exercise: str,
    password: str,
    to: Path,
    force: bool = False,
    *,
    at_least: int | None = None,
) -> Path:
    """Decrypt the archive into the new folder `to` and return it; all of it, or nothing.

    With `force` an existing folder is swapped for the new one. `at_least` refuses an older version.
    """
    to = to.absolute()  # not resolve(): a link must be seen, not followed
    check_target(to, force=force)
    with _authenticated(archive, exercise, password, at_least) as opened:
        try:
            # Mode 0700, and on the target's file system, so that the last step is a rename.
            beside = next(folder for folder in to.parents if folder.is_dir())
            with tempfile.TemporaryDirectory(prefix=_TEMPORARY, dir=beside) as temporary:
                tree = Path(temporary, "new")
                tree.mkdir()
                with opened.stream() as stream:
                    bundle.unpack(stream, tree)
                to.parent.mkdir(parents=True, exist_ok=True)
                _install(tree, to, Path(temporary, "old"), force=force)
        except OSError as error:
            reason = error.strerror or str(error)
            raise MachineError(f"Impossible d'écrire dans {to.parent} : {reason}.") from error
    return to


def rekey(archive: Path, exercise: str, old: str, new: str, *, cost: Cost = COST) -> None:
    """Change the password of an archive in place; its content never reaches the disk in clear."""
    _check_password(new)
    with _authenticated(archive, exercise, old) as opened, _replacing(archive) as file:
        header = Header(exercise, opened.version, cost)
        with _sealer(file, header, new) as stream:
            for chunk in opened.chunks():
                stream.write(chunk)


def verify(archive: Path, exercise: str, password: str, *, at_least: int | None = None) -> int:
    """Authenticate a whole archive without writing anything; return its version."""
    with _authenticated(archive, exercise, password, at_least) as opened:
        return opened.version


def read_header(archive: Path) -> Header:
    """Read the clear header, which nothing vouches for until the archive is unlocked."""
    with _open(archive) as file:
        header = Header.read(file)
    if header is None:
        raise VaultError(f"{archive} n'est pas une archive scellée que cette version sache lire.")
    return header


def check_target(to: Path, *, force: bool) -> None:
    """Refuse a target that exists, or that even `force` must not replace."""
    if not os.path.lexists(to):
        return
    if not force:
        raise UsageError(f"{to} existe déjà : ajoutez --force pour le remplacer.")
    if to.is_symlink() or not to.is_dir():
        raise UsageError(f"{to} n'est pas un dossier : il ne sera pas remplacé.")
    precious = [Path.cwd()]
    with contextlib.suppress(RuntimeError):  # a user without a home
        precious.append(Path.home())
    if (to / ".git").exists() or any(p.is_relative_to(to.resolve()) for p in precious):
        raise UsageError(f"{to} contient votre travail : il ne sera pas remplacé.")


@contextlib.contextmanager
def _authenticated(
    archive: Path, exercise: str, password: str, at_least: int | None = None
) -> Iterator[sealed.Opened]:
    """Open an archive and check all of it, once, before any of it is used."""
    _check_name(exercise)
    _no_core_dump()
    with _open(archive) as file:
        opened = sealed.Opened(file, exercise, password)
        for _ in opened.chunks():
            pass
        if at_least is not None and opened.version < at_least:
            raise VaultError(
                f"L'archive scellée de « {exercise} » est la version {opened.version}, le barème "
                f"demande la version {at_least} au moins : récupérez-la de nouveau (git pull)."
            )
        yield opened


@contextlib.contextmanager
def _open(archive: Path) -> Iterator[BinaryIO]:
    # A FIFO in the archive's place would make open() wait for ever.
    if not archive.is_file():
        raise UsageError(f"Aucune archive scellée : {archive}")
    with archive.open("rb") as file:
        yield file


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    """Give a temporary file that takes the place of `path` at the end, or disappears."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=_TEMPORARY, dir=path.parent) as temporary:
        new = Path(temporary, path.name)
        with new.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)


def _sealer(file: BinaryIO, header: Header, password: str) -> BinaryIO:
    encoded = header.encode()
    cipher = sealed.derive(password, header.cost, header.salt)
    file.write(encoded)
    return io.BufferedWriter(sealed.Sealer(file, cipher, encoded), sealed.CHUNK)


def _install(tree: Path, to: Path, old: Path, *, force: bool) -> None:
    """Put `tree` in its final place; the old folder goes last, and comes back if that fails."""
    try:
        if force and os.path.lexists(to):
            to.rename(old)
        tree.rename(to)
    except BaseException as error:
        if old.exists() and not os.path.lexists(to):
            old.rename(to)
        if isinstance(error, OSError) and error.errno in _TAKEN:
            raise UsageError(f"{to} vient d'être créé par ailleurs : rien n'y a changé.") from None
        raise


def _check_name(exercise: str) -> None:
    if not sealed.NAME.fullmatch(exercise):
        raise UsageError(f"Nom d'exercice refusé : {exercise!a}")


def _check_password(password: str) -> None:
    if len(password) < MIN_PASSWORD:
        raise UsageError(f"Le mot de passe doit avoir {MIN_PASSWORD} caractères au moins.")


def _check_monotonic(out: Path, version: int) -> None:
    if not 1 <= version < 2**32:
        raise UsageError(f"Numéro de version refusé : {version}")
    if not out.is_file():
        return
    with out.open("rb") as file:
        header = Header.read(file)
    if header is not None and header.version > version:
        raise UsageError(
            f"{out} est déjà en version {header.version} : la version {version} serait un recul."
        )


def _no_core_dump() -> None:
    """Forbid core dumps for the rest of this process, whose memory keeps traces of the content."""
    try:
        import resource  # noqa: PLC0415 - absent on Windows
    except ImportError:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
