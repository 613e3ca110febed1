"""The door of this package: write an exercise's data into a folder, all or nothing."""

from __future__ import annotations

import errno
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path

from datagen.errors import DatagenError
from datagen.options import Format, Options, Progress, silent

# The function of `layouts` that writes each exercise's files: named, so that NumPy and its
# friends load on use only.
EXERCISES = {
    "01_superset": "superset",
    "02_metabase": "metabase",
    "04_spark": "spark",
    "06_airflow": "airflow",
    "07_dbt": "dbt",
}


def write(
    exercise: str,
    seed: int,
    folder: Path,
    scale: float = 1.0,
    *,
    rows: int | None = None,
    format: Format | None = None,
    hidden: bool = False,
    progress: Progress = silent,
) -> None:
    """Write the exercise's data into `folder`, which must be absent or empty; all or nothing.

    The options are those of `Options`.
    """
    if exercise not in EXERCISES:
        known = ", ".join(EXERCISES)
        raise DatagenError(f"Exercice « {exercise} » inconnu. Exercices avec données : {known}.")
    asked = Options(scale, rows, format, hidden, progress)
    with _completed(folder) as partial:
        layout = getattr(import_module("datagen.layouts"), EXERCISES[exercise])
        layout(seed, partial, asked)


@contextmanager
def _completed(folder: Path) -> Iterator[Path]:
    """Give a temporary neighbour of `folder`, that takes its place once it is complete."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise DatagenError(f"{folder} existe et n'est pas un dossier.")
    if folder.exists() and any(folder.iterdir()):
        raise DatagenError(
            f"Le dossier {folder} n'est pas vide : supprimez-le, ou choisissez-en un autre (--out)."
        )
    made = [above for above in folder.parents if not above.exists()]
    partial: Path | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        yield partial
        partial.chmod(0o755)  # mkdtemp keeps it to its owner; a container runs as another user
        partial.replace(folder)
    except Exception as error:
        reason = _disk_error(error)
        if reason is None:
            raise
        raise DatagenError(f"Écriture impossible dans {folder.parent} : {reason}.") from error
    finally:
        if partial is not None:
            shutil.rmtree(partial, ignore_errors=True)
        for above in made:
            with suppress(OSError):  # where all went well they aren't empty, and stay
                above.rmdir()


_DISK_ERRORS = {
    errno.ENOSPC: "le disque est plein",
    errno.EDQUOT: "le quota de disque est atteint",
    errno.EFBIG: "le fichier dépasse la taille permise",
    errno.EACCES: "l'accès est refusé",
    errno.EPERM: "l'accès est refusé",
    errno.EROFS: "le disque est en lecture seule",
    errno.ENOTDIR: "un élément du chemin n'est pas un dossier",
    errno.EEXIST: "un élément du chemin n'est pas un dossier",
    errno.EIO: "le disque est en erreur",
}


def _disk_error(error: Exception) -> str | None:
    """Return in French what the disk refused, or None where the error is another one."""
    if isinstance(error, OSError):
        return _DISK_ERRORS.get(error.errno or 0)
    # SQLite and DuckDB have errors of their own, that tell a full disk by their text alone.
    text = str(error).lower()
    full = "disk is full" in text or "no space left" in text
    return _DISK_ERRORS[errno.ENOSPC] if full else None
