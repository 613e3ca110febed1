"""The report as JUnit XML, which CI systems show: one test case per criterion."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from graders.model import Report, Result, Status
from graders.reports import view

TAGS = {Status.FAILED: "failure", Status.PARTIAL: "failure", Status.ERROR: "error"}


def render(report: Report) -> str:
    """Return the report as JUnit XML; partial credit counts as a failure that says so."""
    report = view.cleaned(report)
    kinds = [TAGS.get(r.status, r.status.value) for r in report.results]
    suite = ET.Element(
        "testsuite",
        name=f"{report.exercise} {report.team}",
        tests=str(len(kinds)),
        failures=str(kinds.count("failure")),
        errors=str(kinds.count("error")),
        skipped=str(kinds.count("skipped")),
        time=f"{sum(r.seconds for r in report.results):.3f}",
    )
    _properties(suite, report)
    for result in report.results:
        _case(suite, report, result)
    if said := view.above(report):
        lines = [f"{name} : {line}" for name, lines in said for line in lines]
        ET.SubElement(suite, "system-out").text = "\n".join(lines)
    root = ET.Element("testsuites", {k: v for k, v in suite.items() if k != "skipped"})
    root.append(suite)
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _properties(suite: ET.Element, report: Report) -> None:
    properties = ET.SubElement(suite, "properties")
    for name, value in (
        ("score", f"{report.score:g}"),
        ("out_of", f"{report.out_of:g}"),
        ("status", report.outcome.value),
        ("exercise", report.exercise),
        ("team", report.team),
        ("commit", report.commit),
    ):
        ET.SubElement(properties, "property", name=name, value=value)


def _case(suite: ET.Element, report: Report, result: Result) -> None:
    case = ET.SubElement(
        suite,
        "testcase",
        classname=f"{report.exercise}.{result.stage.value}",
        name=f"{result.criterion.id} : {result.criterion.title}",
        time=f"{result.seconds:.3f}",
    )
    message = result.finding.message
    if result.status is Status.SKIPPED:
        ET.SubElement(case, "skipped", message=message)
    elif tag := TAGS.get(result.status):
        points = f"{result.points:g}/{result.criterion.points:g}"
        told = ET.SubElement(case, tag, message=message or points, type=result.status.value)
        wanted, seen = view.evidence(result)
        lines = (
            ("Points", points),
            ("Attendu", wanted),
            ("Vu", seen),
            ("Piste", view.hint(result)),
        )
        told.text = "\n".join(f"{name} : {value}" for name, value in lines if value)
