"""The canonical form of a report: JSON with one spelling, checked against its schema both ways."""

from __future__ import annotations

import functools
import json
import math
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import jsonschema

from graders.errors import ReportError
from graders.model import Criterion, Finding, Outcome, Plot, Report, Result, Stage, Status
from graders.reports.view import PLOTS, cleaned
from graders.text import LIMIT

SCHEMA = 1
MAX_BYTES = 1_000_000
CENT = 0.005
# Characters of a field and plots of a criterion; the next pair where a report is too large.
SIZES = ((LIMIT, PLOTS), (LIMIT // 5, 2), (LIMIT // 25, 0))


def render(report: Report) -> str:
    """Return the report as canonical JSON: sorted keys, UTF-8, two spaces, a final newline."""
    for limit, plots in SIZES:
        document = to_document(cleaned(report, limit, plots))
        _check(document)
        text = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2, sort_keys=True)
        if len(text.encode()) < MAX_BYTES:
            return text + "\n"
    raise ReportError(f"a report of more than {MAX_BYTES} bytes")


def load(path: Path) -> Report:
    """Read a report back: a plain file of at most 1 MB, valid, whose numbers add up."""
    document = _parse(_read(path), path)
    try:
        _check(document)
    except ReportError as error:
        raise ReportError(f"{path}: {error}") from error
    return cleaned(from_document(document))


def to_document(report: Report) -> dict[str, Any]:
    """Return the report as plain JSON values."""
    return {
        "schema": SCHEMA,
        "exercise": report.exercise,
        "title": report.title,
        "team": report.team,
        "members": list(report.members),
        "commit": report.commit,
        "status": report.outcome.value,
        "score": report.score,
        "out_of": report.out_of,
        "criteria": [_criterion(result) for result in report.results],
        "notices": list(report.notices),
        "provenance": dict(report.provenance),
    }


def from_document(document: Mapping[str, Any]) -> Report:
    """Return the report that a valid document describes."""
    return Report(
        exercise=document["exercise"],
        title=document["title"],
        team=document["team"],
        members=tuple(document["members"]),
        commit=document["commit"],
        outcome=Outcome(document["status"]),
        results=tuple(map(_result, document["criteria"])),
        out_of=document["out_of"],
        notices=tuple(document["notices"]),
        provenance=document["provenance"],
    )


def _criterion(result: Result) -> dict[str, Any]:
    criterion, finding = result.criterion, result.finding
    row: dict[str, Any] = {
        "id": criterion.id,
        "title": criterion.title,
        "status": result.status.value,
        "points": result.points,
        "out_of": criterion.points,
        "ratio": finding.ratio,
        "message": finding.message,
        "seen": finding.seen,
        "wanted": finding.wanted,
        "hint": finding.hint or criterion.hint,
        "rubric_hint": criterion.hint,
        "human": criterion.human,
        "seconds": result.seconds,
        "stage": result.stage.value,
    }
    if finding.plots:
        row["plots"] = [
            {
                "title": plot.title,
                "labels": list(plot.labels),
                "wanted": [_gap(v) for v in plot.wanted],
                "seen": [_gap(v) for v in plot.seen],
            }
            for plot in finding.plots
        ]
    return row


def _result(row: Mapping[str, Any]) -> Result:
    own = "" if row["hint"] == row["rubric_hint"] else row["hint"]
    plots = tuple(
        Plot(p["title"], tuple(p["labels"]), _series(p["wanted"]), _series(p["seen"]))
        for p in row.get("plots", ())
    )
    return Result(
        Criterion(row["id"], row["title"], row["out_of"], row["rubric_hint"], row["human"]),
        Status(row["status"]),
        row["points"],
        Finding(row["ratio"], row["message"], row["seen"], row["wanted"], own, plots),
        row["seconds"],
        Stage(row["stage"]),
    )


def _gap(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _series(values: list[float | None]) -> tuple[float, ...]:
    return tuple(math.nan if v is None else v for v in values)


def _read(path: Path) -> bytes:
    """Read a plain file without following a link, waiting on a pipe, or going beyond the bound."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise ReportError(f"{path}: not a plain file")
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ReportError(f"{path}: {error.strerror}") from error
    if len(raw) > MAX_BYTES:
        raise ReportError(f"{path}: more than {MAX_BYTES} bytes")
    return raw


def _parse(raw: bytes, path: Path) -> Any:
    try:
        return json.loads(
            raw.decode("utf-8"), object_pairs_hook=_distinct, parse_constant=_no_constant
        )
    except (ValueError, RecursionError) as error:
        raise ReportError(f"{path}: not JSON that we write: {error}") from error


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        raise ValueError("a key is given twice")
    return result


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


def _check(document: Any) -> None:
    """Raise unless the document is valid and its numbers are finite and add up."""
    error = jsonschema.exceptions.best_match(_validator().iter_errors(document))
    if error:
        raise ReportError(f"{error.json_path}: {error.message[:200]}")
    rows = document["criteria"]
    numbers = [v for row in rows for v in (row["points"], row["out_of"], row["seconds"])]
    if not all(map(math.isfinite, (*numbers, document["score"], document["out_of"]))):
        raise ReportError("a number is not finite")
    if over := [row["id"] for row in rows if row["points"] > row["out_of"] + CENT]:
        raise ReportError(f"more points than the criterion is worth: {', '.join(over)}")
    total = min(sum(row["points"] for row in rows), document["out_of"])
    if abs(total - document["score"]) > CENT:
        raise ReportError(f"the points add up to {total:g}, not to {document['score']:g}")


@functools.cache
def _validator() -> jsonschema.Draft202012Validator:
    path = Path(__file__).parent.parent / "schemas" / "report.schema.json"
    return jsonschema.Draft202012Validator(json.loads(path.read_text("utf-8")))
