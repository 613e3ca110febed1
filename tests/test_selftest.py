"""The self-test's own judgement: it must notice a blind grader and a clumsy mutant."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from graders import pipeline, selftest
from graders.errors import RubricError
from graders.model import Criterion, Finding, Outcome, Plan, Report, Result, Stage, Status
from graders.selftest import Case


def report(**ratios: float) -> Report:
    results = []
    for name, ratio in ratios.items():
        status = Status.PASSED if ratio == 1 else Status.FAILED
        criterion = Criterion(name, name, 10)
        points = 10 * ratio
        results.append(Result(criterion, status, points, Finding(ratio), 0, Stage.LIVE))
    return Report("07_dbt", "t", "demo", (), "", Outcome.GRADED, tuple(results), 20.0)


def judge(case: Case, make_rubric: Any, **ratios: float) -> selftest.Verdict:
    return selftest.judge(case, report(**ratios), make_rubric("a", "b"))


def mutant(*kills: str, consequences: tuple[str, ...] = ()) -> Case:
    return Case("m", Path(), frozenset(kills), frozenset(consequences))


def test_a_mutant_that_dies_as_declared_has_no_defect(make_rubric: Any) -> None:
    verdict = judge(mutant("a"), make_rubric, a=0, b=1)
    assert (verdict.lost, verdict.defects) == (frozenset("a"), ())


def test_a_mutant_that_survives_is_a_defect_of_the_grader(make_rubric: Any) -> None:
    assert "a survives" in judge(mutant("a"), make_rubric, a=1, b=1).defects[0]


def test_a_mutant_that_kills_more_than_it_says_is_a_defect(make_rubric: Any) -> None:
    assert "b is lost too" in judge(mutant("a"), make_rubric, a=0, b=0).defects[0]
    assert not judge(mutant("a", consequences=("b",)), make_rubric, a=0, b=0).defects


def test_the_solution_must_get_everything_and_the_starter_nothing(make_rubric: Any) -> None:
    solution = Case(selftest.SOLUTION, Path(), frozenset())
    starter = Case(selftest.STARTER, Path(), frozenset("ab"))
    assert judge(solution, make_rubric, a=1, b=0.9).defects
    assert not judge(solution, make_rubric, a=1, b=1).defects
    assert judge(starter, make_rubric, a=0.1, b=0).defects
    assert not judge(starter, make_rubric, a=0, b=0).defects


def test_a_criterion_that_no_mutant_kills_is_found(make_rubric: Any) -> None:
    verdicts = [
        judge(Case(selftest.STARTER, Path(), frozenset("ab")), make_rubric, a=0, b=0),
        judge(mutant("a"), make_rubric, a=0, b=1),
    ]
    assert selftest.unkilled(make_rubric("a", "b"), verdicts) == ["b"]


def correction(tmp_path: Path, spec: str) -> Path:
    made = tmp_path / "correction"
    (made / "solution").mkdir(parents=True)
    (made / "solution" / "x.sql").write_text("select 1")
    (made / "solution" / "y.sql").write_text("select 2")
    (made / "mutants" / "faux" / "files").mkdir(parents=True)
    (made / "mutants" / "faux" / "mutant.yaml").write_text(spec)
    (made / "mutants" / "faux" / "files" / "x.sql").write_text("select 0")
    (tmp_path / "starter").mkdir()
    return made


def test_a_mutant_is_the_solution_with_a_patch(tmp_path: Path, make_rubric: Any) -> None:
    made = correction(tmp_path, "kills: [a]\ndelete: [y.sql]\n")
    rules = make_rubric("a", "b")
    *_, last = selftest.cases(made, tmp_path / "starter", rules, tmp_path / "into")
    assert (last.name, last.kills) == ("faux", frozenset("a"))
    assert (last.folder / "x.sql").read_text() == "select 0"
    assert not (last.folder / "y.sql").exists()


def test_a_mutant_that_names_no_criterion_is_refused(tmp_path: Path, make_rubric: Any) -> None:
    made = correction(tmp_path, "kills: [zz]\n")
    with pytest.raises(RubricError, match="zz"):
        selftest.cases(made, tmp_path / "starter", make_rubric("a"), tmp_path / "into")


def test_plans_that_differ_only_by_their_project_share_a_stack(
    monkeypatch: pytest.MonkeyPatch, make_work: Any
) -> None:
    started: list[str] = []

    @contextlib.contextmanager
    def start(plan: Plan, *_: object) -> Iterator[str]:
        started.append(plan.project)
        yield plan.project

    monkeypatch.setattr(pipeline, "start", start)
    options = pipeline.Options("docker")

    def plan(token: str, image: str) -> Plan:
        name = f"bareme-07-{token}"
        return Plan(name, {"name": name, "bridge": f"brm{token}", "image": image})

    with selftest.SharedStack() as shared:
        for token, image in (("aa11bb22", "x"), ("cc33dd44", "x"), ("ee55ff66", "y")):
            with shared(plan(token, image), make_work(), options) as stack:
                assert stack in started
    assert started == ["bareme-07-aa11bb22", "bareme-07-ee55ff66"]
