"""Compose's own part: bounded, and whose fault it is when it does not come to an end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from graders import compose
from graders.errors import MachineError
from tests.policy.conftest import Folder

Base = Callable[..., Folder]


def outputs(*given: compose.Output) -> Callable[..., compose.Output]:
    left = list(given)

    def call(args: Sequence[str], **_: Any) -> compose.Output:
        return left.pop(0)

    return call


@pytest.mark.parametrize(
    "first",
    [
        compose.Output(None, "", ""),
        compose.Output(2, "", "fatal error: runtime: out of memory\ngoroutine 1"),
        compose.Output(0, "x" * (compose.OUTPUT + 1), ""),
    ],
)
def test_a_file_that_compose_cannot_finish_is_the_student_s_fault(
    base: Base, monkeypatch: pytest.MonkeyPatch, first: compose.Output
) -> None:
    monkeypatch.setattr(compose, "call", outputs(first, compose.Output(0, "v2", "")))
    assert base().rules() == {"compose-bornes"}


def test_a_compose_that_does_not_even_start_is_the_machine_s(
    base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        compose, "call", outputs(compose.Output(None, "", ""), compose.Output(None, "", ""))
    )
    with pytest.raises(MachineError):
        base().plan()


def test_compose_reads_nothing_but_our_two_files(base: Base, tmp_path: Path) -> None:
    folder = base("command: ['${MOT:-rien}']")
    (folder.root / "compose.override.yml.bak").write_text("x")
    folder.plan()
    private = folder.scratch / "compose"
    assert {p.name for p in private.iterdir()} == {"compose.json", "variables.env"}
    assert private.stat().st_mode & 0o777 == 0o700
