"""The command line, as a newcomer types it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from graders import cli, course

ROOT = Path(__file__).parents[1]


def bareme(*argv: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "graders.cli", *argv],
        cwd=cwd,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8", "COLUMNS": "100"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_has_its_help(name: str) -> None:
    done = bareme(name, "--help")
    assert done.returncode == 0, done.stderr
    assert "Usage: bareme" in done.stdout


def test_help_lists_the_commands_without_importing_them() -> None:
    code = "import sys; from graders import cli; cli.bareme(['--help'], standalone_mode=False)\n"
    code += "print('HEAVY', [m for m in ('pandas', 'docker', 'git', 'rich') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "HEAVY []" in done.stdout
    assert all(name in done.stdout for name in cli.COMMANDS)


def test_an_unknown_exercise_is_said_in_one_line_with_code_2() -> None:
    done = bareme("start", "99_cobol", "--team", "x")
    assert done.returncode == 2
    assert "99_cobol" in done.stderr
    assert "Traceback" not in done.stderr


def test_start_copies_the_starter_and_never_overwrites(tmp_path: Path) -> None:
    exercise = course.exercises()[0]
    assert bareme("start", exercise, "--team", "les-bleus", cwd=tmp_path).returncode == 0
    made = tmp_path / "submissions" / "les-bleus" / exercise
    names = {p.name for p in (ROOT / "exercises" / exercise / "starter").iterdir()}
    assert {p.name for p in made.iterdir()} == names
    again = bareme("start", exercise, "--team", "les-bleus", cwd=tmp_path)
    assert again.returncode == 2
    assert "existe déjà" in again.stderr


@pytest.mark.parametrize("team", ["Les Bleus", "../evil", "é", "-x" * 30])
def test_start_refuses_a_bad_slug(tmp_path: Path, team: str) -> None:
    done = bareme("start", course.exercises()[0], "--team", team, cwd=tmp_path)
    assert done.returncode == 2
    assert list(tmp_path.iterdir()) == []


def test_a_static_refusal_is_told_and_does_not_hang(tmp_path: Path) -> None:
    made = tmp_path / "submissions" / "les-bleus" / "07_dbt"
    made.mkdir(parents=True)
    (made / "compose.yaml").write_text(
        "services:\n  db:\n    image: postgres:15\n    privileged: true\n"
    )
    start = time.monotonic()
    done = bareme("grade", str(made), "--static")
    assert time.monotonic() - start < 60  # benchmarks measure; this only catches a hang
    assert done.returncode == 1
    assert "privileged" in done.stdout
