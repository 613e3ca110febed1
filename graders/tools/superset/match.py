"""Recognise charts by the numbers that they return: which chart answers what is asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from graders.tools.superset import judges
from graders.tools.superset.figures import Figures
from graders.tools.superset.judges import NEAR, UNSORTED, Seen, Verdict

Found = dict[str, tuple[Seen, Verdict]]


@dataclass(frozen=True, slots=True)
class Target:
    """A chart that the statement asks for, the types that suit it, and how its numbers are read."""

    id: str
    title: str
    families: tuple[str, ...]
    judge: Callable[[Seen, Figures], Verdict]


TARGETS = (
    Target("ca_mensuel", "CA par mois", ("barres",), judges.monthly),
    Target("evolution", "Évolution des ventes", ("courbe",), judges.evolution),
    Target("par_categorie", "Répartition du CA par catégorie", ("secteurs",), judges.by_category),
    Target("top_produits", "Top 10 des produits", ("tableau", "barres"), judges.top_products),
    Target("activite_clients", "Activité par client", ("barres",), judges.by_client),
    Target("ca_total", "CA total", ("chiffre",),
           judges.total("CA total", lambda f: float(f.true.revenue))),
    Target("panier_moyen", "Panier moyen", ("chiffre",),
           judges.total("Panier moyen", lambda f: float(f.true.average_basket))),
    Target("nb_transactions", "Nombre de transactions", ("chiffre",),
           judges.total("Nombre de transactions", lambda f: float(f.true.sales))),
)  # fmt: skip
BY_ID = {target.id: target for target in TARGETS}


def assign(seen: Sequence[Seen], figures: Figures) -> tuple[Found, Found]:
    """Return the chart that answers each target, and the nearest try of the others.

    A chart answers one target only; those of a suitable type are given first.
    """
    judged = {(t.id, s.chart.id): t.judge(s, figures) for t in TARGETS for s in seen}
    found: Found = {}
    taken: set[int] = set()
    for least, suited in ((1.0, True), (UNSORTED, True), (1.0, False), (UNSORTED, False)):
        for target in TARGETS:
            for one in seen:
                verdict = judged[target.id, one.chart.id]
                fits = (one.family in target.families) is suited and verdict.score >= least
                if fits and target.id not in found and one.chart.id not in taken:
                    found[target.id] = (one, verdict)
                    taken.add(one.chart.id)
    tries: Found = {}
    for target in TARGETS:
        left = [(s, judged[target.id, s.chart.id]) for s in seen if s.chart.id not in taken]
        near = [(s, v) for s, v in left if v.near >= NEAR]
        if target.id not in found and near:
            tries[target.id] = max(near, key=lambda p: (p[1].near, p[0].family in target.families))
    return found, tries
