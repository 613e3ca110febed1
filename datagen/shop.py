"""The shop of 02 and 07: clients, produits, commandes, details_commandes.

What holds on every seed and at every scale: foreign keys, unique keys, one line per product in an
order, order totals equal to their lines to the cent, clients registered before their orders, some
clients without an order and some products never sold (a LEFT JOIN is needed to keep them), one
order in seven at 10 % off (so the price paid is the line's, not the product's).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from datagen import catalogue, columns
from datagen.options import checked_scale
from datagen.table import MONEY, Ints, Table, chunked, frame, money, stream
from datagen.table import build as build_rows
from datagen.writers import Chunk

YEAR = 2025
STATUSES = ("livree", "en_attente", "annulee")
IDLE = 20  # each 20th client never orders, each 20th product is never sold
CHUNK = 100_000

_MOST_PRODUCTS = 20_000  # their prices are all that is held in memory
_MOST_LINES = 5
_LINES_SHARES = (25, 30, 22, 14, 9)  # of orders with 1, 2... lines
_QUANTITY_SHARES = (55, 25, 12, 5, 3)
_MONTH_WEIGHTS = (8, 6, 7, 8, 8, 9, 7, 5, 8, 9, 13, 16)

TABLES = (
    Table(
        "clients",
        pa.schema(
            {
                "client_id": pa.int64(),
                "nom": pa.string(),
                "prenom": pa.string(),
                "email": pa.string(),
                "ville": pa.string(),
                "date_inscription": pa.date32(),
            }
        ),
        key="client_id",
    ),
    Table(
        "produits",
        pa.schema(
            {
                "produit_id": pa.int64(),
                "nom": pa.string(),
                "categorie": pa.string(),
                "prix": MONEY,
            }
        ),
        key="produit_id",
    ),
    Table(
        "commandes",
        pa.schema(
            {
                "commande_id": pa.int64(),
                "client_id": pa.int64(),
                "date_commande": pa.date32(),
                "statut": pa.string(),
                "montant_total": MONEY,
            }
        ),
        key="commande_id",
        references={"client_id": "clients"},
    ),
    Table(
        "details_commandes",
        pa.schema(
            {
                "detail_id": pa.int64(),
                "commande_id": pa.int64(),
                "produit_id": pa.int64(),
                "quantite": pa.int32(),
                "prix_unitaire": MONEY,
            }
        ),
        key="detail_id",
        references={"commande_id": "commandes", "produit_id": "produits"},
    ),
)
_SCHEMAS = {table.name: table.schema for table in TABLES}


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many rows each table has; an order has 1 to 5 lines."""

    clients: int
    produits: int
    commandes: int

    @classmethod
    def at(cls, scale: float) -> Sizes:
        """Return the sizes at this scale: 1.0 is 300 clients, 60 products and 2,000 orders."""
        scale = checked_scale(scale)
        return cls(
            clients=max(IDLE, round(300 * scale)),
            produits=min(max(IDLE, round(60 * scale)), _MOST_PRODUCTS),
            commandes=max(50, round(2_000 * scale)),
        )

    def expected(self) -> dict[str, int]:
        """Return the rows of each table whose count is known before it is drawn."""
        return asdict(self)


def build(seed: int, scale: float = 1.0) -> Mapping[str, pd.DataFrame]:
    """Return the four tables of a small shop in memory, money as floats."""
    parts: dict[str, list[pa.Table]] = {table.name: [] for table in TABLES}
    for name, chunk in chunks(seed, Sizes.at(scale)):
        parts[name].append(chunk)
    return {name: frame(pa.concat_tables(found)) for name, found in parts.items()}


def chunks(seed: int, sizes: Sizes, size: int = CHUNK) -> Iterator[Chunk]:
    """Yield the shop chunk by chunk, parents before children, in bounded memory."""
    for rows in chunked(sizes.clients, size):
        yield "clients", _clients(seed, rows)
    products = _products(seed, range(sizes.produits))
    yield "produits", products
    prices = _prices(seed, range(sizes.produits))
    lines_before = 0
    for rows in chunked(sizes.commandes, size):
        orders, lines = _orders(seed, rows, sizes, prices, lines_before)
        lines_before += lines.num_rows
        yield "commandes", orders
        yield "details_commandes", lines


def _clients(seed: int, rows: range) -> pa.Table:
    drawn = build_rows(
        "clients",
        {
            "client_id": columns.serial(),
            "nom": columns.choice(catalogue.SURNAMES),
            "prenom": columns.choice(catalogue.FIRST_NAMES),
            "email": columns.choice(catalogue.MAIL_DOMAINS),
            "ville": columns.choice(list(catalogue.CITIES), list(catalogue.CITIES.values())),
            "date_inscription": columns.day(dt.date(YEAR - 2, 1, 1), dt.date(YEAR - 1, 12, 31)),
        },
        rows,
        seed,
    )
    first, last = (
        columns.mapped(drawn[name], {text: columns.ascii_fold(text) for text in texts})
        for name, texts in (("prenom", catalogue.FIRST_NAMES), ("nom", catalogue.SURNAMES))
    )
    number = drawn["client_id"].cast(pa.string()).combine_chunks()  # what makes it unique
    user = pc.binary_join_element_wise(first, last, number, ".")
    email = pc.binary_join_element_wise(user, drawn["email"].combine_chunks(), "@")
    return drawn.set_column(3, "email", email).cast(_SCHEMAS["clients"])


def _names(seed: int, rows: range) -> Ints:
    """Return for each product its place in the catalogue: one of each category in turn."""
    count, shelves = len(catalogue.PRODUCTS), len(catalogue.CATEGORIES)
    words = stream(seed, "produits", "nom").words(range(count)).reshape(shelves, -1)
    shuffled = np.argsort(words, axis=1, kind="stable").astype(np.int64)
    shuffled += np.arange(shelves)[:, np.newaxis] * (count // shelves)
    return shuffled.T.ravel()[np.arange(rows.start, rows.stop) % count]


def _prices(seed: int, rows: range) -> Ints:
    """Return the products' prices in cents: their list price, 30 % less to 40 % more, in x.90."""
    base = np.array([product.cents for product in catalogue.PRODUCTS], dtype=np.int64)
    percent = stream(seed, "produits", "prix").below(71, rows) + 70
    return base[_names(seed, rows)] * percent // 10_000 * 100 + 90


def _products(seed: int, rows: range) -> pa.Table:
    at = _names(seed, rows)
    names = pa.array([product.name for product in catalogue.PRODUCTS]).take(pa.array(at))
    edition = np.arange(rows.start, rows.stop) // len(catalogue.PRODUCTS)
    suffix = pa.array([""] + [f" n° {i + 1}" for i in range(1, int(edition.max()) + 1)])
    categories = pa.array([product.category for product in catalogue.PRODUCTS])
    return pa.table(
        {
            "produit_id": np.arange(rows.start + 1, rows.stop + 1),
            "nom": pc.binary_join_element_wise(names, suffix.take(pa.array(edition)), ""),
            "categorie": categories.take(pa.array(at)),
            "prix": money(_prices(seed, rows)),
        }
    ).cast(_SCHEMAS["produits"])


def _orders(
    seed: int, rows: range, sizes: Sizes, prices: Ints, lines_before: int
) -> tuple[pa.Table, pa.Table]:
    """Return a run of orders with all their lines, which come after `lines_before` others."""

    def drawn(column: str, weights: tuple[int, ...]) -> Ints:
        return columns.weighted(stream(seed, "commandes", column), rows, weights)

    counts = drawn("lignes", _LINES_SHARES) + 1
    on_sale = drawn("promotion", (6, 1)) == 1
    starts = np.cumsum(counts) - counts
    of_order = np.repeat(np.arange(len(rows)), counts)
    rank = np.arange(len(of_order)) - starts[of_order]
    line_rows = range(lines_before, lines_before + len(of_order))
    shelf = (
        stream(seed, "commandes", "rayon").below(_MOST_LINES, rows)[of_order] + rank
    ) % _MOST_LINES
    product = _bought(seed, line_rows, shelf, len(prices))
    quantity = (
        columns.weighted(stream(seed, "details_commandes", "quantite"), line_rows, _QUANTITY_SHARES)
        + 1
    )
    price = prices[product - 1]
    price = np.where(on_sale[of_order], price * 9 // 10, price)
    numbers = np.arange(rows.start + 1, rows.stop + 1)
    days = _days()
    orders = {
        "commande_id": numbers,
        "client_id": _buyers(seed, rows, sizes.clients),
        "date_commande": columns.dates(
            dt.date(YEAR, 1, 1),
            columns.rising(stream(seed, "commandes", "date_commande"), rows, sizes.commandes, days),
        ),
        "statut": pa.array(STATUSES).take(pa.array(drawn("statut", (82, 11, 7)))),
        "montant_total": money(np.add.reduceat(quantity * price, starts)),
    }
    lines = {
        "detail_id": np.arange(line_rows.start + 1, line_rows.stop + 1),
        "commande_id": numbers[of_order],
        "produit_id": product,
        "quantite": quantity,
        "prix_unitaire": money(price),
    }
    return (
        pa.table(orders).cast(_SCHEMAS["commandes"]),
        pa.table(lines).cast(_SCHEMAS["details_commandes"]),
    )


def _bought(seed: int, line_rows: range, shelf: Ints, products: int) -> Ints:
    """Return each line's product: an order's lines are from distinct shelves."""
    sold = products - products // IDLE
    on_shelf = (sold - shelf + _MOST_LINES - 1) // _MOST_LINES
    half = stream(seed, "details_commandes", "produit_id").words(line_rows) >> np.uint64(32)
    squared = (half * half >> np.uint64(32)).astype(np.int64)  # the first of a shelf sell best
    return columns.skipping((squared * on_shelf >> 32) * _MOST_LINES + shelf, IDLE)


def _buyers(seed: int, rows: range, clients: int) -> Ints:
    """Return each order's client; some are much more faithful than others."""
    active = clients - clients // IDLE
    ranks = columns.skewed(stream(seed, "commandes", "client_id"), rows, active)
    # The best clients are spread over the identifiers, from a place of the team's own.
    first = int(stream(seed, "commandes", "client_id", "meilleur").below(active, range(1))[0])
    stride = next(n for n in range(active * 5 // 8, 2 * active) if np.gcd(n, active) == 1)
    return columns.skipping((ranks * stride + first) % active, IDLE)


def _days() -> list[int]:
    """Return the weight of each day of the year, which its month decides."""
    year = [dt.date(YEAR, 1, 1) + dt.timedelta(days=i) for i in range(365)]
    return [_MONTH_WEIGHTS[day.month - 1] for day in year]
