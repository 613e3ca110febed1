"""Every static case of the hostile corpus ends as its case.yaml says, in bounded time."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from graders import intake, pipeline, rubric
from graders.errors import PolicyError, Refusal, SubmissionError
from graders.model import Submission, Work
from tests.hostile import corpus
from tests.hostile.corpus import Case

# What the grader's own environment may hold; none of it may reach a plan or a report.
SECRETS = {"GITHUB_TOKEN": "ghp_marqueur", "BAREME_PASSWORD": "mot-de-passe-marqueur"}
STATIC = corpus.cases("static")


@dataclass(frozen=True, slots=True)
class End:
    """How the static part of a grading ended."""

    refusals: tuple[Refusal, ...] = ()
    error: str = ""
    submission: Submission | None = None
    plan: str = ""

    @property
    def text(self) -> str:
        notices = self.submission.notices if self.submission else ()
        return "\n".join([*map(str, self.refusals), self.error, *notices, self.plan])


def grade(case: Case, place: Path) -> End:
    """Take a case through intake and policy, as the pipeline does before anything starts."""
    folder = corpus.build(case, place)
    rules = replace(rubric.load(corpus.HERE), folder=place)
    scratch = place / "scratch"
    scratch.mkdir()
    try:
        submission = intake.load(folder, rules, scratch)
    except SubmissionError as error:
        return End(error=str(error))
    work = Work(submission, rules, 1, 2, scratch)
    try:
        plan = pipeline.vet(work, "static")
    except PolicyError as error:
        return End(error.refusals, submission=submission)
    return End(submission=submission, plan=json.dumps(plan.document, ensure_ascii=False))


@pytest.mark.parametrize("case", STATIC, ids=lambda c: c.folder.name)
def test_a_hostile_submission_ends_as_its_case_says(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if case.untestable:
        pytest.skip(case.untestable)
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    start = time.monotonic()
    end = grade(case, tmp_path)
    assert time.monotonic() - start < 5
    if case.rule:
        assert case.rule in {r.rule for r in end.refusals}, end.text
        assert all(r.file and r.message for r in end.refusals)
    elif case.outcome == "R":
        assert end.error, end.text
    else:
        assert end.plan, end.text
    for secret in SECRETS.values():
        assert secret not in end.text
    check_texts(case, end)


def check_texts(case: Case, end: End) -> None:
    """Assert what the case says of messages, notices, the plan and the copied files."""
    if case.message:
        assert re.search(case.message, end.text)
    if case.notice:
        assert end.submission is not None
        assert any(re.search(case.notice, n) for n in end.submission.notices)
    for text in case.present:
        assert text in end.plan
    for text in case.absent:
        assert text not in end.plan
    for name in case.gone:
        assert end.submission is not None
        assert not (end.submission.root / name).exists()


def test_the_base_that_payloads_are_laid_over_is_accepted(tmp_path: Path) -> None:
    good = Case(corpus.HERE / "base", "base", "A", "C")
    assert grade(good, tmp_path).plan


def test_no_case_has_left_a_trace_on_the_machine() -> None:
    assert not Path("/tmp/bareme-evil").exists()


def test_class_a_is_complete() -> None:
    numbers = {c.number for c in corpus.cases("static", "docker") if c.group == "A"}
    assert numbers == set(range(1, 48))


@pytest.mark.parametrize(
    "case", corpus.cases("static", "docker", "graded"), ids=lambda c: c.folder.name
)
def test_a_case_is_well_formed(case: Case) -> None:
    assert re.fullmatch(r"\d{3}[b-z]?_[a-z0-9_]+", case.folder.name)
    assert case.group in "ABCDEFGH"
    assert case.outcome in ("R", "C", "0", "S")
    assert case.stage in ("static", "docker", "graded")
    assert case.title
