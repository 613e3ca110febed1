"""JUnit, Markdown and CSV: each read back by a reader that is strict about it."""

from __future__ import annotations

import csv as stdlib_csv
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import HealthCheck, given, settings

from graders.model import Finding, Outcome, Report, Status
from graders.reports import csv, junit, markdown
from tests.reports import samples
from tests.reports.strategies import reports as any_report

CALM = settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))


def cases(report: Report) -> list[tuple[str, str]]:
    root = ET.fromstring(junit.render(report).encode())  # noqa: S314 - our own text
    return [
        (case.attrib["name"].split(" : ")[0], case[0].tag if len(case) else "")
        for case in root.iter("testcase")
    ]


def test_junit_tells_failures_errors_and_skips_apart() -> None:
    assert cases(samples.bad()) == [
        ("demarre", ""),
        ("ca_par_mois", "failure"),
        ("a", "failure"),
        ("b", "failure"),
        ("filtres", "skipped"),
        ("resultats", "failure"),
    ]
    assert cases(samples.to_regrade())[-1] == ("donnees", "error")


def test_junit_counts_and_carries_the_score() -> None:
    root = ET.fromstring(junit.render(samples.bad()).encode())  # noqa: S314
    suite = root.find("testsuite")
    assert suite is not None
    counts = [suite.attrib[k] for k in ("tests", "failures", "errors", "skipped")]
    assert counts == ["6", "4", "0", "1"]
    values = {p.attrib["name"]: p.attrib["value"] for p in suite.iter("property")}
    assert values["score"] == "3.33"
    assert values["out_of"] == "20"
    assert values["status"] == "graded"


@CALM
@given(any_report())
def test_085_junit_is_xml_whatever_the_text(report: Report) -> None:
    text = junit.render(report)
    assert "<!" not in text
    assert len(cases(report)) == len(report.results)


@CALM
@given(any_report())
def test_086_markdown_holds_no_markup_but_ours(report: Report) -> None:
    text = markdown.render(report)
    tags = {tag.lower() for tag in re.findall(r"</?([a-z!][^\s>]*)", text, re.IGNORECASE)}
    assert tags <= {"br", "details", "summary"}
    assert not re.search(r"[@#](?=\w)", re.sub(r"&#\d+;", "", text))
    assert not re.search(r"https?://|www\.|\]\(|```", text)
    assert len(text) <= 65_536


@pytest.mark.parametrize(
    "payload",
    [
        "@admin",
        "#12",
        "GH-7",
        "a@b.example",
        "[x](y)",
        "<b>",
        "`c`",
        "https://m",
        "www.m",
        "| a |",
        "$x$",
    ],
)
def test_086_escaped_text_has_no_syntax_left(payload: str) -> None:
    text = markdown.escape(payload)
    assert not re.search(r"[@\[\]()<>`|$]|https?:|www\.", text)
    assert not re.search(r"#(?!\d+;)|GH-", text)
    shown = re.sub(r"&#(\d+);", lambda m: chr(int(m[1])), text)
    assert shown.replace("\u200b", "") == payload
    assert not re.search(r"[@#]\w|GH-", shown)


def test_markdown_tells_score_table_and_details() -> None:
    text = markdown.render(samples.bad())
    assert text.startswith("### Superset &#58; tableau de bord des ventes : 3,33 / 20\n")
    assert "| Chiffre d&#39;affaires par mois | ◐ partiel | 1,33 / 4 |" in text
    assert "<summary>Ce qui manque</summary>" in text
    assert "Rendu refusé" in markdown.render(samples.refused())


def test_markdown_stays_within_what_github_takes() -> None:
    found = Finding(0.0, "&" * 2000, "<" * 2000, ">" * 2000, "@" * 2000)
    rows = [samples.result(f"c{i}", "#" * 200, Status.FAILED, 0, 1, found) for i in range(60)]
    rows = [
        replace(r, finding=replace(found, message=f"{i} {found.message}"))
        for i, r in enumerate(rows)
    ]
    text = markdown.render(samples.report(Outcome.GRADED, *rows))
    assert len(text) <= 65_536


def rows(path: Path) -> list[dict[str, str]]:
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(stdlib_csv.DictReader(file))


def test_grades_are_one_row_per_report_in_a_fixed_order(tmp_path: Path) -> None:
    all_of_them = [replace(make(), team=f"equipe-{i}") for i, make in enumerate(samples.ALL)]
    csv.grades(reversed(all_of_them), tmp_path / "a.csv")
    csv.grades(all_of_them, tmp_path / "b.csv")
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    table = rows(tmp_path / "a.csv")
    assert [row["team"] for row in table] == ["equipe-0", "equipe-1", "equipe-2", "equipe-3"]
    assert [row["score"] for row in table] == ["17.5", "3.33", "1", "12.5"]
    assert [row["status"] for row in table] == ["graded", "graded", "refused", "to_regrade"]
    assert table[3]["to_regrade"] == "donnees"
    assert table[0]["members"] == "Zoé Lefèvre, Amine Haddad, Nguyễn Thị Hà"


@pytest.mark.parametrize(
    "name", ["=1+1", "+1", "-1", "@SUM(A1)", " \t=1", "\r\n=1", "＝1", "\x00=1", "\u202e=1"]
)
def test_087_a_name_is_never_a_formula(tmp_path: Path, name: str) -> None:
    csv.grades([replace(samples.good(), members=(name,), team=name)], tmp_path / "g.csv")
    [row] = rows(tmp_path / "g.csv")
    for cell in (row["team"], row["members"]):
        assert cell.startswith("'")


@pytest.mark.parametrize("sample", samples.ALL)
def test_no_cell_breaks_the_table(sample: Callable[[], Report], tmp_path: Path) -> None:
    odd = replace(sample(), members=('a"b', "c;d\ne", "f,g"))
    csv.grades([odd], tmp_path / "g.csv")
    [row] = rows(tmp_path / "g.csv")
    assert row["members"] == 'a"b, c;d e, f,g'
