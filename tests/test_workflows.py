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
            found += odd_step(step)
        if "secrets." in str(job):
            found.append("secret")
    return found


def odd_step(step: dict[str, Any]) -> list[str]:
    """Return what is dangerous in one step."""
    found = []
    uses, with_, command = step.get("uses", ""), step.get("with", {}), str(step.get("run", ""))
    if uses and not re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", uses):
        found.append("pin")
    if "checkout" in uses and with_.get("persist-credentials") is not False:
        found.append("token")
    if "checkout" in uses and "head" in str(with_.get("ref", "")):
        found.append("head")
    if "cache" in uses or "cache" in with_:
        found.append("cache")
    if TAINTED.search(command):
        found.append("shell")
    if re.search(r"GITHUB_(ENV|PATH|OUTPUT)", command):
        found.append("environment")
    return found


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yml")), ids=lambda p: p.name)
def test_115_117_126_our_workflows_are_harmless(path: Path) -> None:
    assert odd(path.read_text("utf-8")) == []


GOOD = (FOLDER / "grade.yml").read_text("utf-8")


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("trigger", "  pull_request:", "  pull_request_target:"),
        ("trigger", "  pull_request:", "  workflow_run:"),
        ("trigger", "  pull_request:", "  issue_comment:"),
        ("cache", "          fetch-depth: 0", "          cache: pip"),
        ("environment", "make setup", 'cat rapports/x >> "$GITHUB_ENV"'),
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
def test_117_118_119_120_121_122_123_124_125_126_the_linter_sees_each_attack(
    name: str, old: str, new: str
) -> None:
    assert old in GOOD
    assert name in odd(GOOD.replace(old, new, 1))
