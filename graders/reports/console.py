"""The report in a terminal: for a student what to do next, for an instructor what happened.

Every line that holds a student's text has a rule left of it, wrapped lines too: nothing that a
submission says can start a line, where a CI runner looks for commands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from graders.model import Outcome, Report, Result, Status
from graders.reports import view
from graders.text import inert, number, one_line

WIDE = 88  # columns from which the points get their own column
WIDEST = 120
TONES = {Outcome.GRADED: "bold", Outcome.REFUSED: "bold red", Outcome.TO_REGRADE: "bold magenta"}


def show(report: Report, console: Console, student: bool) -> None:
    """Print the report; `student` asks for hints instead of seconds, stages and provenance."""
    report = view.cleaned(report)
    width = min(console.width, WIDEST)
    parts = [_head(report), *(_notes(name, lines) for name, lines in view.above(report))]
    parts.append(_criteria(report, student, width >= WIDE))
    if not student and report.provenance:
        parts.append(_notes("Provenance", _flat(report.provenance)))
    for part in parts:
        console.print(part, "", width=width, highlight=False)
    console.print(_total(report), width=width, highlight=False)


def _head(report: Report) -> Table:
    table = _grid()
    table.add_row("Exercice", _text(f"{report.exercise} · {report.title}", "bold"))
    members = f" ({', '.join(report.members)})" if report.members else ""
    table.add_row("Équipe", _text(report.team + members))
    table.add_row("Commit", _text(report.commit[:12] or "aucun"))
    return table


def _notes(title: str, notes: Sequence[str]) -> Table:
    table = _grid()
    for i, note in enumerate(notes):
        table.add_row("" if i else title, _text(note))
    return table


def _criteria(report: Report, student: bool, wide: bool) -> Table:
    table = Table(box=box.MINIMAL, show_edge=False, pad_edge=False, padding=(0, 1), expand=True)
    table.add_column("Statut", no_wrap=True, min_width=14)
    if wide:
        table.add_column("Points", justify="right", no_wrap=True, min_width=9)
    table.add_column("Critère", ratio=1, overflow="fold")
    again = view.repeats(report)
    for result in report.results:
        label = view.LABELS[result.status]
        status = Text(f"{label.glyph} {label.word}", label.style)
        points = f"{number(result.points)} / {number(result.criterion.points)}"
        cells = [status, Text(points)] if wide else [Text.assemble(status, "\n", points)]
        table.add_row(*cells, _story(result, student, result.criterion.id in again))
    return table


def _story(result: Result, student: bool, again: bool) -> Text:
    """Return what there is to say of one criterion, under its title."""
    text = _text(result.criterion.title, "bold")
    finding = result.finding
    if again:
        text.append(f"\n{view.SAME}", "bright_black")
    elif result.status is not Status.PASSED or not student:
        wanted, seen = view.evidence(result)
        if not student:
            wanted, seen = finding.wanted, finding.seen
        for name, value in (("", finding.message), ("Attendu : ", wanted), ("Vu : ", seen)):
            if value:
                text.append(f"\n{name}", "bright_black").append_text(_text(value))
        if student and (hint := view.hint(result)):
            text.append("\n→ ", "cyan").append_text(_text(hint, "cyan"))
    if not student and result.status is not Status.SKIPPED:
        stage = view.STAGES[result.stage]
        text.append(f"\n{stage}, {number(result.seconds, 1)} s", "bright_black")
    return text


def _total(report: Report) -> Text:
    text = Text(f"{view.score_name(report)} : {view.score(report)}", TONES[report.outcome])
    if told := view.EXPLAINED[report.outcome]:
        text.append(f"\n{told}", "not bold")
    return text


def _grid() -> Table:
    table = Table(
        box=box.MINIMAL, show_header=False, show_edge=False, pad_edge=False, padding=(0, 1)
    )
    table.add_column(style="bright_black", no_wrap=True, min_width=14)
    table.add_column(overflow="fold")
    return table


def _flat(values: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Return nested values as `a.b : c` lines."""
    lines: list[str] = []
    for key, value in sorted(values.items()):
        if isinstance(value, Mapping):
            lines += _flat(value, f"{prefix}{key}.")
        else:
            lines.append(f"{prefix}{key} : {one_line(value)}")
    return lines


def _text(value: str, style: str = "") -> Text:
    return Text(inert(value), style)
