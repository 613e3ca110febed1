"""The kill tables on the real engines: solution 20, starter 0, every criterion killed.

They run last. `BAREME_DEADLINE` (seconds since the epoch, set by .ci/run) is when CI must have
ended: an exercise whose whole table no longer fits before it is held to its solution and starter,
which the output says. Without it, as with `bareme selftest`, every table is run whole.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from graders import course

ROOT = Path(__file__).parents[2]
PASSWORD = "Abidexercice123"  # the course's own, as the README gives it
# Seconds that a whole table took on two cores, with a margin; cheap ones first.
COST = {"01_superset": 600, "07_dbt": 900, "06_airflow": 1500, "04_spark": 1800}
SHORT = 300  # seconds for a solution and a starter


ORDER = sorted(course.exercises(), key=lambda e: COST[e])


def fits(exercise: str) -> bool:
    """Say whether a whole table leaves time for the short form of those that come after it."""
    deadline = os.environ.get("BAREME_DEADLINE")
    after = len(ORDER) - ORDER.index(exercise) - 1
    return not deadline or time.time() + COST[exercise] + SHORT * after < float(deadline)


def selftest(exercise: str, *more: str) -> str:
    argv = [sys.executable, "-m", "graders.cli", "selftest", exercise, "--runtime", "docker"]
    done = subprocess.run(
        [*argv, *more],
        cwd=ROOT,
        env={**os.environ, "BAREME_PASSWORD": PASSWORD},
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
    return done.stdout


@pytest.mark.docker
@pytest.mark.parametrize("exercise", ORDER)
def test_the_kill_table_has_no_defect(exercise: str, capsys: pytest.CaptureFixture[str]) -> None:
    if fits(exercise):
        assert "DEFECT" not in selftest(exercise)
        return
    with capsys.disabled():
        print(f"\n{exercise}: no time left for the whole kill table, solution and starter only")
    assert "DEFECT" not in selftest(exercise, "--only", "solution", "--only", "starter")
