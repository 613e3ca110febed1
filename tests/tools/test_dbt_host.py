"""Real dbt on this machine, on projects that misbehave: each costs what is its own, no more."""

from __future__ import annotations

import codecs
import contextlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from graders import engine
from graders.errors import ApiError, OutOfBounds
from graders.model import Stage, Submission, Work
from graders.stack import sweep
from graders.tools import dbt, dbt_connect, dbt_session, dbt_worker

pytest.importorskip("dbt.adapters.duckdb")

ROOT = Path(__file__).parents[2]
STARTER = ROOT / "exercises" / "07_dbt" / "starter"
SOURCES = """
sources:
  - name: brut
    tables: [{name: clients}, {name: produits}, {name: commandes}, {name: details_commandes}]
models:
  - name: stg_commandes
    columns:
      - name: statut
        data_tests: [{accepted_values: {arguments: {values: [livree, annulee, en_attente]}}}]
"""
MODELS = {
    "staging/stg_commandes": "select * from {{ source('brut', 'commandes') }}",
    "staging/stg_clients": "select *\nform {{ source('brut', 'clients') }}",
    "marts/dim_temps": "select * from read_csv('/etc/passwd', header = false)",
    "marts/fct_ventes": "select * from {{ ref('fct_vente') }}",
    "marts/dim_clients": "select * from {{ ref('stg_clients') }}",
    "marts/dim_produits": "{{ config(materialized='table') }} with recursive sans_fin as "
    "(select 1 as n union all select n + 1 from sans_fin where n > 0)\n"
    "select count(*) as n from sans_fin",
}
PYTHON = """
def model(dbt, session):
    open('{mark}', 'w').close()
    return session.sql('select 1')
"""


def work(root: Path, make_work: Any) -> Work:
    shutil.copytree(STARTER, root / "rendu")
    (root / "rendu/dbt/models/staging/_sources.yml").write_text(SOURCES)
    for name, text in MODELS.items():
        (root / f"rendu/dbt/models/{name}.sql").write_text(text)
    stained = root / "rendu/dbt/models/staging/stg_commandes.sql"
    stained.write_bytes(codecs.BOM_UTF8 + stained.read_bytes())
    latin = root / "rendu/dbt/models/marts/business_metrics.sql"
    latin.write_bytes("select 1\n-- fidélisés".encode("latin-1"))
    made: Work = make_work(root / "rendu")
    return made


@pytest.fixture(scope="module")
def make_work(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from graders import course, rubric

    rules = rubric.load(course.exercise("07_dbt"))

    def make(rendu: Path) -> Work:
        submission = Submission("07_dbt", "demo", rendu, "", "")
        made = Work(submission, rules, 1, 2, tmp_path_factory.mktemp("scratch"))
        dbt_connect.write_data(1, made.data)
        return made

    return make


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory, make_work: Any) -> Iterator[dict[str, Any]]:
    """Grade one project that does all that is bad at once."""
    patch = pytest.MonkeyPatch()
    patch.setattr(dbt_session, "BUILD_CPU", 6.0)
    root = tmp_path_factory.mktemp("mauvais")
    made = work(root, make_work)
    mark = root / "python_a_tourne"
    (made.submission.root / "dbt/models/marts/serpent.py").write_text(PYTHON.format(mark=mark))
    run = engine.Run(dbt.suite, made.rubric)
    with dbt_connect.connect(made, None, lambda _: None) as session:
        found = {r.criterion.id: r for r in run.run(session, Stage.LIVE, Stage.DRILL)}
        yield {"mark": mark, "session": session, **found}
    patch.undo()


def test_a_model_that_does_not_end_is_stopped_and_named(findings: dict[str, Any]) -> None:
    assert "dim_produits ne se termine pas" in findings["build"].finding.message
    assert "il ne se termine pas" in findings["dim_produits"].finding.message


def test_what_is_right_keeps_its_points(findings: dict[str, Any]) -> None:
    assert findings["staging"].finding.ratio == 0.25
    assert findings["donnees_cachees"].finding.ratio == 0.2
    assert findings["fautes"].finding.ratio == 0.1


def test_what_dbt_cannot_read_is_left_out_and_told(findings: dict[str, Any]) -> None:
    assert "models/marts/business_metrics.sql, ligne 2 : " in findings["build"].finding.message
    assert "n'est pas en UTF-8" in findings["business_metrics"].finding.message
    assert "dbt ne peut pas le lire : models/marts/fct_ventes.sql" in (
        findings["fct_ventes"].finding.message
    )
    assert sorted(findings["session"].aside) == [
        "models/marts/business_metrics.sql", "models/marts/fct_ventes.sql",
    ]  # fmt: skip


def test_a_macro_that_does_not_end_is_named(tmp_path: Path) -> None:
    (tmp_path / "macros").mkdir()
    (tmp_path / "macros/a.sql").write_text("{% macro a() %}1{% endmacro %}")
    (tmp_path / "macros/b.sql").write_text("{%- macro b() -%}1")
    error = "Reached EOF without finding a close tag for macro (searched from line 2)"
    path, why = dbt_worker.culprit(tmp_path, error)
    assert path == tmp_path / "macros/b.sql"
    assert why == f"macros/b.sql: {error}"
    assert dbt_worker.culprit(tmp_path, "autre chose (c.sql)") == (None, "autre chose (c.sql)")


def test_a_syntax_error_is_told_with_its_file_and_line(findings: dict[str, Any]) -> None:
    assert "models/staging/stg_clients.sql, ligne 2" in findings["staging"].finding.message
    assert "un modèle qu'il lit n'est pas construit" in findings["dim_clients"].finding.message


def test_the_hosts_files_are_closed_to_sql(findings: dict[str, Any]) -> None:
    message = findings["dim_temps"].finding.message
    assert "models/marts/dim_temps.sql" in message
    assert "/etc/passwd" in message
    assert "root:" not in message


def test_python_models_do_not_run(findings: dict[str, Any]) -> None:
    assert not findings["mark"].exists()
    assert findings["session"].python == ["serpent"]


def test_no_criterion_is_an_error(findings: dict[str, Any]) -> None:
    results = [r for r in findings.values() if hasattr(r, "status")]
    assert {r.status.value for r in results} <= {"passed", "partial", "failed"}


def test_a_project_that_does_not_parse(tmp_path: Path, make_work: Any) -> None:
    made = work(tmp_path, make_work)
    for name in ("clients", "produits", "details_commandes", "commandes", "de_trop"):
        broken = made.submission.root / f"dbt/models/staging/stg_{name}.sql"
        broken.write_text("select\n{{ 1")
    with pytest.raises(ApiError) as error, dbt_connect.connect(made, None, lambda _: None):
        pass
    assert "dbt ne peut pas lire le projet" in str(error.value)
    assert re.search(r"models/\w+/\w+\.sql, ligne 2 : « \w", str(error.value))


def test_endless_jinja_is_stopped_and_nothing_is_left(
    tmp_path: Path, make_work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = work(tmp_path, make_work)
    endless = (
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}select 1"
    )
    (made.submission.root / "dbt/models/marts/fct_ventes.sql").write_text(endless)
    monkeypatch.setattr(dbt_connect, "PARSE_CPU", 8)
    with (
        pytest.raises(OutOfBounds, match="8 s de calcul"),
        dbt_connect.connect(made, None, lambda _: None),
    ):
        pass
    deadline = time.monotonic() + 5
    while running(made.scratch) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not running(made.scratch)


def running(place: Path) -> list[Path]:
    """Return the processes that are at home in a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "cwd").readlink().is_relative_to(place):
                found.append(process)
    return found


HARNESS = """
import sys, time
from pathlib import Path
from graders.tools import dbt_host, dbt_project
project = dbt_project.load(Path(sys.argv[1]))
with dbt_host.start(project, Path(sys.argv[2]), 2, 60) as dbt:
    assert dbt.parsed(60).success
    dbt.run(["build"], cpu=60, env={"BAREME_DUCKDB": sys.argv[2] + "/vide.duckdb"})
    print("prêt", flush=True)
    time.sleep(600)
"""


def test_a_harness_that_is_killed_leaves_neither_process_nor_lock(tmp_path: Path) -> None:
    place = tmp_path / "essai"
    place.mkdir()
    locks = set(Path("/dev/shm").glob("sem.mp-*"))
    command = [sys.executable, "-c", HARNESS, str(STARTER), str(place)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "prêt\n"
            assert len(running(place)) == 3  # the worker and its lanes
        finally:
            process.kill()
    deadline = time.monotonic() + 5
    while running(place) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not running(place)
    assert set(Path("/dev/shm").glob("sem.mp-*")) <= locks
    left = list(Path(tempfile.gettempdir()).glob(f"bareme-{process.pid}-*"))
    assert len(left) == 1  # the sweep removes it
    sweep.folders()
    assert not left[0].exists()
