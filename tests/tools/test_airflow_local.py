"""Parsing with the Airflow installed here, where there is one (`pip install .[airflow]`)."""

from __future__ import annotations

from pathlib import Path

import pytest

from graders.errors import StackError
from graders.tools import airflow_local, airflow_roles

SOURCE = """
from datetime import timedelta
import pendulum
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG

with DAG("essai", description="Un essai", schedule="@daily", tags=["a"], catchup=False,
         start_date=pendulum.datetime(2025, 1, 1, tz="UTC"),
         default_args={"retries": 2, "retry_delay": timedelta(seconds=7)}):
    noms = ["extraire", "nettoyer", "charger", "alerter"]
    taches = [EmptyOperator(task_id=nom) for nom in noms]
    taches[0] >> taches[1] >> taches[2] >> taches[3]
"""


@pytest.mark.skipif(not airflow_local.INSTALLED, reason="Airflow n'est pas installé ici")
def test_what_airflow_says_is_read_as_from_its_api(tmp_path: Path) -> None:
    (tmp_path / "essai.py").write_text(SOURCE, "utf-8")
    (tmp_path / "casse.py").write_text("from airflow.sdk import dag\nraise ValueError('x')\n")
    parsed = airflow_local.parse(tmp_path)
    (dag,) = parsed.dags()
    assert (dag.id, dag.description, dag.schedule, dag.tags, dag.catchup) == (
        "essai", "Un essai", "@daily", ("a",), False,
    )  # fmt: skip
    tasks = parsed.tasks("essai")
    assert airflow_roles.chained(tasks)
    assert {(t.retries, t.retry_delay) for t in tasks} == {(2, 7.0)}
    (failure,) = parsed.import_failures()
    assert str(failure) == "casse.py:2 : ValueError: x"


def test_a_parser_that_dies_is_told_with_its_last_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = tmp_path / "dead.py"
    dead.write_text("import sys\nsys.exit('plus rien')\n")
    monkeypatch.setattr(airflow_local.airflow_parser, "__file__", str(dead))
    with pytest.raises(StackError, match="plus rien"):
        airflow_local.parse(tmp_path)


def test_075_a_submissions_module_does_not_hide_airflow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "airflow.py").write_text("raise SystemExit('le mauvais module')\n")
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, pathlib\ntry:\n    import airflow\nexcept ImportError:\n    pass\n"
        'pathlib.Path(sys.argv[2]).write_text(\'{"dags": [], "import_errors": []}\')\n'
    )
    monkeypatch.setattr(airflow_local.airflow_parser, "__file__", str(script))
    assert airflow_local.parse(tmp_path).dags() == []
