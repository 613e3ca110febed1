"""The grades of many submissions as one table for a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from graders.model import Report, Status
from graders.reports.files import write_text
from graders.reports.view import cleaned
from graders.text import one_line

COLUMNS = (
    "team",
    "members",
    "exercise",
    "score",
    "out_of",
    "status",
    "commit",
    "passed",
    "criteria",
    "to_regrade",
)
# What Excel, LibreOffice and Google Sheets take for a formula; the wide forms too.
FORMULA = tuple("=+-@＝＋－＠")


def grades(reports: Iterable[Report], path: Path) -> None:
    """Write one row per report, by team and exercise; UTF-8 with the mark that Excel looks for."""
    rows = sorted((_row(cleaned(report)) for report in reports), key=lambda row: (row[0], row[2]))
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    write_text(path, "\ufeff" + buffer.getvalue())


def safe(value: str) -> str:
    """Return a cell that no spreadsheet takes for a formula: an apostrophe goes before one."""
    text = one_line(value, 1000)
    return f"'{text}" if text.startswith(FORMULA) else text


def _row(report: Report) -> tuple[str, ...]:
    passed = sum(r.status is Status.PASSED for r in report.results)
    errors = [r.criterion.id for r in report.results if r.status is Status.ERROR]
    return (
        safe(report.team),
        safe(", ".join(report.members)),
        safe(report.exercise),
        f"{report.score:g}",
        f"{report.out_of:g}",
        report.outcome.value,
        safe(report.commit),
        str(passed),
        str(len(report.results)),
        safe(" ".join(errors)),
    )
