"""One pull request: what it changed, and whether it may be graded. Reads git objects only.

Nothing of the head is checked out into the working tree or executed: the changed submission is
written out from its blobs, and is graded with the rubric and the graders of the base.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import git
from git.exc import GitError, ODBError
from git.objects.fun import tree_entries_from_data

from graders.errors import MachineError, SubmissionError, UsageError
from graders.text import inert, one_line

FILE, FOLDER, LINK, SUBMODULE = 0o100000, 0o040000, 0o120000, 0o160000
KIND = 0o170000
BLOB_CAP = 64 << 20  # bytes
TOTAL_CAP = 512 << 20  # bytes of one submission
FILES_CAP = 5_000  # of one submission
CHANGES_CAP = 20_000  # files of one pull request
DEPTH_CAP = 20
TREE_CAP = 16 << 20  # bytes of one folder's list
INVISIBLE = ("Cc", "Cf", "Cs", "Zl", "Zp")  # of Unicode: control, format, line separators
NAME_CAP = 200  # bytes
Parts = tuple[str, ...]  # a path, as git has it
_UNREADABLE = (GitError, ODBError, ValueError, IndexError)


@dataclass(frozen=True, slots=True)
class Change:
    """The submissions that a pull request changed, all of one team.

    `others` are the changed folders of the team that bear no exercise's name.
    """

    team: str
    exercises: tuple[str, ...]
    head: str  # commit, hex
    others: tuple[str, ...] = ()


def read(root: Path, base: str, head: str, known: list[str]) -> Change:
    """Return what `head` changed since it left `base`.

    Raises SubmissionError, in French and naming the file, when the change leaves
    submissions/<one slug>/ or is made of anything but files, UsageError when a reference names no
    commit, MachineError when git cannot read an object.
    """
    repository = _open(root)
    newer = _commit(repository, head)
    try:
        bases = repository.merge_base(_commit(repository, base), newer)
        if not bases:
            raise UsageError(f"« {base} » et « {head} » n'ont pas d'ancêtre commun.")
        changes = _Changes(repository)
        found = list(changes.between(bases[0].tree.binsha, newer.tree.binsha))
    except _UNREADABLE as error:
        raise MachineError(f"git cannot read the pull request: {error}") from error
    paths = [_checked(parts, mode) for parts, mode, _ in found]
    teams = sorted({path[1] for path in paths})
    if len(teams) > 1:
        raise SubmissionError(f"La pull request touche plusieurs équipes : {', '.join(teams)}.")
    if not teams:
        raise SubmissionError("La pull request ne change aucun fichier.")
    names = {path[2] for path in paths}
    folders = {path[2] for path in paths if len(path) > 3}
    return Change(
        teams[0],
        tuple(e for e in known if e in names),
        newer.hexsha,
        tuple(sorted(folders - set(known))),
    )


class _Changes:
    """Compares trees entry by entry, within bounds: a tree may name others a thousand times."""

    def __init__(self, repository: git.Repo) -> None:
        self._repository = repository
        self._left = CHANGES_CAP

    def between(
        self, old: bytes | None, new: bytes | None, above: Parts = ()
    ) -> Iterator[tuple[Parts, int, bytes]]:
        """Yield each changed path with its mode and object in `new`, 0 and b"" where deleted."""
        if len(above) > DEPTH_CAP:
            raise SubmissionError(f"« {_shown(above)} » : trop de dossiers imbriqués.")
        before, after = (_entries(self._repository, tree) for tree in (old, new))
        for name in sorted(before.keys() | after.keys()):
            was, now = before.get(name), after.get(name)
            if was == now:
                continue
            self._left -= 1
            if self._left < 0:
                raise SubmissionError(
                    f"La pull request change plus de {CHANGES_CAP} fichiers : "
                    "ne rendez ni données ni résultats intermédiaires."
                )
            old, new = (e[1] if e and e[0] & KIND == FOLDER else None for e in (was, now))
            if old or new:
                yield from self.between(old, new, (*above, name))
            if any(e and e[0] & KIND != FOLDER for e in (was, now)):
                mode, binsha = now if now and new is None else (0, b"")
                yield (*above, name), mode, binsha


def _entries(repository: git.Repo, tree: bytes | None) -> dict[str, tuple[int, bytes]]:
    """Return the mode and the object of each entry of a tree, by name."""
    if tree is None:
        return {}
    stream = repository.odb.stream(tree)
    try:
        if stream.type != b"tree" or stream.size > TREE_CAP:
            raise ValueError("no tree, or too large")
        found = tree_entries_from_data(stream.read())
        entries = {name: (mode, binsha) for binsha, mode, name in found}
        if len(entries) < len(found):
            raise ValueError("one name twice")
    except ValueError as error:  # no git writes such a tree: it was made by hand
        raise SubmissionError(
            "La pull request contient un dossier git malformé, ou aux noms refusés : "
            f"{inert(one_line(error, 200))}"
        ) from error
    return entries


def _checked(parts: Parts, mode: int) -> Parts:
    """Return a changed path that may be; SubmissionError names one that may not."""
    if len(parts) < 3 or parts[0] != "submissions":
        raise SubmissionError(
            f"« {_shown(parts)} » : une pull request ne change que submissions/<votre équipe>/."
        )
    if mode:
        _kind(parts, mode)
    _named(parts)
    return parts


def _kind(parts: Parts, mode: int) -> None:
    """Refuse what is not a file."""
    if mode & KIND != FILE:
        what = "un sous-module git" if mode & KIND == SUBMODULE else "un lien"
        raise SubmissionError(f"« {_shown(parts)} » est {what} : remplacez-le par des fichiers.")


def _named(parts: Parts) -> None:
    """Refuse names that mean something to a file system or to git, or that none would take."""
    shown = _shown(parts)
    if any(p in (".", "..", "") or p.casefold() == ".git" or set("/\\") & set(p) for p in parts):
        raise SubmissionError(f"« {shown} » : nom refusé.")
    if any("\udc80" <= c <= "\udcff" for part in parts for c in part):
        raise SubmissionError(f"« {shown} » : ce nom n'est pas en UTF-8, renommez-le.")
    if any(unicodedata.category(c) in INVISIBLE for part in parts for c in part):
        raise SubmissionError(f"« {shown} » : ce nom contient un caractère invisible.")
    if any(len(p.encode()) > NAME_CAP for p in parts):
        raise SubmissionError(f"« {shown} » : nom de plus de {NAME_CAP} octets.")


def _shown(parts: Parts) -> str:
    raw = "/".join(parts).encode("utf-8", "surrogateescape")
    return inert(one_line(raw.decode("utf-8", "backslashreplace"), 200))


def write_out(root: Path, change: Change, exercise: str, into: Path) -> Path:
    """Write the head's files of one submission below `into`/submissions and return its folder.

    Links and submodules are refused, number and size of files are bounded; blobs are written byte
    for byte (no filter, no LFS).
    """
    try:
        return _write_out(_open(root), change, exercise, into)
    except _UNREADABLE as error:
        raise MachineError(f"git cannot read the pull request: {error}") from error


def _write_out(repository: git.Repo, change: Change, exercise: str, into: Path) -> Path:
    tree = repository.commit(change.head).tree.binsha
    for name in ("submissions", change.team):
        mode, tree = _entries(repository, tree).get(name, (0, b""))
        if mode & KIND != FOLDER:
            raise SubmissionError(f"La pull request supprime « submissions/{change.team} ».")
    inside = _entries(repository, tree)
    target = into / "submissions" / change.team / exercise
    target.mkdir(parents=True)
    mode, members = inside.get("equipe.yaml", (0, b""))
    if mode & KIND == FILE:
        stream = repository.odb.stream(members)
        (target.parent / "equipe.yaml").write_bytes(stream.read(1 << 20))
    if exercise not in inside:
        raise SubmissionError(f"La pull request supprime « {exercise} ».")
    here = ("submissions", change.team, exercise)
    mode, folder = inside[exercise]
    if mode & KIND != FOLDER:
        raise SubmissionError(f"« {_shown(here)} » n'est pas un dossier.")
    total = 0
    files = _Changes(repository).between(None, folder, here)
    for count, (parts, mode, binsha) in enumerate(files, 1):
        _kind(parts, mode)
        _named(parts)
        stream = repository.odb.stream(binsha)
        total += stream.size
        if stream.size > BLOB_CAP:
            raise SubmissionError(f"« {_shown(parts)} » dépasse {BLOB_CAP >> 20} Mio.")
        if count > FILES_CAP or total > TOTAL_CAP:
            raise SubmissionError(
                f"« {_shown(here)} » dépasse {FILES_CAP} fichiers ou {TOTAL_CAP >> 20} Mio : "
                "ne rendez ni données ni environnement."
            )
        place = into.joinpath(*parts)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(stream.read())
    return target


def _open(root: Path) -> git.Repo:
    try:
        return git.Repo(root)
    except (git.InvalidGitRepositoryError, git.NoSuchPathError) as error:
        raise UsageError(f"« {root} » n'est pas un dépôt git.") from error


def _commit(repository: git.Repo, name: str) -> git.Commit:
    try:
        found = repository.commit(name)
        found.tree  # noqa: B018 - read now: a hexadecimal name may be nobody's
    except _UNREADABLE as error:
        raise UsageError(f"« {name} » ne désigne aucun commit.") from error
    return found
