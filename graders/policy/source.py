"""Find the student's Compose file and judge it before Compose sees it.

Compose never reads the student's text. It is given our own JSON rendering of the tree read here,
with `env_file` inlined and the extension fields dropped, so that no difference between two YAML
readers can hide anything, and there is no file left that Compose could be made to open.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from graders import untrusted
from graders.errors import PolicyError, Refusal
from graders.policy import dotenv, shape
from graders.policy.forbidden import Why
from graders.untrusted import Node

NAMES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
OVERRIDES = tuple(
    f"{n}.override{e}" for n in ("compose", "docker-compose") for e in (".yaml", ".yml")
)
MOST = 40  # refusals shown at once
EXPANSION = 4 << 20  # characters that the variables may add
_VARIABLE = re.compile(
    r"\$\$|\$(?:\{([A-Za-z_][A-Za-z0-9_]*)(\}|:?[-+?])|([A-Za-z_][A-Za-z0-9_]*))"
)
_EXTENDS = Why(
    "extends", "Compose lirait un autre fichier", "Copiez le service ici, ou utilisez une ancre."
)
_ENV_FILE = Why(
    "lecture-de-fichier",
    "« env_file » ne peut nommer qu'un petit fichier du rendu, sans variable",
    "Écrivez par exemple env_file: ./service.env, ou les valeurs dans « environment ».",
)
_PROJECT = Why("nom-de-projet", "ce nom est réservé au correcteur", "Choisissez un autre nom.")


@dataclass(frozen=True, slots=True)
class ComposeFile:
    """A Compose file that may be resolved: what Compose is given, and where each line was."""

    root: Path
    name: str
    tree: Node
    document: Mapping[str, Any]
    variables: Mapping[str, str]

    def refusal(self, path: tuple[str | int, ...], why: Why, detail: str = "") -> Refusal:
        """Return a refusal that points at the line of `path` in the student's file."""
        shown = ".".join(str(p) for p in path)[:120]
        message = f"« {shown} » : {why.message}{detail}." if shown else f"{why.message}{detail}."
        return Refusal(why.rule, message, self.name, self.tree.find(*path), why.instead)


def find(root: Path) -> ComposeFile:
    """Read the Compose file at `root`; PolicyError with every reason why Compose may not see it."""
    name, data = _only(root)
    tree = untrusted.read(data, name)
    raw = tree.plain()
    file = ComposeFile(root, name, tree, {}, dotenv.project(root))
    if not isinstance(raw, dict) or not isinstance(raw.get("services"), dict):
        raise PolicyError(Refusal("forme", "Le fichier n'a pas de « services: ».", name, 1,
                                  "Commencez par « services: » puis un service."))  # fmt: skip
    refusals = list(_keys(file, raw))
    document = _clean(file, raw)
    refusals += _variables(file, document)
    if refusals:
        raise all_of(refusals)
    return ComposeFile(root, name, tree, document, file.variables)


def all_of(refusals: Iterable[Refusal]) -> PolicyError:
    """Return one error for all refusals, in the order of the file, each once, at most 40."""
    listed = sorted(dict.fromkeys(refusals), key=lambda r: (r.line or 0, r.rule))
    return PolicyError(*listed[:MOST])


def _only(root: Path) -> tuple[str, bytes]:
    """Return the name and content of the one Compose file at the submission's root."""
    found = {n: data for n in NAMES if (data := regular(root, n, untrusted.SIZE + 1)) is not None}
    if extra := [n for n in OVERRIDES if (root / n).exists()]:
        raise PolicyError(
            Refusal(
                "fichier-override",
                "Compose fusionnerait ce fichier avec le vôtre.",
                extra[0],
                instead="Mettez tout dans compose.yaml et retirez-le.",
            )
        )
    if not found:
        raise PolicyError(
            Refusal(
                "compose-absent",
                "Il n'y a pas de fichier Compose à la racine du rendu.",
                "compose.yaml",
                instead="Déposez-y compose.yaml (pas un lien ni un dossier).",
            )
        )
    if len(set(found.values())) > 1:
        raise PolicyError(
            Refusal(
                "plusieurs-fichiers",
                f"Le rendu contient plusieurs fichiers Compose différents : {', '.join(found)}.",
                next(iter(found)),
                instead="Gardez seulement compose.yaml.",
            )
        )
    return next(iter(found.items()))


def regular(root: Path, relative: str, cap: int) -> bytes | None:
    """Return at most `cap` bytes of a regular file below `root`, or None if there is none."""
    kind = what(root, PurePosixPath(relative))
    if kind is None or not stat.S_ISREG(kind):
        return None
    with (root / relative).open("rb") as file:
        return file.read(cap)


def what(root: Path, relative: PurePosixPath) -> int | None:
    """Return the mode of what lies at `relative`; None if absent or reached through a link."""
    place, mode = root, root.lstat().st_mode
    for part in relative.parts:
        if part in ("..", "/"):
            return None
        place = place / part
        try:
            mode = place.lstat().st_mode
        except (OSError, ValueError):
            return None
        if stat.S_ISLNK(mode):
            return None
    return mode


def _keys(file: ComposeFile, raw: Mapping[str, Any]) -> Iterator[Refusal]:
    """Refuse every key outside the allow-list, before Compose can act on it."""
    top = frozenset(shape.schema()["properties"])
    for key in raw:
        if key not in top and not key.startswith("x-"):
            yield file.refusal((key,), shape.why((), key))
    name = raw.get("name")
    if isinstance(name, str) and name.strip().lower().startswith(("bareme", "brm")):
        yield file.refusal(("name",), _PROJECT)
    yield from _parts(file, raw, "services", shape.allowed("service") | shape.SOURCE_ONLY)
    for part in ("networks", "volumes"):
        yield from _parts(file, raw, part, shape.allowed(part[:-1]))
    for service, body in raw["services"].items():
        if not isinstance(body, dict):
            continue
        path = ("services", service)
        if isinstance(build := body.get("build"), dict):
            for key in build.keys() - shape.allowed("build"):
                yield file.refusal((*path, "build", key), shape.why((*path, "build"), key))
        extends = body.get("extends")
        if isinstance(extends, dict) and extends.keys() - {"service"}:
            yield file.refusal((*path, "extends"), _EXTENDS)


def _parts(
    file: ComposeFile, raw: Mapping[str, Any], part: str, known: frozenset[str]
) -> Iterator[Refusal]:
    entries = raw.get(part)
    for name, body in entries.items() if isinstance(entries, dict) else ():
        for key in body if isinstance(body, dict) else ():
            if key not in known and not key.startswith("x-"):
                yield file.refusal((part, name, key), shape.why((part, name), key))


def _clean(file: ComposeFile, raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return what Compose is given: no extension field, no version, no file to read."""
    document = {k: v for k, v in raw.items() if not k.startswith("x-") and k != "version"}
    services = {}
    for name, body in raw["services"].items():
        if isinstance(body, dict):
            body = {k: v for k, v in body.items() if not k.startswith("x-")}  # noqa: PLW2901
            if "env_file" in body:
                _inline(file, name, body)
        services[name] = body
    return document | {"services": services}


def _inline(file: ComposeFile, service: str, body: dict[str, Any]) -> None:
    """Put the variables of `env_file` in `environment`, which has the last word."""
    named = body.pop("env_file")
    merged: dict[str, Any] = {}
    path = ("services", service, "env_file")
    for entry in named if isinstance(named, list) else [named]:
        item = entry if isinstance(entry, dict) else {"path": entry}
        source = item.get("path")
        if not isinstance(source, str) or "$" in source or item.keys() - {"path", "required"}:
            raise PolicyError(file.refusal(path, _ENV_FILE))
        relative = PurePosixPath(source)
        data = regular(file.root, str(relative), dotenv.SIZE + 1)
        if data is None:
            if item.get("required") is False and what(file.root, relative) is None:
                continue
            raise PolicyError(file.refusal(path, _ENV_FILE, f" (« {source[:80]} »)"))
        values = dotenv.read(data, source)
        merged |= {k: v.replace("$", "$$") for k, v in values.items()}
    own = body.get("environment")
    if isinstance(own, list):
        for line in own:
            key, equals, value = str(line).partition("=")
            merged[key] = value if equals else None
    elif isinstance(own, dict):
        merged |= own
    body["environment"] = merged


def _variables(file: ComposeFile, document: Mapping[str, Any]) -> Iterator[Refusal]:
    """Refuse a variable without a value: the grader's environment has none to give."""
    longest = max(map(len, file.variables.values()), default=0)
    uses = 0
    known = file.variables.keys() | {"COMPOSE_PROJECT_NAME"}
    seen = set()
    for path, text in _texts(document, ()):
        for match in _VARIABLE.finditer(text):
            uses += 1
            name = match[1] or match[3]
            bare = name and (match[3] or match[2] in ("}", ":?", "?"))
            if bare and name not in known and name not in seen:
                seen.add(name)
                yield file.refusal(path, Why(
                    "variable-absente",
                    f"la variable « {name} » n'a pas de valeur chez le correcteur",
                    f"Écrivez ${{{name}:-valeur}}, ou {name}=valeur dans un fichier .env du rendu "
                    "(pour un « $ » ordinaire, écrivez « $$ »).",
                ))  # fmt: skip
    if uses * longest > EXPANSION:
        yield file.refusal(("services",), Why(
            "variables-volume", "les variables, une fois remplacées, dépassent les bornes",
            "Raccourcissez les valeurs de .env.",
        ))  # fmt: skip


def _texts(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if isinstance(value, str):
        if "$" in value:
            yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, (*path, index))
