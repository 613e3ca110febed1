# ruff: noqa: S608 - what is put into SQL here are numbers and dates of ours
"""The ten kinds of bad rows of the drill, and one harmless change as its control.

A fault is told once, in SQL that PostgreSQL and DuckDB both understand, about rows drawn from the
hidden data. Each breaks one rule only: where a bad row would also put an order's total out, the
total is corrected, so that the test of another rule does not catch it by luck.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

Tables = Mapping[str, pd.DataFrame]
Rng = np.random.Generator


@dataclass(frozen=True, slots=True)
class Fault:
    """Bad rows: what the student is told of them, the raw tables they touch, how they get there."""

    label: str
    tables: tuple[str, ...]
    statements: tuple[str, ...]


def draw(tables: Tables, seed: int, today: dt.date) -> tuple[Fault, tuple[Fault, ...]]:
    """Return the control, then the ten faults, on rows drawn from these tables."""
    rng = np.random.default_rng(seed)
    return _control(tables), tuple(make(tables, rng, today) for make in _MAKERS)


def _delivered(tables: Tables) -> pd.DataFrame:
    """Return the lines of delivered orders of two lines or more: no model leaves them out."""
    orders = tables["commandes"]
    lines = tables["details_commandes"]
    kept = lines.merge(orders[orders["statut"] == "livree"], on="commande_id")
    return kept[kept.groupby("commande_id")["detail_id"].transform("size") > 1]


def _one(values: pd.Series[int], rng: Rng) -> int:
    return int(rng.choice(values.unique()))


def _line(lines: pd.DataFrame, rng: Rng) -> dict[str, float]:
    row = lines.iloc[int(rng.integers(len(lines)))]
    return {k: float(row[k]) for k in ("detail_id", "commande_id", "quantite", "prix_unitaire")}


def _client_twice(tables: Tables, rng: Rng, _today: dt.date) -> Fault:
    one = _one(_delivered(tables)["client_id"], rng)
    return Fault(
        "client en double",
        ("clients",),
        (f"INSERT INTO brut.clients SELECT * FROM brut.clients WHERE client_id = {one}",),
    )


def _no_email(tables: Tables, rng: Rng, _today: dt.date) -> Fault:
    one = _one(_delivered(tables)["client_id"], rng)
    return Fault(
        "e-mail absent",
        ("clients",),
        (f"UPDATE brut.clients SET email = NULL WHERE client_id = {one}",),
    )


def _orphan(tables: Tables, rng: Rng, _today: dt.date) -> Fault:
    one = _one(_delivered(tables)["commande_id"], rng)
    nobody = int(tables["clients"]["client_id"].max()) + 1000
    return Fault(
        "commande orpheline",
        ("commandes",),
        (f"UPDATE brut.commandes SET client_id = {nobody} WHERE commande_id = {one}",),
    )


def _negative(tables: Tables, rng: Rng, _today: dt.date) -> Fault:
    lines = _delivered(tables)
    change = lines["prix_unitaire"] * (lines["quantite"] + 1)
    line = _line(lines[lines["montant_total"] > change + 1], rng)
    less = round(line["prix_unitaire"] * (line["quantite"] + 1), 2)
    return Fault(
        "quantité négative",
        ("details_commandes", "commandes"),
        (
            "UPDATE brut.details_commandes SET quantite = -1 "
            f"WHERE detail_id = {line['detail_id']:.0f}",
            _total(line, f"- {less:.2f}"),
        ),
    )


def _free(tables: Tables, rng: Rng, _today: dt.date) -> Fault:
    one = _one(_delivered(tables)["produit_id"], rng)
    return Fault(
        "prix nul",
        ("produits",),
        (f"UPDATE brut.produits SET prix = 0 WHERE produit_id = {one}",),
    )


def _status(tables: Tables, rng: Rng, _today: dt.date) -> Fault:
    one = _one(_delivered(tables)["commande_id"], rng)
    return Fault(
        "statut inconnu",
        ("commandes",),
        (f"UPDATE brut.commandes SET statut = 'perdue' WHERE commande_id = {one}",),
    )


def _wrong_total(tables: Tables, rng: Rng, _today: dt.date) -> Fault:
    line = _line(_delivered(tables), rng)
    return Fault("total différent de ses lignes", ("commandes",), (_total(line, "+ 12.34"),))


def _future(tables: Tables, rng: Rng, today: dt.date) -> Fault:
    one = _one(_delivered(tables)["commande_id"], rng)
    day = today + dt.timedelta(days=40)
    return Fault(
        "date dans le futur",
        ("commandes",),
        (f"UPDATE brut.commandes SET date_commande = DATE '{day}' WHERE commande_id = {one}",),
    )


def _line_twice(tables: Tables, rng: Rng, _today: dt.date) -> Fault:
    line = _line(_delivered(tables), rng)
    number = f"{line['detail_id']:.0f}"
    more = round(line["prix_unitaire"] * line["quantite"], 2)
    return Fault(
        "ligne en double",
        ("details_commandes", "commandes"),
        (
            "INSERT INTO brut.details_commandes "
            f"SELECT * FROM brut.details_commandes WHERE detail_id = {number}",
            _total(line, f"+ {more:.2f}"),
        ),
    )


def _category(tables: Tables, rng: Rng, _today: dt.date) -> Fault:
    one = _one(_delivered(tables)["produit_id"], rng)
    return Fault(
        "catégorie inconnue",
        ("produits",),
        (f"UPDATE brut.produits SET categorie = 'Divers' WHERE produit_id = {one}",),
    )


_MAKERS: tuple[Callable[[Tables, Rng, dt.date], Fault], ...] = (
    _client_twice,
    _no_email,
    _orphan,
    _negative,
    _free,
    _status,
    _wrong_total,
    _future,
    _line_twice,
    _category,
)


def _total(line: Mapping[str, float], change: str) -> str:
    return (
        f"UPDATE brut.commandes SET montant_total = montant_total {change} "
        f"WHERE commande_id = {line['commande_id']:.0f}"
    )


def _control(tables: Tables) -> Fault:
    """Return a good order of a new client: tests that know the data by heart fail on it."""
    client = int(tables["clients"]["client_id"].max()) + 1
    order = int(tables["commandes"]["commande_id"].max()) + 1
    line = int(tables["details_commandes"]["detail_id"].max()) + 1
    product = tables["produits"].iloc[0]
    day = tables["commandes"]["date_commande"].max().date()
    price = f"{product['prix']:.2f}"
    return Fault(
        "une commande saine d'un nouveau client",
        ("clients", "commandes", "details_commandes"),
        (
            "INSERT INTO brut.clients SELECT "
            f"{client}, nom, prenom, 'nouveau.{client}@exemple.fr', ville, date_inscription "
            f"FROM brut.clients WHERE client_id = {client - 1}",
            "INSERT INTO brut.commandes VALUES "
            f"({order}, {client}, DATE '{day}', 'livree', {price})",
            "INSERT INTO brut.details_commandes VALUES "
            f"({line}, {order}, {int(product['produit_id'])}, 1, {price})",
        ),
    )
