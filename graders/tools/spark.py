"""04_spark « Analyse des transactions »: a job judged by its results and how it found them."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Mapping
from typing import Any

from graders import statics
from graders.clients.spark import DRIVER
from graders.model import Finding, Work
from graders.suite import Suite, expect
from graders.text import number, one_line, sentence
from graders.tools import spark_roles
from graders.tools.spark_session import ROWS, Seen, Session, answers, connect, story, write_data

ENOUGH = 4  # results to have right before the hidden data proves anything
SENT_MOST = 512 << 10  # bytes to the driver: aggregates are far below, one column of rows above
OVERHEAD = 8 << 10  # bytes of a task's own report, which the driver always receives
LOCAL_MODE = "Non vérifié ici : sans Docker, le job tourne en mode local. Lancez la pile."


def _pyspark() -> bool:
    return importlib.util.find_spec("pyspark") is not None and shutil.which("java") is not None


suite = Suite("04_spark", connect, write_data, embedded=_pyspark())


@suite.static()
def structure(work: Work) -> Finding:
    """The stack is a cluster with a service that submits, and job.py is there."""
    complaints = spark_roles.complaints(work.submission.root)
    job = work.submission.root / "job.py"
    if not job.is_file():
        complaints.append("le fichier job.py est absent")
    if complaints:
        return Finding(0.0, sentence(complaints))
    # What does not parse is a job all the same: it costs the criteria of what it then doesn't do.
    tree = statics.python(job, job.name)
    broken = f" Mais il ne démarrera pas : {tree}." if isinstance(tree, str) else ""
    return Finding(1.0, f"Un master, un worker, un job.{broken}")


@suite.static()
def reponses(work: Work) -> Finding:
    """The answers about the team's own data are right."""
    return statics.answers(work, lambda: answers(work.seed))


@suite.static()
def performances(work: Work) -> Finding:
    """performances.md is written."""
    asked: Mapping[str, Any] = work.rubric.options["performances"]
    path = work.submission.root / "performances.md"
    return statics.written(path, asked["headings"], asked["words"])


@suite.static()
def resultats(work: Work) -> Finding:
    """resultats.md is written."""
    return statics.report(work)


@suite.live()
def execution(session: Session) -> Finding:
    """The job ends with 0 in its time."""
    ended = session.team.ended
    if ended.code is None:
        return Finding(0.0, f"Le job n'a pas fini en {session.job:g} s : {story(ended)}")
    if ended.code != 0:
        return Finding(0.0, f"Le job échoue : {story(ended)}")
    return Finding(1.0, f"Le job a réussi en {ended.seconds:.0f} s.")


@suite.live()
def cluster(session: Session) -> Finding:
    """Executors of the cluster, and not the driver, read the data and did the work."""
    seen = session.team
    log = seen.log
    if why := _elsewhere(seen) or seen.no_log:
        return Finding(0.0, why)
    assert log is not None  # noqa: S101 - else `no_log` says why
    real = session.runner.executors(log.application) & log.executors
    tasks = sum(n for executor, n in log.tasks.items() if executor in real)
    read = sum(n for executor, n in log.read.items() if executor in real)
    if not tasks:
        return Finding(0.0, "Aucune tâche n'a été faite par un exécuteur du worker.")
    return expect(
        read >= ROWS,
        f"{len(real)} exécuteur(s), {log.stages} étapes, {tasks} tâches."
        if read >= ROWS
        else "Les données n'ont pas toutes été lues par les exécuteurs : lisez-les avec Spark.",
        seen=f"{number(read)} lignes lues par les exécuteurs",
        wanted=f"{number(ROWS)} transactions",
    )


def _elsewhere(seen: Seen) -> str:
    """Return why the job did not run on the cluster, by the master's account; or nothing."""
    there, log = seen.ended.applications, seen.log
    if there is None:
        return LOCAL_MODE
    if not there and seen.ended.code:
        return "Aucune application n'a été soumise au master : le job a échoué avant."
    if not there:
        return (
            "Aucune application n'a été soumise au master : le job a tourné en mode local, ou "
            "n'a pas démarré Spark."
        )
    if log and log.application not in there:
        return (
            f"Le journal est celui de « {one_line(log.application, 40)} », que le master ne "
            "connaît pas : le job a tourné en mode local."
        )
    if log and (not log.master.startswith("spark://") or DRIVER in log.tasks):
        return f"Le job a tourné en mode « {one_line(log.master, 40)} » et non sur le cluster."
    return ""


@suite.live()
def collecte(session: Session) -> Finding:
    """The driver receives results, never the rows."""
    log = session.team.log
    if log is None:
        return Finding(0.0, session.team.no_log)
    if not log.tasks:
        return Finding(0.0, "Le journal ne contient aucune tâche : Spark n'a rien calculé.")
    sent = max(0, sum(log.sent.values()) - OVERHEAD * sum(log.tasks.values()))
    seen, most = (f"{number(size / (1 << 10), 0)} Kio" for size in (sent, SENT_MOST))
    return expect(
        sent <= SENT_MOST,
        "Le pilote n'a reçu que des agrégats."
        if sent <= SENT_MOST
        else f"Le pilote a reçu {seen} de lignes : collect(), toPandas() et toLocalIterator() les "
        "rapportent toutes sur une seule machine.",
        seen=seen,
        wanted=f"{most} au plus",
    )


@suite.live()
def ca_region_mois(session: Session) -> Finding:
    """The revenue by region and month is right."""
    return session.team.results["ca_region_mois"]


@suite.live()
def top_produits(session: Session) -> Finding:
    """The ten best products are right."""
    return session.team.results["top_produits"]


@suite.live()
def tendances_segment(session: Session) -> Finding:
    """The trend by segment and month is right."""
    return session.team.results["tendances_segment"]


@suite.live()
def anomalies(session: Session) -> Finding:
    """The transactions above mean + 3 standard deviations are found."""
    return session.team.results["anomalies"]


@suite.live()
def marge_categorie(session: Session) -> Finding:
    """The margin by category, which needs the join, is right."""
    return session.team.results["marge_categorie"]


@suite.drill()
def donnees_cachees(session: Session) -> Finding:
    """What is right on the team's data is right on hidden data too."""
    right = session.team.right
    if not right:
        return Finding(0.0, "Aucun résultat n'est juste sur vos données : rien à vérifier.")
    hidden = session.hidden
    if wrong := sorted(right - hidden.right):
        why = " ".join(hidden.results[name].message for name in wrong)
        failed = f" {story(hidden.ended)}" if hidden.ended.code != 0 else ""
        return Finding(0.0, f"Juste sur vos données, faux sur d'autres (valeurs écrites en dur ?) "
                       f": {why}{failed}")  # fmt: skip
    ratio = min(1.0, len(right) / ENOUGH)
    return Finding(ratio, f"{len(right)} résultat(s) juste(s) sur vos données et sur d'autres.")
