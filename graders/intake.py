"""Turn a folder of untrusted files into a Submission: a clean, bounded copy of it.

Files are opened without following links, checked after opening (so that a file swapped in between
is caught), and copied up to a cap. Nothing of the student's is executed, and git is only asked
about the repository *around* the submission, never about one inside it.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

import jsonschema

from graders.errors import SubmissionError
from graders.model import Rubric, Submission
from graders.statics import fold
from graders.untrusted import read_yaml

MiB = 1 << 20
FILE_CAP = 64 * MiB
TOTAL_CAP = 512 * MiB
FILES_CAP = 5_000
DEPTH_CAP = 16
NAME_CAP = 200  # bytes
# Regenerated, rebuilt or private: never needed to grade, often huge.
LEFT_OUT = frozenset(
    """.git .hg .svn .venv venv env node_modules __pycache__ .ipynb_checkpoints .pytest_cache
    dbt_packages target donnees resultats __macosx .ds_store .idea .vscode""".split()  # noqa: SIM905
)
COMPOSE = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


@dataclass
class _Copy:
    """The running totals of one copy."""

    notices: list[str] = field(default_factory=list)
    digest: Any = field(default_factory=hashlib.sha256)
    size: int = 0
    files: int = 0


def load(folder: Path, rubric: Rubric, scratch: Path, team: str | None = None) -> Submission:
    """Copy `folder` into `scratch`/copie and read what the submission says about itself.

    `team` is the slug; by default the name of the folder above. Raises SubmissionError when the
    folder itself cannot be graded; a single bad file only ends in `problems`.
    """
    if not folder.is_dir() or folder.is_symlink():
        raise SubmissionError(f"Le dossier « {folder.name} » n'existe pas.")
    slug = team or folder.resolve().parent.name
    if not SLUG.fullmatch(slug):
        raise SubmissionError(
            f"« {slug} » n'est pas un nom d'équipe : lettres minuscules sans accent, chiffres et "
            "tirets, 40 caractères au plus."
        )
    target = scratch / "copie"
    target.mkdir(exist_ok=True)
    copy = _Copy()
    before = {p for p in target.rglob("*") if p.is_file()}
    for source, relative in _walk(folder, copy):
        _copy_file(source, target / relative, relative, copy)
        before.discard(target / relative)
    for stale in before:  # of the submission copied here before: folders stay, they are mounted
        stale.unlink()
    root = _root(target, copy)
    problems = _deliverables(root, rubric, copy)
    answers = _document(root / "reponses.yaml", "answers", problems)
    access = _document(root / "acces.yaml", "access", problems)
    return Submission(
        exercise=rubric.exercise,
        team=slug,
        root=root,
        commit=commit_of(folder),
        digest=copy.digest.hexdigest(),
        members=_members(folder, problems),
        answers=answers,
        access={k: str(v) for k, v in access.items()},
        notices=tuple(copy.notices),
        problems=problems,
    )


def _walk(folder: Path, copy: _Copy) -> Iterator[tuple[Path, PurePosixPath]]:
    """Yield the regular files below `folder` with their relative names, in a fixed order."""
    pending = [(folder, PurePosixPath())]
    while pending:
        here, relative = pending.pop()
        seen: dict[str, str] = {}
        for entry in sorted(os.scandir(here), key=lambda e: e.name):
            name = relative / entry.name
            mode = entry.stat(follow_symlinks=False).st_mode
            if entry.name.casefold() in LEFT_OUT:
                continue
            if why := _refused_name(entry.name, seen, name):
                copy.notices.append(f"« {_shown(name)} » est laissé de côté : {why}.")
            elif stat.S_ISDIR(mode):
                pending.append((Path(entry.path), name))
            elif stat.S_ISREG(mode):
                yield Path(entry.path), name
            elif stat.S_ISLNK(mode):
                copy.notices.append(f"« {_shown(name)} » est laissé de côté : c'est un lien.")
            else:
                raise SubmissionError(
                    f"« {_shown(name)} » n'est ni un fichier ni un dossier (tube, périphérique…) : "
                    "retirez-le."
                )


def _refused_name(name: str, seen: dict[str, str], relative: PurePosixPath) -> str:
    """Return why this name cannot be copied, or an empty string; `seen` are its neighbours."""
    twin = seen.setdefault(name.casefold(), name)
    try:
        size = len(name.encode("utf-8"))
    except UnicodeEncodeError:
        return "son nom n'est pas en UTF-8"
    if size > NAME_CAP:
        return "son nom est trop long"
    if any(ord(c) < 32 or ord(c) == 127 or c == "\\" or "\u202a" <= c <= "\u202e" for c in name):
        return "son nom contient des caractères interdits"
    if len(relative.parts) > DEPTH_CAP:
        return "il est rangé trop profond"
    if twin != name:
        return f"il ne diffère de « {twin} » que par des majuscules"
    return ""


def _copy_file(source: Path, target: Path, name: PurePosixPath, copy: _Copy) -> None:
    copy.files += 1
    if copy.files > FILES_CAP:
        raise SubmissionError(f"Plus de {FILES_CAP} fichiers : retirez ce qui n'est pas demandé.")
    try:
        handle = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOENT):
            raise SubmissionError(f"« {_shown(name)} » a changé pendant la lecture.") from error
        raise
    with os.fdopen(handle, "rb") as file:
        info = os.fstat(file.fileno())
        if not stat.S_ISREG(info.st_mode):
            raise SubmissionError(f"« {_shown(name)} » a changé pendant la lecture.")
        if info.st_size > FILE_CAP:
            size = info.st_size // MiB
            copy.notices.append(
                f"« {_shown(name)} » est laissé de côté : {size} Mio, plus que les "
                f"{FILE_CAP // MiB} permis."
            )
            return
        data = file.read(FILE_CAP + 1)[:FILE_CAP]
    copy.size += len(data)
    if copy.size > TOTAL_CAP:
        raise SubmissionError(f"Le dossier dépasse {TOTAL_CAP // MiB} Mio.")
    copy.digest.update(f"{name}\0{len(data)}\0".encode() + data)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
    target.chmod(0o755 if info.st_mode & 0o100 else 0o644)


def _root(target: Path, copy: _Copy) -> Path:
    """Return the folder that holds the Compose file: the copy itself, or its only such child."""
    if any((target / name).is_file() for name in COMPOSE):
        return target
    inner = sorted({p.parent for n in COMPOSE for p in target.glob(f"*/{n}")})
    if len(inner) != 1:
        return target
    copy.notices.append(f"Le travail a été trouvé dans le sous-dossier « {inner[0].name} ».")
    for stray in target.iterdir():  # what lies one level too high belongs to the work too
        if stray != inner[0] and not (inner[0] / stray.name).exists():
            stray.rename(inner[0] / stray.name)
    return inner[0]


def _deliverables(root: Path, rubric: Rubric, copy: _Copy) -> dict[str, str]:
    """Put each deliverable under its asked name where it is found elsewhere; name the missing."""
    problems: dict[str, str] = {}
    files = sorted(p for p in root.rglob("*") if p.is_file() or p.is_dir())
    for wanted in rubric.deliverables:
        name = str(wanted["name"])
        place = root / name
        is_right = Path.is_dir if wanted.get("folder") else Path.is_file
        if is_right(place) or (name in COMPOSE and any((root / n).is_file() for n in COMPOSE)):
            continue
        patterns = [fold(p) for p in wanted.get("patterns", [])] + [fold(Path(name).name)]
        patterns += [fold(Path(name).with_suffix(".yml").name)] * name.endswith(".yaml")
        found = [
            p for p in files if is_right(p) and any(fnmatchcase(fold(p.name), q) for q in patterns)
        ]
        if found and not place.exists():
            _place(found[0], place)
            where = found[0].relative_to(root)
            copy.notices.append(f"« {name} » a été trouvé sous le nom « {_shown(where)} ».")
        elif wanted.get("required", True):
            what = f" ({wanted['what']})" if wanted.get("what") else ""
            problems[name] = f"Il manque « {name} »{what}."
    return problems


def _place(found: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    if found.is_dir():
        shutil.copytree(found, place)
    else:
        shutil.copyfile(found, place)


def _document(path: Path, schema: str, problems: dict[str, str]) -> Mapping[str, Any]:
    """Read one of the submission's own YAML files; a bad one ends in `problems`."""
    if not path.is_file():
        return {}
    try:
        data = read_yaml(path.read_bytes(), path.name)
        _validate(data, schema, path.name)
    except SubmissionError as error:
        problems[path.name] = str(error)
        return {}
    return {str(k): v for k, v in data.items()}


def _validate(data: Any, schema: str, name: str) -> None:
    rules = json.loads((Path(__file__).parent / "schemas" / f"{schema}.schema.json").read_text())
    error = next(iter(jsonschema.Draft202012Validator(rules).iter_errors(data)), None)
    if error is not None:
        where = f" à « {error.json_path.removeprefix('$.')} »" if error.path else ""
        raise SubmissionError(f"{name} : valeur inattendue{where}. {rules['description']}")


def _members(folder: Path, problems: dict[str, str]) -> tuple[str, ...]:
    """Return the names of equipe.yaml, beside the exercise or one level up."""
    for place in (folder.parent / "equipe.yaml", folder / "equipe.yaml"):
        if not os.path.lexists(place):
            continue
        if place.is_symlink() or not place.is_file() or place.stat().st_size > MiB:
            problems[place.name] = (
                f"{place.name} n'est pas lu : un fichier ordinaire de 1 Mio au plus est attendu."
            )
            continue
        team = _document(place, "team", problems)
        names = [m if isinstance(m, str) else m["nom"] for m in team.get("membres", [])]
        return tuple(str(n)[:120] for n in names)
    return ()


def commit_of(folder: Path) -> str:
    """Return the last commit that touched `folder` in the repository around it, or "".

    `rev-list` is plumbing: unlike `log` it heeds no signature program, pager or hook that a
    hostile configuration could name; a repository inside the submission is never opened.
    """
    import git  # noqa: PLC0415 - half a second of import, not needed by most commands

    folder = folder.resolve()
    try:
        repository = git.Repo(folder.parent, search_parent_directories=True)
        commit: str = repository.git.rev_list("-1", "HEAD", "--", str(folder))
    except (git.InvalidGitRepositoryError, git.NoSuchPathError, git.GitCommandError, ValueError):
        return ""
    return commit


def _shown(name: PurePosixPath | Path) -> str:
    """Return a file name that is safe to print: one line, no controls, 120 characters at most."""
    text = str(name).encode("utf-8", "replace").decode("utf-8")
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)[:120]
