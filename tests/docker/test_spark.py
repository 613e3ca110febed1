"""04 on a real cluster: a job that is right but greedy, and jobs that misbehave."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from graders import intake, pipeline, rubric, stack
from graders.errors import OutOfBounds
from graders.model import Finding, Work
from graders.tools import spark, spark_roles, spark_runner, spark_session
from graders.tools.spark_session import Session

pytestmark = pytest.mark.docker
EXERCISE = Path(__file__).parents[2] / "exercises" / "04_spark"
DISK = 192  # MiB that the stack may write
WORKER = """
  worker:
    image: apache/spark:4.3.0
    hostname: worker
    depends_on:
      master: {condition: service_healthy}
    command: [/opt/spark/bin/spark-class, org.apache.spark.deploy.worker.Worker, --cores, "2",
      --memory, 1g, spark://master:7077]
    volumes:
      - ./donnees:/opt/spark/work-dir/donnees:ro
      - ./resultats:/opt/spark/work-dir/resultats
    mem_limit: 2g
"""
GREEDY = """
    from pyspark.sql import SparkSession, functions as F

    spark = SparkSession.builder.config("spark.sql.shuffle.partitions", 2).getOrCreate()
    sales = spark.read.csv("donnees/transactions.csv", header=True, inferSchema=True)
    table = sales.groupBy("region", "mois").agg(F.sum("montant").alias("CA"))
    table.write.partitionBy("region").parquet("resultats/CA Région Mois")
    print(len(sales.collect()))
"""
ENDLESS = "import time\nwhile True:\n    time.sleep(1)\n"
HUNGRY = "held = []\nwhile True:\n    held.append(bytearray(1 << 26))\n"
TALKATIVE = 'for _ in range(100):\n    print("a" * (1 << 20))\nraise ValueError("trop parlé")\n'
ONE_FILE = """
    with open("resultats/plein", "wb") as file:
        while True:
            file.write(bytes(1 << 20))
"""
FLOOD = """
    for i in range(10_000):
        with open(f"resultats/plein{i}", "wb") as file:
            file.write(bytes(1 << 23))
"""
Run = Callable[[str, float], Session]


def made(place: Path, rules: Any) -> Work:
    folder = place / "demo" / "04_spark"
    shutil.copytree(EXERCISE / "starter", folder)
    compose = folder / "compose.yaml"
    compose.write_text(compose.read_text("utf-8").replace("\n  submit:", WORKER + "\n  submit:"))
    submission = intake.load(folder, rules, place)
    return pipeline.prepare(submission, rules, place, pipeline.Options("docker"))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Work, Any]]:
    place = tmp_path_factory.mktemp("spark")
    place.chmod(0o755)
    rules = rubric.load(EXERCISE)
    rules = replace(rules, limits=replace(rules.limits, disk=DISK))
    work = made(place, rules)
    spark_session.write_data(work.seed, work.data)
    shutil.copytree(work.data, work.scratch / "equipe")
    with stack.up(pipeline.vet(work, "docker"), rules, print) as started:
        yield work, started


@pytest.fixture
def run(running: tuple[Work, Any]) -> Iterator[Run]:
    work, started = running
    with ExitStack() as closing_:

        def start(job: str, seconds: float) -> Session:
            (work.submission.root / "job.py").write_text(textwrap.dedent(job), "utf-8")
            parts = spark_roles.parts(started.services)
            runner = closing_.enter_context(spark_runner.opened(work, started, parts, print))
            session = Session(work, runner, work.scratch / "equipe", print, job=seconds)
            return closing_.enter_context(closing(session))

        yield start


def test_a_greedy_job_is_right_and_on_the_cluster_but_collects(run: Run) -> None:
    session = run(GREEDY, 400.0)
    assert spark.execution(session).ratio == 1.0
    assert spark.cluster(session).ratio == 1.0
    assert spark.ca_region_mois(session).ratio == 1.0
    finding = spark.collecte(session)
    assert finding.ratio == 0.0
    assert "collect()" in finding.message
    assert "n'existe pas (il y a : CA Région Mois)" in spark.anomalies(session).message


@pytest.mark.parametrize(
    ("job", "seconds", "message"),
    [
        (ENDLESS, 15.0, "n'a pas fini en 15 s"),
        (HUNGRY, 120.0, "mémoire"),
        (TALKATIVE, 120.0, "trop parlé"),
        (ONE_FILE, 120.0, "plus gros que ce que la pile a le droit d'écrire"),
    ],
)
def test_jobs_that_misbehave_are_told_so(run: Run, job: str, seconds: float, message: str) -> None:
    session = run(job, seconds)
    finding: Finding = spark.execution(session)
    assert finding.ratio == 0.0
    assert message in finding.message
    assert "Aucune application" in spark.cluster(session).message


def test_last_a_job_that_fills_the_disk_is_stopped(run: Run) -> None:
    with pytest.raises(OutOfBounds, match=f"arrêtée à {DISK} Mio"):
        spark.execution(run(FLOOD, 120.0))


@pytest.mark.skipif(not spark.suite.embedded, reason="PySpark or Java is not installed")
def test_without_docker_the_job_runs_in_local_mode(tmp_path: Path) -> None:
    work = made(tmp_path, rubric.load(EXERCISE))
    (work.submission.root / "job.py").write_text(textwrap.dedent(GREEDY), "utf-8")
    spark_session.write_data(work.seed, work.data)
    with spark_session.connect(work, None, print) as session:
        assert spark.execution(session).ratio == 1.0
        assert spark.ca_region_mois(session).ratio == 1.0
        assert spark.collecte(session).ratio == 0.0
        assert "sans Docker" in spark.cluster(session).message
