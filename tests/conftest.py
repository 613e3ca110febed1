"""What several test modules share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from graders.model import Criterion, Rubric, Submission, Work

MakeRubric = Callable[..., Rubric]


@pytest.fixture
def make_rubric(tmp_path: Path) -> MakeRubric:
    """Return a maker of small rubrics: one criterion of equal weight per id."""

    def make(*ids: str, **more: object) -> Rubric:
        criteria = tuple(Criterion(i, f"Titre {i}", 20 / len(ids), "indice") for i in ids)
        return Rubric("07_dbt", 1, "essai", criteria, "0" * 64, tmp_path, **more)  # type: ignore[arg-type]

    return make


@pytest.fixture
def make_work(tmp_path: Path, make_rubric: MakeRubric) -> Callable[..., Work]:
    """Return a maker of works over an empty submission folder."""

    def make(rubric: Rubric | None = None, **more: object) -> Work:
        root = tmp_path / "rendu"
        root.mkdir(exist_ok=True)
        submission = Submission("07_dbt", "demo", root, "", "0" * 64, **more)  # type: ignore[arg-type]
        return Work(submission, rubric or make_rubric("a"), 1, 2, tmp_path)

    return make
