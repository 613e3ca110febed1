"""A session on a submission's job: two runs, the team's data then hidden data, and what they left.

The true results are computed while Spark is at work.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from datagen import registry, transactions, transactions_truths
from graders.clients.spark import Log, read_log
from graders.errors import ApiError, OutOfBounds, StackError
from graders.model import Finding, Work
from graders.suite import Say
from graders.text import one_line
from graders.tools import spark_results, spark_roles
from graders.tools.spark_compare import RESULTS, compare
from graders.tools.spark_runner import Ended, Local, Runner, opened

EXERCISE = "04_spark"
ROWS = 200_000  # of the graded run: enough to tell right from wrong, a quarter of the time
JOB = 600.0  # seconds of one run: several times what a slow machine needs
LOG_BYTES = 64 << 20  # of one file of an event log
Truths = Mapping[str, pd.DataFrame]
_FAULTS = (StackError, ApiError, OutOfBounds)


@dataclass(frozen=True, slots=True)
class Seen:
    """What one run left: how it ended, its event log, and the judgement of each result."""

    ended: Ended
    log: Log | None
    no_log: str  # why there is none
    results: Mapping[str, Finding]

    @property
    def right(self) -> set[str]:
        """Return the results that are the expected ones."""
        return {name for name, finding in self.results.items() if finding.ratio == 1.0}


class Session:
    """All that live checks and drills ask of one submission; each run is made once."""

    def __init__(self, work: Work, runner: Runner, data: Path, say: Say, job: float = JOB) -> None:
        self.work = work
        self.runner = runner
        self.data = data
        self.say = say
        self.job = job
        self.pool = ThreadPoolExecutor(1)
        self._hidden: Future[Truths] | None = None

    def close(self) -> None:
        """Let no thread outlive the session."""
        self.pool.shutdown(cancel_futures=True)

    @cached_property
    def team(self) -> Seen:
        """Run the job on the team's data."""
        self.runner.feed(self.data)
        truths = self.pool.submit(true_results, self.work.seed, ROWS)
        self._hidden = self.pool.submit(self._write_hidden)
        return self._run("le job tourne sur les données de l'équipe", truths)

    @cached_property
    def hidden(self) -> Seen:
        """Run the job on hidden data."""
        _ = self.team
        assert self._hidden is not None  # noqa: S101 - `team` has set it
        truths = self._hidden.result()
        self.runner.feed(self.work.hidden)
        done: Future[Truths] = Future()
        done.set_result(truths)
        return self._run("le job tourne sur des données cachées", done)

    def _write_hidden(self) -> Truths:
        shutil.rmtree(self.work.hidden, ignore_errors=True)
        registry.write(EXERCISE, self.work.hidden_seed, self.work.hidden, rows=ROWS, hidden=True)
        return true_results(self.work.hidden_seed, ROWS, hidden=True)

    def _run(self, what: str, truths: Future[Truths]) -> Seen:
        self.say(what)
        ended = self.runner.run(self.job)
        log, no_log = self._log(ended)
        wanted = truths.result()
        results = {name: self._judged(name, wanted[name]) for name in RESULTS}
        return Seen(ended, log, no_log, results)

    def _judged(self, name: str, truth: pd.DataFrame) -> Finding:
        try:
            folder = spark_results.look(self.runner.results)
            rows = spark_results.rows(folder, name, RESULTS[name].columns)
        except _FAULTS as error:
            return Finding(0.0, str(error))
        return compare(name, rows, truth)

    def _log(self, ended: Ended) -> tuple[Log | None, str]:
        """Return the event log of the run's application, or why there is none."""
        try:
            folder = spark_results.look(self.runner.results)
            logs = spark_results.event_logs(folder)
            # Of several, the master's application; a forged log beside it changes nothing.
            known = [a for a in logs if a in (ended.applications or ())]
            name = next(iter(known or sorted(logs)), "")
            if not name and ended.code:
                return None, "Le job a échoué avant d'écrire son journal d'événements."
            if not name:
                return None, (
                    "Aucun journal d'événements sous resultats : lancez spark-submit avec --conf "
                    "spark.eventLog.enabled=true et --conf "
                    "spark.eventLog.dir=file:///opt/spark/work-dir/resultats."
                )
            return read_log(folder.read(path, LOG_BYTES) for path in logs[name]), ""
        except _FAULTS as error:
            return None, str(error)


@contextmanager
def connect(work: Work, stack: Any, say: Say) -> Iterator[Session]:
    """Open a session on the student's cluster, or on this machine's PySpark without a stack."""
    # Our own copy: drills put other data in the folder that the stack has mounted.
    data = work.scratch / "equipe"
    if not data.is_dir():
        shutil.copytree(work.data, data)
    if stack is None:
        local = Local(work, work.scratch / "local")
        with closing(Session(work, local, data, say)) as session:
            yield session
        return
    parts = spark_roles.parts(stack.services)
    with (
        opened(work, stack, parts, say) as runner,
        closing(Session(work, runner, data, say)) as session,
    ):
        yield session


def write_data(seed: int, folder: Path) -> None:
    """Write the graded run's data: the team's, in fewer rows; once per folder."""
    if not (folder.is_dir() and any(folder.iterdir())):
        registry.write(EXERCISE, seed, folder, rows=ROWS)


@lru_cache(maxsize=4)
def true_results(seed: int, rows: int, *, hidden: bool = False) -> Truths:
    """Return the five expected results of a seed, from the same rows written as Parquet.

    Each of the five queries reads the file: columns make that ten times as fast as CSV.
    """
    with tempfile.TemporaryDirectory(prefix="bareme-") as place:
        folder = Path(place) / "donnees"
        registry.write(EXERCISE, seed, folder, rows=rows, format="parquet", hidden=hidden)
        return transactions_truths.truths(folder)


def answers(seed: int, rows: int = transactions.ROWS) -> Mapping[str, Any]:
    """Return the true answers to the statement's questions about the team's whole data."""
    truths = true_results(seed, rows)
    sales = truths["ca_region_mois"]

    def best(table: pd.DataFrame, by: str, measure: str = "ca") -> Any:
        return table.groupby(by)[measure].sum().idxmax()

    return {
        "ca_total": float(sales["ca"].sum()),
        "meilleure_region": best(sales, "region"),
        "meilleur_mois": best(sales, "mois"),
        "produit_vedette": truths["top_produits"]["nom_produit"].iloc[0],
        "segment_principal": best(truths["tendances_segment"], "segment_client"),
        "nb_anomalies": len(truths["anomalies"]),
        "categorie_la_plus_rentable": best(truths["marge_categorie"], "categorie", "marge"),
    }


# What Spark's log says, and what to do about it.
_HINTS = {
    "Initial job has not accepted any resources": "le cluster n'a pas de place pour le job : "
    "--executor-memory et --executor-cores doivent tenir dans ceux du worker",
    "PATH_NOT_FOUND": "lisez donnees/transactions.csv, monté dans submit et dans worker au même "
    "endroit",
    "PATH_ALREADY_EXISTS": "écrivez avec mode(\"overwrite\")",
    "Mkdirs failed to create": "montez ./resultats au même endroit dans submit et dans worker",
    "OutOfMemoryError": "mémoire insuffisante : agrégez avant d'écrire, ne rapportez pas les "
    "lignes au pilote",
    "File too large": "ce fichier est plus gros que ce que la pile a le droit d'écrire",
    "maxResultSize": "le pilote a reçu trop de données : pas de collect() ni de toPandas() sur les "
    "lignes",
    "UNRESOLVED_COLUMN": "une colonne n'existe pas sous ce nom",
    "ModuleNotFoundError": "ce module Python n'est pas dans l'image de Spark",
    "All masters are unresponsive": "l'adresse du master (--master) n'est pas la bonne",
}  # fmt: skip
_LINE = re.compile(r'File "[^"]*?(?P<file>[\w-]+\.py)", line (?P<line>\d+)')
_NOISE = re.compile(r"\d\d/\d\d/\d\d [\d:]{8} (?:INFO|DEBUG|TRACE) ")
_ERROR = re.compile(r"^(?:Caused by: )?[\w.$]*(?:Error|Exception|Interrupt|Exit)\b.*", re.MULTILINE)


def story(ended: Ended) -> str:
    """Return in French why a run failed: its state, the line of the job at fault, a hint."""
    parts = [ended.how]
    places = [m for m in _LINE.finditer(ended.log) if m["file"] == "job.py"]
    errors = _ERROR.findall(ended.log)
    if errors:
        place = f"job.py, ligne {places[-1]['line']} : " if places else ""
        parts.append(f"{place}« {one_line(errors[-1], 300)} »")
    elif said := [
        line for line in ended.log.splitlines() if line.strip() and not _NOISE.match(line)
    ]:
        parts.append(f"dernière ligne : « {one_line(said[-1], 200)} »")
    if hint := next((h for mark, h in _HINTS.items() if mark in ended.log), ""):
        parts.append(hint)
    return " ; ".join(parts) + "."
