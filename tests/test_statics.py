"""Typed answers and written reports."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from graders import statics

SPECS = {
    "total": {"type": "number", "question": "?", "tolerance": 0.01},
    "combien": {"type": "integer", "question": "?"},
    "jour": {"type": "date", "question": "?"},
    "ville": {"type": "string", "question": "?"},
}
TRUTHS = {"total": 1234.5, "combien": 42, "jour": "2025-03-04", "ville": "Saint-Étienne"}


def answered(make_rubric: Any, make_work: Any, **answers: object) -> Any:
    work = make_work(make_rubric("a", answers=SPECS), answers=answers)
    return statics.answers(work, lambda: TRUTHS)


@pytest.mark.parametrize("total", [1234.5, "1 234,50", "1\u202f240 €", 1230])
def test_right_answers_in_the_forms_that_people_write(
    make_rubric: Any, make_work: Any, total: object
) -> None:
    day = dt.date(2025, 3, 4)
    finding = answered(
        make_rubric, make_work, total=total, combien="42", jour=day, ville="saint-etienne"
    )
    assert finding.ratio == 1.0


def test_each_wrong_or_missing_answer_is_named_and_costs_its_share(
    make_rubric: Any, make_work: Any
) -> None:
    finding = answered(make_rubric, make_work, total=1300, combien=43, jour="2025-03-04")
    assert finding.ratio == 0.25
    assert all(name in finding.message for name in ("total", "combien", "ville"))
    assert "1234" not in finding.message  # the expected value is not given away


def test_a_misspelt_question_is_cited(make_rubric: Any, make_work: Any) -> None:
    finding = answered(make_rubric, make_work, total=1234.5, combiens=42)
    assert "« combien » : pas de réponse" in finding.message
    assert finding.message.endswith("qui ne répondent à aucune question : « combiens ».")


@pytest.mark.parametrize("value", [True, "nan", "inf", [], {}, "beaucoup", "1e999"])
def test_odd_values_are_wrong_and_never_crash(
    make_rubric: Any, make_work: Any, value: object
) -> None:
    assert answered(make_rubric, make_work, combien=value).ratio == 0.0


def test_a_report_needs_its_headings_and_some_length(make_work: Any, make_rubric: Any) -> None:
    rubric = make_rubric("a", report_headings=("Anomalies", "Résumé"), report_words=5)
    work = make_work(rubric)
    path = work.submission.root / "resultats.md"
    assert statics.report(work).ratio == 0.0
    path.write_text("# Résumé\n## ANOMALIES :\n", "utf-8")
    assert statics.report(work).ratio == 0.0  # headings alone are the starter
    path.write_text("# Resume\nun deux trois quatre cinq\n**Anomalies**\n", "utf-8")
    assert statics.report(work).ratio == 1.0
    path.write_text("# Résumé\nun deux trois quatre cinq\n", "utf-8")
    finding = statics.report(work)
    assert 0 < finding.ratio < 1
    assert "Anomalies" in finding.message
