"""Static feedback on DAG sources: every habit of Airflow 2 has its new form, no file crashes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from graders import rubric
from graders.model import Submission, Work
from graders.tools import airflow, airflow_source
from graders.tools.airflow_source import Habit, Sources

EXERCISE = Path(__file__).parents[2] / "exercises" / "06_airflow"


def read(tmp_path: Path, source: str | bytes, name: str = "ventes.py") -> Sources:
    folder = tmp_path / "dags"
    folder.mkdir(exist_ok=True)
    data = source.encode() if isinstance(source, str) else source
    (folder / name).write_bytes(data)
    return airflow_source.read(folder)


def habits(tmp_path: Path, source: str) -> tuple[Habit, ...]:
    return read(tmp_path, source).habits


@pytest.mark.parametrize(
    ("source", "old", "new"),
    [
        ("DAG('a', schedule_interval='@daily')", "schedule_interval=", "schedule="),
        ("@dag(schedule_interval=None)\ndef a(): ...", "schedule_interval=", "schedule="),
        ("PythonOperator(task_id='a', provide_context=True)", "provide_context=", "rien"),
        ("DAG('a', concurrency=2)", "concurrency=", "max_active_tasks="),
        ("def f(**kwargs): kwargs['execution_date']", "execution_date", "logical_date"),
        ("def f(**kw): kw.get('execution_date')", "execution_date", "logical_date"),
        ("def f(execution_date=None): ...", "execution_date", "logical_date"),
        ("x = 'echo {{ execution_date }}'", "{{ execution_date }}", "{{ logical_date }}"),
        ("x = 'a {{ macros.ds_add(next_ds, 1) }}'", "{{ next_ds }}", "data_interval_end"),
        ("x = '{% if prev_ds %}a{% endif %}'", "{{ prev_ds }}", "ds_add"),
        ("from airflow.utils.dates import days_ago", "airflow.utils.dates", "pendulum"),
        ("import airflow.utils.dates", "airflow.utils.dates", "pendulum"),
        ("DAG('a', start_date=days_ago(2))", "days_ago", "pendulum"),
        ("from airflow.operators.dummy import DummyOperator", "airflow.operators.dummy", "Empty"),
        (
            "from airflow.operators.dummy_operator import DummyOperator",
            "airflow.operators.dummy_operator",
            "EmptyOperator",
        ),
        (
            "from airflow.operators.python_operator import PythonOperator",
            "airflow.operators.python_operator",
            "airflow.providers.standard.operators.python",
        ),
        (
            "from airflow.operators.bash_operator import BashOperator",
            "airflow.operators.bash_operator",
            "airflow.providers.standard.operators.bash",
        ),
        ("from airflow.contrib.hooks.x import Y", "airflow.contrib.hooks.x", "providers"),
        ("from airflow.hooks.base_hook import BaseHook", "airflow.hooks.base_hook", "BaseHook"),
    ],
)
def test_an_old_habit_is_shown_with_its_line_and_its_new_form(
    tmp_path: Path, source: str, old: str, new: str
) -> None:
    (found, *_) = habits(tmp_path, f"import os\n\n{source}\n")
    assert found.old == old
    assert new in found.new
    assert found.breaks
    assert str(found).startswith("dags/ventes.py:3 : «")


@pytest.mark.parametrize(
    "source",
    ["from airflow.operators.python import PythonOperator", "from airflow.decorators import dag"],
)
def test_what_still_works_is_only_advice(tmp_path: Path, source: str) -> None:
    (found,) = habits(tmp_path, source)
    assert not found.breaks


@pytest.mark.parametrize(
    "source",
    [
        "from airflow.sdk import dag, task",
        "@dag(schedule='@daily')\ndef a(): ...",
        "print(schedule_interval=1)",  # no DAG nor operator
        "ligne = {'execution_date': 1}",
        "x = '{{ ds }} {{ logical_date }}'",
        "x = 'execution_date, dans un texte'",
    ],
)
def test_the_forms_of_airflow_3_are_left_alone(tmp_path: Path, source: str) -> None:
    assert habits(tmp_path, source) == ()


@pytest.mark.parametrize(
    ("source", "ids"),
    [
        ("@dag(dag_id='un')\ndef f(): ...", ["un"]),
        ("@dag\ndef deux(): ...", ["deux"]),
        ("@sdk.dag()\ndef trois(): ...", ["trois"]),
        ("with DAG('quatre') as d: ...", ["quatre"]),
        ("d = models.DAG(dag_id='cinq')", ["cinq"]),
        ("d = DAG(dag_id=NOM)", [""]),
        ("d = dict(dag_id='x')", []),
    ],
)
def test_the_dags_that_a_file_defines(tmp_path: Path, source: str, ids: list[str]) -> None:
    assert [dag_id for _, dag_id in read(tmp_path, source).dags] == ids


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("with DAG('a' as dag: pass", "ventes.py:1 : erreur de syntaxe"),
        ("import os\nprint 'python 2'\n", "ventes.py:2 : erreur de syntaxe"),
        (b"x = '\x00'", "ventes.py:1 : "),
        ("(" * 5_000, "ventes.py:1 : "),
        ("x = " + "-" * 100_000 + "1", "ventes.py:1 : "),
        ("x = '" + "é" * (1 << 20) + "'", "plus de 1 Mio"),
        (b"x = 'caf\xe9'\n", "erreur de syntaxe"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(
    tmp_path: Path, source: str | bytes, said: str
) -> None:
    (broken,) = read(tmp_path, source).broken
    assert broken.startswith("dags/ventes.py")
    assert said in broken


def test_strange_escapes_make_no_noise(tmp_path: Path) -> None:
    assert read(tmp_path, "x = '\\d'").broken == ()


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "dehors.py").write_text("DAG('dehors')")
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "lien.py").symlink_to(tmp_path / "dehors.py")
    assert airflow_source.read(tmp_path / "dags") == Sources()


def work(root: Path) -> Work:
    return Work(Submission("06_airflow", "x", root, "", ""), rubric.load(EXERCISE), 1, 2, root)


def test_the_criterion_shows_every_habit(tmp_path: Path) -> None:
    read(tmp_path, "DAG('a', schedule_interval='@daily', start_date=days_ago(1))")
    found = airflow.code_airflow3(work(tmp_path))
    assert found.ratio == 0
    assert "dags/ventes.py:1 : « schedule_interval= »" in found.message
    assert "days_ago" in found.message


def test_a_folder_without_a_dag_earns_nothing(tmp_path: Path) -> None:
    read(tmp_path, "import os")
    assert airflow.code_airflow3(work(tmp_path)).ratio == 0


def test_advice_costs_nothing(tmp_path: Path) -> None:
    read(tmp_path, "from airflow.decorators import dag\n@dag\ndef a(): ...")
    found = airflow.code_airflow3(work(tmp_path))
    assert found.ratio == 1
    assert "Conseil" in found.message


def test_the_starter_has_no_dag_yet() -> None:
    sources = airflow_source.read(EXERCISE / "starter" / "dags")
    assert sources.files
    assert (sources.dags, sources.habits, sources.broken) == ((), (), ())
