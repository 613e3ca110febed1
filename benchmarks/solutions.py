"""Open a sealed solution for a benchmark, with the password in BAREME_PASSWORD."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from graders import course, pipeline, rubric, vault


@contextlib.contextmanager
def opened(exercise: str) -> Iterator[Path]:
    """Give the folder of an exercise's solution, for as long as the block."""
    archive = course.ROOT / "solutions_encrypted" / f"{exercise}.bareme"
    version = rubric.load(course.exercise(exercise)).version
    # Taken out of the environment, where a submission run on this machine could read it.
    password = os.environ.pop("BAREME_PASSWORD", None)
    if password is None:
        raise SystemExit("BAREME_PASSWORD opens the solution: set it")
    with pipeline.scratch() as place:
        yield vault.unlock(archive, exercise, password, place / "c", at_least=version) / "solution"
