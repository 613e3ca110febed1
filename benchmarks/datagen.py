"""Compare datagen to a Python loop and to plain NumPy + PyArrow, as ratios in one run.

    python -m benchmarks.datagen [--rows 10000000] [--rounds 3]

Each contender runs in a process of its own, in turn, and writes the same columns; files are of the
same size to 1 %. The best round counts. The loop is timed on fewer rows and compared per row.
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import importlib
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from datagen import catalogue, registry, shop, writers
from datagen import transactions as t
from datagen.table import money

LOOP_SHARE = 200  # a loop draws one row in two hundred of what the others do
PLAIN_CHUNK = 1 << 20

Contender = Callable[[int, Path], None]


def ours_transactions_csv(rows: int, folder: Path) -> None:

    registry.write("04_spark", 1, folder, rows=rows)


def ours_transactions_parquet(rows: int, folder: Path) -> None:

    registry.write("04_spark", 1, folder, rows=rows, format="parquet")


def plain_transactions_csv(rows: int, folder: Path) -> None:

    options = pyarrow.csv.WriteOptions(quoting_style="none")
    with pyarrow.csv.CSVWriter(
        str(folder / "transactions.csv"), t.TRANSACTIONS.schema, write_options=options
    ) as file:
        for chunk in _plain_transactions(rows):
            file.write_table(chunk)


def plain_transactions_parquet(rows: int, folder: Path) -> None:

    with pq.ParquetWriter(folder / "transactions.parquet", t.TRANSACTIONS.schema) as file:
        for chunk in _plain_transactions(rows):
            file.write_table(chunk)


PRODUCTS = [p for p in catalogue.PRODUCTS if p.cents in range(2_000, 10_000)][:200]
CLIENTS = 20_000
DATES = [dt.date(t.YEAR, 1, 1) + dt.timedelta(i) for i in range(365)]


def _plain_transactions(rows: int) -> Iterator[pa.Table]:
    rng = np.random.default_rng(1)
    months = pa.array([f"{date:%Y-%m}" for date in DATES])
    names = pa.array([product.name for product in PRODUCTS])
    prices = np.array([product.cents + 90 for product in PRODUCTS])
    days = np.repeat(np.arange(365), shop.DAY_WEIGHTS)
    segments = lots(t.SEGMENTS)[rng.integers(100, size=CLIENTS)]
    regions, channels, quantities = lots(t.REGIONS), lots(t.CHANNELS), [1] * 55 + [2] * 25
    quantities = np.array(quantities + [3] * 12 + [4] * 8)
    for start in range(0, rows, PLAIN_CHUNK):
        n = min(PLAIN_CHUNK, rows - start)
        day = days[np.arange(start, start + n) * len(days) // rows]
        product = (rng.random(n) ** 2 * len(prices)).astype(np.int64)
        client = rng.integers(CLIENTS, size=n)
        quantity = quantities[rng.integers(100, size=n)]
        quantity = np.where(rng.integers(1_000, size=n) == 0, quantity * 50, quantity)
        region = regions[rng.integers(len(regions), size=n)]
        channel = channels[rng.integers(len(channels), size=n)]
        price = prices[product]
        yield pa.table(
            {
                "transaction_id": np.arange(start + 1, start + n + 1),
                "date": pa.array((day + 20_089).astype(np.int32)).cast(pa.date32()),
                "mois": months.take(pa.array(day)),
                "client_id": client + 1,
                "segment_client": pa.array(list(t.SEGMENTS)).take(pa.array(segments[client])),
                "produit_id": product + 1,
                "nom_produit": names.take(pa.array(product)),
                "quantite": quantity.astype(np.int32),
                "prix_unitaire": money(price),
                "montant": money(quantity * price),
                "region": pa.array(list(t.REGIONS)).take(pa.array(region)),
                "canal": pa.array(list(t.CHANNELS)).take(pa.array(channel)),
            },
            schema=t.TRANSACTIONS.schema,
        )


def lots(shares: dict[str, int]) -> np.ndarray:
    """Return each place in `shares` as many times as its share."""
    return np.repeat(np.arange(len(shares)), list(shares.values()))


class Scalar:
    """The methods of random.Random that the loops use, from a NumPy generator, a value at a time.

    This is how one draws from NumPy before vectorising.
    """

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self.random = self._rng.random
        self._shares: dict[int, tuple[Sequence[int], np.ndarray]] = {}

    def randrange(self, start: int, stop: int | None = None) -> int:
        return int(self._rng.integers(start, stop))

    def randint(self, low: int, high: int) -> int:
        return int(self._rng.integers(low, high + 1))

    def choice(self, values: Sequence[Any]) -> Any:
        return values[self.randrange(len(values))]

    def choices(
        self,
        values: Sequence[Any],
        weights: Sequence[int] = (),
        *,
        cum_weights: Sequence[int] = (),
        k: int = 1,
    ) -> list[Any]:
        given = cum_weights or weights
        if id(given) not in self._shares:  # worked out once, as one would outside the loop
            each = np.diff(given, prepend=0) if cum_weights else np.array(given)
            self._shares[id(given)] = given, each / each.sum()
        _, shares = self._shares[id(given)]
        return [values[i] for i in self._rng.choice(len(values), k, p=shares)]


def loop_transactions_csv(rows: int, folder: Path) -> None:
    _loop_transactions(rows, folder, random.Random(1))


def scalar_transactions_csv(rows: int, folder: Path) -> None:
    _loop_transactions(rows, folder, Scalar(1))


def _loop_transactions(rows: int, folder: Path, rng: random.Random | Scalar) -> None:
    segments, regions, channels = list(t.SEGMENTS), list(t.REGIONS), list(t.CHANNELS)
    of_client = rng.choices(segments, list(t.SEGMENTS.values()), k=CLIENTS)
    day_shares = list(accumulate(shop.DAY_WEIGHTS))
    region_shares = list(accumulate(t.REGIONS.values()))
    channel_shares = list(accumulate(t.CHANNELS.values()))
    with (folder / "transactions.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(t.TRANSACTIONS.schema.names)
        for i in range(1, rows + 1):
            day = rng.choices(DATES, cum_weights=day_shares)[0]
            at, client = rng.randrange(len(PRODUCTS)), rng.randrange(CLIENTS)
            quantity = rng.choices((1, 2, 3, 4), cum_weights=(55, 80, 92, 100))[0]
            quantity *= 50 if rng.random() < 0.001 else 1
            price = PRODUCTS[at].cents + 90
            writer.writerow([
                i, day.isoformat(), f"{day:%Y-%m}", client + 1, of_client[client],
                at + 1, PRODUCTS[at].name, quantity, f"{price / 100:.2f}",
                f"{quantity * price / 100:.2f}",
                rng.choices(regions, cum_weights=region_shares)[0],
                rng.choices(channels, cum_weights=channel_shares)[0],
            ])  # fmt: skip


def ours_shop_csv(rows: int, folder: Path) -> None:

    sizes = shop.Sizes.at(rows / 2_000)
    writers.pump(shop.jobs(1, sizes), [writers.Csv(folder, shop.TABLES)])


def plain_shop_csv(rows: int, folder: Path) -> None:

    rng, sizes = np.random.default_rng(1), shop.Sizes.at(rows / 2_000)

    def text(values: tuple[str, ...], n: int):
        return pa.array(values).take(pa.array(rng.integers(len(values), size=n)))

    def day(first: int, days: object):
        return pa.array((np.asarray(days) + first).astype(np.int32)).cast(pa.date32())

    n, orders, products = sizes.clients, sizes.commandes, sizes.produits
    first, last = text(catalogue.FIRST_NAMES, n), text(catalogue.SURNAMES, n)
    number = pa.array(np.arange(1, n + 1)).cast(pa.string())
    prices = rng.integers(500, 100_000, size=products)
    counts = rng.integers(1, 5, size=orders)  # 2.5 lines on average, as in the shop
    of_order = np.repeat(np.arange(orders), counts)
    product = (rng.random(len(of_order)) ** 2 * products).astype(np.int64)
    quantity = np.repeat(np.arange(1, 6), (55, 25, 12, 5, 3))[rng.integers(100, size=len(of_order))]
    price = prices[product]
    totals = np.add.reduceat(quantity * price, np.cumsum(counts) - counts)
    tables = {
        "clients": {
            "client_id": np.arange(1, n + 1), "nom": last, "prenom": first,
            "email": pc.binary_join_element_wise(
                first, last, number, text(catalogue.MAIL_DOMAINS, n), "."
            ),
            "ville": text(tuple(catalogue.CITIES), n),
            "date_inscription": day(19_358, rng.integers(731, size=n)),
        },
        "produits": {
            "produit_id": np.arange(1, products + 1),
            "nom": text(tuple(p.name for p in catalogue.PRODUCTS), products),
            "categorie": text(catalogue.CATEGORIES, products), "prix": money(prices),
        },
        "commandes": {
            "commande_id": np.arange(1, orders + 1),
            "client_id": rng.integers(1, n + 1, size=orders),
            "date_commande": day(20_089, np.arange(orders) * 365 // orders),
            "statut": text(shop.STATUSES, orders), "montant_total": money(totals),
        },
        "details_commandes": {
            "detail_id": np.arange(1, len(of_order) + 1), "commande_id": of_order + 1,
            "produit_id": product + 1, "quantite": quantity, "prix_unitaire": money(price),
        },
    }  # fmt: skip
    for name, columns in tables.items():
        options = pyarrow.csv.WriteOptions(quoting_style="none")
        pyarrow.csv.write_csv(pa.table(columns), str(folder / f"{name}.csv"), options)


def loop_shop_csv(rows: int, folder: Path) -> None:
    _loop_shop(rows, folder, random.Random(1))


def scalar_shop_csv(rows: int, folder: Path) -> None:
    _loop_shop(rows, folder, Scalar(1))


def _loop_shop(rows: int, folder: Path, rng: random.Random | Scalar) -> None:
    sizes = shop.Sizes.at(rows / 2_000)
    day_shares = list(accumulate(shop.DAY_WEIGHTS))
    files = {t.name: (folder / f"{t.name}.csv").open("w", encoding="utf-8") for t in shop.TABLES}
    writers = {name: csv.writer(file, lineterminator="\n") for name, file in files.items()}
    for table in shop.TABLES:
        writers[table.name].writerow(table.schema.names)
    for i in range(1, sizes.clients + 1):
        first, last = rng.choice(catalogue.FIRST_NAMES), rng.choice(catalogue.SURNAMES)
        mail = f"{first}.{last}.{i}.{rng.choice(catalogue.MAIL_DOMAINS)}"
        since = dt.date(2023, 1, 1) + dt.timedelta(rng.randrange(731))
        town = rng.choice(list(catalogue.CITIES))
        writers["clients"].writerow([i, last, first, mail, town, since.isoformat()])
    prices = [rng.randrange(500, 100_000) for _ in range(sizes.produits)]
    for i, price in enumerate(prices, start=1):
        product = rng.choice(catalogue.PRODUCTS)
        writers["produits"].writerow([i, product.name, product.category, f"{price / 100:.2f}"])
    line = 0
    for i in range(1, sizes.commandes + 1):
        total = 0
        for _ in range(rng.randint(1, 4)):
            line += 1
            product_id = rng.randrange(len(prices))
            quantity = rng.choices((1, 2, 3, 4, 5), cum_weights=(55, 80, 92, 97, 100))[0]
            price = prices[product_id]
            total += quantity * price
            row = [line, i, product_id + 1, quantity, f"{price / 100:.2f}"]
            writers["details_commandes"].writerow(row)
        day = rng.choices(DATES, cum_weights=day_shares)[0]
        client, status = rng.randint(1, sizes.clients), rng.choice(shop.STATUSES)
        row = [i, client, day.isoformat(), status, f"{total / 100:.2f}"]
        writers["commandes"].writerow(row)
    for file in files.values():
        file.close()


@dataclass(frozen=True, slots=True)
class Case:
    """What is compared: ours, plain NumPy + PyArrow, and loops that draw each row."""

    ours: Contender
    plain: Contender
    loops: dict[str, Contender] = field(default_factory=dict)


CASES = {
    "04 transactions, CSV": Case(
        ours_transactions_csv,
        plain_transactions_csv,
        {"random": loop_transactions_csv, "NumPy": scalar_transactions_csv},
    ),
    "04 transactions, Parquet": Case(ours_transactions_parquet, plain_transactions_parquet),
    "07 boutique, CSV": Case(
        ours_shop_csv, plain_shop_csv, {"random": loop_shop_csv, "NumPy": scalar_shop_csv}
    ),
}


def run(contender: Contender, rows: int) -> dict[str, float]:
    """Time one contender in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks.datagen", "--contender", contender.__name__]
        command += ["--rows", str(rows), "--out", folder]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        result: dict[str, float] = json.loads(done.stdout)
        result["bytes"] = sum(p.stat().st_size for p in Path(folder).rglob("*") if p.is_file())
        return result


def contend(name: str, rows: int, folder: Path) -> None:
    """Run one contender here and print its time in seconds and its peak memory in MB."""
    importlib.import_module("datagen.layouts")  # imports aren't what is timed
    folder = folder / "d"
    if not name.startswith("ours_transactions"):  # which makes its folder
        folder.mkdir()
    wall, cpu = time.perf_counter(), time.process_time()
    globals()[name](rows, folder)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"wall": wall, "cpu": cpu, "peak": peak}))


def best(results: list[dict[str, float]]) -> dict[str, float]:
    """Return the least time and the greatest peak."""
    return {
        "wall": min(r["wall"] for r in results),
        "cpu": min(r["cpu"] for r in results),
        "peak": max(r["peak"] for r in results),
        "bytes": results[0]["bytes"],
    }


def compare(name: str, rows: int, rounds: int) -> None:
    """Run the contenders of a case in turn and print their ratios."""
    case = CASES[name]
    few = max(1_000, rows // LOOP_SHARE)
    lined_up = [(case.ours, rows), (case.plain, rows), *((c, few) for c in case.loops.values())]
    taken: list[list[dict[str, float]]] = [[] for _ in lined_up]
    for _ in range(rounds):
        for results, (contender, size) in zip(taken, lined_up, strict=True):
            results.append(run(contender, size))
    ours, plain, *loops = map(best, taken)
    print(f"{name}, {rows:,} rows: {ours['bytes'] / 2**20:,.0f} MB, peak {ours['peak']:.0f} MB")
    print(
        f"  {rows / ours['wall']:,.0f} rows/s; plain {rows / plain['wall']:,.0f} rows/s: "
        f"{ours['wall'] / plain['wall']:.2f} x its time ({ours['cpu'] / plain['cpu']:.2f} x in "
        f"CPU), {ours['bytes'] / plain['bytes']:.3f} x its bytes, plain peak {plain['peak']:.0f} MB"
    )
    for kind, loop in zip(case.loops, loops, strict=True):
        wall, cpu = ((loop[k] / few) / (ours[k] / rows) for k in ("wall", "cpu"))
        print(f"  {wall:.0f} x the rows per second of a loop with {kind} ({cpu:.0f} x in CPU)")


def main() -> None:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--contender", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.contender:
        contend(arguments.contender, arguments.rows, arguments.out)
        return
    for name in CASES:
        compare(name, arguments.rows, arguments.rounds)


if __name__ == "__main__":
    main()
