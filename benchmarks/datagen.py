"""Compare datagen to a Python loop and to plain NumPy + PyArrow, as ratios in one run.

    python benchmarks/datagen.py [--rows 10000000] [--rounds 3]

Each contender runs in a process of its own, in turn, and writes the same columns; files are of the
same size to 1 %. The best round counts. The loop is timed on fewer rows and compared per row.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

LOOP_SHARE = 50  # the loop draws one row in fifty of what the others do
PLAIN_CHUNK = 1 << 20

Contender = Callable[[int, Path], None]


def ours_transactions_csv(rows: int, folder: Path) -> None:
    from datagen import registry

    registry.write("04_spark", 1, folder, rows=rows)


def ours_transactions_parquet(rows: int, folder: Path) -> None:
    from datagen import registry

    registry.write("04_spark", 1, folder, rows=rows, format="parquet")


def plain_transactions_csv(rows: int, folder: Path) -> None:
    import pyarrow.csv as pc

    from datagen.transactions import TRANSACTIONS

    options = pc.WriteOptions(quoting_style="none")
    with pc.CSVWriter(
        str(folder / "transactions.csv"), TRANSACTIONS.schema, write_options=options
    ) as file:
        for chunk in _plain_transactions(rows):
            file.write_table(chunk)


def plain_transactions_parquet(rows: int, folder: Path) -> None:
    import pyarrow.parquet as pq

    from datagen.transactions import TRANSACTIONS

    with pq.ParquetWriter(folder / "transactions.parquet", TRANSACTIONS.schema) as file:
        for chunk in _plain_transactions(rows):
            file.write_table(chunk)


def _plain_transactions(rows: int):
    import numpy as np
    import pyarrow as pa

    from datagen import transactions as t
    from datagen.table import money

    rng, planned = np.random.default_rng(1), t.plan(1)
    day_lots = np.repeat(np.arange(365), planned.days)
    lots = {
        "region": pa.array(list(t.REGIONS)),
        "canal": pa.array(list(t.CHANNELS)),
        "segment": pa.array(list(t.SEGMENTS)),
    }
    shares = {
        "region": np.repeat(np.arange(len(t.REGIONS)), list(t.REGIONS.values())),
        "canal": np.repeat(np.arange(len(t.CHANNELS)), list(t.CHANNELS.values())),
        "quantite": np.repeat(np.arange(1, 5), (55, 25, 12, 8)),
    }

    def text(name: str, n: int):
        drawn = shares[name][rng.integers(len(shares[name]), size=n)]
        return lots[name].take(pa.array(drawn))

    for start in range(0, rows, PLAIN_CHUNK):
        n = min(PLAIN_CHUNK, rows - start)
        day = day_lots[np.arange(start, start + n) * len(day_lots) // rows]
        product = (rng.random(n) ** 2 * len(planned.prices)).astype(np.int64)
        client = rng.integers(len(planned.segments), size=n)
        quantity = shares["quantite"][rng.integers(100, size=n)]
        quantity = np.where(rng.integers(1_000, size=n) == 0, quantity * 50, quantity)
        price = planned.prices[product]
        yield pa.table(
            {
                "transaction_id": np.arange(start + 1, start + n + 1),
                "date": pa.array((day + 20_089).astype(np.int32)).cast(pa.date32()),
                "mois": planned.months.take(pa.array(day)),
                "client_id": client + 1,
                "segment_client": lots["segment"].take(pa.array(planned.segments[client])),
                "produit_id": product + 1,
                "nom_produit": planned.names.take(pa.array(product)),
                "quantite": quantity.astype(np.int32),
                "prix_unitaire": money(price),
                "montant": money(quantity * price),
                "region": text("region", n),
                "canal": text("canal", n),
            },
            schema=t.TRANSACTIONS.schema,
        )


def loop_transactions_csv(rows: int, folder: Path) -> None:
    import datetime as dt

    from datagen import transactions as t

    rng, planned = random.Random(1), t.plan(1)
    names, prices = planned.names.to_pylist(), planned.prices.tolist()
    regions, region_shares = list(t.REGIONS), list(t.REGIONS.values())
    channels, channel_shares = list(t.CHANNELS), list(t.CHANNELS.values())
    segments, clients = list(t.SEGMENTS), planned.segments.tolist()
    first = dt.date(t.YEAR, 1, 1)
    with (folder / "transactions.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(t.TRANSACTIONS.schema.names)
        for i in range(1, rows + 1):
            day = first + dt.timedelta(rng.choices(range(365), planned.days)[0])
            product, client = rng.randrange(len(names)), rng.randrange(len(clients))
            quantity = rng.choices((1, 2, 3, 4), (55, 25, 12, 8))[0]
            quantity *= 50 if rng.random() < 0.001 else 1
            price = prices[product]
            writer.writerow([
                i, day.isoformat(), f"{day:%Y-%m}", client + 1, segments[clients[client]],
                product + 1, names[product], quantity, f"{price / 100:.2f}",
                f"{quantity * price / 100:.2f}", rng.choices(regions, region_shares)[0],
                rng.choices(channels, channel_shares)[0],
            ])  # fmt: skip


def ours_shop_csv(rows: int, folder: Path) -> None:
    from datagen import shop, writers

    sizes = shop.Sizes.at(rows / 2_000)
    writers.pump(shop.chunks(1, sizes), [writers.Csv(folder, shop.TABLES)])


def plain_shop_csv(rows: int, folder: Path) -> None:
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.csv

    from datagen import catalogue, shop
    from datagen.table import money

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
    import datetime as dt

    from datagen import catalogue, shop

    rng, sizes = random.Random(1), shop.Sizes.at(rows / 2_000)
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
            quantity = rng.choices((1, 2, 3, 4, 5), (55, 25, 12, 5, 3))[0]
            price = prices[product_id]
            total += quantity * price
            row = [line, i, product_id + 1, quantity, f"{price / 100:.2f}"]
            writers["details_commandes"].writerow(row)
        day = dt.date(2025, 1, 1) + dt.timedelta(rng.choices(range(365), shop.DAY_WEIGHTS)[0])
        client, status = rng.randint(1, sizes.clients), rng.choice(shop.STATUSES)
        row = [i, client, day.isoformat(), status, f"{total / 100:.2f}"]
        writers["commandes"].writerow(row)
    for file in files.values():
        file.close()


CASES: dict[str, tuple[Contender, Contender, Contender | None]] = {
    "04 transactions, CSV": (
        ours_transactions_csv, plain_transactions_csv, loop_transactions_csv,
    ),
    "04 transactions, Parquet": (
        ours_transactions_parquet, plain_transactions_parquet, None,
    ),
    "07 boutique, CSV": (ours_shop_csv, plain_shop_csv, loop_shop_csv),
}  # fmt: skip


def run(contender: Contender, rows: int) -> dict[str, float]:
    """Time one contender in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--contender", contender.__name__]
        command += ["--rows", str(rows), "--out", folder]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        result: dict[str, float] = json.loads(done.stdout)
        result["bytes"] = sum(p.stat().st_size for p in Path(folder).rglob("*") if p.is_file())
        return result


def contend(name: str, rows: int, folder: Path) -> None:
    """Run one contender here and print its time in seconds and its peak memory in MB."""

    import datagen.layouts  # noqa: F401 - imports aren't what is timed

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
    contenders = CASES[name]
    sizes = (rows, rows, max(1_000, rows // LOOP_SHARE))
    taken: list[list[dict[str, float]]] = [[], [], []]
    for _ in range(rounds):
        for results, contender, size in zip(taken, contenders, sizes, strict=True):
            if contender is not None:
                results.append(run(contender, size))
    ours, plain = best(taken[0]), best(taken[1])
    print(f"{name}, {rows:,} rows: {ours['bytes'] / 2**20:,.0f} MB, peak {ours['peak']:.0f} MB")
    print(
        f"  {rows / ours['wall']:,.0f} rows/s; plain {rows / plain['wall']:,.0f} rows/s: "
        f"{ours['wall'] / plain['wall']:.2f} x its time ({ours['cpu'] / plain['cpu']:.2f} x in "
        f"CPU), {ours['bytes'] / plain['bytes']:.3f} x its bytes, plain peak {plain['peak']:.0f} MB"
    )
    if taken[2]:
        loop = best(taken[2])
        for kind in ("wall", "cpu"):
            ratio = (loop[kind] / sizes[2]) / (ours[kind] / rows)
            print(f"  {ratio:.0f} x the rows per second of the Python loop ({kind})")


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
