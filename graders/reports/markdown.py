"""The report as a comment on a pull request: Markdown in which no submission can write Markdown.

Text of unknown origin is written in character references, which Markdown never takes for syntax.
References alone do not stop what GitHub adds after rendering (mentions, issue numbers), so an
invisible character follows each `@` and `#`.
"""

from __future__ import annotations

import re

from graders.model import Report, Result, Status
from graders.reports import view
from graders.text import number

LONGEST = 60_000  # characters; GitHub takes 65,536
FIELD = 400
_SYNTAX = re.compile(r"[&<>\"'`*_~\[\](){}\\|:/@#$!^=+\-.]")
_LINKED = re.compile(r"([@#]|\bGH(?=-))", re.IGNORECASE)
_BREAKER = "\u200b"


def render(report: Report) -> str:
    """Return the report as GitHub Markdown."""
    report = view.cleaned(report, FIELD)
    head = [
        f"### {escape(report.title)} : {view.score(report)}",
        "",
        f"Équipe {escape(report.team)} · exercice {escape(report.exercise)} · "
        f"commit {escape(report.commit[:12] or 'aucun')} · {view.OUTCOMES[report.outcome]}",
        "",
    ]
    if told := view.EXPLAINED[report.outcome]:
        head += [f"**{told}**", ""]
    for name, lines in view.above(report):
        head += [f"{name} :", "", *(f"- {escape(line)}" for line in lines), ""]
    table = ["", "| Critère | Statut | Points |", "|---|---|---:|", *map(_row, report.results), ""]
    again = view.repeats(report)
    failed = [r for r in report.results if r.status in (Status.FAILED, Status.PARTIAL)]
    details = [_detail(r) for r in failed if r.criterion.id not in again]
    return _joined([*head, *table], details)


def escape(text: str) -> str:
    """Return text that GitHub shows as it is, on one line, linking and notifying nobody."""
    text = _LINKED.sub(rf"\1{_BREAKER}", text)
    text = _SYNTAX.sub(lambda m: f"&#{ord(m[0])};", text)
    return "<br>".join(" ".join(line.split(" ")).strip() for line in text.split("\n"))


def _row(result: Result) -> str:
    label = view.LABELS[result.status]
    points = f"{number(result.points)} / {number(result.criterion.points)}"
    return f"| {escape(result.criterion.title)} | {label.glyph} {label.word} | {points} |"


def _detail(result: Result) -> str:
    wanted, seen = view.evidence(result)
    told = (
        ("", result.finding.message),
        ("Attendu : ", wanted),
        ("Vu : ", seen),
        ("Piste : ", view.hint(result)),
    )
    lines = [f"- **{escape(result.criterion.title)}**"]
    lines += [f"  <br>{name}{escape(text)}" for name, text in told if text]
    return "\n".join(lines)


def _joined(start: list[str], details: list[str]) -> str:
    """Join the parts, leaving out the details that GitHub would not take."""
    text = "\n".join(start)
    if not details or len(text) > LONGEST:
        return text[:LONGEST].rstrip() + "\n"
    text += "\n<details><summary>Ce qui manque</summary>\n\n"
    kept = 0
    for detail in details:
        if len(text) + len(detail) > LONGEST:
            break
        text += detail + "\n"
        kept += 1
    left = (
        f"\n… et {len(details) - kept} autres : voir le rapport.\n" if kept < len(details) else ""
    )
    return f"{text}{left}\n</details>\n"
