"""One pull request: what it changed, and whether it may be graded. Reads git objects only.

Nothing of the head is checked out into the working tree or executed: the changed submission is
written out from its blobs, and is graded with the rubric and the graders of the base.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import git

from graders.errors import SubmissionError, UsageError

FILE, LINK, SUBMODULE = 0o100000, 0o120000, 0o160000
BLOB_CAP = 64 << 20


@dataclass(frozen=True, slots=True)
class Change:
    """The submissions that a pull request changed, all of one team."""

    team: str
    exercises: tuple[str, ...]
    head: str  # commit, hex


def read(root: Path, base: str, head: str, known: list[str]) -> Change:
    """Return what `head` changed since it left `base`.

    Raises SubmissionError, in French and naming the file, when the change leaves
    submissions/<one slug>/, and UsageError when a reference names no commit.
    """
    repository = _open(root)
    newer = _commit(repository, head)
    bases = repository.merge_base(_commit(repository, base), newer)
    if not bases:
        raise UsageError(f"« {base} » et « {head} » n'ont pas d'ancêtre commun.")
    paths: set[str] = set()
    for diff in bases[0].diff(newer, no_renames=True):
        paths |= {p for p in (diff.a_path, diff.b_path) if p}
    teams: set[str] = set()
    for path in sorted(paths):
        parts = PurePosixPath(path).parts
        if len(parts) < 3 or parts[0] != "submissions":
            raise SubmissionError(
                f"« {path} » : une pull request ne change que submissions/<votre équipe>/."
            )
        teams.add(parts[1])
    if len(teams) > 1:
        raise SubmissionError(
            f"La pull request touche plusieurs équipes : {', '.join(sorted(teams))}."
        )
    if not teams:
        raise SubmissionError("La pull request ne change aucun fichier.")
    names = {PurePosixPath(p).parts[2] for p in paths}
    return Change(teams.pop(), tuple(e for e in known if e in names), newer.hexsha)


def write_out(root: Path, change: Change, exercise: str, into: Path) -> Path:
    """Write the head's files of one submission below `into`/submissions and return its folder.

    Links and submodules are refused; blobs are written byte for byte (no filter, no LFS).
    """
    prefix = f"submissions/{change.team}"
    tree = _open(root).commit(change.head).tree
    target = into / prefix / exercise
    target.mkdir(parents=True)
    inside = {item.name: item for item in tree / prefix}
    team = inside.get("equipe.yaml")
    if team is not None and team.mode & 0o170000 == FILE:
        (target.parent / "equipe.yaml").write_bytes(team.data_stream.read(1 << 20))
    if exercise not in inside:
        raise SubmissionError(f"La pull request supprime « {exercise} ».")
    items: Any = inside[exercise].traverse()
    for item in items:
        kind = item.mode & 0o170000
        if kind in (LINK, SUBMODULE):
            what = "un lien" if kind == LINK else "un sous-module git"
            raise SubmissionError(f"« {item.path} » est {what} : remplacez-le par des fichiers.")
        if item.type != "blob":
            continue
        if item.size > BLOB_CAP:
            raise SubmissionError(f"« {item.path} » dépasse {BLOB_CAP >> 20} Mio.")
        relative = PurePosixPath(item.path).relative_to(f"{prefix}/{exercise}")
        if ".." in relative.parts or ".git" in (p.casefold() for p in relative.parts):
            raise SubmissionError(f"« {item.path} » : nom refusé.")
        place = target / relative
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(item.data_stream.read())
    return target


def _open(root: Path) -> git.Repo:
    try:
        return git.Repo(root)
    except (git.InvalidGitRepositoryError, git.NoSuchPathError) as error:
        raise UsageError(f"« {root} » n'est pas un dépôt git.") from error


def _commit(repository: git.Repo, name: str) -> git.Commit:
    try:
        return repository.commit(name)
    except (git.BadName, ValueError, IndexError) as error:
        raise UsageError(f"« {name} » ne désigne aucun commit.") from error
