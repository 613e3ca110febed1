"""What a job wrote is read whatever its form, within bounds; and compared as sets of rows."""

from __future__ import annotations

import datetime as dt
import gzip
import os
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from graders.errors import OutOfBounds, StackError
from graders.model import Finding
from graders.tools import spark_results
from graders.tools.spark_compare import RESULTS, compare
from graders.tools.spark_results import look, number, rows

NAME = "tendances_segment"
COLUMNS = RESULTS[NAME].columns
TRUTH = pd.DataFrame(
    [
        (segment, f"2025-{month:02}", 1_000_000.25 * month, 10 + month)
        for segment in ("étudiant", "Particulier")
        for month in range(1, 4)
    ],
    columns=list(COLUMNS),
)  # fmt: skip
Records = Sequence[Mapping[str, Any]]


def records() -> list[dict[str, Any]]:
    return TRUTH.to_dict("records")  # type: ignore[return-value]


def write(folder: Path, name: str, text: str | bytes) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())


def csv(found: Records, separator: str = ",") -> str:
    lines = [separator.join(found[0]), *(separator.join(map(str, r.values())) for r in found)]
    return "\n".join(lines) + "\n"


def parquet(found: Records, **options: Any) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist([dict(r) for r in found]), sink, **options)
    return sink.getvalue().to_pybytes()


def judge(folder: Path) -> Finding:
    return compare(NAME, rows(look(folder), NAME, COLUMNS), TRUTH)


def as_spark(folder: Path) -> None:
    for n, part in enumerate((records()[:2], records()[2:])):
        write(folder, f"{NAME}/part-0000{n}-c000.csv", csv(part))
    write(folder, f"{NAME}/part-00002-c000.csv", "")
    write(folder, f"{NAME}/_SUCCESS", "")
    write(folder, f"{NAME}/.part-00000-c000.csv.crc", b"crc\x00\xff")


def one_file(folder: Path) -> None:
    write(
        folder,
        "Tendances Segment.csv",
        "\ufeff" + csv(records(), ";").replace("_", " ").replace(".", ","),
    )


def compressed(folder: Path) -> None:
    write(folder, f"{NAME}/part-0.csv.gz", gzip.compress(csv(records()).encode()))


def shuffled_parquet(folder: Path) -> None:
    mixed = [{k.upper(): r[k] for k in reversed(COLUMNS)} | {"autre": [1]} for r in records()]
    random.Random(3).shuffle(mixed)
    write(folder, f"{NAME}.parquet/part-0.snappy.parquet", parquet(mixed[:4]))
    write(folder, f"{NAME}.parquet/part-1.zstd.parquet", parquet(mixed[4:], compression="zstd"))


def partitioned(folder: Path) -> None:
    for r in records():
        inner = {k: r[k] for k in ("ca", "nb_transactions")}
        place = f"{NAME}/Segment_Client={quote(r['segment_client'])}/mois={r['mois']}"
        write(folder, f"{place}/part-0.parquet", parquet([inner]))


def rounded_and_folded(folder: Path) -> None:
    plain = [r | {"ca": round(r["ca"], 1)} for r in records()]
    for r in plain:
        r["segment_client"] = r["segment_client"].upper().replace("É", "e")
    write(folder, f"{NAME}/part-0.csv", csv(plain))


def inferred_months(folder: Path) -> None:
    found = [r | {"mois": f"{r['mois']}-01T00:00:00.000Z"} for r in records()[:3]]
    write(folder, f"{NAME}/part-0.csv", csv(found))
    days = [r | {"mois": dt.date.fromisoformat(f"{r['mois']}-01")} for r in records()[3:]]
    write(folder, f"{NAME}/part-1.parquet", parquet(days))


@pytest.mark.parametrize(
    "write_it",
    [as_spark, one_file, compressed, shuffled_parquet, partitioned, rounded_and_folded,
     inferred_months],
)  # fmt: skip
def test_any_form_of_the_right_rows_is_right(
    tmp_path: Path, write_it: Callable[[Path], None]
) -> None:
    write_it(tmp_path)
    assert judge(tmp_path) == Finding(1.0, f"{NAME} : 6 ligne(s), toutes justes.")


@pytest.mark.parametrize(
    ("change", "ratio", "message"),
    [
        (lambda r: r[:-1], 0.0, "1 ligne(s) manquent"),
        (lambda r: [*r, r[0] | {"mois": "2026-01"}], 0.0, "1 ligne(s) de trop"),
        (lambda r: [*r, r[0]], 0.0, "1 ligne(s) en double"),
        (lambda r: [x | {"ca": float("nan")} for x in r], 0.5, "« ca » est fausse sur 6"),
        (lambda r: [x | {"ca": None} for x in r], 0.5, "« ca » est fausse sur 6"),
        (lambda r: [r[0] | {"nb_transactions": 1}, *r[1:]], 0.5, "fausse sur 1 ligne(s) de 6"),
        (lambda r: [x | {"ca": x["ca"] * 1.001} for x in r], 0.5, "« ca » est fausse sur 6"),
        (lambda r: [x | {"ca": 1, "nb_transactions": 1} for x in r], 0.0, "nb_transactions"),
    ],
)
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_wrong_rows_are_told_apart(
    tmp_path: Path, form: str, change: Callable[[Any], Records], ratio: float, message: str
) -> None:
    changed = change(records())
    write(tmp_path, f"{NAME}/part-0.{form}", csv(changed) if form == "csv" else parquet(changed))
    finding = judge(tmp_path)
    assert finding.ratio == ratio
    assert message in finding.message


def test_a_wrong_figure_is_shown_with_its_place(tmp_path: Path) -> None:
    changed = [records()[0] | {"ca": 12.5}, *records()[1:]]
    write(tmp_path, f"{NAME}/part-0.csv", csv(changed))
    finding = judge(tmp_path)
    assert finding.seen == "segment_client = etudiant, mois = 2025-01 : ca = 12,5"
    assert "1\u202f000\u202f000,25" in finding.wanted


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "n'existe pas (il y a : rien)"),
        ({"ca/part-0.csv": "a"}, "n'existe pas (il y a : ca)"),
        ({f"{NAME}/_SUCCESS": ""}, "est vide : aucun fichier de données"),
        ({f"{NAME}/_temporary/0/part-0.csv": "a"}, "l'écriture n'a pas abouti"),
        ({f"{NAME}/part-0.json": "{}"}, "est en JSON"),
        ({f"{NAME}/part-0.csv": "étudiant,2025-01,1,2\n"}, "écrivez l'en-tête avec header=True"),
        (
            {f"{NAME}/part-0.csv": "segment_client,mois,ca\n"},
            "absente(s) de la première ligne : nb_",
        ),
        ({f"{NAME}/part-0.csv": b"mois\n\xe9\n"}, "ligne 2 : le fichier n'est pas en UTF-8"),
        ({f"{NAME}/part-0.csv": csv([dict.fromkeys(COLUMNS, 1)]) + "1,2\n"}, "ligne 3 : 2 champs"),
        ({f"{NAME}/part-0.csv": ",".join(COLUMNS) + "\n" + "x" * 200_000}, "CSV illisible"),
        ({f"{NAME}/part-0.csv": "x" * 200_000}, "CSV illisible"),
        ({f"{NAME}/part-0.csv.gz": b"\x1f\x8bjunk"}, "gzip illisible"),
        ({f"{NAME}/part-0.parquet": b"PAR1junk"}, "Parquet illisible"),
        ({f"{NAME}/part-0.parquet": parquet([{"ca": 1}])}, "colonne(s) absente(s) : mois"),
        ({f"{NAME}/part-0.parquet": parquet([{name: [1] for name in COLUMNS}])}, "structures"),
    ],
)
def test_what_cannot_be_read_is_the_students_fault_with_its_place(
    tmp_path: Path, files: Mapping[str, str | bytes], message: str
) -> None:
    for name, data in files.items():
        write(tmp_path, name, data)
    with pytest.raises(StackError) as caught:
        rows(look(tmp_path), NAME, COLUMNS)
    assert message in str(caught.value)


def test_links_lead_nowhere(tmp_path: Path) -> None:
    outside = tmp_path / "ailleurs"
    as_spark(outside)
    inside = tmp_path / "resultats"
    (inside / NAME).mkdir(parents=True)
    (inside / NAME / "part-0.csv").symlink_to(outside / NAME / "part-00000-c000.csv")
    (inside / "ca_region_mois").symlink_to(outside)
    os.mkfifo(inside / NAME / "part-1.csv")
    assert look(inside).sizes == {}


def test_reading_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many = [{"segment_client": "a", "mois": n, "ca": 1, "nb_transactions": 1} for n in range(50)]
    write(tmp_path / "lignes", f"{NAME}/part-0.csv", csv(many))
    write(tmp_path / "parquet", f"{NAME}/part-0.parquet", parquet(many))
    write(tmp_path / "gzip", f"{NAME}/part-0.gz", gzip.compress(b"a" * 100_000))
    write(tmp_path / "octets", f"{NAME}/part-0.csv", "a" * 100_000)
    for n in range(60):
        write(tmp_path / "parties", f"{NAME}/part-{n}.csv", "")
    monkeypatch.setattr(spark_results, "ROWS_MOST", 40)
    monkeypatch.setattr(spark_results, "BYTES_MOST", 90_000)
    monkeypatch.setattr(spark_results, "FILES_MOST", 50)
    for name, message in {
        "lignes": "plus de 40 lignes",
        "parquet": "50 lignes",
        "gzip": "une fois décompressé",
        "octets": "dépasse",
        "parties": "60 fichiers, 50 au plus",
    }.items():
        with pytest.raises(OutOfBounds, match=message):
            rows(look(tmp_path / name), NAME, COLUMNS)
    monkeypatch.setattr(spark_results, "FILES_MOST", 10)
    with pytest.raises(OutOfBounds, match="plus de 40 fichiers"):
        look(tmp_path / "parties")


def test_a_long_text_shared_by_many_rows_is_not_multiplied(tmp_path: Path) -> None:
    table = pa.table({"segment_client": ["a" * 100_000] * 1_000, "mois": ["m"] * 1_000,
                      "ca": [1.0] * 1_000, "nb_transactions": [1] * 1_000})  # fmt: skip
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    write(tmp_path, f"{NAME}/part-0.parquet", sink.getvalue().to_pybytes())
    with pytest.raises(OutOfBounds, match="valeur de 100000 caractères"):
        rows(look(tmp_path), NAME, COLUMNS)


def test_event_logs_are_found_rolled_or_not(tmp_path: Path) -> None:
    for n in (10, 2):
        write(tmp_path, f"journal/eventlog_v2_app-1-0000/events_{n}_app-1-0000.zstd", "")
    write(tmp_path, "journal/eventlog_v2_app-1-0000/appstatus_app-1-0000", "")
    write(tmp_path, "local-17.inprogress", "")
    logs = spark_results.event_logs(look(tmp_path))
    assert [p.name[:9] for p in logs["app-1-0000"]] == ["events_2_", "events_10"]
    assert [p.name for p in logs["local-17"]] == ["local-17.inprogress"]


@pytest.mark.parametrize(
    ("value", "wanted"),
    [("1 234,5", 1234.5), ("12.50 €", 12.5), (7, 7.0), ("1e3", 1000.0), ("", None), ("nan", None),
     (float("inf"), None), (None, None), ("douze", None), ("9" * 1_100, None)],
)  # fmt: skip
def test_numbers_as_french_students_write_them(value: object, wanted: float | None) -> None:
    assert number(value) == (pytest.approx(wanted) if wanted is not None else None)
