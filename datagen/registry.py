"""Which files each exercise's data is made of, as its students get them."""

from __future__ import annotations

import errno
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from datagen.errors import DatagenError

Format: TypeAlias = Literal["csv", "parquet"]
Progress: TypeAlias = Callable[[int, int], None]


def _silent(_done: int, _total: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True)
class Options:
    """How much data and in which form; `progress` is told rows done and rows in all."""

    scale: float = 1.0
    rows: int | None = None
    format: Format | None = None
    progress: Progress = _silent


def write(
    exercise: str,
    seed: int,
    folder: Path,
    scale: float = 1.0,
    *,
    rows: int | None = None,
    format: Format | None = None,
    progress: Progress = _silent,
) -> None:
    """Write the exercise's data into `folder`, which must be absent or empty; all or nothing."""
    if exercise not in EXERCISES:
        known = ", ".join(EXERCISES)
        raise DatagenError(f"Exercice « {exercise} » inconnu. Exercices avec données : {known}.")
    asked = Options(scale, rows, format, progress)
    with _completed(folder) as partial:
        EXERCISES[exercise](seed, partial, asked)


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


def _sales(seed: int, folder: Path, options: Options) -> None:
    from datagen import sales, writers  # noqa: PLC0415 - NumPy and friends load on use

    sizes = sales.Sizes.at(_scale_only(options))
    files: list[writers.Writer] = [
        writers.Csv(folder),
        writers.Sqlite(folder / "ventes.db", [sales.TABLE]),
    ]
    expected = {sales.TABLE.name: sizes.ventes}
    writers.pump(sales.chunks(seed, sizes), files, expected, options.progress)


def _shop_for_metabase(seed: int, folder: Path, options: Options) -> None:
    from datagen import shop, writers  # noqa: PLC0415 - NumPy and friends load on use

    sizes = shop.Sizes.at(_scale_only(options))
    files: list[writers.Writer] = [
        writers.Csv(folder / "csv"),
        writers.Sqlite(folder / "boutique.db", shop.TABLES),
        writers.Postgres(folder / "boutique.sql", shop.TABLES, schema="public", keys=True),
    ]
    writers.pump(shop.chunks(seed, sizes), files, sizes.expected(), options.progress)


def _shop_for_dbt(seed: int, folder: Path, options: Options) -> None:
    from datagen import shop, writers  # noqa: PLC0415 - NumPy and friends load on use

    sizes = shop.Sizes.at(_scale_only(options))
    files: list[writers.Writer] = [
        writers.Csv(folder / "csv"),
        writers.Parquet(folder / "parquet"),
        # Raw data has no keys: it is the tests of dbt that must find what is wrong.
        writers.DuckDB(folder / "boutique.duckdb", shop.TABLES, schema="brut"),
        writers.Postgres(folder / "boutique.sql", shop.TABLES, schema="brut", keys=False),
    ]
    writers.pump(shop.chunks(seed, sizes), files, sizes.expected(), options.progress)


def _daily_sales(seed: int, folder: Path, options: Options) -> None:
    from datagen import daily  # noqa: PLC0415 - NumPy and friends load on use

    daily.write(seed, folder, _scale_only(options))
    options.progress(daily.DAYS, daily.DAYS)


def _scale_only(options: Options) -> float:
    if options.rows is not None or options.format is not None:
        raise DatagenError("--rows et --format ne valent que pour 04_spark ; ici, voyez --scale.")
    return options.scale


EXERCISES: dict[str, Callable[[int, Path, Options], None]] = {
    "01_superset": _sales,
    "02_metabase": _shop_for_metabase,
    "06_airflow": _daily_sales,
    "07_dbt": _shop_for_dbt,
}
