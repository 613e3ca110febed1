"""The command line, as a newcomer types it."""

from __future__ import annotations

import json
import shutil
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


def work(tmp_path: Path, team: str = "les-bleus") -> Path:
    folder = tmp_path / "submissions" / team / "07_dbt"
    shutil.copytree(ROOT / "exercises/07_dbt/starter", folder)
    return folder


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["grade", "submissions", "--static", "--out", "fichier/x"], "fichier/x"),
        (["grade", "submissions", "--static", "--out", "/proc/x"], "/proc/"),
        (["datagen", "07_dbt", "--team", "x", "--root", str(ROOT), "--out", "/proc/x"], "/proc/"),
        (["grade", "submissions", "--static", "--replay", "-1"], "-1"),
        (["batch", "submissions", "--out", "r", "--timeout", "nan"], "nan"),
        (["batch", "submissions", "--out", "r", "--timeout", "-5"], "-5"),
        (["grade", "submissions", "--static", "--key-file", "vide"], "16 octets"),
        (["grade", "submissions", "--static", "--team", "a", "--json"], ""),
        (["selftest", "07_dbt", "--corrections", "submissions"], "solution/"),
        (["nope"], "nope"),
        (["grade"], "PATHS"),
    ],
)
def test_what_is_typed_wrong_is_told_in_one_line_with_code_2(
    tmp_path: Path, argv: list[str], told: str
) -> None:
    for team in ("a1", "b1"):
        work(tmp_path, team)
    (tmp_path / "fichier").touch()
    (tmp_path / "vide").touch()
    done = bareme(*argv, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("les-bleus: 3", "les-bleus : équipe, exercice"),
        ("les-bleus: {07_dbt: [1]}", "critère puis note"),
        ("les-bleus: {99_cobol: {resultats: 1}}", "99_cobol"),
        ("les-bleus: {07_dbt: {build: 0.5}}", "ne se note pas à la main (resultats"),
        ("les-bleus: {07_dbt: {resultats: 99}}", "de 0 à 1"),
        ("autres: {07_dbt: {resultats: -1}}", "de 0 à 1"),
        ("les-bleus: {07_dbt: {resultats: true}}", "un nombre"),
        ("les-bleus: [", "YAML"),
    ],
)
def test_marks_that_are_none_are_told(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "notes.yaml").write_text(text)
    folder = work(tmp_path)
    done = bareme("grade", str(folder), "--static", "--marks", "notes.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_fault_of_ours_and_an_interruption_are_never_a_refusal() -> None:
    for raised in ("RuntimeError('boum')", "KeyboardInterrupt()"):
        code = (
            "from graders import batch, cli\n"
            f"def fail(*_): raise {raised}\n"
            "batch.targets = fail\n"
            "cli.main()"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, "grade", "."], cwd=ROOT, capture_output=True, check=False
        )
        assert done.returncode == cli.OURS, done.stderr


def test_a_pull_request_always_has_its_summary(tmp_path: Path) -> None:
    repo = tmp_path / "cours"
    repo.mkdir()

    def git(*argv: str) -> None:
        who = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
        subprocess.run(["git", *who, *argv], cwd=repo, check=True, capture_output=True)

    git("init", "-q", "-b", "main")
    git("commit", "-q", "--allow-empty", "-m", "base")
    seen = {}
    for name, path in (
        ("bon", "submissions/a1/07_dbt/x"),
        ("faute", "submissions/a1/07-dbt/x"),
        ("equipe", "submissions/a1/equipe.yaml"),
        ("dehors", "graders/x.py"),
    ):
        git("checkout", "-q", "-B", name, "main")
        (repo / path).parent.mkdir(parents=True)
        (repo / path).write_text("x")
        git("add", "-A")
        git("commit", "-qm", name)
        out = tmp_path / f"rapports-{name}"
        done = bareme("pr", "--base", "main", "--head", name, "--repo", str(repo),
                      "--static", "--out", str(out), cwd=ROOT)  # fmt: skip
        assert "Traceback" not in done.stderr
        seen[name] = (done.returncode, (out / "resume.md").read_text("utf-8"))
    assert {name: code for name, (code, _) in seen.items()} == {
        "bon": 1, "faute": 1, "equipe": 0, "dehors": 1,
    }  # fmt: skip
    assert "07&#45;dbt" in seen["faute"][1]
    assert "est à corriger" in seen["equipe"][1]
    assert "graders" in seen["dehors"][1]
    lost = bareme("pr", "--base", "main", "--head", "absent", "--repo", str(repo),
                  "--out", str(tmp_path / "r"), cwd=ROOT)  # fmt: skip
    assert lost.returncode == 2
    assert "absent" in (tmp_path / "r/resume.md").read_text("utf-8")


def test_from_anywhere_in_the_course_the_work_begins_at_its_top(tmp_path: Path) -> None:
    below = tmp_path / "exercises/07_dbt"
    below.mkdir(parents=True)
    shutil.copy(ROOT / "cours.yaml", tmp_path)
    assert bareme("start", "07_dbt", "--team", "les-bleus", cwd=below).returncode == 0
    assert (tmp_path / "submissions/les-bleus/07_dbt").is_dir()


def test_data_alone_makes_no_second_team(tmp_path: Path) -> None:
    work(tmp_path)
    (tmp_path / "submissions/demo/07_dbt/donnees").mkdir(parents=True)
    done = bareme("check", "07_dbt", "--static", cwd=tmp_path)
    assert "Plusieurs équipes" not in done.stderr
    assert "les-bleus" in done.stdout


def test_another_version_and_another_name_are_told(tmp_path: Path) -> None:
    folder = work(tmp_path)
    text = (folder / "compose.yaml").read_text("utf-8").replace("postgres:15", "postgres:99")
    (folder / "compose.yaml").unlink()
    (folder / "docker-compose.yml").write_text(text, "utf-8")
    (folder / "reponses.yaml").rename(folder / "reponses.yml")
    done = bareme("check", "07_dbt", "--static", "--out", "r", cwd=tmp_path)
    told = json.loads((tmp_path / "r/les-bleus-07_dbt.json").read_text("utf-8"))["notices"]
    assert any("« postgres:99 » : la correction se fait avec « postgres:15 »" in t for t in told)
    assert any("« reponses.yaml » a été trouvé sous le nom « reponses.yml »" in t for t in told)
    assert not any("compose.yaml" in t for t in told), done.stdout
