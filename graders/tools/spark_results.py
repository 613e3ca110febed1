"""Read what a job wrote below resultats/, within bounds: CSV or Parquet, in any number of parts.

Nothing there is trusted: no link is followed, and files, sizes, rows and lengths have limits.
"""

from __future__ import annotations

import csv
import io
import math
import os
import re
import zlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from graders.errors import OutOfBounds, StackError
from graders.stack import files
from graders.statics import fold

FILES_MOST = 10_000
BYTES_MOST = 64 << 20  # of one result, decompressed
ROWS_MOST = 200_000
TEXT_MOST = 1_000  # characters of one value
LOG_FILES = 64
_SEPARATORS = ",;\t|"
_GZIP, _PARQUET = b"\x1f\x8b", b"PAR1"
_STRANGE = {".json": "JSON", ".orc": "ORC", ".avro": "Avro", ".xlsx": "Excel", ".pkl": "pickle"}
_NO_PARTITION = "__HIVE_DEFAULT_PARTITION__"

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Folder:
    """The regular files below a folder of results, by their path."""

    root: Path
    sizes: Mapping[PurePosixPath, int]

    def read(self, path: PurePosixPath, limit: int) -> bytes:
        """Return a file's bytes."""
        return files.read(self.root, str(path), limit)


def look(root: Path) -> Folder:
    """List what lies below `root`; OutOfBounds where it is too much to read."""
    sizes: dict[PurePosixPath, int] = {}
    waiting = [PurePosixPath()]
    while waiting:
        here = waiting.pop()
        with os.scandir(root / here) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(here / entry.name)
                elif entry.is_file(follow_symlinks=False):
                    sizes[here / entry.name] = entry.stat(follow_symlinks=False).st_size
                if len(sizes) + len(waiting) > 4 * FILES_MOST:  # with checksums, and of all results
                    raise OutOfBounds(
                        f"resultats contient plus de {4 * FILES_MOST} fichiers : écrivez chaque "
                        "résultat en peu de parties (coalesce)."
                    )
    return Folder(root, sizes)


def event_logs(folder: Folder) -> dict[str, list[PurePosixPath]]:
    """Return the files of each event log, in order, by the application's id."""
    found: dict[str, list[tuple[int, PurePosixPath]]] = {}
    for path in folder.sizes:
        rolled = re.fullmatch(r"events_(\d{1,6})_((?:app|local)-[\w-]+)(\.\w+)?", path.name)
        single = re.fullmatch(r"((?:app|local)-[\w-]+)(\.\w+)*", path.name)
        if rolled:
            found.setdefault(rolled[2], []).append((int(rolled[1]), path))
        elif single:
            found.setdefault(single[1], []).append((0, path))
    return {app: [path for _, path in sorted(parts)[:LOG_FILES]] for app, parts in found.items()}


def rows(folder: Folder, name: str, columns: Collection[str]) -> list[Row]:
    """Return the rows of a result with these columns; StackError in French where they can't be."""
    parts = _parts(folder, name)
    taken: list[Row] = []
    budget = BYTES_MOST
    for path, hive in parts:
        data = _inflated(folder.read(path, budget), name)
        budget -= len(data)
        if budget < 0:
            raise OutOfBounds(f"{name} dépasse {BYTES_MOST >> 20} Mio.")
        reader = _parquet if data.startswith(_PARQUET) else _csv
        for row in reader(data, columns, set(hive), f"resultats/{path}"):
            taken.append({**row, **hive})
            if len(taken) > ROWS_MOST:
                raise OutOfBounds(f"{name} a plus de {ROWS_MOST} lignes.")
    return taken


def _parts(folder: Folder, name: str) -> list[tuple[PurePosixPath, dict[str, str]]]:
    """Return the data files of a result, each with the columns that its folders' names hold."""
    tops = sorted({p.parts[0] for p in folder.sizes})
    top = next((t for t in tops if column(t.partition(".")[0]) == name), None)
    if top is None:
        shown = ", ".join(t for t in tops if not t.startswith((".", "eventlog")))[:200] or "rien"
        raise StackError(f"resultats/{name} n'existe pas (il y a : {shown}).")
    mine = [p for p in folder.sizes if p.parts[0] == top]
    data = sorted(p for p in mine if not any(part[:1] in "_." for part in p.parts))
    if not data:
        cut = any("_temporary" in p.parts for p in mine)
        why = "l'écriture n'a pas abouti" if cut else "aucun fichier de données"
        raise StackError(f"resultats/{top} est vide : {why}.")
    if len(data) > FILES_MOST:
        raise OutOfBounds(
            f"resultats/{top} est en {len(data)} fichiers, {FILES_MOST} au plus : regroupez les "
            "lignes (coalesce) avant d'écrire."
        )
    for path in data:
        if strange := _STRANGE.get(path.suffix.lower()):
            raise StackError(f"resultats/{path} est en {strange} : écrivez en CSV ou en Parquet.")
    return [(path, _hive(path)) for path in data]


def _hive(path: PurePosixPath) -> dict[str, str]:
    pairs = (part.partition("=") for part in path.parts[1:-1])
    return {
        column(key): "" if value == _NO_PARTITION else unquote(value)
        for key, equals, value in pairs
        if equals
    }


def column(name: str) -> str:
    """Return a column's name as it is compared: no accents, case, spaces or dashes."""
    return re.sub(r"[^a-z0-9]+", "_", fold(name)).strip("_")


def _inflated(data: bytes, name: str) -> bytes:
    if not data.startswith(_GZIP):
        return data
    inflate = zlib.decompressobj(31)
    try:
        plain = inflate.decompress(data, BYTES_MOST)
    except zlib.error as error:
        raise StackError(f"{name} : fichier gzip illisible.") from error
    if inflate.unconsumed_tail:
        raise OutOfBounds(f"{name} dépasse {BYTES_MOST >> 20} Mio une fois décompressé.")
    return plain


def _csv(data: bytes, columns: Collection[str], known: set[str], place: str) -> Iterator[Row]:
    if not data.strip():
        return  # Spark writes an empty file for an empty part
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise StackError(f"{place}, ligne {line} : le fichier n'est pas en UTF-8.") from error
    wanted = set(columns) - known
    reader, header = _opened(text, wanted, place)
    if missing := sorted(wanted - set(header)):
        seen = ", ".join(header)[:200]
        raise StackError(
            f"{place} : colonne(s) absente(s) de la première ligne : {', '.join(missing)} (il y a "
            f"« {seen} » ; écrivez l'en-tête avec header=True)."
        )
    where = {name: header.index(name) for name in wanted}
    try:
        for line in reader:
            if not line:
                continue
            if len(line) != len(header):
                raise StackError(
                    f"{place}, ligne {reader.line_num} : {len(line)} champs au lieu de "
                    f"{len(header)}."
                )
            yield {name: line[at] for name, at in where.items()}
    except csv.Error as error:
        raise StackError(f"{place}, ligne {reader.line_num} : CSV illisible ({error}).") from error


def _opened(text: str, wanted: set[str], place: str) -> tuple[Any, list[str]]:
    """Return a reader past its header, cut by the separator that finds most columns."""
    first = text.partition("\n")[0]

    def hits(separator: str) -> int:
        return sum(column(part.strip('"')) in wanted for part in first.split(separator))

    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(_SEPARATORS, key=hits))
    try:
        return reader, [column(name) for name in next(reader)]
    except csv.Error as error:
        raise StackError(f"{place}, ligne 1 : CSV illisible ({error}).") from error


def _parquet(data: bytes, columns: Collection[str], known: set[str], place: str) -> Iterator[Row]:
    try:
        file = pq.ParquetFile(pa.BufferReader(data))
        names = {column(n): n for n in file.schema_arrow.names}
        wanted = {name: names[name] for name in columns if name in names and name not in known}
        if missing := sorted(set(columns) - known - wanted.keys()):
            raise StackError(
                f"{place} : colonne(s) absente(s) : {', '.join(missing)} "
                f"(il y a « {', '.join(names)[:200]} »)."
            )
        if any(pa.types.is_nested(file.schema_arrow.field(n).type) for n in wanted.values()):
            raise StackError(f"{place} : une colonne demandée contient des structures.")
        if _size(file) > BYTES_MOST or file.metadata.num_rows > ROWS_MOST:
            raise OutOfBounds(f"{place} est trop grand : {file.metadata.num_rows} lignes.")
        # Dictionaries stay dictionaries: a long text that a million rows share is kept once.
        file = pq.ParquetFile(pa.BufferReader(data), read_dictionary=list(wanted.values()))
        for batch in file.iter_batches(columns=list(wanted.values())):
            held = {name: _values(batch.column(real), place) for name, real in wanted.items()}
            for values in zip(*held.values(), strict=True):
                yield dict(zip(held, values, strict=True))
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise StackError(f"{place} : Parquet illisible ({type(error).__name__}).") from error


def _size(file: pq.ParquetFile) -> int:
    meta = file.metadata
    return sum(int(meta.row_group(n).total_byte_size) for n in range(meta.num_row_groups))


def _values(array: Any, place: str) -> list[Any]:
    if pa.types.is_dictionary(array.type):
        longest = pc.max(pc.binary_length(array.dictionary)).as_py() or 0
        if longest > TEXT_MOST:
            raise OutOfBounds(f"{place} contient une valeur de {longest} caractères.")
    return array.to_pylist()  # type: ignore[no-any-return]


def number(value: Any) -> float | None:
    """Return a finite number read from a result's value, or None."""
    text = re.sub(r"[\s\u00a0\u202f€]", "", str(value)[:TEXT_MOST])
    if "," in text and "." not in text:
        text = text.replace(",", ".")
    try:
        found = float(text)
    except ValueError:
        return None
    return found if math.isfinite(found) else None
