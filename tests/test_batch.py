"""A batch: each submission in a process of its own, and none stops the others."""

from __future__ import annotations

import csv
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from graders import batch
from graders.errors import UsageError

ROOT = Path(__file__).parents[1]
COMPOSE = "services:\n  db:\n    image: postgres:15\n"


def submission(root: Path, team: str, compose: str = COMPOSE) -> Path:
    made = root / team / "07_dbt"
    made.mkdir(parents=True)
    (made / "compose.yaml").write_text(compose)
    return made


def test_targets_are_found_at_every_level(tmp_path: Path) -> None:
    one = submission(tmp_path, "bleus")
    two = submission(tmp_path, "rouges")
    (tmp_path / "rouges" / "lien").symlink_to(one)
    for path in (tmp_path, one.parent, one):
        assert one in [t.folder for t in batch.targets([path])]
    assert [t.team for t in batch.targets([tmp_path])] == ["bleus", "rouges"]
    assert batch.targets([two])[0].exercise == "07_dbt"


def test_a_folder_without_submissions_is_the_callers_fault(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="07_dbt"):
        batch.targets([tmp_path])


def test_one_bad_submission_never_stops_the_rest(tmp_path: Path) -> None:
    submissions, out = tmp_path / "submissions", tmp_path / "rapports"
    submission(submissions, "bleus")
    submission(submissions, "rouges", "services: [\n")
    submission(submissions, "verts", COMPOSE + "    privileged: true\n")
    submission(submissions, "Équipe 9")
    argv = [sys.executable, "-m", "graders.cli", "batch", str(submissions), "--out", str(out)]
    done = subprocess.run(
        [*argv, "--static", "--jobs", "2"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    with (out / "grades.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = {row["team"]: row for row in csv.DictReader(file)}
    assert {team: row["status"] for team, row in rows.items()} == {
        "bleus": "graded",
        "rouges": "refused",
        "verts": "refused",
        "Équipe 9": "refused",
    }
    assert (out / "bleus-07_dbt.html").is_file()


def test_a_grading_that_hangs_is_ended_and_marked_to_be_regraded(
    tmp_path: Path, monkeypatch: Any
) -> None:
    hang = tmp_path / "python"
    hang.write_text("#!/bin/sh\nexec sleep 60\n")
    hang.chmod(0o755)
    monkeypatch.setattr(batch.sys, "executable", str(hang))
    target = batch.Target(submission(tmp_path, "bleus"), "07_dbt", "bleus")
    start = time.monotonic()
    ended: list[batch.Done] = []
    (done,) = batch.run([target], tmp_path / "out", [], jobs=1, timeout=0.5, on_done=ended.append)
    assert time.monotonic() - start < 20
    assert (done.code, done.report) == (batch.OURS, None)
    assert ended == [done]
    assert batch.report_of(done).outcome.value == "to_regrade"


def test_a_damaged_report_is_to_be_graded_again_and_stops_nothing(tmp_path: Path) -> None:
    damaged = tmp_path / "bleus-07_dbt.json"
    damaged.write_text('{"score": NaN}')
    target = batch.Target(tmp_path, "07_dbt", "bleus")
    report = batch.report_of(batch.Done(target, batch.GRADED, damaged, ""))
    assert report.outcome.value == "to_regrade"


def test_a_process_that_dies_is_ours_whatever_its_code(tmp_path: Path, monkeypatch: Any) -> None:
    """A crash of Python's own, or a signal, ends with 1: that is no refusal."""
    crash = tmp_path / "python"
    crash.write_text("#!/bin/sh\necho \"AttributeError: 'list'\" >&2\nexit 1\n")
    crash.chmod(0o755)
    monkeypatch.setattr(batch.sys, "executable", str(crash))
    target = batch.Target(submission(tmp_path, "bleus"), "07_dbt", "bleus")
    out = tmp_path / "out"
    out.mkdir()
    for suffix in ("json", "html", "junit.xml"):
        (out / f"bleus-07_dbt.{suffix}").write_text("d'hier")
    (done,) = batch.run([target], out, [], jobs=1, timeout=30, on_done=lambda _: None)
    assert (done.code, done.report) == (batch.OURS, None)
    assert "AttributeError" in done.error
    assert batch.report_of(done).outcome.value == "to_regrade"
    assert list(out.iterdir()) == []


def test_a_report_that_cannot_be_replaced_stops_nothing(tmp_path: Path) -> None:
    todo = [batch.Target(submission(tmp_path / "s", team), "07_dbt", team) for team in ("a1", "b1")]
    (tmp_path / "out/a1-07_dbt.json").mkdir(parents=True)
    ended = batch.run(
        todo, tmp_path / "out", ["--static"], jobs=1, timeout=60, on_done=lambda _: None
    )
    assert [(d.code, d.report is None) for d in ended] == [(batch.OURS, True), (0, False)]


def test_an_interruption_keeps_what_is_graded_and_marks_the_rest(tmp_path: Path) -> None:
    submissions, out = tmp_path / "s", tmp_path / "out"
    for team in ("a1", "b1", "c1", "d1"):
        submission(submissions, team)
    argv = [sys.executable, "-m", "graders.cli", "batch", str(submissions), "--out", str(out)]
    process = subprocess.Popen([*argv, "--static", "--jobs", "1"], cwd=ROOT, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not (out / "a1-07_dbt.junit.xml").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.terminate()
    _, err = process.communicate(timeout=60)
    assert process.returncode == batch.OURS, err
    with (out / "grades.csv").open(encoding="utf-8-sig", newline="") as file:
        status = {row["team"]: row["status"] for row in csv.DictReader(file)}
    assert status["a1"] == "graded"
    assert status["d1"] == "to_regrade"
    assert list(status) == ["a1", "b1", "c1", "d1"]


def test_what_is_left_aside_is_told(tmp_path: Path) -> None:
    submission(tmp_path, "bleus")
    (tmp_path / "copie").symlink_to(tmp_path / "bleus")
    (tmp_path / "rouges").mkdir()
    (tmp_path / "rouges/07_DBT").mkdir()
    (tmp_path / "verts").mkdir()
    (tmp_path / "verts/07_dbt").touch()
    assert [t.team for t in batch.targets([tmp_path])] == ["bleus"]
    told = batch.overlooked(tmp_path)
    assert len(told) == 3
    assert "copie est un lien" in told[0]
    assert "« 07_dbt »" in told[1]
    assert "verts/07_dbt n'est pas un dossier" in told[2]
