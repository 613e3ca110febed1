"""Reports built by hand: one per way that a grading ends."""

from __future__ import annotations

import math
from dataclasses import replace

from graders.model import Criterion, Finding, Outcome, Plot, Report, Result, Stage, Status

MONTHS = tuple(f"2025-{m:02d}" for m in range(1, 13))
SALES = (81e3, 78e3, 92e3, 99e3, 104e3, 118e3, 142e3, 61e3, 110e3, 121e3, 163e3, 214e3)
PRODUCTS = ("Casque audio sans fil Nomade 2", "Clavier", "Écran 27 pouces", "Souris", "Webcam HD")

PROVENANCE = {
    "grader": "0.1.0",
    "rubric": "1-9f2c41d07be3",
    "submission": "c1d2e3f4a5b6c7d8e9f0a1b2c3d4e5f60718293a4b5c6d7e8f9fa0b1c2d3e4f5",
    "date": "2026-11-25T01:40:00+00:00",
    "seconds": 74.2,
    "seed": 8421337,
    "hidden_seed": 123456789,
    "runtime": "docker",
    "images": {"superset": "bareme/superset:6.1@sha256:0f1e2d"},
}


def result(
    name: str,
    title: str,
    status: Status,
    points: float,
    out_of: float,
    finding: Finding | None = None,
    *,
    stage: Stage = Stage.LIVE,
    seconds: float = 0.42,
) -> Result:
    ratio = points / out_of
    finding = finding or Finding(ratio)
    criterion = Criterion(name, title, out_of, "Relisez la partie correspondante de l'énoncé.")
    return Result(criterion, status, points, replace(finding, ratio=ratio), seconds, stage)


def report(outcome: Outcome, *results: Result, notices: tuple[str, ...] = ()) -> Report:
    return Report(
        exercise="01_superset",
        title="Superset : tableau de bord des ventes",
        team="les-entrepots",
        members=("Zoé Lefèvre", "Amine Haddad", "Nguyễn Thị Hà"),
        commit="3f9d2c1b7a6e5f4d3c2b1a0987654321fedcba98",
        outcome=outcome,
        results=results,
        out_of=sum(r.criterion.points for r in results),
        notices=notices,
        provenance=PROVENANCE,
    )


def good() -> Report:
    sales = Plot("Chiffre d'affaires par mois", MONTHS, SALES, SALES)
    top = (31240.5, 28110.0, 19870.0, 12004.0, 8990.0)
    products = Plot("Top des produits", PRODUCTS, top, top)
    return report(
        Outcome.GRADED,
        result("demarre", "La pile démarre et Superset répond", Status.PASSED, 2, 2, seconds=31.2),
        result(
            "ca_par_mois",
            "Chiffre d'affaires par mois",
            Status.PASSED,
            4,
            4,
            Finding(1, "Le graphique « CA mensuel » donne les bons nombres.", plots=(sales,)),
        ),
        result("top", "Top 10 des produits", Status.PASSED, 4, 4, Finding(1, plots=(products,))),
        result(
            "filtres",
            "Deux filtres natifs, bien reliés",
            Status.PARTIAL,
            2.5,
            5,
            Finding(
                0.5,
                "Le filtre de catégorie n'agit pas sur un graphique.",
                seen="categorie → 3 graphiques sur 4",
                wanted="categorie → 4 graphiques sur 4",
                hint="Dans les réglages du filtre, onglet « Portée », cochez « Évolution ».",
            ),
        ),
        result("donnees", "Suit les données remplacées", Status.PASSED, 5, 5, stage=Stage.DRILL),
        notices=("L'export a été trouvé sous le nom « mon dashboard (2).zip ».",),
    )


def bad() -> Report:
    seen = tuple(v * (0.5 if i % 3 else 1) for i, v in enumerate(SALES))
    monthly = Plot("Chiffre d'affaires par mois", MONTHS, SALES, (*seen[:6], math.nan, *seen[7:]))
    loss = Plot("Marge par produit", PRODUCTS, (31240.5, 28110, -9870, 0, 8990), (12.0, 28110, 5))
    same = "Superset n'a pas répondu en 180 s : le service « superset » s'est arrêté (code 137)."
    return report(
        Outcome.GRADED,
        result("demarre", "La pile démarre et Superset répond", Status.PASSED, 2, 2, seconds=31.2),
        result(
            "ca_par_mois",
            "Chiffre d'affaires par mois",
            Status.PARTIAL,
            1.33,
            4,
            Finding(
                0.33,
                "Le graphique « CA » a la bonne forme mais pas les bons nombres.",
                seen="COUNT(*) par mois : 812, 790, 931…",
                wanted="somme de montant par mois : 81 000 ; 78 000 ; 92 000…",
                hint="Classé par nombre de lignes et non par chiffre d'affaires.",
                plots=(monthly, loss),
            ),
        ),
        result("a", "Évolution du panier moyen", Status.FAILED, 0, 3, Finding(0, same)),
        result("b", "Activité des clients", Status.FAILED, 0, 3, Finding(0, same)),
        result(
            "filtres",
            "Deux filtres natifs, bien reliés",
            Status.SKIPPED,
            0,
            4,
            Finding(0, "Non vérifié : dépend de « Activité des clients »."),
        ),
        result("resultats", "Compte rendu rédigé", Status.FAILED, 0, 4, stage=Stage.STATIC),
    )


def refused() -> Report:
    why = (
        "compose.yaml:14: le service « superset » demande privileged: true. "
        "Retirez cette ligne. [privileged]\n"
        "compose.yaml:22: le montage /var/run/docker.sock donne le contrôle de la machine. "
        "Retirez ce volume. [bind-source]"
    )
    return report(
        Outcome.REFUSED,
        result("rendu", "Rendu complet", Status.PASSED, 1, 1, stage=Stage.STATIC, seconds=0.01),
        result(
            "resultats",
            "Compte rendu rédigé",
            Status.FAILED,
            0,
            3,
            Finding(0, "resultats.md n'a pas de partie « Anomalies »."),
            stage=Stage.STATIC,
        ),
        result("demarre", "La pile démarre", Status.FAILED, 0, 4, Finding(0, why), seconds=0),
        result("ca", "CA par mois", Status.FAILED, 0, 12, Finding(0, why), seconds=0),
        notices=("Les captures d'écran ont été trouvées un dossier trop haut.",),
    )


def to_regrade() -> Report:
    start = good()
    crash = result(
        "donnees",
        "Suit les données remplacées",
        Status.ERROR,
        0,
        5,
        Finding(
            0,
            "Erreur du correcteur ou de la machine : ce critère sera corrigé de nouveau.",
            seen="KeyError: 'SECRET-42'",
        ),
        stage=Stage.DRILL,
    )
    return replace(start, outcome=Outcome.TO_REGRADE, results=(*start.results[:-1], crash))


ALL = (good, bad, refused, to_regrade)
