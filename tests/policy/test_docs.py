"""Every rule that the code can name has a line in the students' reference, and no other has."""

from __future__ import annotations

import re
from pathlib import Path

from graders import compose, course, untrusted
from graders.policy import forbidden
from tests.hostile import corpus

PAGE = (course.ROOT / "docs" / "reference" / "regles.md").read_text("utf-8")


def in_code() -> set[str]:
    folder = Path(forbidden.__file__).parent
    files = [*folder.glob("*.py"), Path(untrusted.__file__), Path(compose.__file__)]
    named = re.compile(r'(?:Why|Refusal|\.refuse)\(\s*"([a-z0-9-]+)"')
    return {rule for file in files for rule in named.findall(file.read_text("utf-8"))}


def test_the_page_lists_the_rules_of_the_code() -> None:
    listed = re.findall(r"^\| `([a-z0-9-]+)` \|", PAGE, re.MULTILINE)
    assert len(listed) == len(set(listed))
    assert set(listed) == in_code()


def test_the_corpus_names_only_rules_that_exist() -> None:
    named = {c.rule for c in corpus.cases("static", "docker") if c.rule and c.group in "ADEF"}
    assert named <= in_code()


def test_every_forbidden_key_says_what_to_write_instead() -> None:
    tables = (
        forbidden.SERVICE,
        forbidden.TOP,
        forbidden.BUILD,
        forbidden.VOLUME,
        forbidden.NETWORK,
    )
    for table in tables:
        assert all(why.message and why.instead.endswith((".", "].")) for why in table.values())
