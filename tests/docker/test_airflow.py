"""Bad DAGs on the real Airflow: each is named with its line, in bounded time."""

from __future__ import annotations

import shutil
import time

import pytest

from graders import course, pipeline
from graders.model import Outcome, Report, Status

BAD = {
    "leve.py": """
        from airflow.sdk import dag
        raise RuntimeError("rien ne va")
    """,
    "absent.py": """
        from airflow.sdk import dag
        import module_absent
    """,
    "dort.py": """
        import time
        from airflow.sdk import DAG
        time.sleep(300)
        DAG("dort", schedule=None)
    """,
    "rond.py": """
        from airflow.sdk import dag, task
        @dag(schedule=None)
        def rond():
            @task
            def a(): ...
            @task
            def b(): ...
            un, deux = a(), b()
            un >> deux >> un
        rond()
    """,
    "ancien.py": """
        from airflow import DAG
        DAG("ancien", schedule_interval="@daily")
    """,
    "mille.py": """
        from airflow.sdk import DAG
        from airflow.providers.standard.operators.empty import EmptyOperator
        with DAG("pipeline_ventes_quotidien", schedule="@daily", catchup=False):
            taches = [EmptyOperator(task_id=f"t{i}") for i in range(1000)]
    """,
}


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Report, float]:
    folder = tmp_path_factory.mktemp("rendus") / "demo" / "06_airflow"
    shutil.copytree(course.exercise("06_airflow") / "starter", folder)
    for name, source in BAD.items():
        (folder / "dags" / name).write_text(_dedent(source), "utf-8")
    start = time.monotonic()
    report = pipeline.grade(folder, "06_airflow", pipeline.Options("docker", team="demo"))
    return report, time.monotonic() - start


def _dedent(text: str) -> str:
    return "\n".join(line[8:] for line in text.strip("\n").splitlines())


def message(report: Report, name: str) -> str:
    return next(r.finding.message for r in report.results if r.criterion.id == name)


@pytest.mark.docker
def test_each_bad_file_is_named_with_its_line(graded: tuple[Report, float]) -> None:
    said = message(graded[0], "import_dag")
    assert "leve.py:2 : RuntimeError: rien ne va" in said
    assert "absent.py:2 : ModuleNotFoundError: No module named 'module_absent'" in said
    assert "ce module n'est pas installé là où tourne Airflow" in said
    assert "dort.py" in said
    assert "rien de long ne se fait hors des tâches" in said
    assert "rond.py" in said
    assert "en rond" in said
    assert "ancien.py:2" in said
    assert "mille.py" not in said


@pytest.mark.docker
def test_a_thousand_tasks_are_counted_and_not_run(graded: tuple[Report, float]) -> None:
    assert "1000 tâches" in message(graded[0], "execution")


@pytest.mark.docker
def test_the_report_is_whole_and_in_time(graded: tuple[Report, float]) -> None:
    report, seconds = graded
    assert report.outcome is Outcome.GRADED
    assert not [r for r in report.results if r.status is Status.ERROR]
    assert seconds < 600
