"""Exercise 01: the dashboard « Analyse des ventes », judged by what its charts return."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from datagen import catalogue
from graders import statics
from graders.model import Finding, Work
from graders.statics import fold
from graders.suite import Suite
from graders.text import sentence
from graders.tools.superset import export as exports
from graders.tools.superset import findings, static
from graders.tools.superset.board import Board, board
from graders.tools.superset.export import HOW, TITLE, Export
from graders.tools.superset.figures import figures
from graders.tools.superset.session import (
    NOTHING,
    Session,
    categories,
    connect,
    is_sqlite,
    write_data,
)
from graders.tools.superset.shapes import text

INDICATORS = ("ca_total", "panier_moyen", "nb_transactions")
ENOUGH = 5  # recognised charts that make a dashboard
suite: Suite[Session] = Suite("01_superset", connect, write_data)


@suite.static()
def export(work: Work) -> Finding:
    """The submission holds Superset's own export: dashboard, charts, dataset and connection."""
    found = _export(work)
    if not found.form:
        return Finding(0.0, f"Aucun export de Superset dans le rendu. {HOW}")
    told = [*found.problems, *found.notices]
    if found.form not in ("zip", "folder"):
        return Finding(0.25 if found.dashboard else 0.0, sentence(told), found.where)
    counts = {kind: len(found.all(kind)) for kind in exports.KINDS}
    lacking = [kind for kind, count in counts.items() if not count]
    if lacking:
        told.append(f"il manque dans l'export : {', '.join(lacking)}")
    ratio = 1.0 - len(lacking) / len(exports.KINDS)
    if (found.problems or found.form == "folder") and ratio:
        ratio *= 0.5
    seen = f"{found.where} : " + ", ".join(f"{n} {kind}" for kind, n in counts.items())
    return Finding(ratio, sentence(told), seen)


@suite.static()
def jeu_de_donnees(work: Work) -> Finding:
    """The dataset has the columns of the sales, and `date` is temporal."""
    ratio, told = static.dataset(_export(work))
    return Finding(min(1.0, round(ratio, 3)), sentence(told))


@suite.static()
def graphiques(work: Work) -> Finding:
    """The asked charts are in the export, by type, columns and metric."""
    ratio, told = static.charts(_export(work))
    return Finding(ratio, sentence(told))


@suite.static()
def mise_en_page(work: Work) -> Finding:
    """The dashboard has its title, and its charts are laid out in three sections."""
    found = _export(work)
    if found.dashboard is None:
        return Finding(0.0, "L'export ne contient aucun tableau de bord.")
    shown = _board(work)
    told = []
    titled = fold(shown.title) == fold(TITLE)
    if not titled:
        told.append(f"le tableau de bord s'appelle « {shown.title[:80]} » et non « {TITLE} »")
    named = shown.named
    if len(named) < static.SECTIONS:
        told.append(f"{len(named)} section(s) avec un titre (Header) ou un onglet, suivi(e)s de "
                    f"graphiques, au lieu de {static.SECTIONS}")  # fmt: skip
    ratio = 0.4 * titled + 0.6 * min(1.0, len(named) / static.SECTIONS)
    return Finding(min(1.0, ratio), sentence(told), " ; ".join(named))


@suite.static()
def filtres(work: Work) -> Finding:
    """Two native filters, period and category, reach all charts of the dashboard."""
    shown = _board(work)
    if not shown.charts:
        return Finding(0.0, "Aucun graphique dans un tableau de bord : rien à filtrer.")
    ratio, told = static.filters(shown)
    return Finding(ratio, sentence(told), ", ".join(f.name for f in shown.filters))


@suite.static()
def reponses(work: Work) -> Finding:
    """The answers about the team's own data are right."""
    return statics.answers(work, lambda: _truths(work))


def _truths(work: Work) -> Mapping[str, Any]:
    true = figures(_csv(work)).true
    return {
        "ca_total": true.revenue,
        "panier_moyen": true.average_basket,
        "nb_transactions": true.sales,
        "meilleure_categorie": true.by_category[0][0],
        "produit_phare": true.by_product[0][0],
        "mois_anormal": true.lowest_month,
        "meilleur_client": true.by_client[0][0],
    }


@suite.static()
def resultats(work: Work) -> Finding:
    """resultats.md is written, and from the team's own data; its quality is the instructor's."""
    found = statics.report(work)
    own = categories(work.seed)
    path = work.submission.root / "resultats.md"
    if foreign := static.foreign_categories(path, own, set(catalogue.CATEGORIES)):
        told = f"Catégorie absente de vos données citée dans resultats.md : {', '.join(foreign)}."
        return Finding(found.ratio / 2, f"{found.message} {told}")
    return found


@suite.live()
def import_export(session: Session) -> Finding:
    """The export imports into the student's running Superset, whole."""
    found = session.export
    if session.refusal:
        return Finding(0.0, session.refusal, hint=findings.import_hint(session))
    if not found.importable:
        return Finding(0.0, f"{NOTHING} {HOW}")
    there = {chart.uuid for chart in session.charts}
    lost = [
        text(c.get("slice_name")) for c in found.all("charts").values()
        if text(c.get("uuid")) not in there
    ]  # fmt: skip
    if found.form == "server":
        return Finding(0.5, "Rien à importer dans le rendu : c'est le tableau de bord que la pile "
                       f"prépare elle-même qui est jugé. {HOW}")  # fmt: skip
    if lost:
        return Finding(0.5, f"Perdu(s) à l'import : {', '.join(lost[:5])}.")
    return Finding(1.0, seen=f"{len(there)} graphiques")


@suite.live()
def connexion(session: Session) -> Finding:
    """The connection is to SQLite, and the charts reach the data through it."""
    uris = [text(d.get("sqlalchemy_uri")) for d in session.export.all("databases").values()]
    if not session.charts:
        return Finding(0.0, NOTHING)
    if other := [u for u in uris if not is_sqlite(u)]:
        return Finding(0.0, "La connexion doit être au fichier SQLite ./donnees/ventes.db, et non "
                       f"« {other[0].split('@')[-1][:80]} ».")  # fmt: skip
    answered = [s for s in session.seen if s.reply.queries]
    if not answered:
        why = findings.errors(session.seen)
        return Finding(0.0, f"Aucun graphique ne répond. {why}", session.moved)
    told = f"Chemin corrigé : {session.moved}." if session.moved else ""
    return Finding(1.0, told, f"{len(answered)} graphiques répondent sur {len(session.seen)}")


@suite.live(connexion)
def ca_mensuel(session: Session) -> Finding:
    """A bar chart gives the revenue of each month."""
    return findings.chart(session, "ca_mensuel")


@suite.live(connexion)
def evolution(session: Session) -> Finding:
    """A line gives the revenue over time."""
    return findings.chart(session, "evolution")


@suite.live(connexion)
def par_categorie(session: Session) -> Finding:
    """A pie or sunburst gives the revenue of each category."""
    return findings.chart(session, "par_categorie")


@suite.live(connexion)
def top_produits(session: Session) -> Finding:
    """A sorted table or bar chart gives the ten products that bring in most."""
    return findings.chart(session, "top_produits")


@suite.live(connexion)
def activite_clients(session: Session) -> Finding:
    """A bar chart gives the activity of clients."""
    return findings.chart(session, "activite_clients")


@suite.live(connexion)
def indicateurs(session: Session) -> Finding:
    """Three big numbers give revenue, average basket and sales over the whole period."""
    parts = {name: findings.chart(session, name) for name in INDICATORS}
    told = [p.message for p in parts.values() if p.message]
    plots = tuple(plot for p in parts.values() if p.ratio < 1.0 for plot in p.plots)
    ratio = sum(p.ratio for p in parts.values()) / len(parts)
    hint = findings.hints(parts)
    return Finding(min(1.0, ratio), " ".join(told), hint=hint, plots=plots)


@suite.live(connexion)
def tableau_complet(session: Session) -> Finding:
    """The dashboard holds all recognised charts."""
    sound = session.sound
    if not sound:
        return Finding(0.0, "Aucun des graphiques demandés n'est reconnu.")
    absent = [seen.name for seen, _ in sound.values() if session.placed(seen.chart) is None]
    told = f"Hors du tableau de bord : {', '.join(absent)}." if absent else ""
    return Finding(_part(len(sound) - len(absent), len(sound)), told)


@suite.live(connexion)
def scenario_filtres(session: Session) -> Finding:
    """Under one month and one category, set as the filters would, the charts stay right."""
    sound = session.sound
    if not sound:
        return Finding(0.0, "Aucun des graphiques demandés n'est reconnu : rien à filtrer.")
    month, category = session.scene
    wrong = []
    for target, (seen, before) in sound.items():
        after = session.filtered[target]
        if after.score < before.score:
            wrong.append(f"{seen.name} ({after.message})" if after.message else seen.name)
    told = f"Filtres réglés sur {month} et « {category} »"
    told += f" : ne suivent pas {' ; '.join(wrong[:4])}." if wrong else " : tout suit."
    return Finding(_part(len(sound) - len(wrong), len(sound)), told)


@suite.drill(connexion)
def donnees_cachees(session: Session) -> Finding:
    """On hidden data put in the place of the team's, the charts follow."""
    if not session.found:
        return Finding(0.0, "Aucun graphique n'est juste sur vos données : rien à vérifier.")
    right, found = len(session.sound), len(session.found)
    stuck = [seen.name for t, (seen, _) in session.found.items() if t not in session.sound]
    told = f"Ne suivent pas les données : {', '.join(stuck)}." if stuck else ""
    told = told or f"{right} graphique(s) suivent d'autres données."
    return Finding(_part(right, found), told)


def _part(right: int, found: int) -> float:
    """Return the share of the recognised charts that hold; each unrecognised one costs elsewhere.

    A few charts right do not make a dashboard: below `ENOUGH`, the share is less.
    """
    return right / found * min(1.0, found / ENOUGH)


def _export(work: Work) -> Export:
    return _found(work.submission.root, work.submission.digest)


@cache
def _found(root: Path, _: str) -> Export:
    """Read an export once for all static checks of one submission."""
    return exports.find(root)


def _board(work: Work) -> Board:
    return board(_export(work).dashboard or {})


def _csv(work: Work) -> Path:
    """Return our own copy of the team's data, which no container sees."""
    folder = work.scratch / "questions"
    if not folder.exists():
        write_data(work.seed, folder)
    return folder / "ventes.csv"
