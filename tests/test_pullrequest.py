"""A pull request is read from git objects: nothing of it is checked out or run."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from graders import pullrequest
from graders.errors import MachineError, SubmissionError, UsageError

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


@pytest.mark.parametrize("path", ["07_dbt/lien", "equipe.yaml", "notes/lien", "07_dbt"])
def test_112_links_and_submodules_are_refused(repo: Path, git: Git, path: str) -> None:
    link = repo / "submissions/bleus" / path
    link.parent.mkdir(parents=True)
    link.symlink_to("/etc/passwd")
    git("add", "-A")
    git("commit", "-qm", "lien")
    with pytest.raises(SubmissionError, match=f"{path} » est un lien"):
        pullrequest.read(repo, "main", "pr", KNOWN)
    git("rm", "-q", str(link))
    head = git("rev-parse", "HEAD")
    git("update-index", "--add", "--cacheinfo", f"160000,{head},submissions/bleus/{path}")
    git("commit", "-qm", "sous-module")
    with pytest.raises(SubmissionError, match=f"{path} » est un sous-module"):
        pullrequest.read(repo, "main", "pr", KNOWN)


@pytest.mark.parametrize("name", [b"zz\n:x", b"zz\n:000000 100644 a b A", b"r\xe9sultats.txt"])
def test_115_a_name_hides_nothing_that_comes_after_it(repo: Path, git: Git, name: bytes) -> None:
    submit(repo, git, {"submissions/bleus/07_dbt/x": "1"})
    submit(repo, git, {"tests/test_x.py": "mine\n"})
    Path(os.fsdecode(os.fsencode(repo / "submissions/bleus/07_dbt") + b"/" + name)).touch()
    git("add", "-A")
    git("commit", "-qm", "nom")
    with pytest.raises(SubmissionError):
        pullrequest.read(repo, "main", "pr", KNOWN)
    git("rm", "-rq", "submissions")
    git("commit", "-qm", "sans le nom")
    with pytest.raises(SubmissionError, match=r"tests/test_x\.py"):
        pullrequest.read(repo, "main", "pr", KNOWN)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        (b"zz\x1b[2J\r::error::x", "invisible"),
        (b"r\xe9sultats.txt", r"r\\xe9sultats\.txt » : ce nom n'est pas en UTF-8"),
        (b"a" * 250, "200 octets"),
        (b"..\\x", "nom refusé"),
    ],
)
def test_a_name_that_cannot_be_is_told_without_its_tricks(
    repo: Path, git: Git, name: bytes, why: str
) -> None:
    folder = repo / "submissions/bleus/07_dbt"
    folder.mkdir(parents=True)
    Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).touch()
    git("add", "-A")
    git("commit", "-qm", "nom")
    with pytest.raises(SubmissionError, match=why) as error:
        pullrequest.read(repo, "main", "pr", KNOWN)
    assert str(error.value).isprintable()


def tree_of(repo: Path, *entries: bytes) -> str:
    """Write a tree by hand, as no well-behaved git would, and return its name."""
    done = subprocess.run(
        ["git", "hash-object", "-w", "-t", "tree", "--literally", "--stdin"],
        cwd=repo, input=b"".join(entries), capture_output=True, check=True,
    )  # fmt: skip
    return done.stdout.decode().strip()


def commit_of(git: Git, tree: str) -> str:
    return git("commit-tree", tree, "-p", "main", "-m", "à la main")


@pytest.mark.parametrize("name", [b"..", b".git", b".GIT"])
def test_a_tree_made_by_hand_does_not_leave_its_folder(repo: Path, git: Git, name: bytes) -> None:
    (repo / "x").write_text("x")
    blob = bytes.fromhex(git("hash-object", "-w", "x"))
    base = bytes.fromhex(git("rev-parse", "main:graders.py"))
    tree = tree_of(repo, b"100644 " + name + b"\0" + blob)
    for step in (b"07_dbt", b"bleus"):
        tree = tree_of(repo, b"40000 " + step + b"\0" + bytes.fromhex(tree))
    top = (b"100644 graders.py\0" + base, b"40000 submissions\0" + bytes.fromhex(tree))
    with pytest.raises(SubmissionError, match="noms refusés"):
        pullrequest.read(repo, "main", commit_of(git, tree_of(repo, *top)), KNOWN)


def test_a_bomb_of_trees_is_bounded(repo: Path, git: Git) -> None:
    (repo / "x").write_text("x")
    blob = bytes.fromhex(git("hash-object", "-w", "x"))
    tree = tree_of(repo, *(b"100644 %d\0" % i + blob for i in range(10)))
    for _ in range(12):
        inner = bytes.fromhex(tree)
        tree = tree_of(repo, *(b"40000 %d\0" % i + inner for i in range(10)))
    for step in (b"07_dbt", b"bleus"):
        tree = tree_of(repo, b"40000 " + step + b"\0" + bytes.fromhex(tree))
    base = bytes.fromhex(git("rev-parse", "main:graders.py"))
    top = (b"100644 graders.py\0" + base, b"40000 submissions\0" + bytes.fromhex(tree))
    tree = tree_of(repo, *top)
    with pytest.raises(SubmissionError, match="plus de 20000 fichiers"):
        pullrequest.read(repo, "main", commit_of(git, tree), KNOWN)


def test_an_object_that_is_missing_is_not_billed(repo: Path, git: Git, tmp_path: Path) -> None:
    submit(repo, git, {"submissions/bleus/07_dbt/x": "1"})
    change = pullrequest.read(repo, "main", "pr", KNOWN)
    blob = git("rev-parse", "pr:submissions/bleus/07_dbt/x")
    (repo / ".git/objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(MachineError):
        pullrequest.write_out(repo, change, "07_dbt", tmp_path / "ici")
    with pytest.raises(UsageError):
        pullrequest.read(repo, "main", "0" * 40, KNOWN)


@pytest.mark.parametrize("gone", ["submissions/bleus/07_dbt", "submissions/bleus", "submissions"])
def test_what_is_deleted_is_told(repo: Path, git: Git, tmp_path: Path, gone: str) -> None:
    git("checkout", "-q", "main")
    submit(repo, git, {f"submissions/bleus/{f}": "1" for f in ("07_dbt/x", "equipe.yaml")})
    git("checkout", "-qb", "retrait")
    git("rm", "-rq", gone)
    git("commit", "-qm", "retrait")
    change = pullrequest.read(repo, "main", "retrait", KNOWN)
    with pytest.raises(SubmissionError, match="supprime"):
        pullrequest.write_out(repo, change, "07_dbt", tmp_path / "ici")


def test_a_file_named_like_an_exercise_and_a_misspelt_folder(
    repo: Path, git: Git, tmp_path: Path
) -> None:
    submit(repo, git, {"submissions/bleus/07_dbt": "x", "submissions/bleus/04-spark/x": "1"})
    change = pullrequest.read(repo, "main", "pr", KNOWN)
    assert (change.exercises, change.others) == (("07_dbt",), ("04-spark",))
    with pytest.raises(SubmissionError, match="n'est pas un dossier"):
        pullrequest.write_out(repo, change, "07_dbt", tmp_path / "ici")


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
