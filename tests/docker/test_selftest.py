"""The kill tables on the real engines: solution 20, starter 0, every criterion killed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from graders import course

ROOT = Path(__file__).parents[2]
# The course's own password, as the README gives it: the archives unlock with it.
PASSWORD = "Abidexercice123"


@pytest.mark.docker
@pytest.mark.parametrize("exercise", course.exercises())
def test_the_kill_table_has_no_defect(exercise: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "graders.cli", "selftest", exercise, "--runtime", "docker"],
        cwd=ROOT,
        env={**os.environ, "BAREME_PASSWORD": PASSWORD},
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
    assert "DEFECT" not in done.stdout
