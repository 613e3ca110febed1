"""The engine: order, prerequisites, whose fault it is."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest

from graders import engine
from graders.errors import ApiError, OutOfBounds, RubricError, StackError
from graders.model import Finding, Result, Stage, Status
from graders.suite import Suite, expect, share


def suite() -> Suite[Any]:
    return Suite("07_dbt", lambda *_: nullcontext(None), lambda *_: None)


def run(made: Suite[Any], rubric: Any, *stages: Stage) -> dict[str, Result]:
    results = engine.Run(made, rubric).run(None, *(stages or tuple(Stage)))
    return {r.criterion.id: r for r in results}


def test_points_are_the_criterion_times_the_ratio(make_rubric: Any) -> None:
    made = suite()

    @made.live()
    def a(_: Any) -> Finding:
        return Finding(0.5)

    @made.live()
    def b(_: Any) -> Finding:
        return expect(True)

    done = run(made, make_rubric("a", "b"))
    assert (done["a"].status, done["a"].points) == (Status.PARTIAL, 5.0)
    assert (done["b"].status, done["b"].points) == (Status.PASSED, 10.0)


def test_a_check_runs_only_after_what_it_depends_on_passed(make_rubric: Any) -> None:
    made, ran = suite(), []

    @made.live()
    def a(_: Any) -> Finding:
        return Finding(0.9)

    @made.live(a)
    def b(_: Any) -> Finding:
        ran.append("b")
        return Finding(1.0)

    done = run(made, make_rubric("a", "b"))
    assert done["b"].status is Status.SKIPPED
    assert "Titre a" in done["b"].finding.message
    assert ran == []


@pytest.mark.parametrize("error", [StackError, ApiError, OutOfBounds])
def test_a_students_error_fails_with_its_message(make_rubric: Any, error: type) -> None:
    made = suite()

    @made.live()
    def a(_: Any) -> Finding:
        raise error("le service s'est arrêté")

    done = run(made, make_rubric("a"))["a"]
    assert done.status is Status.FAILED
    assert done.finding.message == "le service s'est arrêté"


def test_a_crash_of_ours_is_an_error_and_the_rest_goes_on(make_rubric: Any) -> None:
    made = suite()

    @made.live()
    def a(_: Any) -> Finding:
        raise KeyError("clé")

    @made.live()
    def b(_: Any) -> Finding:
        return Finding(1.0)

    done = run(made, make_rubric("a", "b"))
    assert done["a"].status is Status.ERROR
    assert "KeyError" in done["a"].finding.seen
    assert done["b"].status is Status.PASSED


def test_drills_run_last_whatever_the_order_of_declaration(make_rubric: Any) -> None:
    made = suite()

    @made.drill()
    def a(_: Any) -> Finding:
        return Finding(1.0)

    @made.live()
    def b(_: Any) -> Finding:
        return Finding(1.0)

    assert list(run(made, make_rubric("a", "b"), Stage.LIVE, Stage.DRILL)) == ["b", "a"]


def test_rubric_and_checks_must_name_the_same_criteria(make_rubric: Any) -> None:
    made = suite()

    @made.live()
    def a(_: Any) -> Finding:
        return Finding(1.0)

    with pytest.raises(RubricError, match="b"):
        engine.Run(made, make_rubric("a", "b"))


@pytest.mark.parametrize("ratio", [float("nan"), float("inf"), -0.1, 1.1, 1e309])
def test_a_ratio_is_a_number_between_0_and_1(ratio: float) -> None:
    with pytest.raises(ValueError, match="ratio"):
        Finding(ratio)


def test_share_names_what_is_missing() -> None:
    finding = share({"a"}, {"a", "b"})
    assert finding.ratio == 0.5
    assert "b" in finding.message


def test_a_check_cannot_be_declared_twice() -> None:
    made = suite()

    @made.live()
    def a(_: Any) -> Finding:
        return Finding(1.0)

    with pytest.raises(ValueError, match="twice"):
        made.live()(a)
