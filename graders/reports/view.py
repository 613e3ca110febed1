"""What every format shows alike: French words, what to hint at, and a report made safe to show."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from graders.model import Criterion, Finding, Outcome, Plot, Report, Result, Stage, Status
from graders.text import LIMIT, clean, number, one_line

PLOTS = 8  # per criterion
POINTS = 120  # per plot
ENTRIES = 200  # of a list or mapping in the provenance
DEPTH = 4
HUGE = 1e300  # beyond it, the span of an axis overflows


@dataclass(frozen=True, slots=True)
class Label:
    """How a status is shown: a glyph and a word, so that colour is never alone."""

    glyph: str
    word: str
    style: str  # of the console


LABELS = {
    Status.PASSED: Label("✔", "réussi", "green"),
    Status.PARTIAL: Label("◐", "partiel", "yellow"),
    Status.FAILED: Label("✘", "échoué", "red"),
    Status.SKIPPED: Label("–", "non vérifié", "bright_black"),
    Status.ERROR: Label("↻", "à recorriger", "magenta"),
}
STAGES = {Stage.STATIC: "fichiers", Stage.LIVE: "outil en marche", Stage.DRILL: "épreuve"}
OUTCOMES = {
    Outcome.GRADED: "corrigé",
    Outcome.REFUSED: "refusé",
    Outcome.TO_REGRADE: "à recorriger",
}
EXPLAINED = {
    Outcome.GRADED: "",
    Outcome.REFUSED: "Rendu refusé : rien n'a été démarré. Corrigez ce qui suit, puis "
    "rendez de nouveau.",
    Outcome.TO_REGRADE: "Le correcteur ou la machine a échoué sur au moins un critère. "
    "Ce n'est pas votre faute ; ces critères seront corrigés de nouveau.",
}
SAME = "Même cause que plus haut."


def score(report: Report) -> str:
    """Return the score as it is read aloud, such as `17,5 / 20`."""
    return f"{number(report.score)} / {number(report.out_of)}"


def score_name(report: Report) -> str:
    """Return what the score is: final, or provisional while something must be graded again."""
    return "Note provisoire" if report.outcome is Outcome.TO_REGRADE else "Note"


def hint(result: Result) -> str:
    """Return the hint worth showing: the check's own, else the rubric's; none where none helps."""
    if result.status not in (Status.FAILED, Status.PARTIAL):
        return ""
    return result.finding.hint or result.criterion.hint


def evidence(result: Result) -> tuple[str, str]:
    """Return what was wanted and seen, to show a student; never what a crash of ours said."""
    if result.status in (Status.PASSED, Status.ERROR):
        return "", ""
    return result.finding.wanted, result.finding.seen


def repeats(report: Report) -> frozenset[str]:
    """Return the ids of the criteria that failed for a reason that was told higher up."""
    seen = set(motive(report))
    again: set[str] = set()
    for result in report.results:
        message = result.finding.message
        if message and message in seen and not result.finding.plots:
            again.add(result.criterion.id)
        elif result.status in (Status.FAILED, Status.ERROR):
            seen.add(message)
    return frozenset(again)


def motive(report: Report) -> tuple[str, ...]:
    """Return why nothing of a refused submission was started: what every live criterion says."""
    if report.outcome is not Outcome.REFUSED:
        return ()
    live = (r for r in report.results if r.stage is not Stage.STATIC)
    told = (r.finding.message for r in live if r.status is Status.FAILED)
    return tuple(dict.fromkeys(text for text in told if text))


def notices(report: Report) -> tuple[str, ...]:
    """Return what else is worth knowing, said once."""
    known = motive(report)
    return tuple(text for text in dict.fromkeys(report.notices) if text not in known)


def above(report: Report) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return what is said above the criteria, under its headings; only headings with content."""
    motives = tuple(line for text in motive(report) for line in text.split("\n"))
    parts = (("Motif du refus", motives), ("À savoir", notices(report)))
    return tuple((name, lines) for name, lines in parts if lines)


def cleaned(report: Report, limit: int = LIMIT, plots: int = PLOTS) -> Report:
    """Return the report with texts cleaned and bounded, and at most `plots` plots a criterion.

    What is clean stays as it is.
    """
    return replace(
        report,
        exercise=one_line(report.exercise),
        title=one_line(report.title),
        team=one_line(report.team),
        members=tuple(map(one_line, report.members[:ENTRIES])),
        commit=one_line(report.commit),
        results=tuple(_result(r, limit, plots) for r in report.results),
        notices=tuple(clean(n, limit) for n in report.notices[:ENTRIES]),
        provenance={one_line(k): _value(v, limit) for k, v in report.provenance.items()},
    )


def _result(result: Result, limit: int, plots: int) -> Result:
    asked, found = result.criterion, result.finding
    criterion: Criterion = replace(
        asked, id=one_line(asked.id), title=one_line(asked.title), hint=clean(asked.hint, limit)
    )
    own = clean(found.hint, limit)
    finding: Finding = replace(
        found,
        message=clean(found.message, limit),
        seen=clean(found.seen, limit),
        wanted=clean(found.wanted, limit),
        hint="" if own == criterion.hint else own,
        plots=tuple(map(_plot, found.plots[:plots])),
    )
    return replace(result, criterion=criterion, finding=finding, seconds=round(result.seconds, 3))


def _plot(plot: Plot) -> Plot:
    return Plot(
        title=one_line(plot.title),
        labels=tuple(one_line(label, 80) for label in plot.labels[:POINTS]),
        wanted=tuple(map(_finite, plot.wanted[:POINTS])),
        seen=tuple(map(_finite, plot.seen[:POINTS])),
    )


def _finite(value: float) -> float:
    # Always the one NaN object: a gap equals a gap when two plots are compared.
    return float(value) if abs(value) <= HUGE else math.nan


def _value(value: Any, limit: int, depth: int = DEPTH) -> Any:
    """Return a value that JSON can hold, cleaned."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if depth and isinstance(value, Mapping):
        pairs = list(value.items())[:ENTRIES]
        return {one_line(k): _value(v, limit, depth - 1) for k, v in pairs}
    if depth and isinstance(value, list | tuple | set | frozenset):
        items = sorted(value, key=str) if isinstance(value, set | frozenset) else list(value)
        return [_value(v, limit, depth - 1) for v in items[:ENTRIES]]
    return clean(value, limit)
