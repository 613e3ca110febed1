"""Parallel lists agree: rubric, checks, mutants, documentation, catalogue of images, data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from datagen import registry
from graders import course, rubric, selftest, tools, vault
from graders.model import Rubric

ROOT = Path(__file__).parents[1]
PASSWORD = "Abidexercice123"  # the course's, as the README gives it


@pytest.fixture(params=course.exercises())
def exercise(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def rules(exercise: str) -> Rubric:
    return rubric.load(course.exercise(exercise))


@pytest.fixture
def mutants(exercise: str, rules: Rubric, tmp_path: Path) -> list[selftest.Case]:
    archive = ROOT / "solutions_encrypted" / f"{exercise}.bareme"
    opened = vault.unlock(
        archive, exercise, PASSWORD, tmp_path / "correction", at_least=rules.version
    )
    starter = course.exercise(exercise) / "starter"
    return selftest.cases(opened, starter, rules, tmp_path / "cases")


def test_the_rubric_adds_up_to_20_and_names_the_checks(exercise: str, rules: Rubric) -> None:
    assert rules.out_of == 20
    assert {c.id for c in rules.criteria} == set(tools.suite(exercise).checks)


def test_every_criterion_has_a_mutant_that_says_it_kills_it(
    mutants: list[selftest.Case], rules: Rubric
) -> None:
    cases = [c for c in mutants if c.name not in (selftest.SOLUTION, selftest.STARTER)]
    assert {k for c in cases for k in c.kills} == {c.id for c in rules.criteria}
    assert all(c.kills for c in cases)


def test_the_documentation_lists_every_criterion(exercise: str, rules: Rubric) -> None:
    page = (ROOT / "docs" / "reference" / f"{exercise}.md").read_text("utf-8")
    assert [c.id for c in rules.criteria if f"`{c.id}`" not in page] == []
    statement = (course.exercise(exercise) / "README.md").read_text("utf-8")
    assert [q for q in rules.answers if f"`{q}`" not in statement] == []


def test_the_images_of_the_rubric_are_in_the_catalogue(rules: Rubric) -> None:
    catalogue: dict[str, Any] = yaml.safe_load((ROOT / "images" / "catalogue.yaml").read_text())
    assert set(rules.images.values()) <= set(catalogue)


def test_the_data_of_every_exercise_can_be_generated(exercise: str) -> None:
    assert exercise in registry.EXERCISES


def test_the_names_of_the_exercises_are_the_clients() -> None:
    names = [
        "01_superset",
        "02_metabase",
        "03_elk",
        "04_spark",
        "05_grafana",
        "06_airflow",
        "07_dbt",
    ]
    assert set(course.exercises()) <= set(names)
    assert set(tools.MODULES) == set(course.exercises())
