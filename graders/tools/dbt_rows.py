"""Compare the rows of a student's model with the expected ones, whatever database holds them.

Every value arrives as text (or None), from DuckDB as from PostgreSQL, and is read as the kind that
the statement gives its column: so both runtimes judge alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from datagen.shop_models import Kind, Model
from graders.statics import fold

CENT = 0.011  # tolerance on money: one cent, and the error of its binary form
_BOOLEANS = {"true": 1.0, "t": 1.0, "1": 1.0, "false": 0.0, "f": 0.0, "0": 0.0}


@dataclass(frozen=True, slots=True)
class Difference:
    """Why a model's rows are not the expected ones, in French, with one example."""

    message: str
    seen: str = ""
    wanted: str = ""


def column_name(name: str) -> str:
    """Return a column's name without accents, case or spaces."""
    return fold(name).replace(" ", "_").replace("-", "_")


def compare(model: Model, seen: pd.DataFrame, wanted: pd.DataFrame) -> Difference | None:
    """Return the first difference between two sets of rows, or None where there is none.

    The order of rows and columns is free, and so are more columns.
    """
    seen = seen.rename(columns=column_name)
    seen = seen.loc[:, ~seen.columns.duplicated()]
    if lacking := [c for c in model.columns if c not in seen.columns]:
        return Difference(
            f"colonne(s) absente(s) : {', '.join(lacking)}",
            ", ".join(map(str, seen.columns)),
            ", ".join(model.columns),
        )
    read: dict[str, pd.Series[float] | pd.Series[str]] = {}
    for name, kind in model.columns.items():
        read[name] = _parse(seen[name], kind)
        if (odd := seen[name].notna() & read[name].isna()).any():
            example = str(seen.loc[odd, name].iloc[0])[:60]
            return Difference(f"colonne {name} : « {example} » n'est pas {_NAMES[kind]}", example)
    expected = {n: _parse(_texts(wanted[n], k), k) for n, k in model.columns.items()}
    return _keys(model, read, expected) or _values(model, read, expected, seen)


_NAMES: Mapping[Kind, str] = {
    "integer": "un entier",
    "money": "un montant",
    "text": "un texte",
    "date": "une date (un jour, sans heure)",
    "boolean": "un booléen",
}

Columns = Mapping[str, "pd.Series[float] | pd.Series[str]"]


def _texts(values: pd.Series[str], kind: Kind) -> pd.Series[str]:
    """Write expected values as a database would."""
    if kind == "date":
        return pd.to_datetime(values).dt.strftime("%Y-%m-%d")
    return values.astype("string").astype(object)


def _parse(values: pd.Series[str], kind: Kind) -> pd.Series[float] | pd.Series[str]:
    """Read texts as a kind; what is not of the kind becomes null."""
    if kind in ("integer", "money"):
        numbers = pd.to_numeric(values, errors="coerce").astype("float64")
        return numbers if kind == "money" else numbers.where(numbers == numbers.round())
    texts = values.astype("string").str.strip()
    if kind == "boolean":
        return texts.str.lower().map(_BOOLEANS).astype("float64")
    if kind == "date":
        days = texts.str.replace(r"[ T]00:00:00(\.0+)?(\+00(:00)?)?$", "", regex=True)
        return days.where(days.str.fullmatch(r"\d{4}-\d{2}-\d{2}").fillna(value=False)).astype(
            object
        )
    return texts.astype(object)


def _keys(model: Model, seen: Columns, wanted: Columns) -> Difference | None:
    """Compare the number of rows and their keys."""
    key = model.key
    counts = f"{len(seen[key])} ligne(s)", f"{len(wanted[key])} ligne(s)"
    mine: set[Any] = set(wanted[key])
    theirs: set[Any] = set(seen[key].dropna())
    if lacking := sorted(mine - theirs):
        shown = ", ".join(_plain(k) for k in lacking[:3])
        return Difference(
            f"{len(lacking)} ligne(s) absente(s), par exemple {key} = {shown}", *counts
        )
    if extra := sorted(theirs - mine):
        shown = ", ".join(_plain(k) for k in extra[:3])
        return Difference(f"{len(extra)} ligne(s) de trop, par exemple {key} = {shown}", *counts)
    if len(seen[key]) != len(wanted[key]):
        return Difference(f"plusieurs lignes pour le même {key}, ou sans {key}", *counts)
    return None


def _values(model: Model, seen: Columns, wanted: Columns, texts: pd.DataFrame) -> Difference | None:
    """Compare the values of rows whose keys are the same."""
    mine = pd.DataFrame(dict(wanted)).set_index(model.key)
    theirs = pd.DataFrame(dict(seen)).set_index(model.key).reindex(mine.index)
    shown = texts.set_axis(pd.Index(seen[model.key]), axis=0)
    wrong: list[tuple[str, int]] = []
    example: tuple[str, str, str] | None = None
    for name, kind in model.columns.items():
        if name == model.key:
            continue
        same = mine[name].isna() & theirs[name].isna()
        if kind in {"text", "date"}:
            same |= mine[name] == theirs[name]
        else:
            same |= (mine[name] - theirs[name]).abs() <= (CENT if kind == "money" else 1e-9)
        if not same.all():
            wrong.append((name, int((~same).sum())))
            at = mine.index[~same][0]
            example = example or (_plain(at), str(shown.at[at, name]), _plain(mine.at[at, name]))
    if example is None:
        return None
    columns = ", ".join(f"{name} ({count} ligne(s))" for name, count in wrong)
    return Difference(
        f"valeurs fausses : {columns} ; par exemple {model.key} = {example[0]}",
        example[1],
        example[2],
    )


def _plain(value: object) -> str:
    """Show a parsed value: 12 and not 12.0, vide and not nan."""
    if pd.isna(value):  # type: ignore[call-overload]
        return "(vide)"
    return f"{value:.12g}" if isinstance(value, float) else str(value)
