"""The report as one self-contained page: no script, nothing fetched, every text escaped."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from graders.model import Outcome, Report, Result, Status
from graders.reports import view
from graders.reports.plot import draw
from graders.text import number

# Provenance keys that deserve French words; the others are shown as they are.
KNOWN = {
    "grader": "Version du correcteur",
    "rubric": "Barème : version et empreinte",
    "seed": "Graine des données",
    "hidden_seed": "Graine des données cachées",
    "images": "Images",
    "runtime": "Exécution",
    "submission": "Empreinte du rendu",
    "seconds": "Durée en secondes",
    "date": "Corrigé le",
}


def render(report: Report) -> str:
    """Return the report as an HTML page in French."""
    report = view.cleaned(report)
    style, policy = _style()
    again = view.repeats(report)
    return _template().render(
        report=report,
        view=view,
        style=style,
        policy=policy,
        again=again,
        told=[r for r in report.results if _tells(r, report, again)],
        meter=_meter(report),
        provenance=[(KNOWN.get(k, k), _shown(v)) for k, v in sorted(report.provenance.items())],
    )


def _tells(result: Result, report: Report, again: Collection[str]) -> bool:
    """Return whether a criterion has more to tell than its line in the table."""
    finding = result.finding
    if report.outcome is Outcome.REFUSED and result.criterion.id in again:
        return False  # the motive above says it all
    return result.status is not Status.PASSED or bool(finding.message or finding.plots)


def _meter(report: Report) -> list[tuple[str, float, float, float]]:
    """Return a segment per criterion: status, x, width, width won, on a scale of 1000."""
    total = sum(r.criterion.points for r in report.results) or 1.0
    segments, x = [], 0.0
    for result in report.results:
        width = 1000.0 * result.criterion.points / total
        won = 1000.0 * result.points / total
        segments.append((result.status.value, round(x, 1), round(width, 1), round(won, 1)))
        x += width
    return segments


def _french(text: str) -> str:
    """Return text whose quotation marks never stand alone at the end or start of a line."""
    return text.replace("« ", "«\u00a0").replace(" »", "\u00a0»")


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return number(value)
    return json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True)


@functools.cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("graders.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = number
    environment.filters["draw"] = draw
    environment.filters["french"] = _french
    return environment.get_template("report.html")


@functools.cache
def _style() -> tuple[Markup, str]:
    """Return the style sheet, and the content policy that allows it and nothing else."""
    source = (Path(__file__).parent / "templates" / "report.css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return Markup(source), policy  # noqa: S704 - our own file, not a student's text
