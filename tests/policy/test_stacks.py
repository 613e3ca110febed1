"""Stacks as students and tutorials write them: honest ones are accepted, others told why not."""

from __future__ import annotations

from pathlib import Path

import pytest

from graders.errors import PolicyError
from tests.policy.conftest import Folder

STACKS = sorted((Path(__file__).parent / "stacks").glob("*.yaml"))


def header(text: str, key: str) -> list[str]:
    rows = [row for row in text.splitlines() if row.startswith(f"# {key}: ")]
    return rows[0].split()[2:] if rows else []


@pytest.mark.parametrize("stack", STACKS, ids=lambda p: p.stem)
def test_a_stack_has_the_verdict_that_its_first_line_says(stack: Path, folder: Folder) -> None:
    text = stack.read_text("utf-8")
    folder.write(text).write("GF_SECURITY_ADMIN_PASSWORD=admin\n", "grafana.env")
    for name in header(text, "files"):
        folder.write("", name)
    try:
        folder.plan()
        verdict = {"accepted"}
    except PolicyError as error:
        verdict = {r.rule for r in error.refusals}
    assert verdict == set(header(text, "verdict"))
