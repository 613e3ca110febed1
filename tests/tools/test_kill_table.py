"""The kill table on the embedded runtime; tests/docker/test_selftest.py has those on Docker."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PASSWORD = "Abidexercice123"  # the course's, as the README gives it


@pytest.mark.slow
def test_the_embedded_kill_table_has_no_defect() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "graders.cli", "selftest", "07_dbt", "--runtime", "embedded"],
        cwd=ROOT,
        env={**os.environ, "BAREME_PASSWORD": PASSWORD},
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
