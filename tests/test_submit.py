"""Submitting by git push, tried against a bare repository, and graded as CI does."""

from __future__ import annotations

import html
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
Git = Callable[..., None]


def git(folder: Path, *argv: str) -> None:
    names = [
        "-c",
        "user.name=n",
        "-c",
        "user.email=e@example.org",
        "-c",
        "protocol.file.allow=always",
    ]
    subprocess.run(["git", *names, *argv], cwd=folder, check=True, capture_output=True)


def bareme(*argv: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "graders.cli", *argv],
        cwd=cwd,
        env={
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": str(ROOT),
            "LANG": "C.UTF-8",
            **{n: v for n, v in os.environ.items() if n.startswith("GITHUB_")},
        },
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """Return a bare course repository with one commit."""
    seed = tmp_path / "seed"
    (seed / "submissions").mkdir(parents=True)
    (seed / "submissions" / "README.md").write_text("# Rendus\n")
    git(seed, "init", "-q", "-b", "main")
    git(seed, "add", ".")
    git(seed, "commit", "-qm", "cours")
    bare = tmp_path / "cours.git"
    git(tmp_path, "clone", "-q", "--bare", str(seed), str(bare))
    return bare


def push(course: Path, tmp_path: Path, change: Callable[[Path], None]) -> None:
    """Do what docs/guides/rendre.md says: start, work, commit, push a branch."""
    clone = tmp_path / "etudiant"
    git(tmp_path, "clone", "-q", str(course), str(clone))
    git(clone, "switch", "-qc", "rendu")
    done = bareme("start", "07_dbt", "--team", "les-bleus", cwd=clone)
    assert done.returncode == 0, done.stderr
    change(clone)
    git(clone, "add", "-A")
    git(clone, "commit", "-qm", "Rendu de l'exercice 07")
    git(clone, "push", "-q", "-u", "origin", "rendu")


def grade(course: Path, tmp_path: Path) -> tuple[int, Path, str]:
    """Do what CI does: check out the base, fetch the head as objects only, grade."""
    ci = tmp_path / "ci"
    git(tmp_path, "clone", "-q", "--branch", "main", str(course), str(ci))
    git(ci, "fetch", "-q", "origin", "rendu")
    out = tmp_path / "rapports"
    argv = ["pr", "--base", "origin/main", "--head", "FETCH_HEAD", "--repo", str(ci)]
    done = bareme(*argv, "--out", str(out), "--static", cwd=ROOT)
    assert not (ci / "submissions" / "les-bleus").exists()  # nothing of the head is checked out
    return done.returncode, out, done.stdout + done.stderr


def test_a_pushed_starter_is_graded_and_summed_up(course: Path, tmp_path: Path) -> None:
    push(course, tmp_path, lambda _: None)
    code, out, err = grade(course, tmp_path)
    assert code == 0, err
    report = json.loads((out / "les-bleus-07_dbt.json").read_text("utf-8"))
    assert (report["team"], report["score"], report["status"]) == ("les-bleus", 0, "graded")
    assert len(report["commit"]) == 40
    assert "0 / 20" in (out / "resume.md").read_text("utf-8")


def test_116_a_push_that_changes_a_grader_is_refused_by_name(course: Path, tmp_path: Path) -> None:
    def cheat(clone: Path) -> None:
        (clone / "graders").mkdir()
        (clone / "graders" / "engine.py").write_text("score = 20\n")

    push(course, tmp_path, cheat)
    code, out, err = grade(course, tmp_path)
    assert code == 1
    assert "graders/engine.py" in err
    assert "graders" in (out / "resume.md").read_text("utf-8")
    assert not list(out.glob("*.json"))


def test_021_a_hostile_compose_file_in_a_pull_request_starts_nothing(
    course: Path, tmp_path: Path
) -> None:
    def attack(clone: Path) -> None:
        place = clone / "submissions" / "les-bleus" / "07_dbt" / "compose.yaml"
        place.write_text(
            "services:\n  x:\n    image: postgres:15\n    provider: {type: ./evil.sh}\n"
        )

    push(course, tmp_path, attack)
    code, out, _ = grade(course, tmp_path)
    assert code == 1
    report = json.loads((out / "les-bleus-07_dbt.json").read_text("utf-8"))
    assert (report["score"], report["status"]) == (0, "refused")


def test_085_119_nothing_of_a_submission_becomes_a_command_of_the_runner(
    course: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders = ["::set-env name=PATH::/tmp", "::add-mask::20", "##[add-path]/tmp"]

    def attack(clone: Path) -> None:
        place = clone / "submissions" / "les-bleus" / "07_dbt"
        for number, order in enumerate(orders):
            (place / f"{order.replace('/', ' ')}.sql").write_text("select 1\n")
            (place / f"reponses{number}.yaml").write_text(f"{order}: 1\n")
        answers = "\n".join(f"  {order}" for order in orders)
        (place / "reponses.yaml").write_text(f"meilleur_mois: |-\n  x\n{answers}\n")
        (place / "compose.yaml").write_text(
            "".join(f'"\\n{order}\\n":\n  image: x\n' for order in orders)
        )

    files = {name: tmp_path / name for name in ("GITHUB_ENV", "GITHUB_PATH", "GITHUB_OUTPUT")}
    for name, path in files.items():
        path.touch()
        monkeypatch.setenv(name, str(path))
    push(course, tmp_path, attack)
    code, out, err = grade(course, tmp_path)
    assert code == 1
    told = [err, (out / "resume.md").read_text("utf-8")]
    assert "set-env" in html.unescape("".join(told))
    for line in "\n".join(told).splitlines():
        assert not line.lstrip().startswith("::"), line
        assert "##[" not in line
    assert not any(path.read_bytes() for path in files.values())
