"""The daily sales files of 06: fourteen days, of which one is corrupt and one is missing.

Each day has its usual dirt: empty fields, negative quantities, lines written twice in a row. The
hidden day has dirt of all the kinds that the statement announces and that a team's own days do not
show: quantities and prices of zero, blank fields, another day's lines, duplicates far apart.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa

from datagen import catalogue, columns
from datagen.errors import DatagenError
from datagen.sheet import Lookup, Sheet, Text
from datagen.table import Ints, stream

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
_PERCENTS = range(85, 116)  # of the list price

# What a cell may hold: the healthy values, then what spoils them, by the place in the list.
_QUANTITIES = ("1", "2", "3", "4", "5", "-1", "-2", "-3", "-4", "-5", "", "0", "#ERREUR")
_OPPOSITE, _NO_QUANTITY, _ZERO, _ERROR = 5, 10, 11, 12
_BAD_PRICES = ("", "0.00", "-12.50", "9.90")
_BLANK = "   "


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


@dataclass(frozen=True, slots=True)
class _Day:
    """A day's lines, column by column, as places in what a cell may hold."""

    issued: Ints  # the day in the identifier, as a place among the sheet's days
    number: Ints
    dated: Ints  # the day in the date
    product: Ints
    quantity: Ints
    price: Ints
    client: Ints

    def taken(self, at: Ints) -> _Day:
        """Return the lines at these places, as copies."""
        return _Day(*(column[at] for column in self._columns))

    def followed_by(self, *others: _Day) -> _Day:
        """Return these lines and then the others'."""
        days = (self, *others)
        return _Day(*map(np.concatenate, zip(*(day._columns for day in days), strict=True)))

    @property
    def _columns(self) -> tuple[Ints, ...]:
        return (
            self.issued,
            self.number,
            self.dated,
            self.product,
            self.quantity,
            self.price,
            self.client,
        )

    def spelled(self, sheet: Sheet) -> bytes:
        """Return the lines as CSV."""
        identifier = np.stack([self.issued, self.number // 10_000, self.number % 10_000])
        return bytes(sheet.csv((identifier, *self._columns[2:])).to_pybytes())


def plan(seed: int) -> Plan:
    """Draw a team's days: the bad ones are neither at the beginning nor at the end."""
    first = _EARLIEST + dt.timedelta(days=_draw(seed, "debut", _STARTS))
    corrupt = 3 + _draw(seed, "corrompu", 4)
    missing = 8 + _draw(seed, "absent", 4)
    return Plan(first, first + dt.timedelta(days=corrupt), first + dt.timedelta(days=missing))


def write(seed: int, folder: Path, scale: float = 1.0) -> Plan:
    """Write the team's files into `folder`/raw and return which days they are of."""
    if not 0 < scale <= 1_000:
        raise DatagenError(f"--scale doit être compris entre 0 et 1 000, et non {scale:g}.")
    planned = plan(seed)
    sheet = _sheet(planned.days, round(_SALES.stop * scale) * 2)
    for issued, day in enumerate(planned.days):
        if day != planned.missing:
            lines = _usual_dirt(seed, day, _sales(seed, day, issued, scale))
            corrupt = day == planned.corrupt
            body = _corrupted(seed, day, lines, sheet) if corrupt else lines.spelled(sheet)
            _save(path(folder, day), body)
    return planned


def write_hidden(seed: int, day: dt.date, folder: Path) -> None:
    """Write the file of a day that no team has seen, with every announced kind of dirt."""
    lines = _usual_dirt(seed, day, _sales(seed, day, 1, 1.0))
    sheet = _sheet((day - dt.timedelta(days=1), day), 99_999)
    _save(path(folder, day), _other_dirt(seed, day, lines).spelled(sheet))


def path(folder: Path, day: dt.date) -> Path:
    """Return where the file of a day lies below the data folder."""
    return folder / FOLDER / f"ventes_{day:%Y%m%d}.csv"


def _sheet(days: Sequence[dt.date], highest: int) -> Sheet:
    def column(name: str, texts: list[str]) -> Lookup:
        return Lookup(pa.table({name: texts}))

    listed = catalogue.PRODUCTS
    prices = [f"{c // 100}.{c % 100:02}" for p in listed for c in _cents(p.cents)]
    names = [product.name for product in listed]
    categories = [product.category for product in listed]
    number = (
        column("jour", [f"V{day:%Y%m%d}" for day in days]),
        column("haut", [str(high) for high in range(highest // 10_000 + 1)]),
        column("bas", [f"{low:04}" for low in range(10_000)]),
    )

    return Sheet(
        pa.schema([(name, pa.string()) for name in COLUMNS]),
        Text("vente_id", number, ("-", "", "")),
        column("date", [day.isoformat() for day in days]),
        # Each product, then each with a blank name.
        Lookup(
            pa.table(
                {"produit": names + [_BLANK] * len(names), "categorie": categories + categories}
            )
        ),
        column("quantite", list(_QUANTITIES)),
        column("prix_unitaire", [*prices, *_BAD_PRICES]),
        column("client_id", [*(f"C{i:04}" for i in range(1, _CLIENTS + 1)), ""]),
    )


def _cents(listed: int) -> list[int]:
    return [listed * percent // 100 for percent in _PERCENTS]


def _bad_price(text: str) -> int:
    return len(catalogue.PRODUCTS) * len(_PERCENTS) + _BAD_PRICES.index(text)


def _sales(seed: int, day: dt.date, issued: int, scale: float) -> _Day:
    """Return a day's sales as they should have been written."""
    name = day.isoformat()
    count = max(40, round((_SALES[_draw(seed, f"lignes {name}", len(_SALES))]) * scale))
    rows = range(count)
    product = stream(seed, "journalier", name, "produit").below(len(catalogue.PRODUCTS), rows)
    percent = stream(seed, "journalier", name, "prix").below(len(_PERCENTS), rows)
    quantity = stream(seed, "journalier", name, "quantite")
    return _Day(
        issued=np.full(count, issued),
        number=np.arange(1, count + 1),
        dated=np.full(count, issued),
        product=product,
        quantity=columns.weighted(quantity, rows, _QUANTITY_SHARES),
        price=product * len(_PERCENTS) + percent,
        client=columns.skewed(stream(seed, "journalier", name, "client"), rows, _CLIENTS),
    )


def _usual_dirt(seed: int, day: dt.date, lines: _Day) -> _Day:
    """Spoil some lines with empty fields and negative quantities, and write some twice."""
    chosen = _places(seed, day, "saletes", len(lines.number))
    lines.quantity[list(islice(chosen, 3 + _draw(seed, f"vides {day}", 3)))] = _NO_QUANTITY
    lines.price[list(islice(chosen, 2 + _draw(seed, f"prix vides {day}", 3)))] = _bad_price("")
    lines.quantity[list(islice(chosen, 3 + _draw(seed, f"negatives {day}", 3)))] += _OPPOSITE
    times = np.ones(len(lines.number), dtype=np.int64)
    times[list(islice(chosen, 4 + _draw(seed, f"doublons {day}", 3)))] = 2
    return lines.taken(np.repeat(np.arange(len(times)), times))


def _other_dirt(seed: int, day: dt.date, lines: _Day) -> _Day:
    """Add sales that are wrong in the ways that a team's own days do not show."""
    first = np.unique(lines.number, return_index=True)[1]
    models = first[lines.quantity[first] != _NO_QUANTITY]
    chosen = _places(seed, day, "autres", len(models))
    extra = lines.taken(models[list(islice(chosen, 12))])  # two of each kind
    extra.number[:] = 90_000 + np.repeat(np.arange(6), 2) * 1_000 + np.tile([0, 1], 6)
    extra.quantity[:] = _QUANTITIES.index("2")
    extra.price[extra.price == _bad_price("")] = _bad_price("9.90")
    extra.quantity[0:2] = _ZERO
    extra.price[2:4] = _bad_price("0.00")
    extra.price[4:6] = _bad_price("-12.50")
    extra.client[6:8] = _CLIENTS
    extra.product[8:10] += len(catalogue.PRODUCTS)
    extra.dated[10:12] -= 1
    count = len(lines.number)
    head, tail = np.arange(count // 2), np.arange(count // 2, count)
    far = lines.taken(np.arange(3))
    return lines.taken(head).followed_by(extra, lines.taken(tail), far)


def _corrupted(seed: int, day: dt.date, lines: _Day, sheet: Sheet) -> bytes:
    """Spoil numbers, drop fields, and cut the file within its last line."""
    count = len(lines.number)
    chosen = _places(seed, day, "corruption", count - 1)
    lines.quantity[list(islice(chosen, 4))] = _ERROR
    short = sorted(islice(chosen, 3))
    text = []
    for start, stop in zip([-1, *short], [*short, count - 1], strict=True):
        if stop > start + 1:
            text.append(lines.taken(np.arange(start + 1, stop)).spelled(sheet))
        line = lines.taken(np.array([stop])).spelled(sheet)
        text.append(line.rsplit(b",", 3)[0] + b"\n" if stop in short else line[:12])
    return b"".join(text)


def _save(target: Path, body: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(",".join(COLUMNS).encode() + b"\n" + body)


def _places(seed: int, day: dt.date, name: str, count: int) -> Iterator[int]:
    """Yield the numbers below `count` in a random order, each once."""
    named = stream(seed, "journalier", day.isoformat(), name)
    return iter(columns.shuffled(named, count).tolist())


def _draw(seed: int, name: str, bound: int) -> int:
    return int(stream(seed, "journalier", name).below(bound, range(1))[0])
