"""What the charts must show on one set of data, and what they show when made with a common slip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from datagen.sales_truths import Truths, truths

Values = Mapping[str, float]
REVENUE, SALES = "le chiffre d'affaires", "le nombre de lignes"
# Slips seen in real dashboards: what was aggregated in the place of what was asked.
_MEASURES: Mapping[str, tuple[str, str]] = {
    REVENUE: ("montant_total", "sum"),
    SALES: ("montant_total", "count"),
    "la quantité vendue": ("quantite", "sum"),
    "la somme des prix unitaires": ("prix_unitaire", "sum"),
    "la moyenne des montants": ("montant_total", "mean"),
    "la moyenne des prix unitaires": ("prix_unitaire", "mean"),
    "la moyenne des quantités": ("quantite", "mean"),
    "le plus grand montant": ("montant_total", "max"),
}


@dataclass(frozen=True)
class Figures:
    """The true answers, and the same groups under other measures; `sales` are the rows behind."""

    true: Truths
    sales: pd.DataFrame = field(repr=False)
    _groups: dict[str, Mapping[str, Values]] = field(default_factory=dict, repr=False)

    def by(self, column: str) -> Mapping[str, Values]:
        """Return the values of a column's groups (`mois` too), by measure."""
        if column not in self._groups:
            groups = self.sales.groupby(column)
            self._groups[column] = {
                name: {str(k): float(v) for k, v in groups[of].agg(how).items()}
                for name, (of, how) in _MEASURES.items()
            }
        return self._groups[column]

    @property
    def totals(self) -> Values:
        """Return each measure over the whole period."""
        return {name: values["tout"] for name, values in self.by("tout").items() if values}


def figures(csv: Path, month: str = "", category: str = "") -> Figures:
    """Return the figures of a `ventes.csv`, kept to a month and a category where given."""
    months, categories = ((month,) if month else ()), ((category,) if category else ())
    sales = _read(csv)
    kept = sales[
        (sales["mois"].eq(month) | (not month)) & (sales["categorie"].eq(category) | (not category))
    ]
    return Figures(truths(csv, months=months, categories=categories), kept)


def _read(csv: Path) -> pd.DataFrame:
    sales = pd.read_csv(csv)
    return sales.assign(mois=sales["date"].str[:7], tout="tout")


def scene(csv: Path, draw: int) -> tuple[str, str]:
    """Return a month and a category with several sales, drawn by `draw`."""
    counts = _read(csv).groupby(["mois", "categorie"])["produit"].agg(["size", "nunique"])
    rich = counts[(counts["size"] >= 5) & (counts["nunique"] >= 3)].index.tolist()
    month, category = sorted(rich or counts.index.tolist())[draw % len(rich or counts)]
    return str(month), str(category)
