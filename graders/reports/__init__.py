"""Reports: one frozen value in, one text per format out."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from graders.errors import UsageError
from graders.model import Report
from graders.reports import console, csv, html, json, junit, markdown
from graders.reports.files import write_text
from graders.text import file_name

__all__ = [
    "REPORTERS",
    "Reporter",
    "console",
    "csv",
    "html",
    "json",
    "junit",
    "markdown",
    "write",
    "write_text",
]


@dataclass(frozen=True, slots=True)
class Reporter:
    """A format: what its files end in, and how a report becomes text."""

    suffix: str
    render: Callable[[Report], str]


REPORTERS = {
    "json": Reporter(".json", json.render),
    "html": Reporter(".html", html.render),
    "junit": Reporter(".junit.xml", junit.render),
    "markdown": Reporter(".md", markdown.render),
}


def write(
    report: Report, out: Path, formats: Collection[str] = ("json", "html", "junit")
) -> dict[str, Path]:
    """Write the report into `out`, one file per format, and return where each one lies."""
    if unknown := sorted(set(formats) - REPORTERS.keys()):
        raise UsageError(f"no such format: {', '.join(unknown)} (known: {', '.join(REPORTERS)})")
    stem = file_name(report.team, report.exercise)
    texts = {name: REPORTERS[name].render(report) for name in formats}
    paths = {name: out / f"{stem}{REPORTERS[name].suffix}" for name in formats}
    for name, path in paths.items():
        write_text(path, texts[name])
    return paths
