"""Write and read files that a student's container may be changing: no link is ever followed.

Every component of a path is opened relative to the one before it with O_NOFOLLOW, so that a link
put in `resultats` at the last moment leads nowhere.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from graders.errors import OutOfBounds, StackError

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_FILE = os.O_NOFOLLOW | os.O_NONBLOCK  # a FIFO must not make us wait


def append(root: Path, name: str, data: bytes) -> None:
    """Add `data` at the end of the file `name` below `root`, made if absent."""
    with _opened(root, name, os.O_WRONLY | os.O_APPEND | os.O_CREAT) as descriptor:
        _write(descriptor, data)


def read(root: Path, name: str, limit: int) -> bytes:
    """Return the bytes of the file `name` below `root`; OutOfBounds beyond `limit`."""
    with (
        _opened(root, name, os.O_RDONLY) as descriptor,
        os.fdopen(os.dup(descriptor), "rb") as file,
    ):
        data = file.read(limit + 1)
    if len(data) > limit:
        raise OutOfBounds(f"{root.name}/{name} dépasse {limit / (1 << 20):g} Mio.")
    return data


def replace(root: Path, source: Path) -> None:
    """Make `root` hold what `source` holds; a file that stays keeps its inode.

    A file mounted by itself into a container is an inode: a new file of that name would not be
    seen there.
    """
    wanted = {p.relative_to(source): p for p in sorted(source.rglob("*"))}
    for path in sorted(root.rglob("*"), reverse=True):
        if path.relative_to(root) not in wanted:
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    for name, origin in wanted.items():
        if origin.is_dir():
            (root / name).mkdir(exist_ok=True)
            continue
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        with (
            _opened(root, str(name), flags) as descriptor,
            origin.open("rb") as file,
            os.fdopen(os.dup(descriptor), "wb") as target,
        ):
            shutil.copyfileobj(file, target, 1 << 20)


@contextlib.contextmanager
def _opened(root: Path, name: str, flags: int) -> Iterator[int]:
    *folders, last = Path(name).parts
    if Path(name).is_absolute() or ".." in folders or last == "..":
        raise ValueError(f"{name} is not below {root}")
    with contextlib.ExitStack() as closing:
        try:
            here = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
            closing.callback(os.close, here)
            for folder in folders:
                here = os.open(folder, _FOLDER, dir_fd=here)
                closing.callback(os.close, here)
            descriptor = os.open(last, flags & ~os.O_TRUNC | _FILE, 0o644, dir_fd=here)
            closing.callback(os.close, descriptor)
        except OSError as error:
            what = "n'existe pas" if isinstance(error, FileNotFoundError) else "n'est pas lisible"
            raise StackError(f"{root.name}/{name} {what} ({error.strerror}).") from error
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise StackError(f"{root.name}/{name} n'est pas un fichier ordinaire.")
        if flags & os.O_TRUNC:
            os.ftruncate(descriptor, 0)
        yield descriptor


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def usage(root: Path | str, most: int) -> tuple[int, int]:
    """Return the bytes and files below `root`, giving up counting beyond `most` files."""
    size = count = 0
    waiting = [os.fspath(root)]
    while waiting and count <= most:
        with contextlib.suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                count += 1
                with contextlib.suppress(OSError):
                    size += entry.stat(follow_symlinks=False).st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
    return size, count
