"""Read `.env` and `env_file`: one NAME=value per line, nothing that needs a second reading."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from graders.errors import PolicyError, Refusal

SIZE = 64 << 10  # bytes
_LINE = re.compile(r"(?:export )?([A-Za-z_][A-Za-z0-9_.-]{0,127}) *= *(.*)")
_BARE = re.compile(r"[^'\"\\$`]*")
_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ufeff]")
# Read by Compose or the docker client itself, so they could change what it opens or talks to.
_OURS = re.compile(
    r"(COMPOSE|DOCKER|BUILDKIT|BUILDX|GO|SSL|LD|GIT)[A-Z0-9_]*|PATH|HOME|PWD|.*_PROXY"
)
_INSTEAD = "Écrivez NOM=valeur ; entourez de guillemets simples une valeur qui contient « $ »."


def project(root: Path) -> dict[str, str]:
    """Return the variables of the submission's `.env`, empty if there is none."""
    path = root / ".env"
    if path.is_symlink() or not path.is_file():
        return {}
    with path.open("rb") as file:
        values = read(file.read(SIZE + 1), ".env")
    for name in values:
        if _OURS.fullmatch(name.upper()):
            raise PolicyError(Refusal("env-compose", f"« {name} » changerait Compose lui-même.",
                                      ".env", instead="Retirez cette ligne."))  # fmt: skip
    return values


def read(data: bytes, name: str) -> dict[str, str]:
    """Return the variables of a file; PolicyError at the first line that is not NAME=value."""
    if len(data) > SIZE:
        raise PolicyError(Refusal("env-illisible", f"Le fichier dépasse {SIZE >> 10} Kio.", name))
    values: dict[str, str] = {}
    lines = data.decode("utf-8-sig", "replace").replace("\r\n", "\n").split("\n")
    for number, line in enumerate(lines, 1):
        text = line.strip(" \t")
        if not text or text.startswith("#"):
            continue
        match = _LINE.fullmatch(text)
        value = _value(match[2]) if match else None
        if match is None or value is None:
            raise PolicyError(Refusal("env-illisible", "Cette ligne n'a pas la forme NOM=valeur.",
                                      name, number, _INSTEAD))  # fmt: skip
        values[match[1]] = value
    return values


def render(values: Mapping[str, str]) -> str:
    """Return a file that Compose reads back literally; `read` has let no single quote through."""
    return "".join(f"{name}='{value}'\n" for name, value in values.items())


def _value(text: str) -> str | None:
    """Return the value written as `text`, or None where two readers might differ."""
    if _CONTROL.search(text):
        return None
    if quote := text[:1] if text[:1] in ("'", '"') else "":
        inner, found, rest = text[1:].partition(quote)
        plain = (
            "'" not in inner and "\\" not in inner if quote == "'" else bool(_BARE.fullmatch(inner))
        )
        closed = found and (not rest.strip() or rest.lstrip().startswith("#"))
        return inner if closed and plain else None
    value = re.split(r"\s#", text, maxsplit=1)[0].strip()
    return value if _BARE.fullmatch(value) else None
