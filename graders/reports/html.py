"""The report as one self-contained page: no script, nothing fetched, every text escaped."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from graders.model import Report, Result, Status
from graders.reports import view
from graders.reports.plot import draw
from graders.text import number

# Provenance keys that deserve French words; the others are shown as they are.
KNOWN = {
    "version": "Version du correcteur",
    "rubric": "Empreinte du barème",
    "rubric_version": "Version du barème",
    "seed": "Graine des données",
    "hidden_seed": "Graine des données cachées",
    "images": "Images",
    "runtime": "Exécution",
    "digest": "Empreinte du rendu",
    "date": "Corrigé le",
}


def render(report: Report) -> str:
    """Return the report as an HTML page in French."""
    report = view.cleaned(report)
    style, policy = _style()
    return (
        _environment()
        .get_template("report.html")
        .render(
            report=report,
            view=view,
            style=style,
            policy=policy,
            again=view.repeats(report),
            told=[r for r in report.results if _tells(r)],
            meter=_meter(report),
            provenance=[(KNOWN.get(k, k), _shown(v)) for k, v in sorted(report.provenance.items())],
        )
    )


def _tells(result: Result) -> bool:
    finding = result.finding
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


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True)


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("graders.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = number
    environment.filters["draw"] = draw
    return environment


@functools.cache
def _style() -> tuple[Markup, str]:
    """Return the style sheet, and the content policy that allows it and nothing else."""
    source, _, _ = PackageLoader("graders.reports").get_source(_environment(), "report.css")
    digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return Markup(source), policy  # noqa: S704 - our own file, not a student's text
