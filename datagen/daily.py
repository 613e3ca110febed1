"""The daily sales of 06: `raw/ventes_YYYYMMDD.csv`, 14 days, with dirt to clean.

Every healthy day has blanks, repeated rows and negative quantities. One day is corrupt (noise from
a third of the file on), another has no file. A hidden day, the one after the fourteen, is dirty in
ways that the fourteen are not; the same rules clean it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datagen import catalogue, columns, defects
from datagen.options import checked_scale
from datagen.table import MONEY, Column, Stream, Table, build, chunked, money, stream

FIRST_DAY = dt.date(2025, 3, 3)
DAYS = 14
CHUNK = 100_000

SHOPS = ("Angers", "Béziers", "Évreux", "Nîmes", "Orléans", "Sète")
_PRODUCTS = catalogue.PRODUCTS[::9]

SCHEMA = pa.schema(
    {
        "vente_id": pa.string(),
        "date": pa.date32(),
        "magasin": pa.string(),
        "produit": pa.string(),
        "client_id": pa.int64(),
        "quantite": pa.int32(),
        "prix_unitaire": MONEY,
    }
)


@dataclass(frozen=True, slots=True)
class Plan:
    """A team's fourteen days, of which one is corrupt and one is missing."""

    days: tuple[dt.date, ...]
    corrupt: dt.date
    missing: dt.date
    hidden: dt.date

    @property
    def healthy(self) -> tuple[dt.date, ...]:
        """The days whose file can be cleaned and loaded."""
        return tuple(day for day in self.days if day not in (self.corrupt, self.missing))


def plan(seed: int) -> Plan:
    """Draw which days of this team are corrupt and missing: neither the first two nor the last."""
    days = tuple(FIRST_DAY + dt.timedelta(days=i) for i in range(DAYS))
    able = days[2:-1]
    order = np.argsort(stream(seed, "jours").words(range(len(able))), kind="stable")
    return Plan(days, able[order[0]], able[order[1]], days[-1] + dt.timedelta(days=1))


def name(day: dt.date) -> str:
    """Return the name of the day's file."""
    return f"ventes_{day:%Y%m%d}.csv"


def table(day: dt.date) -> Table:
    """Return the table that the day's file holds."""
    return Table(name(day).removesuffix(".csv"), SCHEMA)


def rows(scale: float) -> int:
    """Return how many sales a day has, before its repeated rows: 400 at scale 1.0."""
    return max(200, round(400 * checked_scale(scale)))


def chunks(seed: int, day: dt.date, count: int, *, hidden: bool = False) -> Iterator[pa.Table]:
    """Yield the day's dirty rows; `hidden` plants the dirt that no student has seen."""
    dirt = _hidden_dirt if hidden else _visible_dirt
    for run in chunked(count, CHUNK):
        yield dirt(seed, day, run)


def corrupted(content: bytes, seed: int) -> bytes:
    """Return the file with noise from a third of it on: no text in UTF-8, no row."""
    kept = content[: len(content) // 3]
    noise = stream(seed, "bruit").words(range(256)).astype("<u8").tobytes()
    return kept + b"\xff\xfe\x00" + noise


def _columns(day: dt.date) -> dict[str, Column]:
    def product(stream: Stream, run: range) -> pa.Array:
        texts = pa.array([product.name for product in _PRODUCTS])
        return texts.take(pa.array(stream.below(len(_PRODUCTS), run)))

    def price(stream: Stream, run: range) -> pa.Array:
        cents = np.array([product.cents - 10 for product in _PRODUCTS], dtype=np.int64)
        # The same words as the product's: a product has one price.
        at = Stream(stream.seed, (*stream.names[:-1], "produit")).below(len(_PRODUCTS), run)
        return money(cents[at])

    def number(_: Stream, run: range) -> pa.Array:
        texts = pa.array(np.arange(run.start + 1, run.stop + 1)).cast(pa.string())
        padded = pc.utf8_lpad(texts, 5, "0")
        return pc.binary_join_element_wise(f"V{day:%Y%m%d}", padded, "-")

    return {
        "vente_id": number,
        "date": lambda _, run: columns.dates(day, np.zeros(len(run), dtype=np.int64)),
        "magasin": columns.choice(SHOPS),
        "produit": product,
        "client_id": columns.integers(1, 500),
        "quantite": columns.counts((55, 25, 12, 5, 3)),
        "prix_unitaire": price,
    }


def _visible_dirt(seed: int, day: dt.date, run: range) -> pa.Table:
    dirty = _columns(day)
    dirty["client_id"] = defects.nulls(dirty["client_id"], 40)
    dirty["quantite"] = defects.nulls(defects.negatives(dirty["quantite"], 30), 50)
    made = build(table(day).name, dirty, run, seed).cast(SCHEMA)
    return defects.duplicates(made, stream(seed, table(day).name, "doubles", str(run.start)), 25)


def _hidden_dirt(seed: int, day: dt.date, run: range) -> pa.Table:
    """Blanks in other columns, zero quantities, spaces around texts, repeats far from the row."""
    dirty = _columns(day)
    dirty["produit"] = defects.nulls(dirty["produit"], 40)
    dirty["prix_unitaire"] = defects.nulls(dirty["prix_unitaire"], 40)
    dirty["quantite"] = defects.outliers(defects.negatives(dirty["quantite"], 40), 30, 0)
    dirty["magasin"] = columns.choice([*SHOPS, *(f"  {shop} " for shop in SHOPS[:2])])
    made = build(table(day).name, dirty, run, seed).cast(SCHEMA)
    repeated = defects.struck(stream(seed, table(day).name, "doubles"), run, 20)
    return pa.concat_tables([made, made.filter(pa.array(repeated))])
