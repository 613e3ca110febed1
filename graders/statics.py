"""The static checks that every exercise shares: typed answers and written reports."""

from __future__ import annotations

import ast
import datetime as dt
import math
import re
import unicodedata
import warnings
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from graders.model import Finding, Work
from graders.text import one_line

SOURCE_CAP = 1 << 20  # bytes of a Python file
_WORD = re.compile(r"\w+")
_HEADING = re.compile(r"^\s{0,3}(?:#{1,6}\s*(?P<hash>.+?)\s*#*|\*\*(?P<bold>[^*]+)\*\*\s*:?)\s*$")


def fold(text: str) -> str:
    """Return `text` without accents, case or repeated spaces: how names are compared."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return " ".join(plain.casefold().split())


def answers(work: Work, compute: Callable[[], Mapping[str, Any]]) -> Finding:
    """Compare reponses.yaml with the true answers of the team's own data, computed if need be.

    The rubric's `answers` give each one's type and tolerance (relative for numbers, exact for
    integers unless given). Every answer weighs the same. The expected values are never shown: the
    student has the data to find them.
    """
    if problem := work.submission.problems.get("reponses.yaml"):
        return Finding(0.0, problem)
    if all(work.submission.answers.get(name) is None for name in work.rubric.answers):
        return Finding(0.0, "reponses.yaml ne donne aucune réponse.")
    truths = compute()
    wrong: list[str] = []
    for name, spec in work.rubric.answers.items():
        given = work.submission.answers.get(name)
        if given is None:
            wrong.append(f"« {name} » : pas de réponse")
        elif complaint := _compare(given, truths[name], spec):
            wrong.append(f"« {name} » : {complaint}")
    asked = len(work.rubric.answers)
    right = asked - len(wrong)
    message = f"{right} réponse(s) juste(s) sur {asked}."
    if wrong:
        message += " À revoir : " + " ; ".join(wrong) + "."
    if unknown := sorted(work.submission.answers.keys() - work.rubric.answers.keys()):
        names = ", ".join(f"« {one_line(name, 40)} »" for name in unknown[:5])
        message += f" Clé(s) qui ne répondent à aucune question : {names}."
    return Finding(right / asked, message)


def _compare(given: Any, truth: Any, spec: Mapping[str, Any]) -> str:
    """Return what is wrong with one answer, in French, or an empty string."""
    shown = str(given)[:80]
    kind = spec["type"]
    if kind in ("integer", "number"):
        number = _number(given)
        if number is None:
            return f"un nombre est attendu, pas « {shown} »"
        tolerance = float(spec.get("tolerance", 0.0)) * abs(float(truth))
        right = abs(number - float(truth)) <= tolerance + 1e-9
    elif kind == "date":
        day = given.isoformat() if isinstance(given, dt.date) else str(given)
        right = day[:10] == str(truth)[:10]
    else:
        right = fold(shown) == fold(str(truth))
    return "" if right else f"« {shown} » n'est pas la bonne valeur"


def _number(given: Any) -> float | None:
    """Read 12, 12.5, « 1 234,5 » or « 12 % »; None where it is no finite number."""
    if isinstance(given, bool):
        return None
    text = re.sub(r"[\s\u00a0\u202f€%]", "", str(given)[:80])
    if "," in text and "." not in text:
        text = text.replace(",", ".")
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def written(path: Path, headings: Collection[str], words: int) -> Finding:
    """Check a written deliverable: required headings (accents and case forgiven) and length.

    Quality is left to the instructor. Half the ratio is for the headings, half for the length.
    """
    if not path.is_file():
        return Finding(0.0, f"Le fichier {path.name} est absent.")
    text = path.read_text("utf-8", "replace")
    lines = text.splitlines()
    present = {fold(m["hash"] or m["bold"]) for line in lines if (m := _HEADING.match(line))}
    missing = [h for h in headings if not any(fold(h) in p for p in present)]
    length = sum(len(_WORD.findall(line)) for line in lines if not _HEADING.match(line))
    ratio = 0.5 * (1 - len(missing) / max(1, len(headings))) + 0.5 * min(
        1.0, length / max(1, words)
    )
    if length == 0:
        ratio = 0.0
    complaints = [f"titre(s) manquant(s) : {', '.join(missing)}"] if missing else []
    if length < words:
        complaints.append(f"{length} mots au lieu de {words} au moins")
    message = f"{path.name} : " + (" ; ".join(complaints) or "titres et longueur y sont") + "."
    return Finding(ratio, message)


def report(work: Work) -> Finding:
    """Check resultats.md against the rubric's `report_headings` and `report_words`."""
    return written(
        work.submission.root / "resultats.md",
        work.rubric.report_headings,
        work.rubric.report_words,
    )


def python(path: Path, name: str) -> ast.Module | str:
    """Return the syntax tree of a Python file, or in French why there is none."""
    if path.stat().st_size > SOURCE_CAP:
        return f"{name} : plus de {SOURCE_CAP >> 20} Mio, le fichier n'est pas lu"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes in the student's texts
            return ast.parse(path.read_bytes(), name)
    except SyntaxError as error:
        return f"{name}:{error.lineno or 1} : erreur de syntaxe Python ({error.msg})"
    except (ValueError, RecursionError, MemoryError):
        return f"{name}:1 : illisible (octets nuls, ou imbrication trop profonde)"
