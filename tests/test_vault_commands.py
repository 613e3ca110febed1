"""`bareme unlock`, `seal` and `rekey`, from the shell's side."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from graders import course, vault
from graders.commands import vault as commands
from graders.errors import BaremeError, UsageError, VaultError

EX = "07_dbt"
PASSWORD = "un mot de passe pour l'essai"
OTHER = "un autre mot de passe"
ROOT = Path(__file__).parents[1]
RUBRIC = """
exercise: {exercise}
version: {version}
title: Essai
services: {{}}
images: {{}}
criteria:
  - {{id: tout, title: Tout, points: 20, hint: Relisez l'énoncé.}}
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small course with two exercises, and the cheapest keys."""
    for exercise in (EX, "06_airflow"):
        folder = tmp_path / "course" / "exercises" / exercise
        folder.mkdir(parents=True)
        (folder / "rubric.yaml").write_text(RUBRIC.format(exercise=exercise, version=2), "utf-8")
    solution = tmp_path / "correction" / "solution"
    solution.mkdir(parents=True)
    (solution / "a.sql").write_text("select 1")
    monkeypatch.setattr(course, "ROOT", tmp_path / "course")
    monkeypatch.delenv("BAREME_PASSWORD", raising=False)
    cheap = vault.Cost(log2_n=4)
    for name in ("seal", "rekey"):
        function = getattr(vault, name)
        monkeypatch.setattr(vault, name, lambda *a, f=function: f(*a, cost=cheap))
    return tmp_path / "course"


@pytest.fixture
def solution(root: Path) -> Path:
    return root.parent / "correction"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.write_text(PASSWORD + "\r\n", "utf-8")
    return file


def run(command: str, *arguments: object, password: str | None = None) -> Result:
    env = {} if password is None else {"BAREME_PASSWORD": password}
    return CliRunner().invoke(getattr(commands, command), [str(a) for a in arguments], env=env)


def failure(result: Result) -> BaremeError:
    assert isinstance(result.exception, BaremeError), result.output
    return result.exception


def test_seal_then_unlock(root: Path, solution: Path, secret: Path) -> None:
    sealed = run("seal", solution, "--exercise", "07", "--password-file", secret)
    assert sealed.exit_code == 0, sealed.output
    assert "version 2" in sealed.output
    unlocked = run("unlock", "dbt", password=PASSWORD)
    assert unlocked.exit_code == 0, unlocked.output
    assert (root / "corrections" / EX / "solution/a.sql").read_text() == "select 1"
    again = failure(run("unlock", EX, password=PASSWORD))
    assert isinstance(again, UsageError)
    assert "--force" in str(again)
    assert run("unlock", EX, "--force", password=PASSWORD).exit_code == 0
    assert run("unlock", EX, "--to", root / "là", password=PASSWORD).exit_code == 0
    assert (root / "là" / "solution/a.sql").is_file()


def test_force_replaces_nothing_but_a_correction(root: Path, solution: Path) -> None:
    run("seal", solution, "--exercise", EX, password=PASSWORD)
    mine = root / "submissions"
    (mine / "les-bleus").mkdir(parents=True)
    refused = failure(run("unlock", EX, "--to", mine, "--force", password=PASSWORD))
    assert "n'est pas une correction" in str(refused)
    assert (mine / "les-bleus").is_dir()


def test_what_is_no_correction_is_not_sealed(root: Path, solution: Path) -> None:
    run("seal", solution, "--exercise", EX, password=PASSWORD)
    archive = root / "solutions_encrypted" / f"{EX}.bareme"
    before = archive.read_bytes()
    (solution / "notes.txt").touch()
    assert "solution/" in str(failure(run("seal", solution, "--exercise", EX, password=PASSWORD)))
    assert archive.read_bytes() == before


def test_a_wrong_password_writes_nothing(root: Path, solution: Path) -> None:
    run("seal", solution, "--exercise", EX, password=PASSWORD)
    before = sorted(root.rglob("*"))
    assert isinstance(failure(run("unlock", EX, password=OTHER)), VaultError)
    assert sorted(root.rglob("*")) == before


def test_an_archive_older_than_the_rubric_is_refused(root: Path, solution: Path) -> None:
    run("seal", solution, "--exercise", EX, password=PASSWORD)
    text = RUBRIC.format(exercise=EX, version=3)
    (root / "exercises" / EX / "rubric.yaml").write_text(text, "utf-8")
    assert "version 3" in str(failure(run("unlock", EX, password=PASSWORD)))
    assert not (root / "corrections").exists()


def test_rekey_changes_all_archives_or_none(root: Path, solution: Path, secret: Path) -> None:
    run("seal", solution, "--exercise", EX, password=PASSWORD)
    run("seal", solution, "--exercise", "06", password=OTHER)
    new = root / "new"
    new.write_text("le tout nouveau", "utf-8")
    before = (root / "solutions_encrypted" / f"{EX}.bareme").read_bytes()
    arguments = ("--password-file", secret, "--new-password-file", new)
    assert isinstance(failure(run("rekey", EX, "06", *arguments)), VaultError)
    assert (root / "solutions_encrypted" / f"{EX}.bareme").read_bytes() == before
    assert run("rekey", EX, *arguments).exit_code == 0
    assert run("unlock", EX, password="le tout nouveau").exit_code == 0
    run("seal", solution, "--exercise", "06", password="le tout nouveau")
    new.write_text("plus nouveau encore", "utf-8")
    everything = run("rekey", "--new-password-file", new, password="le tout nouveau")
    assert everything.output.count("Mot de passe changé") == 2


def test_an_exercise_without_an_archive(root: Path) -> None:
    assert "Aucune archive" in str(failure(run("unlock", EX, password=PASSWORD)))
    assert "Aucune archive" in str(failure(run("rekey", password=PASSWORD)))
    assert "Exercice inconnu" in str(failure(run("unlock", "99", password=PASSWORD)))


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe", b"x" * 2000])
def test_a_password_file_without_a_password(solution: Path, secret: Path, content: bytes) -> None:
    secret.write_bytes(content)
    error = failure(run("seal", solution, "--exercise", EX, "--password-file", secret))
    assert "première ligne" in str(error)


def test_without_a_terminal_the_ways_to_give_a_password_are_named(
    root: Path, solution: Path
) -> None:
    message = str(failure(run("seal", solution, "--exercise", EX)))
    assert "--password-file" in message
    assert "BAREME_PASSWORD" in message


def test_a_target_that_exists_is_refused_before_a_password_is_asked(
    root: Path, solution: Path
) -> None:
    run("seal", solution, "--exercise", EX, password=PASSWORD)
    (root / "corrections" / EX).mkdir(parents=True)
    assert "--force" in str(failure(run("unlock", EX)))


def test_132_no_command_takes_a_password_as_an_argument() -> None:
    for command in (commands.unlock, commands.seal, commands.rekey):
        names = {name for p in command.params for name in p.opts if "password" in name}
        assert names <= {"--password-file", "--new-password-file"}


def test_132_the_keyboard_shows_nothing_and_asks_a_new_password_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("BAREME_PASSWORD", raising=False)
    code = (
        "from graders.commands.vault import password\n"
        "print('GOT', len(password(None, confirm=True)))"
    )
    leader, follower = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, start_new_session=True,
        stdin=follower, stdout=follower, stderr=follower,
    )  # fmt: skip
    os.close(follower)
    seen = ""
    for marker in ("corrections: ", "fois: ", f"GOT {len(PASSWORD)}"):
        while marker not in seen:
            assert select.select([leader], [], [], 20)[0], f"no {marker!r} after {seen!r}"
            seen += os.read(leader, 1024).decode()
        if marker.endswith(": "):
            os.write(leader, PASSWORD.encode() + b"\n")
    assert child.wait(20) == 0
    os.close(leader)
    assert PASSWORD not in seen


def test_the_module_is_light_to_import() -> None:
    code = (
        "import sys, graders.commands.vault\n"
        "print([m for m in ('cryptography', 'yaml', 'jsonschema', 'tarfile') if m in sys.modules])"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert loaded.stdout.strip() == "[]"


def test_from_the_shell_a_failure_is_one_line_and_a_non_zero_code(
    root: Path, solution: Path
) -> None:
    run("seal", solution, "--exercise", EX, password=PASSWORD)
    code = (
        "import sys; from pathlib import Path; from graders import course\n"
        "course.ROOT = Path(sys.argv.pop(1))\n"
        "from graders.cli import main; main()"
    )
    shell = subprocess.run(
        [sys.executable, "-c", code, str(root), "unlock", EX],
        cwd=ROOT, check=False, capture_output=True, text=True,
        env={**os.environ, "BAREME_PASSWORD": OTHER},
    )  # fmt: skip
    assert shell.returncode == 2
    assert shell.stderr.count("\n") == 1
    assert "mot de passe incorrect" in shell.stderr
    assert OTHER not in shell.stderr + shell.stdout
    assert not (root / "corrections").exists()
