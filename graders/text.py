"""Make text of unknown origin safe to keep, to print and to name a file after. Stdlib only.

`clean` is the one sieve: what has gone through it holds no control character, no terminal escape
and no character that reorders what surrounds it. Escaping for HTML, Markdown, XML or CSV comes
later and belongs to each format.
"""

from __future__ import annotations

import hashlib
import math
import re
import unicodedata
from collections.abc import Sequence

LIMIT = 2000  # characters of a field
LINE = 200  # characters of a name or a title
FILE_NAME = 120  # bytes of a file name's stem: 255 less room for suffixes and temporary names
CUT = "…"

_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    r"|(?:\x1b[]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)"  # OSC, DCS...
    r"|\x1b[ -/]*[0-~]"  # the short ones
)
_BREAKS = re.compile("\r\n|[\r\v\f\x85\u2028\u2029]")
_JOINERS = "\u200c\u200d"  # they shape words and emoji, and reorder nothing
_COMMAND = re.compile(r"(?m)^(\s*):(?=:)")


def clean(value: object, limit: int = LIMIT) -> str:
    """Return `value` as text of at most `limit` characters with only printable ones and `\\n`."""
    text = str(value)[: limit * 8]  # a field is never worth reading megabytes
    if not text.replace("\n", "").isprintable():  # most texts need no more than this look
        text = _BREAKS.sub("\n", _ESCAPES.sub("", text)).replace("\t", "    ")
        text = "".join(map(_kept, text))
    return text if len(text) <= limit else text[: limit - 1] + CUT


def one_line(value: object, limit: int = LINE) -> str:
    """Return `value` cleaned, on one line, with single spaces."""
    text = " ".join(clean(value, limit * 4).split())
    return text if len(text) <= limit else text[: limit - 1].rstrip() + CUT


def sentence(parts: Sequence[str]) -> str:
    """Join remarks into one French sentence; nothing where there is none."""
    told = " ; ".join(part.removesuffix(".") for part in parts if part)
    return f"{told[:1].upper()}{told[1:]}." if told else ""


def inert(text: str) -> str:
    """Return `text` with what a CI runner would obey (`::command::`, `##[command]`) broken."""
    return _COMMAND.sub(r"\1: ", text).replace("##[", "## [")


def number(value: float, digits: int = 2) -> str:
    """Return a number in French: decimal comma, thin spaces between thousands, no idle zeros."""
    if not math.isfinite(value):
        return "–"
    text = f"{value:,.{digits}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    text = "0" if text == "-0" else text
    return text.replace(",", "\u202f").replace(".", ",")


def file_name(*parts: str) -> str:
    """Return a file name's stem made of `parts`: ASCII, bounded, distinct for distinct parts."""
    wanted = "-".join(parts)
    ascii_only = unicodedata.normalize("NFKD", wanted).encode("ascii", "ignore").decode()
    safe = re.sub(r"[^A-Za-z0-9_-]+", "-", ascii_only).strip("-")
    if safe == wanted and len(safe) <= FILE_NAME:
        return safe
    mark = hashlib.sha256(wanted.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{safe[: FILE_NAME - 9]}-{mark}".lstrip("-")


def _kept(char: str) -> str:
    """Return the character, its replacement, or nothing."""
    if char == "\n" or char.isprintable() or char in _JOINERS:
        return char
    kind = unicodedata.category(char)
    if kind == "Cs":
        return "\ufffd"  # a byte of a file name that is not UTF-8
    return char if kind in ("Zs", "Co") else ""  # non-breaking spaces and icons stay
