"""The sales of 01: one year of `ventes` with insights planted to be found.

Sales follow the seasons, one flagship product is far ahead, one month falls to a third of what
its season wants, some clients buy much more than others. Product, categories and month are the
team's own.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import pyarrow as pa

from datagen import catalogue, columns
from datagen.options import checked_scale
from datagen.sheet import Lookup, Money, Rows, Sheet
from datagen.table import MONEY, Ints, Stream, Table, chunked, frame, money, stream
from datagen.writers import Chunk, Job

YEAR = 2025
CATEGORIES = 5
PRODUCTS = 35
CHUNK = 1 << 15

_SEASONS = (9, 8, 9, 10, 10, 11, 12, 9, 10, 11, 13, 16)
_FLAGSHIP_CENTS = range(5_900, 12_000)  # list prices at which it must lead
_QUANTITY_SHARES = (50, 25, 15, 7, 3)

TABLE = Table(
    "ventes",
    pa.schema(
        {
            "date": pa.date32(),
            "produit": pa.string(),
            "categorie": pa.string(),
            "quantite": pa.int32(),
            "prix_unitaire": MONEY,
            "client_id": pa.string(),
            "montant_total": MONEY,
        }
    ),
)


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many sales and clients there are."""

    ventes: int
    clients: int

    @classmethod
    def at(cls, scale: float) -> Sizes:
        """Return the sizes at this scale: 1.0 is 2,000 sales to 25 clients."""
        scale = checked_scale(scale)
        return cls(max(500, round(2_000 * scale)), min(max(10, round(25 * scale)), 9_999))


@dataclass(frozen=True, slots=True)
class Plan:
    """What is planted in a team's sales: its products, the flagship's place, the bad month."""

    products: tuple[catalogue.Product, ...]
    cents: Ints
    weights: tuple[int, ...]
    flagship: int
    bad_month: int


def plan(seed: int) -> Plan:
    """Draw what is planted in this team's sales."""
    categories = _shuffled(seed, "categories", len(catalogue.CATEGORIES))[:CATEGORIES]
    shelves = [
        [
            p
            for p in catalogue.PRODUCTS
            if p.category == catalogue.CATEGORIES[c] and p.cents < 14_000
        ]
        for c in categories
    ]
    per_shelf = PRODUCTS // CATEGORIES
    products = [
        shelf[i]
        for shelf in shelves
        for i in _shuffled(seed, f"produits {shelf[0].category}", len(shelf))[:per_shelf]
    ]
    rows = range(PRODUCTS)
    able = [i for i in rows if products[i].cents in _FLAGSHIP_CENTS]
    flagship = able[int(stream(seed, "ventes", "phare").below(len(able), range(1))[0])]
    weights = stream(seed, "ventes", "poids").below(7, rows) + 3
    weights[flagship] = 60
    listed = np.array([product.cents for product in products], dtype=np.int64)
    percent = stream(seed, "ventes", "prix").below(31, rows) + 90
    month = int(stream(seed, "ventes", "mois").below(9, range(1))[0]) + 2  # February to October
    return Plan(
        tuple(products),
        listed * percent // 10_000 * 100 + 90,
        tuple(weights.tolist()),
        flagship,
        month,
    )


def build(seed: int, scale: float = 1.0) -> pd.DataFrame:
    """Return the sales of a small shop in memory, money as floats."""
    made = (rows.table() for job in jobs(seed, Sizes.at(scale)) for _, rows in job())
    return frame(pa.concat_tables(made))


def jobs(seed: int, sizes: Sizes, size: int = CHUNK) -> Iterator[Job]:
    """Yield what makes the sales chunk by chunk, by date."""
    planted = plan(seed)
    make = partial(_sales, seed, sizes, planted, _sheet(seed, sizes, planted))
    for rows in chunked(sizes.ventes, size):
        yield partial(make, rows)


def _sheet(seed: int, sizes: Sizes, planted: Plan) -> Sheet:
    product = np.repeat(np.arange(PRODUCTS), len(_QUANTITY_SHARES))
    quantity = np.tile(np.arange(1, len(_QUANTITY_SHARES) + 1), PRODUCTS)
    sold = {
        "produit": pa.array([p.name for p in planted.products]).take(pa.array(product)),
        "categorie": pa.array([p.category for p in planted.products]).take(pa.array(product)),
        "quantite": quantity,
        "prix_unitaire": money(planted.cents[product]),
    }
    clients = [f"C{number + 1:04}" for number in _shuffled(seed, "clients", sizes.clients)]
    return Sheet(
        TABLE.schema,
        Lookup(pa.table({"date": columns.dates(dt.date(YEAR, 1, 1), np.arange(365))})),
        Lookup(pa.table(sold)),
        Lookup(pa.table({"client_id": clients})),
        Money("montant_total"),
    )


def _sales(seed: int, sizes: Sizes, planted: Plan, sheet: Sheet, rows: range) -> list[Chunk]:
    def of(column: str) -> Stream:
        return stream(seed, "ventes", column)

    product = columns.weighted(of("produit"), rows, planted.weights)
    more = columns.weighted(of("quantite"), rows, _QUANTITY_SHARES)  # than one
    made = Rows(
        sheet,
        (
            columns.rising(of("date"), rows, sizes.ventes, _days(planted)),
            product * len(_QUANTITY_SHARES) + more,
            columns.skewed(of("client_id"), rows, sizes.clients),
            (more + 1) * planted.cents[product],
        ),
    )
    return [(TABLE.name, made)]


def _days(planted: Plan) -> list[int]:
    """Return the weight of each day: its season's, and a third of it in the bad month."""
    months = [(dt.date(YEAR, 1, 1) + dt.timedelta(days=i)).month for i in range(365)]
    return [_SEASONS[m - 1] * (1 if m == planted.bad_month else 3) for m in months]


def _shuffled(seed: int, name: str, count: int) -> Ints:
    """Return the numbers below `count` in an order of the team's own."""
    return columns.shuffled(stream(seed, "ventes", "ordre", name), count)
