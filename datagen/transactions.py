"""The transactions of 04: millions of rows, made and encoded on every core, and the products.

Planted: seasons, best-selling products, and outliers, one row in a thousand with fifty times the
quantity. Prices are kept in a range where those, and only those, pass mean + 3 standard
deviations.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from datagen import catalogue, columns, defects
from datagen.errors import DatagenError
from datagen.table import MONEY, Ints, Stream, Table, money, stream

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
_QUANTITY = defects.outliers(columns.counts((55, 25, 12, 8)), OUTLIER_ONE_IN, OUTLIER_FACTOR)
_CHANNEL = columns.choice(list(CHANNELS), list(CHANNELS.values()))

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
    """What a team's transactions draw from; arrays are by product, client or day of the year."""

    rows: int
    names: pa.Array
    categories: pa.Array
    prices: Ints
    costs: Ints
    segments: Ints
    days: list[int]
    months: pa.Array
    regions: dict[str, int]


def plan(seed: int, rows: int = ROWS, *, extra_region: bool = False) -> Plan:
    """Draw what `rows` transactions are made of, with a region more than usual where asked."""
    if not 1 <= rows <= 10**10:
        raise DatagenError(f"--rows doit être compris entre 1 et 10 milliards, et non {rows}.")
    listed = [product for product in catalogue.PRODUCTS if product.cents in _LISTED]
    order = np.argsort(stream(seed, "produits", "nom").words(range(len(listed))), kind="stable")
    products = [listed[i] for i in order[:_PRODUCTS]]
    run = range(_PRODUCTS)
    base = np.array([product.cents for product in products], dtype=np.int64)
    prices = base * (stream(seed, "produits", "prix").below(21, run) + 90) // 10_000 * 100 + 90
    dates = [dt.date(YEAR, 1, 1) + dt.timedelta(days=i) for i in range(365)]
    extra = EXTRA_REGIONS[int(stream(seed, "region").below(len(EXTRA_REGIONS), range(1))[0])]
    return Plan(
        rows=rows,
        names=pa.array([product.name for product in products]),
        categories=pa.array([product.category for product in products]),
        prices=prices,
        costs=prices * (stream(seed, "produits", "cout").below(36, run) + 45) // 100,
        segments=columns.weighted(
            stream(seed, "clients", "segment"), range(_CLIENTS), list(SEGMENTS.values())
        ),
        days=[_SEASONS[date.month - 1] for date in dates],
        months=pa.array([f"{date:%Y-%m}" for date in dates]),
        regions=REGIONS | ({extra: 5} if extra_region else {}),
    )


def products(seed: int, planned: Plan) -> pa.Table:
    """Return the products that the transactions refer to."""
    return pa.table(
        {
            "produit_id": np.arange(1, _PRODUCTS + 1),
            "categorie": planned.categories,
            "marque": columns.choice(BRANDS)(stream(seed, "produits", "marque"), range(_PRODUCTS)),
            "cout": money(planned.costs),
        }
    ).cast(PRODUCTS.schema)


def transactions(seed: int, planned: Plan, rows: range) -> pa.Table:
    """Return a run of transactions, whatever runs were made before."""

    def of(column: str) -> Stream:
        return stream(seed, "transactions", column)

    product = columns.skewed(of("produit_id"), rows, _PRODUCTS)
    client = columns.integers(0, _CLIENTS - 1)(of("client_id"), rows)
    quantity = _QUANTITY(of("quantite"), rows)
    price = planned.prices[product]
    day = columns.rising(of("date"), rows, planned.rows, planned.days)
    regions = columns.choice(list(planned.regions), list(planned.regions.values()))
    return pa.table(
        {
            "transaction_id": np.arange(rows.start + 1, rows.stop + 1),
            "date": columns.dates(dt.date(YEAR, 1, 1), day),
            "mois": planned.months.take(pa.array(day)),
            "client_id": client + 1,
            "segment_client": pa.array(list(SEGMENTS)).take(pa.array(planned.segments[client])),
            "produit_id": product + 1,
            "nom_produit": planned.names.take(pa.array(product)),
            "quantite": quantity.astype(np.int32),
            "prix_unitaire": money(price),
            "montant": money(quantity * price),
            "region": regions(of("region"), rows),
            "canal": _CHANNEL(of("canal"), rows),
        },
        schema=TRANSACTIONS.schema,
    )
