"""A pull request is read from git objects: nothing of it is checked out or run."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from graders import pullrequest
from graders.errors import SubmissionError, UsageError

KNOWN = ["04_spark", "07_dbt"]
Git = Callable[..., str]


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    made = tmp_path / "cours"
    made.mkdir()
    return made


@pytest.fixture
def git(repo: Path) -> Git:
    def run(*argv: str) -> str:
        names = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
        done = subprocess.run(
            ["git", *names, *argv], cwd=repo, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    run("init", "-q", "-b", "main")
    (repo / "graders.py").write_text("score = 20\n")
    run("add", ".")
    run("commit", "-qm", "base")
    run("checkout", "-qb", "pr")
    return run


def submit(repo: Path, git: Git, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = repo / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    git("add", "-A")
    git("commit", "-qm", "rendu")


def test_the_changed_submission_is_found_and_written_out(
    repo: Path, git: Git, tmp_path: Path
) -> None:
    files = {"a/compose.yaml": "services: {}\n", "a/modèles/é.sql": "select 1\n"}
    submit(repo, git, {f"submissions/les-bleus/07_dbt/{k}": v for k, v in files.items()})
    submit(repo, git, {"submissions/les-bleus/equipe.yaml": "membres: [Zoé]\n"})
    change = pullrequest.read(repo, "main", "pr", KNOWN)
    assert (change.team, change.exercises) == ("les-bleus", ("07_dbt",))
    git("checkout", "-q", "main")
    folder = pullrequest.write_out(repo, change, "07_dbt", tmp_path / "ici")
    assert (folder / "a" / "modèles" / "é.sql").read_text() == "select 1\n"
    assert (folder.parent / "equipe.yaml").is_file()
    assert folder.parent.name == "les-bleus"


@pytest.mark.parametrize(
    "path",
    ["graders.py", ".github/workflows/x.yml", "submissions/x.txt", "exercises/07_dbt/rubric.yaml"],
)
def test_115_116_a_change_outside_the_teams_folder_is_refused_by_name(
    repo: Path, git: Git, path: str
) -> None:
    submit(repo, git, {path: "mine\n", "submissions/les-bleus/07_dbt/x": "1"})
    with pytest.raises(SubmissionError, match=path):
        pullrequest.read(repo, "main", "pr", KNOWN)


def test_another_teams_folder_is_refused(repo: Path, git: Git) -> None:
    submit(repo, git, {f"submissions/{t}/07_dbt/x": "1" for t in ("bleus", "rouges")})
    with pytest.raises(SubmissionError, match="bleus, rouges"):
        pullrequest.read(repo, "main", "pr", KNOWN)


def test_a_rename_out_of_another_folder_counts_for_both(repo: Path, git: Git) -> None:
    git("mv", "graders.py", "moved.py")
    (repo / "submissions/bleus/07_dbt").mkdir(parents=True)
    git("mv", "moved.py", "submissions/bleus/07_dbt/moved.py")
    git("commit", "-qm", "rename")
    with pytest.raises(SubmissionError, match=r"graders\.py"):
        pullrequest.read(repo, "main", "pr", KNOWN)


def test_what_the_base_changed_meanwhile_is_not_the_pull_requests(repo: Path, git: Git) -> None:
    submit(repo, git, {"submissions/bleus/07_dbt/x": "1"})
    git("checkout", "-q", "main")
    submit(repo, git, {"graders.py": "score = 19\n"})
    assert pullrequest.read(repo, "main", "pr", KNOWN).team == "bleus"


def test_112_links_and_submodules_are_refused(repo: Path, git: Git, tmp_path: Path) -> None:
    link = repo / "submissions/bleus/07_dbt/lien"
    link.parent.mkdir(parents=True)
    link.symlink_to("/etc/passwd")
    git("add", "-A")
    git("commit", "-qm", "lien")
    change = pullrequest.read(repo, "main", "pr", KNOWN)
    with pytest.raises(SubmissionError, match="lien"):
        pullrequest.write_out(repo, change, "07_dbt", tmp_path / "ici")
    git("rm", "-q", str(link))
    head = git("rev-parse", "HEAD")
    git("update-index", "--add", "--cacheinfo", f"160000,{head},submissions/bleus/07_dbt/sub")
    git("commit", "-qm", "sous-module")
    change = pullrequest.read(repo, "main", "pr", KNOWN)
    with pytest.raises(SubmissionError, match="sous-module"):
        pullrequest.write_out(repo, change, "07_dbt", tmp_path / "là")


@pytest.mark.parametrize("name", ["absent", "--upload-pack=touch x", "$(touch x)"])
def test_118_a_reference_that_names_no_commit_is_the_callers_fault(
    repo: Path, git: Git, name: str
) -> None:
    with pytest.raises(UsageError):
        pullrequest.read(repo, "main", name, KNOWN)
    assert not (repo / "x").exists()


@pytest.mark.parametrize("branch", ["a;touch${IFS}x", "$(touch${IFS}x)", "`touch${IFS}x`", "-x"])
def test_118_a_branch_whose_name_is_a_command_is_only_a_name(
    repo: Path, git: Git, branch: str
) -> None:
    submit(repo, git, {"submissions/bleus/07_dbt/x": "1"})
    git("update-ref", f"refs/heads/{branch}", "HEAD")
    assert pullrequest.read(repo, "main", f"refs/heads/{branch}", KNOWN).team == "bleus"
    assert sorted(p.name for p in repo.iterdir()) == [".git", "graders.py", "submissions"]


def test_123_what_is_graded_is_the_commit_that_was_looked_at(
    repo: Path, git: Git, tmp_path: Path
) -> None:
    """A push between the look and the grading changes nothing: a commit is named, not a branch."""
    submit(repo, git, {"submissions/bleus/07_dbt/x": "vu"})
    change = pullrequest.read(repo, "main", "pr", KNOWN)
    submit(repo, git, {"submissions/bleus/07_dbt/x": "après", "graders.py": "score = 21\n"})
    folder = pullrequest.write_out(repo, change, "07_dbt", tmp_path / "ici")
    assert (folder / "x").read_text() == "vu"
