"""Read a student's Dockerfile, where the rubric allows one, into steps that are judged one by one.

What is built is the rendering of these steps, not the student's text: comments, and with them any
`# syntax=` that would fetch a foreign builder, are gone, and each FROM names an allowed image.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graders.policy.forbidden import Why
from graders.policy.mounts import inside
from graders.policy.roles import split
from graders.policy.source import regular

SIZE = 64 << 10  # bytes
_DIRECTIVE = re.compile(r"#\s*(syntax|escape|check)\s*=", re.IGNORECASE)
_FROM = re.compile(r"(\S+)(?:\s+AS\s+([A-Za-z][\w.-]{0,62}))?", re.IGNORECASE)
_FLAG = re.compile(r"--([a-z-]+)(?:=(\S+))?\s+")
_PLAIN = frozenset(
    ["ARG", "CMD", "ENTRYPOINT", "ENV", "EXPOSE", "HEALTHCHECK", "LABEL", "SHELL", "STOPSIGNAL",
     "USER", "VOLUME"]
)  # fmt: skip


FOLDER = Why(
    "dossier-de-travail",
    "ce dossier de travail mène hors du conteneur",
    "Écrivez un chemin absolu ordinaire, par exemple /app.",
)
_SYNTAX = Why("dockerfile", "une directive changerait de constructeur", "Retirez cette ligne.")
_HEREDOC = Why("dockerfile", "les blocs « << » sont refusés", "Mettez le texte dans un fichier.")
_STEP = Why("dockerfile", "cette instruction est refusée", "Utilisez FROM, RUN, COPY, ENV, CMD…")
_OPTION = Why("dockerfile", "cette option atteindrait le cache, le réseau ou la machine",
              "Retirez l'option.")  # fmt: skip
_COPY = Why("dockerfile", "--from ne peut nommer qu'une étape de ce Dockerfile",
            "Copiez depuis une étape nommée par FROM … AS nom.")  # fmt: skip
_BASE = Why("image", "l'image de base n'est pas de celles de l'exercice",
            "Écrivez en toutes lettres une image permise après FROM.")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction; `why` says why it is refused. `official` is set on a FROM of an image."""

    line: int
    word: str
    rest: str
    why: Why | None = None
    official: str = ""


def source(build: Mapping[str, Any], root: Path) -> str | None:
    """Return the text of the Dockerfile that a `build` names, None where it cannot be read."""
    path = posixpath.join(build["context"], build.get("dockerfile", "Dockerfile"))
    relative = inside(path, root)
    data = regular(root, str(relative), SIZE + 1) if relative is not None else None
    if data is None or len(data) > SIZE:
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None


def parse(text: str, images: Collection[str]) -> list[Step]:
    """Return the instructions in order, each judged; `images` are the official names allowed."""
    stages: list[str] = []
    steps: list[Step] = []
    for line, joined in _lines(text):
        if _DIRECTIVE.match(joined):
            steps.append(Step(line, "#", joined, _SYNTAX))
        elif not joined.startswith("#"):
            word, _, rest = joined.partition(" ")
            steps.append(_judge(line, word.upper(), rest.strip(), stages, images))
    if not stages:
        steps.append(Step(1, "FROM", "", _BASE))
    return steps


def render(steps: list[Step], image: Callable[[str], str]) -> str:
    """Return the Dockerfile to build, with `image` naming what stands for each official image."""
    rows = []
    for step in steps:
        rest = step.rest
        if step.official:
            rest = rest.replace(rest.split()[0], image(step.official), 1)
        rows.append(f"{step.word} {rest}\n")
    return "".join(rows)


def plain_folder(path: str) -> bool:
    """Tell whether a working directory is an ordinary path of the container."""
    parts = path.split("/")
    clean = posixpath.normpath(path).lstrip("/").split("/")[0]
    return ".." not in parts and "$" not in path and clean not in ("proc", "sys", "dev")


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield each logical line with the number of its first physical one, as Docker joins them."""
    start, joined = 0, ""
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip(" \t\r")
        if line.startswith("#") or not line:
            if line and not joined:
                yield number, line
            continue
        start = start or number
        joined += line.removesuffix("\\")
        if not line.endswith("\\"):
            yield start, joined.replace("\t", " ")
            start, joined = 0, ""
    if joined.strip():
        yield start, joined


def _judge(line: int, word: str, rest: str, stages: list[str], images: Collection[str]) -> Step:
    if "<<" in rest and word in ("RUN", "COPY", "ADD"):
        return Step(line, word, rest, _HEREDOC)
    if word == "FROM":
        return _from(line, rest, stages, images)
    if word == "RUN":
        return Step(line, word, rest, _OPTION if rest.startswith("--") else None)
    if word == "COPY":
        return Step(line, word, rest, _copy(rest, stages))
    if word == "WORKDIR":
        return Step(line, word, rest, None if plain_folder(rest.strip("'\"")) else FOLDER)
    return Step(line, word, rest, None if word in _PLAIN else _STEP)


def _from(line: int, rest: str, stages: list[str], images: Collection[str]) -> Step:
    match = _FROM.fullmatch(rest)
    if match is None:
        return Step(line, "FROM", rest, _BASE)
    known = match[1].lower() in stages
    official, reference = ("", "") if known else split(match[1])
    stages.append((match[2] or f"étape {len(stages)}").lower())
    why = None if known or official in images else _BASE
    return Step(line, "FROM", rest, why, reference if why is None else "")


def _copy(rest: str, stages: list[str]) -> Why | None:
    while flag := _FLAG.match(rest):
        rest = rest[flag.end() :]
        if flag[1] == "from":
            index = (flag[2] or "").isdigit() and int(flag[2]) < len(stages) - 1
            if not index and (flag[2] or "").lower() not in stages[:-1]:
                return _COPY
        elif flag[1] not in ("chown", "chmod", "link"):
            return _OPTION
    return _OPTION if rest.startswith("--") else None
