"""Code of a submission that runs on this machine sees nothing of the grader's environment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from graders.errors import StackError
from graders.model import Work
from graders.tools import airflow_local, spark_runner

SECRET = "mot-de-passe-marqueur"
TELL = "import os, sys\nsys.exit(repr(sorted(os.environ.items())))\n"


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BAREME_PASSWORD", "GITHUB_TOKEN", "GITHUB_ENV"):
        monkeypatch.setenv(name, SECRET)


def test_080_125_a_spark_job_has_no_secret_to_print(
    make_work: Callable[..., Work], tmp_path: Path
) -> None:
    work = make_work()
    work.data.mkdir(exist_ok=True)
    (work.submission.root / "job.py").write_text(TELL)
    ended = spark_runner.Local(work, tmp_path / "ici").run(60.0)
    assert "PYSPARK_SUBMIT_ARGS" in ended.log
    assert SECRET not in ended.log


def test_080_125_a_dag_has_no_secret_to_print(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "script.py"
    script.write_text(TELL)
    monkeypatch.setattr(airflow_local.airflow_parser, "__file__", str(script))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    with pytest.raises(StackError, match="PATH") as told:
        airflow_local.parse(tmp_path)
    assert SECRET not in str(told.value)
