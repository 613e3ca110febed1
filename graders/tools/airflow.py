"""Exercise 06: a daily sales pipeline in Airflow, run for days good and bad."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from datagen import daily, daily_truths
from graders import statics
from graders.clients.airflow_rows import ImportFailure
from graders.errors import ApiError
from graders.model import Finding, Work
from graders.suite import Suite, expect
from graders.text import sentence
from graders.tools import airflow_local, airflow_roles, airflow_source
from graders.tools.airflow_judge import changes, exactly, spoiled, unread
from graders.tools.airflow_session import Session, connect

RETRY_DELAY = 30.0  # seconds: the statement's maximum, so that nobody waits for five minutes
USUAL = {
    "timeout": "le fichier est trop long à lire : rien de long ne se fait hors des tâches",
    "Cycle": "des tâches dépendent les unes des autres en rond",
    "ModuleNotFoundError": "ce module n'est pas installé là où tourne Airflow",
    "ImportError": "ce nom n'existe pas dans ce module",
    "unexpected keyword argument": "cet argument n'existe pas, ou plus",
    "SyntaxError": "erreur de syntaxe Python",
}
_DAILY = re.compile(r"(\d+ \d+ \* \* \*|@daily|1 day, 0:00:00)")


def write_data(seed: int, folder: Path) -> None:
    """Write the team's files in the place of what lies in `folder`/raw."""
    for old in (folder / daily.FOLDER).glob("*.csv"):  # the folder stays: it may be mounted
        old.unlink()
    daily.write(seed, folder)


suite: Suite[Session] = Suite("06_airflow", connect, write_data, embedded=airflow_local.INSTALLED)


@suite.static()
def architecture(work: Work) -> Finding:
    """architecture.md has its headings and its length."""
    asked = work.rubric.options["architecture"]
    path = work.submission.root / "architecture.md"
    return statics.written(path, asked["headings"], asked["words"])


@suite.static()
def code_airflow3(work: Work) -> Finding:
    """The DAG is written in the forms of Airflow 3; each older one is shown with its line."""
    sources = airflow_source.read(work.submission.root / "dags")
    if problem := work.submission.problems.get("dags"):
        return Finding(0.0, problem)
    advice = [str(h) for h in sources.habits if not h.breaks]
    wrong = [*sources.broken, *(str(h) for h in sources.habits if h.breaks)]
    if wrong:
        return Finding(0.0, "À corriger : " + " ; ".join([*wrong, *advice][:15]) + ".")
    if not sources.dags:
        return Finding(0.0, "Aucun fichier de dags/ ne définit de DAG.")
    return Finding(1.0, ("Conseil : " + " ; ".join(advice[:5]) + ".") if advice else "")


@suite.static()
def reponses(work: Work) -> Finding:
    """The answers are those of the team's own files."""
    return statics.answers(work, lambda: _truths(work))


def _truths(work: Work) -> Mapping[str, Any]:
    folder = work.scratch / "questions"
    if not folder.exists():
        daily.write(work.seed, folder)
    truths = daily_truths.truths(folder)
    return {
        "lignes_chargees": truths.rows,
        "lignes_rejetees": truths.rejected,
        "ca_total": truths.revenue,
        "meilleur_jour": truths.best_day,
        "jour_corrompu": truths.corrupt,
        "jour_absent": truths.missing,
    }


@suite.static()
def resultats(work: Work) -> Finding:
    """resultats.md has its headings and its length; its quality is the instructor's to judge."""
    return statics.report(work)


@suite.live()
def import_dag(session: Session) -> Finding:
    """No file of dags/ fails to import; each that does is shown with its line."""
    if session.failures:
        shown = " ; ".join(explained(f) for f in session.failures[:8])
        hints = airflow_source.read(session.work.submission.root / "dags").habits
        hint = " ; ".join(str(h) for h in hints if h.breaks)
        return Finding(0.0, f"Import impossible : {shown}.", hint=hint[:1500])
    try:
        _ = session.dag  # a folder without the DAG imports without an error too
    except ApiError as error:
        return Finding(0.0, str(error), hint=f'Donnez-lui cet identifiant : "{session.dag_id}".')
    return Finding(1.0)


@suite.live()
def dag(session: Session) -> Finding:
    """The DAG has its id, and a chain extract, transform, load, notify."""
    tasks = session.tasks
    names = ", ".join(t.id for t in tasks[:20])
    if len(tasks) >= len(airflow_roles.CHAIN) and airflow_roles.chained(tasks):
        return Finding(1.0, seen=names)
    found = airflow_roles.found(tasks)
    missing = [part for part in airflow_roles.CHAIN if part not in found]
    if missing:
        message = f"Aucune tâche ne correspond à : {', '.join(missing)}."
    else:
        message = "Les tâches sont là, mais pas en chaîne extract → transform → load → notify."
    return Finding(len(found) / 8, message, names, " → ".join(airflow_roles.CHAIN))


@suite.live()
def planification(session: Session) -> Finding:
    """The DAG runs once a day, and does not catch up."""
    seen = session.dag
    every_day = _DAILY.fullmatch(seen.schedule) is not None
    wrong = [] if every_day else [f"la planification est « {seen.schedule or 'aucune'} »"]
    if seen.catchup is not False:
        wrong.append("catchup n'est pas désactivé")
    first = session.plan.first
    if seen.start is not None and seen.start.date() > first:
        wrong.append(f"start_date ({seen.start.date()}) vient après votre premier jour ({first})")
    return expect(not wrong, sentence(wrong), seen=seen.schedule)


@suite.live()
def robustesse(session: Session) -> Finding:
    """Tasks retry soon, and the DAG has tags and a description."""
    seen, tasks = session.dag, session.tasks
    once = [t.id for t in tasks if t.retries < 1 and airflow_roles.role(t.id) != "notify"]
    slow = [t.id for t in tasks if t.retries >= 1 and t.retry_delay > RETRY_DELAY]
    wrong = [f"sans retries : {', '.join(once[:8])}"] if once else []
    if slow:
        wrong.append(f"retry_delay de plus de {RETRY_DELAY:g} s : {', '.join(slow[:8])}")
    wrong += [] if any(seen.tags) else ["pas de tags"]
    wrong += [] if seen.description.strip() else ["pas de description"]
    return Finding(max(0.0, 1 - len(wrong) / 3), sentence(wrong))


@suite.live()
def execution(session: Session) -> Finding:
    """A run for a day of the team's data succeeds."""
    seen = session.first.seen
    hint = ""
    if seen.state != "success":
        habits = airflow_source.read(session.work.submission.root / "dags").habits
        hint = " ; ".join(str(h) for h in habits if h.breaks)[:1500]
    return expect(seen.state == "success", f"Exécution du {seen}.", seen=seen.state, hint=hint)


@suite.live(execution)
def entrepot(session: Session) -> Finding:
    """After D, the table holds exactly the cleaned rows of D."""
    step = session.first
    return exactly(session, step.table, step.table.rows, step.seen)


@suite.live(execution)
def idempotence(session: Session) -> Finding:
    """A second run for D leaves the table as it was."""
    before, after = session.first.table, session.again.table
    seen = session.again.seen
    if not before.rows:
        return unread(before)
    if seen.state != "success":
        return Finding(0.0, f"La seconde exécution du {seen}.")
    more, fewer = changes(before.rows, after.rows)
    changed = f"Rejouer le {seen.day} change la table : {more} ligne(s) de plus, {fewer} de moins."
    return expect(
        not more and not fewer,
        changed if more or fewer else "",
        seen=f"{len(after.rows)} lignes",
        wanted=f"{len(before.rows)} lignes",
    )


@suite.live(execution)
def jour_suivant(session: Session) -> Finding:
    """D' after D adds the rows of D' and nothing else."""
    before, after = session.again.table, session.second.table
    seen = session.second.seen
    if seen.state != "success":
        return Finding(0.0, f"Exécution du {seen}.")
    if not before.rows:
        return unread(before)
    _, fewer = changes(before.rows, after.rows)
    added = Counter(after.rows) - Counter(before.rows)
    own = session.ids(seen.day)
    foreign = sum(n for row, n in added.items() if row[0] not in own)
    wrong = []
    if fewer:
        wrong.append(f"{fewer} ligne(s) du {session.days[0]} ont disparu ou changé")
    if foreign:
        wrong.append(f"{foreign} ligne(s) ajoutées ne sont pas du {seen.day}")
    if not added:
        wrong.append(f"aucune ligne du {seen.day} n'est arrivée")
    said = f"Après le {seen.day} : {' ; '.join(wrong)}." if wrong else ""
    return expect(not wrong, said, seen=f"{len(after.rows)} lignes")


@suite.drill(execution)
def jour_corrompu(session: Session) -> Finding:
    """The corrupt day loads nothing, and is retried then fails, or takes the quality branch."""
    drills = session.drills
    seen = drills.corrupt
    if problem := spoiled(session, drills.table, seen):
        return problem
    if not seen.failed:
        return Finding(1.0, f"Le chargement est écarté. {seen}.")
    retried = any(t.state == "up_for_retry" or t.attempt >= 2 for t in seen.failed)
    return Finding(
        1.0 if retried else 0.5, "" if retried else f"La tâche échoue sans être rejouée. {seen}."
    )


@suite.drill(execution)
def jour_absent(session: Session) -> Finding:
    """The missing day is reported, and not loaded as an empty one."""
    drills = session.drills
    return spoiled(session, drills.table, drills.missing) or Finding(1.0)


@suite.drill(execution)
def jour_cache(session: Session) -> Finding:
    """A day that nobody has seen, with other dirt, is cleaned rightly."""
    drills = session.drills
    seen = drills.hidden
    if seen.state != "success":
        return Finding(0.0, f"Exécution d'un jour caché : {seen.state}. {seen.error}")
    own = session.ids(seen.day)
    rows = tuple(row for row in drills.table.rows if row[0] in own)
    return exactly(session, drills.table, rows, seen)


def explained(failure: ImportFailure) -> str:
    """Return an import error with, where it is a usual one, what it means."""
    meaning = next((m for sign, m in USUAL.items() if sign in failure.error), "")
    return f"{failure} ({meaning})" if meaning else str(failure)
