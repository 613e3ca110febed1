"""What an export tells by itself, without a server: dataset, charts, sections and filters."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from graders.statics import fold
from graders.text import one_line
from graders.tools.superset import queries
from graders.tools.superset.board import Board
from graders.tools.superset.export import Document, Export
from graders.tools.superset.match import TARGETS
from graders.tools.superset.shapes import items, mapping, text

COLUMNS = ("date", "produit", "categorie", "quantite", "prix_unitaire", "client_id",
           "montant_total")  # fmt: skip
SECTIONS = 3
_WORDS: Mapping[str, tuple[str, ...]] = {
    "ca_mensuel": ("date", "mois", "month", "jour"),
    "evolution": ("date", "mois", "month", "jour", "semaine"),
    "par_categorie": ("categor",),
    "top_produits": ("produit", "product"),
    "activite_clients": ("client",),
}
_REVENUE = ("ca_mensuel", "evolution", "par_categorie", "top_produits")
_VALUES = re.compile(r"\bvalues\s*\(|\bunion\s+all\s+select\s+['\d]", re.IGNORECASE)
_JINJA = re.compile(r"\{\{|\{%")


def dataset(export: Export) -> tuple[float, list[str]]:
    """Return how much of the dataset is as asked, and what is wrong with it."""
    found = list(export.all("datasets").values())
    if not found:
        return 0.0, ["l'export ne contient aucun jeu de données"]
    ratio, told = max((_one_dataset(d) for d in found), key=lambda pair: pair[0])
    return ratio, [*told, *(odd for d in found for odd in _sql(text(d.get("sql"))))]


def _one_dataset(document: Document) -> tuple[float, list[str]]:
    columns = {
        fold(text(c.get("column_name"))): c
        for c in map(mapping, items(document.get("columns"))[:500])
    }
    missing = [c for c in COLUMNS if c not in columns]
    told = [f"colonnes absentes : {', '.join(missing)}"] if missing else []
    ratio = 0.6 * (1 - len(missing) / len(COLUMNS))
    if mapping(columns.get("date")).get("is_dttm") is True:
        ratio += 0.4
    elif "date" in columns:
        told.append("« date » n'est pas temporelle (jeu de données, onglet Columns, Is temporal)")
    return ratio, told


def _sql(sql: str) -> Iterator[str]:
    if _JINJA.search(sql):
        yield ("le SQL du jeu de données contient du Jinja ({{ … }}), que Superset laisse tel quel "
               "sans ENABLE_TEMPLATE_PROCESSING")  # fmt: skip
    if _VALUES.search(sql):
        yield "le SQL du jeu de données contient des valeurs écrites en dur"


def charts(export: Export) -> tuple[float, list[str]]:
    """Return the share of the asked charts that are there by type, columns and metric."""
    there = [
        (text(c.get("viz_type")), mapping(c.get("params")))
        for c in export.all("charts").values()
        if not _foreign(export, text(c.get("dataset_uuid")))
    ]
    saved = expressions(export)
    told, points = [], 0.0
    for target in TARGETS[:5]:
        words = _WORDS[target.id]
        fit = [p for viz, p in there if queries.family(viz, p) in target.families
               and any(w in _dimensions(p, viz) for w in words)]  # fmt: skip
        kinds = " ou ".join(target.families)
        if not fit:
            column = next((c for c in COLUMNS if c.startswith(words[0])), words[0])
            told.append(f"{target.title} : aucun graphique ({kinds}) sur « {column} »")
        elif target.id in _REVENUE and not any(_is_revenue(p, saved) for p in fit):
            points += 0.5
            told.append(f"{target.title} : la métrique ne somme pas montant_total")
        else:
            points += 1.0
    single = sum(queries.family(viz, p) == "chiffre" for viz, p in there)
    if single < 3:
        told.append(f"{single} grand(s) nombre(s) (Big Number) au lieu de 3")
    return (points + min(3, single)) / 8, told


def _foreign(export: Export, uuid: str) -> bool:
    """Tell whether a chart is on a dataset of the export that has nothing of the sales."""
    for document in export.all("datasets").values():
        if text(document.get("uuid")) == uuid:
            columns = {
                text(c.get("column_name")) for c in map(mapping, items(document.get("columns")))
            }
            return len(columns & set(COLUMNS)) < 2
    return False


def _dimensions(params: Mapping[str, Any], viz: str) -> str:
    keys = ("x_axis", "groupby", "columns", "all_columns", "granularity_sqla")
    told = [params.get(key) for key in keys if key != "granularity_sqla" or viz in queries.LINE]
    return fold(json.dumps(told, ensure_ascii=False)[:5_000])


def _is_revenue(params: Mapping[str, Any], saved: Mapping[str, str]) -> bool:
    metrics = [*items(params.get("metrics")), params.get("metric")]
    for metric in filter(None, metrics):
        told = saved.get(metric, metric) if isinstance(metric, str) else json.dumps(metric)
        simple = mapping(metric)
        if simple.get("expressionType") == "SIMPLE":
            column = text(mapping(simple.get("column")).get("column_name"))
            told = f"{text(simple.get('aggregate'))}({column})"
        told = fold(told).replace(" ", "")
        if "sum(" in told and ("montant_total" in told or "prix_unitaire" in told):
            return True
    return False


def expressions(export: Export) -> dict[str, str]:
    """Return the saved metrics of all datasets by name."""
    return {
        text(metric.get("metric_name")): text(metric.get("expression"))
        for document in export.all("datasets").values()
        for metric in map(mapping, items(document.get("metrics"))[:500])
    }


def filters(board: Board) -> tuple[float, list[str]]:
    """Return how much of the two filters and their scope is as asked."""
    told, ratio = [], 0.0
    asked = (
        ("de période (Time range)", board.filter("time")),
        ("de catégorie (Value, sur categorie)", board.filter("select", "categorie")),
    )
    for what, one in asked:
        if one is None:
            told.append(f"il n'y a pas de filtre natif {what}")
            continue
        missed = [p.name or f"graphique {p.id}" for p in board.charts if not one.reaches(p)]
        ratio += 0.5 if not missed else 0.25
        if missed:
            told.append(f"le filtre {what} n'atteint pas : {', '.join(missed[:5])}")
    return ratio, told


def foreign_categories(path: Path, own: set[str], known: set[str]) -> list[str]:
    """Return the categories of other teams' data that a report cites as its own.

    Only lines that speak of categories count: « Sport » or « Livres » are ordinary words too.
    """
    if not path.is_file():
        return []
    lines = path.read_text("utf-8", "replace")[:200_000].splitlines()
    cited = " \n".join(line for line in lines if "categorie" in fold(line))
    return sorted(
        one_line(name, 40) for name in known - own if re.search(rf"\b{re.escape(name)}\b", cited)
    )
