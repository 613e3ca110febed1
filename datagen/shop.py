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
from functools import partial

import numpy as np
import pandas as pd
import pyarrow as pa

from datagen import catalogue, columns
from datagen.options import checked_scale
from datagen.sheet import Lookup, Money, Number, Rows, Sheet, Text
from datagen.table import MONEY, Ints, Stream, Table, chunked, frame, money, stream
from datagen.writers import Chunk, Job

YEAR = 2025
STATUSES = ("livree", "en_attente", "annulee")
IDLE = 20  # each 20th client never orders, each 20th product is never sold
CHUNK = 1 << 14

_FIRST_SIGN_UP, _LAST_SIGN_UP = dt.date(YEAR - 2, 1, 1), dt.date(YEAR - 1, 12, 31)
_MOST_PRODUCTS = 2_000  # all that is held in memory, and in the processor's cache
_MOST_LINES = 5
_LINES_SHARES = (25, 30, 22, 14, 9)  # of orders with 1, 2... lines
_QUANTITY_SHARES = (55, 25, 12, 5, 3)
_MONTH_WEIGHTS = (8, 6, 7, 8, 8, 9, 7, 5, 8, 9, 13, 16)

# The weight of each day of the year, which its month decides.
DAY_WEIGHTS = tuple(
    _MONTH_WEIGHTS[(dt.date(YEAR, 1, 1) + dt.timedelta(days=i)).month - 1] for i in range(365)
)

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
    for job in jobs(seed, Sizes.at(scale)):
        for name, chunk in job():
            parts[name].append(chunk.table())
    return {name: frame(pa.concat_tables(found)) for name, found in parts.items()}


def jobs(seed: int, sizes: Sizes, size: int = CHUNK) -> Iterator[Job]:
    """Yield what makes the shop chunk by chunk, parents before children, in bounded memory."""
    clients = partial(_clients, seed, _client_sheet())
    for rows in chunked(sizes.clients, size):
        yield partial(clients, rows)
    yield partial(_products, seed, range(sizes.produits))
    till = _Till(seed, sizes, _prices(seed, range(sizes.produits)))
    lines_before = 0
    for rows in chunked(sizes.commandes, size):
        yield partial(till.ring_up, rows, lines_before)
        lines_before += int(till.lines(rows).sum())


def _client_sheet() -> Sheet:
    names = {"nom": catalogue.SURNAMES, "prenom": catalogue.FIRST_NAMES}
    folded = {n: Lookup(pa.table({n: list(map(columns.ascii_fold, t))})) for n, t in names.items()}
    domains = Lookup(pa.table({"domaine": catalogue.MAIL_DOMAINS}))
    days = np.arange((_LAST_SIGN_UP - _FIRST_SIGN_UP).days + 1)
    return Sheet(
        _SCHEMAS["clients"],
        Number("client_id"),
        *(Lookup(pa.table({name: texts})) for name, texts in names.items()),
        # The number is what makes the address unique.
        Text("email", (folded["prenom"], folded["nom"], Number("n"), domains), (".", ".", "@", "")),
        Lookup(pa.table({"ville": list(catalogue.CITIES)})),
        Lookup(pa.table({"date_inscription": columns.dates(_FIRST_SIGN_UP, days)})),
    )


def _clients(seed: int, sheet: Sheet, rows: range) -> list[Chunk]:
    def of(column: str) -> Stream:
        return stream(seed, "clients", column)

    number = np.arange(rows.start + 1, rows.stop + 1)
    last = of("nom").below(len(catalogue.SURNAMES), rows)
    first = of("prenom").below(len(catalogue.FIRST_NAMES), rows)
    domain = of("email").below(len(catalogue.MAIL_DOMAINS), rows)
    town = columns.weighted(of("ville"), rows, list(catalogue.CITIES.values()))
    days = (_LAST_SIGN_UP - _FIRST_SIGN_UP).days + 1
    since = of("date_inscription").below(days, rows)
    email = np.stack([first, last, number, domain])
    return [("clients", Rows(sheet, (number, last, first, email, town, since)))]


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


def _products(seed: int, rows: range) -> list[Chunk]:
    count = len(catalogue.PRODUCTS)
    sold = [catalogue.PRODUCTS[at] for at in _names(seed, rows)]
    editions = [f" n° {i // count + 1}" if i >= count else "" for i in rows]
    names = [product.name + edition for product, edition in zip(sold, editions, strict=True)]
    table = pa.table(
        {
            "produit_id": np.arange(rows.start + 1, rows.stop + 1),
            "nom": names,
            "categorie": [product.category for product in sold],
            "prix": money(_prices(seed, rows)),
        }
    )
    sheet = Sheet(_SCHEMAS["produits"], Lookup(table))
    return [("produits", Rows(sheet, (np.arange(len(rows)),)))]


class _Till:
    """Rings up runs of orders with all their lines."""

    def __init__(self, seed: int, sizes: Sizes, prices: Ints) -> None:
        self._seed, self._sizes, self._prices = seed, sizes, prices
        self._orders = Sheet(
            _SCHEMAS["commandes"],
            Number("commande_id"),
            Number("client_id"),
            Lookup(_dated_statuses()),
            Money("montant_total"),
        )
        self._lines = Sheet(
            _SCHEMAS["details_commandes"],
            Number("detail_id"),
            Number("commande_id"),
            Lookup(_bought_lines(prices)),
        )

    def lines(self, rows: range) -> Ints:
        """Return how many lines each of these orders has."""
        return self._drawn("lignes", rows, _LINES_SHARES) + 1

    def ring_up(self, rows: range, lines_before: int) -> list[Chunk]:
        """Return these orders and their lines, which come after `lines_before` others."""
        counts = self.lines(rows)
        starts = np.cumsum(counts) - counts
        of_order = np.repeat(np.arange(len(rows)), counts)
        line_rows = range(lines_before, lines_before + len(of_order))
        first_shelf = stream(self._seed, "commandes", "rayon").below(_MOST_LINES, rows) - starts
        shelf = (first_shelf[of_order] + np.arange(len(of_order))) % _MOST_LINES
        product = _bought(self._seed, line_rows, shelf, len(self._prices))
        sale = self._drawn("promotion", rows, (6, 1))[of_order]
        quantities = stream(self._seed, "details_commandes", "quantite")
        quantity = columns.weighted(quantities, line_rows, _QUANTITY_SHARES) + 1
        numbers = np.arange(rows.start + 1, rows.stop + 1)
        amounts = quantity * _price(self._prices[product - 1], sale)
        lines = (
            np.arange(line_rows.start + 1, line_rows.stop + 1),
            numbers[of_order],
            ((product - 1) * len(_QUANTITY_SHARES) + quantity - 1) * 2 + sale,
        )
        orders = (*self._order_columns(rows), np.add.reduceat(amounts, starts))
        return [
            ("commandes", Rows(self._orders, orders)),
            ("details_commandes", Rows(self._lines, lines)),
        ]

    def _order_columns(self, rows: range) -> tuple[Ints, Ints, Ints]:
        dates = stream(self._seed, "commandes", "date_commande")
        day = columns.rising(dates, rows, self._sizes.commandes, DAY_WEIGHTS)
        status = self._drawn("statut", rows, (82, 11, 7))
        numbers = np.arange(rows.start + 1, rows.stop + 1)
        client = _buyers(self._seed, rows, self._sizes.clients)
        return numbers, client, day * len(STATUSES) + status

    def _drawn(self, column: str, rows: range, weights: tuple[int, ...]) -> Ints:
        return columns.weighted(stream(self._seed, "commandes", column), rows, weights)


def _dated_statuses() -> pa.Table:
    days, statuses = np.arange(len(DAY_WEIGHTS)), len(STATUSES)
    return pa.table(
        {
            "date_commande": columns.dates(dt.date(YEAR, 1, 1), np.repeat(days, statuses)),
            "statut": list(STATUSES) * len(days),
        }
    )


def _bought_lines(prices: Ints) -> pa.Table:
    """Return all that a line can say: each product in each quantity, at full price then not."""
    each = len(_QUANTITY_SHARES) * 2
    at = np.arange(len(prices) * each)
    return pa.table(
        {
            "produit_id": at // each + 1,
            "quantite": at % each // 2 + 1,
            "prix_unitaire": money(_price(prices[at // each], at % 2)),
        }
    )


def _price(full: Ints, on_sale: Ints) -> Ints:
    """Return the price to pay in cents: 10 % less on sale, rounded down."""
    return np.where(on_sale == 1, full * 9 // 10, full)


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
