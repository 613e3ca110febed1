"""What a dbt project's text says: a raw schema in full, an error with its file and line."""

from __future__ import annotations

import re
from collections.abc import Mapping

RAW = "brut"  # the schema of the raw tables
_HARD_CODED = re.compile(rf'\b{RAW}"?\s*\.\s*"?[a-z]', re.IGNORECASE)
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/|\{#.*?#\}", re.DOTALL)


def hard_coded(node: Mapping[str, object]) -> bool:
    """Say whether a node names the raw schema in its SQL instead of calling source()."""
    return bool(_HARD_CODED.search(_COMMENT.sub("", str(node.get("raw_code", "")))))


_WHERE = re.compile(r"(?P<file>[\w./-]{1,200}\.(?:sql|ya?ml|csv|md))\b")
_LINE = re.compile(r"\bline (?P<line>\d+)\b")
_PLACE = re.compile(r"^[\w./-]+\.(?:sql|ya?ml|md)(?:, line \d+)?: ")
_SQL_LINE = re.compile(r"^\s*LINE \d+: (?P<text>.+)$", re.MULTILINE)
_BANNER = re.compile(
    r"^\s*(Runtime|Database|Compilation|Parsing) Error( in .*)?$|^\s*compiled code at .*$",
    re.MULTILINE,
)


def readable(message: str, source: str = "") -> str:
    """Return dbt's or the database's message in one line, the file and line it names first.

    A database counts the lines of compiled SQL; `source` is the model as written, where the line
    that it quotes is looked for instead.
    """
    message = message[:4000]
    where, line = _WHERE.search(message), _LINE.search(message)
    quoted = _SQL_LINE.search(message)
    number = line["line"] if line else _written(source, quoted["text"]) if quoted else ""
    place = [where["file"]] if where else []
    place += [f"ligne {number}"] if number else []
    text = " ".join(_BANNER.sub("", message).replace("^", "").split())
    text = _PLACE.sub("", text)[:400]
    return f"{', '.join(place)} : « {text} »" if place else f"« {text} »"


def _written(source: str, quoted: str) -> str:
    """Return the number of the only line that begins as the quoted one does, or nothing."""
    start = re.split(r"[\"'.(]", quoted.strip())[0].strip()
    lines = [n for n, text in enumerate(source.splitlines(), 1) if text.strip().startswith(start)]
    return str(lines[0]) if start and len(lines) == 1 else ""
