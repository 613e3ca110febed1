"""Every class of hostile submission, 1 to 133, has a case, a numbered test, or an honest reason.

A case is a folder here, `<number>_<slug>`; a test elsewhere bears its numbers in its name,
`test_<number>[_<number>...]_<what>`; a class that cannot be tried yet is a case whose case.yaml
gives `untestable: reason`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.hostile import corpus

TESTS = Path(__file__).parents[1]
CLASSES = range(1, 134)
NUMBERED = re.compile(r"test((?:_\d{3})+)_\D")


def numbered() -> Iterator[tuple[int, str]]:
    """Yield the class and the name of every numbered test."""
    for path in sorted(TESTS.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef) and (found := NUMBERED.match(node.name)):
                for number in found[1].split("_")[1:]:
                    yield int(number), f"{path.relative_to(TESTS)}::{node.name}"


def all_cases() -> list[corpus.Case]:
    return corpus.cases("static", "docker", "graded")


def test_every_class_is_covered_or_says_why_it_is_not() -> None:
    covered = {number for number, _ in numbered()}
    covered |= {case.number for case in all_cases()}
    assert sorted(set(CLASSES) - covered) == []
    assert sorted(covered - set(CLASSES)) == []


def test_a_reason_is_one_and_stands_alone() -> None:
    """What is said to be untestable has no payload, and is not tested somewhere after all."""
    tried = {n for n, _ in numbered()} | {c.number for c in all_cases() if not c.untestable}
    for case in all_cases():
        if case.untestable:
            assert len(case.untestable) > 30
            assert not (case.folder / "payload").exists()
            assert case.number not in tried


def test_every_folder_is_found() -> None:
    """A folder without case.yaml, or of an unknown stage, would never be tried."""
    folders = {p for p in corpus.HERE.glob("[0-9]*") if p.is_dir()}
    assert folders == {c.folder for c in all_cases()}
