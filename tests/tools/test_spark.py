"""The checks of 04 on a job that is played: what it wrote and logged decides, whatever it was."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from datagen import registry, transactions_truths
from graders import rubric
from graders.clients.spark import Cluster
from graders.errors import MachineError, OutOfBounds, StackError
from graders.model import Finding, Submission, Work
from graders.stack.evidence import ServiceState
from graders.tools import spark, spark_roles, spark_runner, spark_session
from graders.tools.spark_roles import Parts
from graders.tools.spark_runner import Ended, InStack, joined
from graders.tools.spark_session import Session, story
from tests.tools.test_spark_log import APP, Pages, task, text, whole

EXERCISE = Path(__file__).parents[2] / "exercises" / "04_spark"
ROWS = 3_000
Job = Callable[[Path, Path], None]  # data, results


def honest(data: Path, results: Path) -> None:
    """Write the right results, as a job would."""
    for name, table in transactions_truths.truths(data).items():
        (results / name).mkdir()
        table.to_csv(results / name / "part-00000.csv", index=False)


class Played:
    """A runner whose job is a Python function; the events of its log are given."""

    def __init__(self, results: Path, job: Job, events: list[Any] | None, **ended: Any) -> None:
        self.results = results
        self.job = job
        self.events = whole(task(read=ROWS)) if events is None else events
        self.ended = Ended(0, "submit : terminé, code 0", "", 1.0, {APP: "FINISHED"})
        self.ended = replace(self.ended, **ended)
        self.fed: list[Path] = []

    def feed(self, folder: Path) -> None:
        self.fed.append(folder)

    def executors(self, application: str) -> set[str]:
        return {"0"} if application == APP else set()

    def run(self, timeout: float) -> Ended:
        shutil.rmtree(self.results, ignore_errors=True)
        self.results.mkdir()
        self.job(self.fed[-1], self.results)
        if self.events:
            (self.results / APP).write_bytes(text(self.events))
        return self.ended


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("spark") / "donnees"
    registry.write("04_spark", 11, folder, rows=ROWS)
    return folder


@pytest.fixture
def work(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Work:
    monkeypatch.setattr(spark_session, "ROWS", ROWS)
    monkeypatch.setattr(spark, "ROWS", ROWS)
    root = tmp_path / "copie"
    shutil.copytree(EXERCISE / "starter", root)
    submission = Submission("04_spark", "demo", root, "", "0" * 64)
    made = Work(submission, rubric.load(EXERCISE), 11, 12, tmp_path)
    shutil.copytree(data, made.data)
    return made


Open = Callable[..., Session]


@pytest.fixture
def opened(work: Work) -> Iterator[Open]:
    sessions = []

    def open_(job: Job = honest, events: list[Any] | None = None, **ended: Any) -> Session:
        runner = Played(work.results, job, events, **ended)
        sessions.append(Session(work, runner, work.data, lambda _: None, job=60.0))
        return sessions[-1]

    yield open_
    for session in sessions:
        session.close()


def live(session: Session) -> dict[str, Finding]:
    return {n: c.run(session) for n, c in spark.suite.checks.items() if c.stage.value != "static"}


def test_an_honest_job_gets_everything_and_sees_both_data_sets(opened: Open, work: Work) -> None:
    session = opened()
    assert {name: f.ratio for name, f in live(session).items()} == dict.fromkeys(
        ["execution", "cluster", "collecte", *session.team.results, "donnees_cachees"], 1.0
    )
    runner: Any = session.runner
    assert runner.fed == [work.data, work.hidden]
    hidden, own = ((f / "transactions.csv").read_text("utf-8") for f in (work.hidden, work.data))
    assert len(hidden.splitlines()) == ROWS // 4 + 1
    assert len(own.splitlines()) == ROWS + 1


def test_093_results_learnt_by_heart_fail_on_hidden_data(opened: Open, work: Work) -> None:
    found = live(opened(lambda _, results: honest(work.data, results)))
    assert found.pop("donnees_cachees").ratio == 0.0
    assert all(f.ratio == 1.0 for f in found.values())


def test_one_wrong_result_costs_itself_alone(opened: Open) -> None:
    def job(data: Path, results: Path) -> None:
        honest(data, results)
        shutil.rmtree(results / "anomalies")

    found = live(opened(job))
    assert [n for n, f in found.items() if f.ratio < 1.0] == ["anomalies"]
    assert "resultats/anomalies n'existe pas" in found["anomalies"].message


def test_without_a_right_result_there_is_no_second_run(opened: Open) -> None:
    session = opened(lambda data, results: None)
    assert spark.donnees_cachees(session).ratio == 0.0
    runner: Any = session.runner
    assert len(runner.fed) == 1


def test_a_job_that_fails_after_writing_loses_one_criterion(opened: Open) -> None:
    log = 'File "/opt/spark/work-dir/job.py", line 12, in main\nValueError: non'
    session = opened(code=3, how="submit : terminé, code 3", log=log)
    found = live(session)
    assert [n for n, f in found.items() if f.ratio < 1.0] == ["execution"]
    assert "code 3 ; job.py, ligne 12 : « ValueError: non »" in found["execution"].message


def test_a_job_that_never_ends_is_told_so(opened: Open) -> None:
    finding = spark.execution(opened(code=None, how="submit : en marche"))
    assert finding.ratio == 0.0
    assert "n'a pas fini en 60 s" in finding.message


@pytest.mark.parametrize(
    ("events", "ended", "message"),
    [
        (None, {"applications": {}}, "Aucune application n'a été soumise au master"),
        (None, {"applications": {}, "code": 1}, "le job a échoué avant"),
        ([], {"code": 1}, "Le job a échoué avant d'écrire son journal"),
        (None, {"applications": {"app-9": "FINISHED"}}, "que le master ne connaît pas"),
        (None, {"applications": None}, "Non vérifié ici"),
        ([], {}, "Aucun journal d'événements"),
        (whole(task(read=ROWS), master="local[*]"), {}, "en mode « local[*] »"),
        (whole(task("driver", read=ROWS)), {}, "et non sur le cluster"),
        (whole(task("7", read=ROWS)), {}, "Aucune tâche n'a été faite par un exécuteur"),
        (whole(task(read=12)), {}, "lisez-les avec Spark"),
    ],
)
def test_what_did_not_run_on_the_cluster(
    opened: Open, events: list[Any] | None, ended: dict[str, Any], message: str
) -> None:
    finding = spark.cluster(opened(events=events, **ended))
    assert finding.ratio == 0.0
    assert message in finding.message


def test_103_a_log_of_another_application_does_not_hide_the_masters(opened: Open) -> None:
    def job(data: Path, results: Path) -> None:
        honest(data, results)
        (results / "app-00000000000000-0000").write_bytes(b"{}\n")

    assert spark.cluster(opened(job)).ratio == 1.0


@pytest.mark.parametrize(
    ("tasks", "ratio"),
    [
        ([task(size=4 << 10)] * 500, 1.0),  # many tasks, each with its report
        ([task(size=300 << 10), task(size=400 << 10)], 0.0),
        ([], 0.0),
    ],
)
def test_bytes_to_the_driver(opened: Open, tasks: list[Any], ratio: float) -> None:
    assert spark.collecte(opened(events=whole(*tasks))).ratio == ratio


def test_103_a_forged_log_costs_the_criteria_that_need_it(opened: Open) -> None:
    found = live(opened(events=[{"Event": "SparkListenerTaskEnd"}]))
    wrong = {n for n, f in found.items() if f.ratio < 1.0}
    assert wrong == {"cluster", "collecte"}
    assert "illisible" in found["collecte"].message


# Roles


def service(*command: str) -> dict[str, Any]:
    return {"command": list(command)}


CLUSTER = {
    "chef": service("/opt/spark/bin/spark-class", "org.apache.spark.deploy.master.Master"),
    "ouvrier1": service("/opt/spark/sbin/start-worker.sh", "spark://chef:7077"),
    "ouvrier2": {"entrypoint": ["spark-class"], **service("org.apache.spark.deploy.worker.Worker")},
    "calcul": {"command": "/opt/spark/bin/spark-submit --master spark://chef:7077 job.py"},
    "autre": {"image": "apache/spark:4.3.0"},
}


def test_parts_are_recognised_by_what_they_run() -> None:
    assert spark_roles.parts(CLUSTER) == Parts("chef", ("ouvrier1", "ouvrier2"), "calcul")


@pytest.mark.parametrize(
    ("services", "message"),
    [
        ({}, "il manque un master ; il manque un worker ; il manque le service qui soumet"),
        (CLUSTER | {"b": CLUSTER["calcul"]}, r"plusieurs services .* \(calcul, b\)"),
    ],
)
def test_a_stack_that_is_no_cluster_is_told_why(services: dict[str, Any], message: str) -> None:
    with pytest.raises(StackError, match=message):
        spark_roles.parts(services)


def test_the_starter_lacks_its_worker_alone(work: Work) -> None:
    assert spark_roles.complaints(work.submission.root) == ["il manque un worker"]
    assert spark.structure(work).ratio == 0.0


def test_a_job_that_does_not_parse_is_told_before_it_runs(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spark_roles, "complaints", lambda _: [])
    (work.submission.root / "job.py").write_text("x = 1\nprint 'fini'\n", "utf-8")
    found = spark.structure(work)
    assert found.ratio == 1.0  # the criteria of what it does not do are lost, and no other
    assert "job.py:2 : erreur de syntaxe Python" in found.message
    (work.submission.root / "job.py").unlink()
    assert "est absent" in spark.structure(work).message


def test_a_profile_and_a_broken_file_are_told(work: Work) -> None:
    compose = work.submission.root / "compose.yaml"
    compose.write_text(compose.read_text("utf-8") + "    profiles: [job]\n", "utf-8")
    assert "derrière un profil" in spark_roles.complaints(work.submission.root)[1]
    compose.write_text("services: [", "utf-8")
    assert "compose.yaml:2" in spark_roles.complaints(work.submission.root)[0]


# The runner in a stack


class FakeStack:
    """A stack whose submit service ends after some looks, and whose master notes applications."""

    def __init__(self, looks: int, code: int = 0, *, endless: bool = False) -> None:
        self.looks, self.code, self.endless = looks, code, endless
        self.master: dict[str, Any] = {"workers": [], "activeapps": [], "completedapps": []}
        self.calls: list[str] = []
        self.left = 0
        self.services = {"worker": {"volumes": [{"source": "ailleurs", "target": "/r"}]}}

    def json(self, url: str) -> Any:
        return self.master

    def check(self) -> None: ...

    def stop(self, name: str) -> None:
        self.calls.append(f"stop {name}")

    def start(self, name: str) -> None:
        self.calls.append(f"start {name}")
        self.left = self.looks
        app = f"app-{len(self.calls)}"
        self.master["completedapps"].append({"id": app, "state": "FINISHED"})

    def state(self, name: str) -> ServiceState:
        self.left -= 1
        if self.left > 0 or self.endless:
            return ServiceState(name, "running")
        return ServiceState(name, "exited", self.code)

    def logs(self, name: str, lines: int) -> str:
        return "la fin"

    def exec(self, name: str, argv: list[str]) -> None:
        self.calls.append(f"exec {name} {' '.join(argv)}")


def in_stack(work: Work, stack: FakeStack) -> InStack:
    work.results.mkdir(exist_ok=True)
    cluster = Cluster(stack, "m", [])
    return InStack(work, stack, Parts("master", ("worker",), "submit"), cluster, lambda _: None)


def test_each_run_starts_the_students_own_service_on_empty_results(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spark_runner, "PAUSE", 0.0)
    stack = FakeStack(looks=3, code=2)
    runner = in_stack(work, stack)
    (work.results / "anomalies").mkdir()
    (work.results / "anomalies" / "vieux.csv").write_text("a")
    (work.results / "lien").symlink_to(work.data)
    first, second = runner.run(60.0), runner.run(60.0)
    assert list(work.results.iterdir()) == []
    assert (work.data / "transactions.csv").is_file()
    assert [c for c in stack.calls if "exec" not in c] == ["stop submit", "start submit"] * 2
    assert (first.code, first.log, dict(first.applications or {})) == (
        2, "la fin", {"app-2": "FINISHED"},
    )  # fmt: skip
    assert len(second.applications or {}) == 1
    assert first.applications != second.applications


def test_a_run_that_overstays_is_stopped(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spark_runner, "PAUSE", 0.0)
    stack = FakeStack(looks=1, endless=True)
    ended = in_stack(work, stack).run(0.05)
    assert ended.code is None
    assert [c for c in stack.calls if "exec" not in c][-1] == "stop submit"


def test_results_of_another_user_are_unlocked_from_inside(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spark_runner, "PAUSE", 0.0)
    monkeypatch.setattr(spark_runner.os, "geteuid", lambda: 1000)
    stack = FakeStack(looks=1)
    stack.services["worker"]["volumes"][0]["source"] = str(work.results)
    in_stack(work, stack).run(60.0)
    assert "exec worker chmod -R a+rwX /r" in stack.calls


def test_results_that_stay_are_our_error(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    work.results.mkdir()
    (work.results / "reste").mkdir()
    monkeypatch.setattr(spark_runner.shutil, "rmtree", lambda *_, **__: None)
    with pytest.raises(MachineError, match="reste"):
        spark_runner.empty(work.results)


def waiting() -> list[ServiceState]:
    return [ServiceState("worker", "running")]


def test_a_cluster_without_a_worker_is_told_so() -> None:
    times = iter([0.0, 181.0])
    page = {"workers": [{"state": "DEAD"}]}
    with pytest.raises(StackError, match="aucun worker n'est inscrit"):
        joined(Cluster(Pages(m=page), "m", []), waiting, clock=lambda: next(times))


def test_a_worker_that_died_is_not_waited_for() -> None:
    def states() -> list[ServiceState]:
        return [ServiceState("worker", "exited", 1, log="UnknownHostException: mastr")]

    with pytest.raises(StackError, match=r"(?s)worker : terminé, code 1.*UnknownHost"):
        joined(Cluster(Pages(m={"workers": []}), "m", []), states)


# Stories and answers


@pytest.mark.parametrize(
    ("log", "message"),
    [
        ("WARN TaskSchedulerImpl: Initial job has not accepted any resources; check", "tenir dans"),
        ("AnalysisException: [PATH_NOT_FOUND] Path does not exist", "au même endroit"),
        ("java.lang.OutOfMemoryError: Java heap space", "mémoire insuffisante"),
        ("juste une ligne\n", "dernière ligne : « juste une ligne »"),
        ("au revoir\n26/11/25 03:26:25 INFO BlockManager: x\n", "ligne : « au revoir »."),
        ("", "code 1."),
    ],
)
def test_a_failure_is_told_with_what_to_do(log: str, message: str) -> None:
    assert message in story(Ended(1, "submit : terminé, code 1", log, 1.0))


def test_answers_are_those_of_the_whole_data(work: Work) -> None:
    found = spark_session.answers(5, 2_000)
    assert found.keys() == work.rubric.answers.keys()
    assert found["ca_total"] > 0
    assert found["nb_anomalies"] > 0


def test_data_is_written_once_and_a_second_case_keeps_it(work: Work) -> None:
    spark_session.write_data(work.seed, work.hidden)
    names = ("transactions.csv", "produits.csv")
    assert all((work.hidden / n).read_bytes() == (work.data / n).read_bytes() for n in names)
    inode = work.data.stat().st_ino
    spark_session.write_data(99, work.data)
    assert work.data.stat().st_ino == inode


def test_too_many_files_are_out_of_bounds_for_results_and_log(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look(_: Path) -> Any:
        raise OutOfBounds("trop de fichiers")

    monkeypatch.setattr(spark_session.spark_results, "look", look)
    found = live(opened())
    assert all("trop de fichiers" in found[n].message for n in ("collecte", "anomalies"))
