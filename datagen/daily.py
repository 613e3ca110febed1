"""The daily sales files of 06: fourteen days, of which one is corrupt and one is missing.

Each day has its usual dirt: empty fields, negative quantities, lines written twice in a row. The
hidden day has dirt of all the kinds that the statement announces and that a team's own days do not
show: quantities and prices of zero, blank fields, another day's lines, duplicates far apart.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datagen import catalogue, columns
from datagen.errors import DatagenError
from datagen.table import stream

COLUMNS = (
    "vente_id", "date", "produit", "categorie", "quantite", "prix_unitaire", "client_id",
)  # fmt: skip
DAYS = 14
FOLDER = "raw"

_EARLIEST = dt.date(2025, 3, 1)
_STARTS = 200  # first days that a team may get, from the earliest on
_SALES = range(110, 170)  # lines of a clean day
_CLIENTS = 60
_QUANTITY_SHARES = (50, 25, 15, 7, 3)
_QUANTITY, _PRICE = COLUMNS.index("quantite"), COLUMNS.index("prix_unitaire")

Line = list[str]


@dataclass(frozen=True, slots=True)
class Plan:
    """Which days a team has, and which two of them are bad."""

    first: dt.date
    corrupt: dt.date
    missing: dt.date

    @property
    def days(self) -> tuple[dt.date, ...]:
        """Return the fourteen days."""
        return tuple(self.first + dt.timedelta(days=i) for i in range(DAYS))

    @property
    def healthy(self) -> tuple[dt.date, ...]:
        """Return the days whose file is there and can be read."""
        return tuple(day for day in self.days if day not in (self.corrupt, self.missing))

    def next_day(self, seed: int) -> dt.date:
        """Return the hidden day: within the ten days that follow the team's last one."""
        return self.days[-1] + dt.timedelta(days=1 + _draw(seed, "jour cache", 10))


def plan(seed: int) -> Plan:
    """Draw a team's days: the bad ones are neither at the beginning nor at the end."""
    first = _EARLIEST + dt.timedelta(days=_draw(seed, "debut", _STARTS))
    corrupt = 3 + _draw(seed, "corrompu", 4)
    missing = 8 + _draw(seed, "absent", 4)
    return Plan(first, first + dt.timedelta(days=corrupt), first + dt.timedelta(days=missing))


def write(seed: int, folder: Path, scale: float = 1.0) -> Plan:
    """Write the team's files into `folder`/raw and return which days they are of."""
    if not 0 < scale <= 10_000:
        raise DatagenError(f"--scale doit être compris entre 0 et 10 000, et non {scale:g}.")
    planned = plan(seed)
    for day in planned.days:
        if day != planned.missing:
            lines = _usual_dirt(seed, day, _sales(seed, day, scale))
            cut = _cut(seed, day, lines) if day == planned.corrupt else None
            _save(path(folder, day), lines, cut)
    return planned


def write_hidden(seed: int, day: dt.date, folder: Path) -> None:
    """Write the file of a day that no team has seen, with every announced kind of dirt."""
    lines = _usual_dirt(seed, day, _sales(seed, day, 1.0))
    _save(path(folder, day), _other_dirt(seed, day, lines))


def path(folder: Path, day: dt.date) -> Path:
    """Return where the file of a day lies below the data folder."""
    return folder / FOLDER / f"ventes_{day:%Y%m%d}.csv"


def _sales(seed: int, day: dt.date, scale: float) -> list[Line]:
    """Return a day's sales as they should have been written."""
    name = day.isoformat()
    count = max(40, round((_SALES[_draw(seed, f"lignes {name}", len(_SALES))]) * scale))
    rows = range(count)
    product = stream(seed, "journalier", name, "produit").below(len(catalogue.PRODUCTS), rows)
    percent = stream(seed, "journalier", name, "prix").below(31, rows) + 85
    quantity = columns.weighted(
        stream(seed, "journalier", name, "quantite"), rows, _QUANTITY_SHARES
    )
    client = columns.skewed(stream(seed, "journalier", name, "client"), rows, _CLIENTS)
    lines = []
    for i in rows:
        sold = catalogue.PRODUCTS[product[i]]
        cents = int(sold.cents * percent[i] // 100)
        lines.append([
            f"V{day:%Y%m%d}-{i + 1:05}", name, sold.name, sold.category, str(quantity[i] + 1),
            f"{cents // 100}.{cents % 100:02}", f"C{client[i] + 1:04}",
        ])  # fmt: skip
    return lines


def _usual_dirt(seed: int, day: dt.date, lines: list[Line]) -> list[Line]:
    """Spoil some lines with empty fields and negative quantities, and write some twice."""
    chosen = _places(seed, day, "saletes", len(lines))
    for _ in range(3 + _draw(seed, f"vides {day}", 3)):
        lines[next(chosen)][_QUANTITY] = ""
    for _ in range(2 + _draw(seed, f"prix vides {day}", 3)):
        lines[next(chosen)][_PRICE] = ""
    for _ in range(3 + _draw(seed, f"negatives {day}", 3)):
        line = lines[next(chosen)]
        line[_QUANTITY] = f"-{line[_QUANTITY]}"
    twice = {next(chosen) for _ in range(4 + _draw(seed, f"doublons {day}", 3))}
    return [list(line) for i, line in enumerate(lines) for _ in range(2 if i in twice else 1)]


def _other_dirt(seed: int, day: dt.date, lines: list[Line]) -> list[Line]:
    """Add sales that are wrong in the ways that a team's own days do not show."""
    before = (day - dt.timedelta(days=1)).isoformat()
    spoils = (
        (_QUANTITY, "0"), (_PRICE, "0.00"), (_PRICE, "-12.50"), (COLUMNS.index("client_id"), ""),
        (COLUMNS.index("produit"), "   "), (COLUMNS.index("date"), before),
    )  # fmt: skip
    known = {line[0]: line for line in lines if line[_QUANTITY] not in ("", "0")}
    models = list(known.values())
    extra: list[Line] = []
    chosen = _places(seed, day, "autres", len(models))
    for kind, (column, value) in enumerate(spoils):
        for twin in range(2):
            line = list(models[next(chosen)])
            line[0] = f"V{day:%Y%m%d}-9{kind}{twin:03}"
            line[_QUANTITY], line[_PRICE] = "2", line[_PRICE] or "9.90"
            line[column] = value
            extra.append(line)
    far = [list(line) for line in lines[:3]]
    middle = len(lines) // 2
    return lines[:middle] + extra + lines[middle:] + far


def _cut(seed: int, day: dt.date, lines: list[Line]) -> int:
    """Spoil numbers and drop fields; return how many characters the last line keeps."""
    chosen = _places(seed, day, "corruption", len(lines) - 1)
    for _ in range(4):
        lines[next(chosen)][_QUANTITY] = "#ERREUR"
    for _ in range(3):
        del lines[next(chosen)][_PRICE - 1 :]
    return 12


def _save(target: Path, lines: list[Line], cut: int | None = None) -> None:
    text = [",".join(line) for line in (list(COLUMNS), *lines)]
    if cut is not None:
        text[-1] = text[-1][:cut]
    end = "" if cut is not None else "\n"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("\n".join(text) + end, "utf-8", newline="\n")


def _places(seed: int, day: dt.date, name: str, count: int) -> Iterator[int]:
    """Yield the numbers below `count` in a random order, each once."""
    words = stream(seed, "journalier", day.isoformat(), name).words(range(count))
    return iter(np.argsort(words, kind="stable").tolist())


def _draw(seed: int, name: str, bound: int) -> int:
    return int(stream(seed, "journalier", name).below(bound, range(1))[0])
