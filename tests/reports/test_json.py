"""The canonical form: exact round trips, and nothing read that we would not write."""

from __future__ import annotations

import json as stdlib_json
import math
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from graders import reports
from graders.errors import ReportError
from graders.model import Finding, Outcome, Plot, Report, Status
from graders.reports import json
from graders.reports.view import cleaned
from tests.reports import samples
from tests.reports.strategies import reports as any_report


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(report=any_report())
def test_a_report_survives_the_round_trip_exactly(
    report: Report, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("r") / "r.json"
    text = json.render(report)
    path.write_text(text, "utf-8", newline="")
    again = json.load(path)
    assert again == cleaned(report)
    assert json.render(again) == text


@pytest.mark.parametrize("sample", samples.ALL)
def test_the_form_is_canonical(sample: Callable[[], Report]) -> None:
    text = json.render(sample())
    document = stdlib_json.loads(text)
    again = stdlib_json.dumps(document, ensure_ascii=False, indent=2, sort_keys=True) + "\n"
    assert text == again
    assert "Lefèvre" in text
    assert document["score"] == sample().score
    assert document["status"] == sample().outcome.value
    assert [row["id"] for row in document["criteria"]] == [r.criterion.id for r in sample().results]


def test_the_hint_shown_is_the_checks_own_else_the_rubrics() -> None:
    rows = stdlib_json.loads(json.render(samples.bad()))["criteria"]
    assert rows[1]["hint"] == "Classé par nombre de lignes et non par chiffre d'affaires."
    assert rows[2]["hint"] == rows[2]["rubric_hint"] != ""


def test_a_gap_in_a_series_is_null() -> None:
    text = json.render(samples.bad())
    assert stdlib_json.loads(text)["criteria"][1]["plots"][0]["seen"][6] is None


def test_084_a_submission_cannot_push_a_report_out_of_bounds(tmp_path: Path) -> None:
    big = 'é\n"' * 20_000
    plot = Plot(big, (big,) * 999, (1e-300 / 3,) * 999, (math.nan,) * 999)
    found = Finding(0.0, big, big, big, big, (plot,) * 99)
    row = samples.result("a", "b", Status.FAILED, 0, 1, found)
    report = samples.report(Outcome.GRADED, *[row] * 8, notices=(big,) * 300)
    path = reports.write(report, tmp_path, ["json"])["json"]
    assert path.stat().st_size <= json.MAX_BYTES
    assert len(json.load(path).results) == 8


def document() -> dict[str, Any]:
    result: dict[str, Any] = stdlib_json.loads(json.render(samples.good()))
    return result


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    "score", ["NaN", "Infinity", "-Infinity", "1e309", "-1", "1e308", "18", '"20"', "null", "true"]
)
def test_083_a_score_that_is_not_one_is_refused(tmp_path: Path, score: str) -> None:
    text = stdlib_json.dumps(document() | {"score": "SCORE"}).replace('"SCORE"', score)
    with pytest.raises(ReportError):
        json.load(write(tmp_path / "r.json", text))


@pytest.mark.parametrize("points", ["NaN", "1e309", "-0.5", "2.5", "[2]"])
def test_083_points_that_are_not_ones_are_refused(tmp_path: Path, points: str) -> None:
    data = document()
    data["criteria"][0]["points"] = "POINTS"
    text = stdlib_json.dumps(data).replace('"POINTS"', points)
    with pytest.raises(ReportError):
        json.load(write(tmp_path / "r.json", text))


def test_083_points_above_a_criterion_are_refused_even_when_the_sum_is_right(
    tmp_path: Path,
) -> None:
    data = document()
    data["criteria"][0]["points"] += 1
    data["score"] += 1
    with pytest.raises(ReportError, match="worth: demarre"):
        json.load(write(tmp_path / "r.json", stdlib_json.dumps(data)))


@pytest.mark.parametrize("points", [math.nan, math.inf, -1.0, 99.0])
def test_083_such_a_report_is_not_written_either(tmp_path: Path, points: float) -> None:
    good = samples.good()
    bent = replace(good, results=(replace(good.results[0], points=points), *good.results[1:]))
    with pytest.raises((ReportError, ValueError)):
        reports.write(bent, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"null",
        b"{}",
        b"[" * 200_000,
        b'{"score": ' + b"9" * 5000 + b"}",
        b'{"schema": 1, "schema": 1}',
        b"x" * (json.MAX_BYTES + 1),
    ],
    ids=["empty", "utf16", "list", "null", "bare", "deep", "digits", "twice", "084-big"],
)
def test_what_is_not_a_report_is_refused(tmp_path: Path, text: bytes) -> None:
    with pytest.raises(ReportError, match=r"r\.json"):
        json.load(write(tmp_path / "r.json", text))


@pytest.mark.parametrize("key", sorted(document()))
def test_every_key_is_asked_for_and_no_other_is_taken(tmp_path: Path, key: str) -> None:
    data = document()
    data["autre" + key] = data.pop(key)
    with pytest.raises(ReportError):
        json.load(write(tmp_path / "r.json", stdlib_json.dumps(data)))


def test_a_link_a_pipe_and_nothing_are_not_read(tmp_path: Path) -> None:
    write(tmp_path / "vrai.json", json.render(samples.good()))
    (tmp_path / "lien.json").symlink_to("vrai.json")
    os.mkfifo(tmp_path / "tube.json")
    for name in ("lien.json", "tube.json", "absent.json", "."):
        with pytest.raises(ReportError):
            json.load(tmp_path / name)


def test_085_what_is_read_is_cleaned(tmp_path: Path) -> None:
    data = document() | {"notices": ["\x1b[31m\u202eattention"]}
    loaded = json.load(write(tmp_path / "r.json", stdlib_json.dumps(data)))
    assert loaded.notices == ("attention",)
