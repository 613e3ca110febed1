"""Compare a result of the job with the expected one, as sets of rows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from graders.model import Finding
from graders.statics import fold
from graders.text import number as french
from graders.text import one_line
from graders.tools.spark_results import Row, number

RELATIVE, ABSOLUTE = 1e-6, 0.011  # amounts may be rounded to the cent
Key = tuple[str, ...]
_FIRST_DAY = re.compile(r"(\d{4}-\d{2})-01(?:[t ]00:00.*)?")


@dataclass(frozen=True, slots=True)
class Result:
    """What a result must hold: `keys` name a row, `measures` are compared with a tolerance."""

    keys: tuple[str, ...]
    measures: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns that are asked for."""
        return self.keys + self.measures


RESULTS: Mapping[str, Result] = {
    "ca_region_mois": Result(("region", "mois"), ("ca",)),
    "top_produits": Result(("produit_id", "nom_produit"), ("ca",)),
    "tendances_segment": Result(("segment_client", "mois"), ("ca", "nb_transactions")),
    "anomalies": Result(("transaction_id",), ("montant",)),
    "marge_categorie": Result(("categorie",), ("ca", "marge")),
}


def compare(name: str, seen: Collection[Row], truth: pd.DataFrame) -> Finding:
    """Judge the rows of a result: the right ones, each once, with the right figures.

    Where the rows are right, each measure gives its part of the ratio.
    """
    asked = RESULTS[name]
    wanted = {_key(row, asked): row for row in truth.to_dict("records")}
    counts = Counter(_key(row, asked) for row in seen)
    complaints = [
        f"{len(keys)} ligne(s) {what} (par exemple {_shown(asked, sorted(keys)[0])})"
        for what, keys in (
            ("manquent", wanted.keys() - counts.keys()),
            ("de trop", counts.keys() - wanted.keys()),
            ("en double", {k for k, n in counts.items() if n > 1}),
        )
        if keys
    ]
    if complaints:
        return Finding(0.0, f"{name} : {' ; '.join(complaints)}.", f"{len(seen)} lignes",
                       f"{len(wanted)} lignes")  # fmt: skip
    found = {_key(row, asked): row for row in seen}
    return _measures(name, asked, found, wanted)


def _measures(
    name: str, asked: Result, found: Mapping[Key, Row], wanted: Mapping[Key, Mapping[Any, Any]]
) -> Finding:
    wrong: dict[str, list[Key]] = {}
    for measure in asked.measures:
        bad = [k for k in wanted if not _close(found[k][measure], float(wanted[k][measure]))]
        if bad:
            wrong[measure] = sorted(bad)
    if not wrong:
        return Finding(1.0, f"{name} : {len(wanted)} ligne(s), toutes justes.")
    parts = [f"« {m} » est fausse sur {len(keys)} ligne(s) de {len(wanted)}"
             for m, keys in wrong.items()]  # fmt: skip
    measure, keys = next(iter(wrong.items()))
    place = _shown(asked, keys[0])
    return Finding(
        1.0 - len(wrong) / len(asked.measures),
        f"{name} : {' ; '.join(parts)}.",
        f"{place} : {measure} = {_figure(found[keys[0]][measure])}",
        f"{place} : {measure} = {french(float(wanted[keys[0]][measure]))}",
    )


def _key(row: Mapping[Any, Any], asked: Result) -> Key:
    return tuple(_text(row[column]) for column in asked.keys)


def _text(value: Any) -> str:
    """Return a key's text: 12 and 12.0 are the same product, 2025-03 and its first day a month."""
    text = fold(str(value)[:200])
    if month := _FIRST_DAY.fullmatch(text):  # what Spark's inferSchema makes of a month
        return month[1]
    return text.removesuffix(".0") if text.removesuffix(".0").isdigit() else text


def _shown(asked: Result, key: Key) -> str:
    return ", ".join(f"{c} = {one_line(v, 40)}" for c, v in zip(asked.keys, key, strict=True))


def _figure(value: Any) -> str:
    found = number(value)
    return french(found) if found is not None else f"« {one_line(value, 40)} »"


def _close(seen: Any, wanted: float) -> bool:
    found = number(seen)
    return found is not None and abs(found - wanted) <= max(ABSOLUTE, RELATIVE * abs(wanted))
