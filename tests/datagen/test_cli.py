"""`bareme datagen`: arguments, messages and exit codes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from datagen.cli import datagen_command
from datagen.errors import DatagenError
from datagen.seeds import course_id, project_root, team_seed


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "cours.yaml").write_text("cours: essai-2026\n", encoding="utf-8")
    (tmp_path / "ailleurs").mkdir()
    monkeypatch.chdir(tmp_path / "ailleurs")
    return tmp_path


def test_default_folder_is_the_submission(course: Path) -> None:
    result = CliRunner().invoke(datagen_command, ["07_dbt", "--team", "equipe-7", "--scale", "0.1"])
    assert result.exit_code == 0, result.output
    folder = course / "submissions" / "equipe-7" / "07_dbt" / "donnees"
    assert str(folder) in result.output
    assert (folder / "csv" / "clients.csv").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["07_dbt", "--team", "Équipe 7"], "de 1 à 40 caractères"),
        (["07_dbt", "--team", "../../etc"], "de 1 à 40 caractères"),
        (["07_dbt", "--team", "a" * 41], "de 1 à 40 caractères"),
        (["07_dbt", "--team", "a\n"], "de 1 à 40 caractères"),
        (["99_zut", "--team", "a"], "inconnu"),
        (["../x", "--team", "a"], "inconnu"),
        (["07_dbt", "--team", "a", "--scale", "-3"], "--scale"),
        (["07_dbt", "--team", "a", "--rows", "10"], "04_spark"),
        (["07_dbt", "--team", "a", "--out", "."], "n'est pas vide"),
        (["07_dbt"], "--team"),
    ],
)
def test_wrong_arguments_exit_2_and_write_nothing(
    course: Path, arguments: list[str], message: str
) -> None:
    (course / "ailleurs" / "fichier").write_text("")
    before = sorted(course.rglob("*"))
    result = CliRunner().invoke(datagen_command, arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())
    assert sorted(course.rglob("*")) == before


def test_outside_a_course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(datagen_command, ["07_dbt", "--team", "a"])
    assert result.exit_code == 2
    assert "cours.yaml est introuvable" in result.output


@pytest.mark.parametrize("text", ["", "- a\n", "cours: 3\n", "cours: [\n", "autre: x\n"])
def test_a_broken_course_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "cours.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(DatagenError, match=r"cours\.yaml"):
        course_id(tmp_path)


def test_the_root_is_above(course: Path) -> None:
    assert project_root(Path.cwd()) == course
    assert course_id(course) == "essai-2026"


def test_seeds_are_fixed_and_distinct() -> None:
    assert team_seed("m2-outils-donnees-2026", "equipe-demo") == 3175172146928267573
    many = {team_seed(course, f"e{i}") for course in ("a", "b") for i in range(500)}
    assert len(many) == 1_000
    assert max(many) < 2**63


def test_as_a_module(course: Path) -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "datagen", "07_dbt", "--team", "a", "--scale", "0.01"]
    done = subprocess.run(
        [*command, "--out", str(course / "d"), "--root", str(course)],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (course / "d" / "boutique.duckdb").is_file()


def test_the_command_line_imports_nothing_heavy() -> None:
    heavy = "{'numpy', 'pandas', 'pyarrow', 'duckdb', 'rich', 'yaml'}"
    code = f"import datagen.cli, sys; print({heavy} & set(sys.modules))"
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"
