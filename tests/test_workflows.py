"""Our own workflows against the attacks on CI of hostile class G (115 to 126)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

FOLDER = Path(__file__).parents[1] / ".github" / "workflows"
# What an outsider writes: a title, a branch's name, a commit's message, a body.
TAINTED = re.compile(
    r"\$\{\{[^}]*(title|body|head_ref|head\.ref|label|message|name|email)[^}]*\}\}"
)


def odd(text: str) -> list[str]:
    """Return what is dangerous in a workflow, one name per attack."""
    document: dict[Any, Any] = yaml.safe_load(text)
    found = []
    triggers = document.get(True, document.get("on"))
    if {"pull_request_target", "workflow_run", "issue_comment"} & set(triggers):
        found.append("trigger")
    if document.get("permissions") != {"contents": "read"}:
        found.append("permissions")
    for job in document["jobs"].values():
        if "self-hosted" in str(job["runs-on"]):
            found.append("runner")
        for step in job["steps"]:
            if "uses" in step and not re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", step["uses"]):
                found.append("pin")
            with_ = step.get("with", {})
            if "checkout" in step.get("uses", ""):
                if with_.get("persist-credentials") is not False:
                    found.append("token")
                if "head" in str(with_.get("ref", "")):
                    found.append("head")
            if "cache" in step.get("uses", "") or "cache" in with_:
                found.append("cache")
            if TAINTED.search(str(step.get("run", ""))):
                found.append("shell")
        if "secrets." in str(job):
            found.append("secret")
    return found


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yml")), ids=lambda p: p.name)
def test_our_workflows_are_harmless(path: Path) -> None:
    assert odd(path.read_text("utf-8")) == []


GOOD = (FOLDER / "grade.yml").read_text("utf-8")


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("trigger", "  pull_request:", "  pull_request_target:"),
        ("permissions", "contents: read", "contents: write"),
        ("pin", "11bd71901bbe5b1630ceea73d27597364c9af683", "v4"),
        ("token", "persist-credentials: false", "persist-credentials: true"),
        (
            "head",
            "          ref: ${{ github.event.pull_request.base.sha }}",
            "          ref: ${{ github.event.pull_request.head.sha }}",
        ),
        ("shell", "make setup", "echo ${{ github.event.pull_request.title }}"),
        (
            "secret",
            "      NUMBER: ${{ github.event.number }}",
            "      NUMBER: ${{ secrets.PASSWORD }}",
        ),
        ("runner", "ubuntu-24.04", "self-hosted"),
    ],
)
def test_the_linter_sees_each_attack(name: str, old: str, new: str) -> None:
    assert old in GOOD
    assert name in odd(GOOD.replace(old, new, 1))
