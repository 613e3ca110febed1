"""A batch of one honest submission among ten hostile ones: the honest one loses nothing."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from graders import course
from tests.hostile import corpus
from tests.hostile.test_graded import EXERCISE, TEAM, grade, work

pytestmark = pytest.mark.docker
ROOT = Path(__file__).parents[2]
# Refused before anything starts, each by another part of the policy.
REFUSED = (1, 2, 7, 12, 21, 38, 39)
# Programs that their dbt service runs from the start, beside the grader's own commands.
RUNNING = ("048_fork_bomb", "050_memory_balloon", "053_log_flood")


def hostile(root: Path) -> dict[str, int]:
    """Write ten hostile submissions and return the exit code that each one's grading may have."""
    codes = {}
    first = {c.number: c for c in reversed(corpus.cases("static"))}
    for number in REFUSED:
        team = f"refus-{number:03}"
        (root / "submissions" / team).mkdir(parents=True)
        shutil.move(
            corpus.build(first[number], root / team), root / "submissions" / team / EXERCISE
        )
        codes[team] = 1
    for name in RUNNING:
        team = name.replace("_", "-")
        folder = root / "submissions" / team / EXERCISE
        shutil.copytree(course.exercise(EXERCISE) / "starter", folder)
        shutil.copy(corpus.HERE / name / "payload" / "attaque.py", folder / "attaque.py")
        compose = folder / "compose.yaml"
        text = compose.read_text("utf-8").replace(
            "    command: [build]", '    entrypoint: ["python3", "-u", "/attaque.py"]'
        )
        mount = "      - ./dbt:/usr/app/dbt\n"
        compose.write_text(text.replace(mount, f"{mount}      - ./attaque.py:/attaque.py:ro\n"))
        codes[team] = 0
    return codes


def read(out: Path, team: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / f"{team}-{EXERCISE}.json").read_text("utf-8"))
    return found


def test_ten_hostile_neighbours_cost_an_honest_team_nothing(tmp_path: Path) -> None:
    alone = grade(work(tmp_path / "seul"))
    work(tmp_path)
    codes = hostile(tmp_path)
    out, start = tmp_path / "rapports", time.monotonic()
    argv = [sys.executable, "-m", "graders.cli", "batch", str(tmp_path / "submissions")]
    done = subprocess.run(
        [*argv, "--out", str(out), "--runtime", "docker", "--jobs", "2"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert time.monotonic() - start < 900
    assert done.returncode == 0, done.stderr
    assert len(codes) == 10
    assert read(out, TEAM)["score"] == pytest.approx(alone.report.score)
    for team, code in codes.items():
        report = read(out, team)
        assert report["status"] == ("refused" if code else "graded"), team
        assert report["score"] < 1
