"""The clean copy: what is taken, what is left out, what is refused; nothing is followed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from graders import intake
from graders.errors import SubmissionError
from graders.model import Rubric, Submission

DELIVERABLES = (
    {"name": "compose.yaml", "patterns": ["docker-compose.yml"]},
    {"name": "resultats.md", "patterns": ["*resultat*.md"], "what": "l'analyse"},
)


@pytest.fixture
def rubric(make_rubric: Any) -> Rubric:
    made: Rubric = make_rubric("a", deliverables=DELIVERABLES)
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "submissions" / "les-bleus" / "07_dbt"
    made.mkdir(parents=True)
    (made / "compose.yaml").write_text("services: {}\n")
    (made / "resultats.md").write_text("# Résumé\n", "utf-8")
    return made


@pytest.fixture
def load(tmp_path: Path, rubric: Rubric) -> Any:
    def read(folder: Path) -> Submission:
        place = tmp_path / "scratch"
        place.mkdir(exist_ok=True)
        return intake.load(folder, rubric, place)

    return read


def test_a_good_folder_is_copied_and_named_after_its_team(folder: Path, load: Any) -> None:
    (folder.parent / "equipe.yaml").write_text("membres: [Zoé Ñu, {nom: Li}]\n", "utf-8")
    (folder / "reponses.yaml").write_text("total: 3\n")
    got = load(folder)
    assert (got.team, got.members, got.answers) == ("les-bleus", ("Zoé Ñu", "Li"), {"total": 3})
    assert (got.root / "compose.yaml").read_text() == "services: {}\n"
    assert not got.notices
    assert not got.problems


def test_the_digest_depends_on_names_and_contents(folder: Path, load: Any) -> None:
    first = load(folder).digest
    assert load(folder).digest == first
    (folder / "compose.yaml").write_text("services: []\n")
    assert load(folder).digest != first


def test_a_second_copy_leaves_nothing_of_the_first(folder: Path, load: Any) -> None:
    (folder / "vieux.sql").write_text("select 1")
    inode = (load(folder).root / "compose.yaml").stat().st_ino
    (folder / "vieux.sql").unlink()
    root = load(folder).root
    assert not (root / "vieux.sql").exists()
    assert (root / "compose.yaml").stat().st_ino == inode  # bind mounts of single files hold


def test_links_are_left_out_and_said(folder: Path, load: Any, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("clé")
    (folder / "lien").symlink_to(tmp_path / "secret")
    (folder / "dossier").symlink_to("/etc")
    got = load(folder)
    assert not (got.root / "lien").exists()
    assert not (got.root / "dossier").exists()
    assert sum("lien" in n for n in got.notices) == 2


def test_a_pipe_is_refused_without_hanging(folder: Path, load: Any) -> None:
    os.mkfifo(folder / "tube")
    with pytest.raises(SubmissionError, match="tube"):
        load(folder)


def test_a_file_swapped_for_a_link_after_the_walk_is_caught(tmp_path: Path) -> None:
    (tmp_path / "lien").symlink_to("/etc/passwd")
    with pytest.raises(SubmissionError, match="a changé"):
        intake._copy_file(
            tmp_path / "lien", tmp_path / "x", intake.PurePosixPath("lien"), intake._Copy()
        )


def test_a_huge_file_is_left_out_unread(folder: Path, load: Any) -> None:
    with (folder / "gros.bin").open("wb") as file:
        file.truncate(2 << 30)
    got = load(folder)
    assert any("gros.bin" in n and "2048 Mio" in n for n in got.notices)


def test_too_many_files_are_refused(folder: Path, load: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(intake, "FILES_CAP", 3)
    for n in range(4):
        (folder / f"f{n}").touch()
    with pytest.raises(SubmissionError, match="Plus de 3 fichiers"):
        load(folder)


@pytest.mark.parametrize(
    "name", ["a\nb", "x\u202egpj.exe", "é" * 120, b"\xff".decode("utf-8", "surrogateescape")]
)
def test_bad_names_are_left_out_and_shown_safely(folder: Path, load: Any, name: str) -> None:
    (folder / name).touch()
    (notice,) = load(folder).notices
    assert notice.isprintable()
    assert len(notice) < 250


def test_names_that_differ_by_case_only_keep_the_first(folder: Path, load: Any) -> None:
    (folder / "Lisez.md").write_text("1")
    (folder / "lisez.md").write_text("2")
    got = load(folder)
    assert (got.root / "Lisez.md").read_text() == "1"
    assert any("majuscules" in n for n in got.notices)


def test_rebuilt_folders_and_repositories_are_not_copied(folder: Path, load: Any) -> None:
    for name in (".git", "node_modules", "target", "donnees"):
        (folder / name).mkdir()
        (folder / name / "x").touch()
    assert {p.name for p in load(folder).root.iterdir()} == {"compose.yaml", "resultats.md"}


def test_a_deliverable_under_another_name_is_found_and_said(folder: Path, load: Any) -> None:
    (folder / "resultats.md").rename(folder / "Mes Résultats & co.md")
    got = load(folder)
    assert (got.root / "resultats.md").is_file()
    assert any("Mes Résultats & co.md" in n for n in got.notices)
    assert not got.problems


def test_a_missing_deliverable_is_a_problem_and_not_a_refusal(folder: Path, load: Any) -> None:
    (folder / "resultats.md").unlink()
    assert "l'analyse" in load(folder).problems["resultats.md"]


def test_work_one_folder_too_deep_is_found(folder: Path, load: Any) -> None:
    inner = folder / "mon projet"
    inner.mkdir()
    (folder / "compose.yaml").rename(inner / "docker-compose.yml")
    got = load(folder)
    assert got.root.name == "mon projet"
    assert (got.root / "resultats.md").is_file()


@pytest.mark.parametrize(
    "text",
    ["total: [", "- 1\n", "total: 1\ntotal: 2\n", "a: !!python/object:os.system {}\n", "\xff"],
)
def test_a_broken_answers_file_is_a_problem_that_names_it(
    folder: Path, load: Any, text: str
) -> None:
    (folder / "reponses.yaml").write_bytes(text.encode("latin-1"))
    got = load(folder)
    assert "reponses.yaml" in got.problems["reponses.yaml"]
    assert got.answers == {}


def test_the_slug_comes_from_the_folder_alone(tmp_path: Path, load: Any) -> None:
    made = tmp_path / "Équipe 1" / "07_dbt"
    made.mkdir(parents=True)
    (made.parent / "equipe.yaml").write_text("equipe: les-rouges\nmembres: [x]\n", "utf-8")
    with pytest.raises(SubmissionError, match="nom d'équipe"):
        load(made)


def test_the_commit_is_the_last_that_touched_the_folder(folder: Path) -> None:
    root = folder.parents[2]

    def git(*argv: str) -> str:
        names = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
        done = subprocess.run(
            ["git", *names, *argv], cwd=root, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "rendu")
    wanted = git("rev-parse", "HEAD")
    git("commit", "-qm", "autre", "--allow-empty")
    assert intake.commit_of(folder) == wanted


def test_a_repository_inside_the_submission_is_never_opened(folder: Path, tmp_path: Path) -> None:
    evil = tmp_path / "preuve"
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    (folder / ".git" / "config").write_text(
        f'[core]\nfsmonitor = "touch {evil}; true"\nhooksPath = .\n'
    )
    assert intake.commit_of(folder) == ""
    assert not evil.exists()
