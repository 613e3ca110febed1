"""The transactions of 04: millions of rows, made and encoded on every core, and the products.

Planted: seasons, best-selling products, and outliers, one row in a thousand with fifty times the
quantity. Prices are kept in a range where those, and only those, pass mean + 3 standard
deviations.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa

from datagen import catalogue, columns
from datagen.errors import DatagenError
from datagen.sheet import Lookup, Number, Rows, Sheet
from datagen.table import MONEY, Ints, Stream, Table, chunked, money, stream
from datagen.writers import Chunk, Job

YEAR = 2025
ROWS = 1_000_000
CHUNK = 1 << 16
OUTLIER_ONE_IN = 1_000
OUTLIER_FACTOR = 50

REGIONS = {
    "Île-de-France": 20, "Auvergne-Rhône-Alpes": 13, "Occitanie": 10, "Nouvelle-Aquitaine": 10,
    "Hauts-de-France": 9, "Provence-Alpes-Côte d'Azur": 9, "Grand Est": 8, "Pays de la Loire": 7,
    "Bretagne": 6, "Normandie": 4, "Bourgogne-Franche-Comté": 3, "Centre-Val de Loire": 3,
}  # fmt: skip
EXTRA_REGIONS = ("Corse", "Guadeloupe", "Guyane", "La Réunion", "Martinique", "Mayotte")
CHANNELS = {"web": 45, "magasin": 30, "mobile": 20, "téléphone": 5}
SEGMENTS = {"particulier": 60, "professionnel": 20, "étudiant": 12, "association": 8}
BRANDS = ("Aubépine", "Belvédère", "Cîmes", "Dolmen", "Éclipse", "Féroé", "Genêt", "Horizon")

_CLIENTS = 20_000
_PRODUCTS = 200
_LISTED = range(2_000, 10_000)  # list prices in cents: see the module's first lines
_SEASONS = (9, 8, 9, 9, 10, 10, 11, 8, 10, 11, 13, 16)
_QUANTITIES = np.array([1, 2, 3, 4], dtype=np.int64)
_QUANTITY_SHARES = (55, 25, 12, 8)

TRANSACTIONS = Table(
    "transactions",
    pa.schema(
        {
            "transaction_id": pa.int64(),
            "date": pa.date32(),
            "mois": pa.string(),
            "client_id": pa.int64(),
            "segment_client": pa.string(),
            "produit_id": pa.int64(),
            "nom_produit": pa.string(),
            "quantite": pa.int32(),
            "prix_unitaire": MONEY,
            "montant": MONEY,
            "region": pa.string(),
            "canal": pa.string(),
        }
    ),
    key="transaction_id",
    references={"produit_id": "produits"},
)
PRODUCTS = Table(
    "produits",
    pa.schema(
        {
            "produit_id": pa.int64(),
            "categorie": pa.string(),
            "marque": pa.string(),
            "cout": MONEY,
        }
    ),
    key="produit_id",
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a team's transactions draw from."""

    rows: int
    sheet: Sheet
    products: Rows
    days: list[int]
    regions: list[int]


def plan(seed: int, rows: int = ROWS, *, extra_region: bool = False) -> Plan:
    """Draw what `rows` transactions are made of, with a region more than usual where asked."""
    if not 1 <= rows <= 10**10:
        raise DatagenError(f"--rows doit être compris entre 1 et 10 milliards, et non {rows}.")
    listed = [product for product in catalogue.PRODUCTS if product.cents in _LISTED]
    order = columns.shuffled(stream(seed, "produits", "nom"), len(listed))
    products = [listed[i] for i in order[:_PRODUCTS]]
    base = np.array([product.cents for product in products], dtype=np.int64)
    percent = stream(seed, "produits", "prix").below(21, range(_PRODUCTS)) + 90
    prices = base * percent // 10_000 * 100 + 90
    extra = EXTRA_REGIONS[int(stream(seed, "region").below(len(EXTRA_REGIONS), range(1))[0])]
    regions = REGIONS | ({extra: 5} if extra_region else {})
    dates = [dt.date(YEAR, 1, 1) + dt.timedelta(days=i) for i in range(365)]
    sheet = Sheet(
        TRANSACTIONS.schema,
        Number("transaction_id"),
        Lookup(pa.table({"date": dates, "mois": [f"{date:%Y-%m}" for date in dates]})),
        Lookup(_clients(seed)),
        Lookup(_sold([product.name for product in products], prices)),
        Lookup(_places(list(regions))),
    )
    days = [_SEASONS[date.month - 1] for date in dates]
    return Plan(rows, sheet, _products(seed, products, prices), days, list(regions.values()))


def jobs(seed: int, planned: Plan, size: int = CHUNK) -> Iterator[Job]:
    """Yield what makes the products, then the transactions chunk by chunk."""

    def made(rows: range) -> list[Chunk]:
        return [(TRANSACTIONS.name, transactions(seed, planned, rows))]

    yield lambda: [(PRODUCTS.name, planned.products)]
    for rows in chunked(planned.rows, size):
        yield partial(made, rows)


def transactions(seed: int, planned: Plan, rows: range) -> Rows:
    """Return a run of transactions, whatever runs were made before."""

    def of(column: str) -> Stream:
        return stream(seed, "transactions", column)

    def drawn(column: str, weights: Sequence[int]) -> Ints:
        return columns.weighted(of(column), rows, weights)

    product = columns.skewed(of("produit_id"), rows, _PRODUCTS)
    quantity = drawn("quantite", _QUANTITY_SHARES)
    quantity += columns.struck(of("quantite").child("outliers"), rows, OUTLIER_ONE_IN) * len(
        _QUANTITIES
    )
    return Rows(
        planned.sheet,
        (
            np.arange(rows.start + 1, rows.stop + 1),
            columns.rising(of("date"), rows, planned.rows, planned.days),
            of("client_id").below(_CLIENTS, rows),
            product * (2 * len(_QUANTITIES)) + quantity,
            drawn("region", planned.regions) * len(CHANNELS)
            + drawn("canal", list(CHANNELS.values())),
        ),
    )


def _clients(seed: int) -> pa.Table:
    drawn = stream(seed, "clients", "segment")
    segment = columns.weighted(drawn, range(_CLIENTS), list(SEGMENTS.values()))
    return pa.table(
        {
            "client_id": np.arange(1, _CLIENTS + 1),
            "segment_client": pa.array(list(SEGMENTS)).take(pa.array(segment)),
        }
    )


def _sold(names: list[str], prices: Ints) -> pa.Table:
    """Return all that a row can say of a sale: each product in each quantity, usual then not."""
    quantities = np.concatenate([_QUANTITIES, _QUANTITIES * OUTLIER_FACTOR])
    product = np.repeat(np.arange(len(names)), len(quantities))
    quantity = np.tile(quantities, len(names))
    return pa.table(
        {
            "produit_id": product + 1,
            "nom_produit": pa.array(names).take(pa.array(product)),
            "quantite": quantity,
            "prix_unitaire": money(prices[product]),
            "montant": money(quantity * prices[product]),
        }
    )


def _places(regions: list[str]) -> pa.Table:
    """Return each region with each channel."""
    return pa.table(
        {
            "region": [region for region in regions for _ in CHANNELS],
            "canal": list(CHANNELS) * len(regions),
        }
    )


def _products(seed: int, products: list[catalogue.Product], prices: Ints) -> Rows:
    run = range(_PRODUCTS)
    brand = stream(seed, "produits", "marque").below(len(BRANDS), run)
    costs = prices * (stream(seed, "produits", "cout").below(36, run) + 45) // 100
    table = pa.table(
        {
            "produit_id": np.arange(1, _PRODUCTS + 1),
            "categorie": [product.category for product in products],
            "marque": pa.array(BRANDS).take(pa.array(brand)),
            "cout": money(costs),
        }
    )
    return Rows(Sheet(PRODUCTS.schema, Lookup(table)), (np.arange(_PRODUCTS),))
