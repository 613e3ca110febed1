"""The sieve that text of unknown origin goes through."""

from __future__ import annotations

import math
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graders.text import CUT, FILE_NAME, clean, file_name, inert, number, one_line

ANY = st.text(st.characters(exclude_categories=()), max_size=300)
SPICE = st.sampled_from(
    ["\x1b[31m", "\x9b1m", "\x1b]8;;http://x\x07", "\u202e", "\r\n", "\x00", "é"]
)
NASTY = st.lists(ANY | SPICE, max_size=8).map("".join)


@pytest.mark.parametrize(
    ("dirty", "expected"),
    [
        ("\x1b[31;1mrouge\x1b[0m", "rouge"),
        ("\x1b]0;titre\x07reste", "reste"),
        ("\x1b]8;;http://mal\x1b\\lien\x1b]8;;\x1b\\", "lien"),
        ("\x9b31mrouge", "rouge"),
        ("\x1bPsixel\x1b\\x", "x"),
        ("\x1b(Ba\x1bc", "a"),
        ("\x1b\x1b[31m[31mx", "[31mx"),
        ("a\u202egnp.exe", "agnp.exe"),
        ("a\u2066b\u2069\u200e\u061c", "ab"),
        ("un\r\ndeux\rtrois\x85quatre\u2028cinq", "un\ndeux\ntrois\nquatre\ncinq"),
        ("a\x00b\x08\x7fc", "abc"),
        ("\ud800\udcff", "\ufffd\ufffd"),
        ("\ufffe\uffff\ufeff", ""),
        ("12\u202f000\u00a0€", "12\u202f000\u00a0€"),
        ("👩\u200d🔬", "👩\u200d🔬"),
    ],
)
def test_clean_removes_what_acts_and_keeps_what_reads(dirty: str, expected: str) -> None:
    assert clean(dirty) == expected


@given(NASTY)
def test_clean_text_is_printable_bounded_and_stable(dirty: str) -> None:
    text = clean(dirty, 100)
    assert len(text) <= 100
    assert clean(text, 100) == text
    allowed = {"\u200c", "\u200d", "\n"}
    acting = {"Cc", "Cf", "Cs", "Cn", "Zl", "Zp"}
    assert not [c for c in text if unicodedata.category(c) in acting and c not in allowed]
    text.encode("utf-8")


@given(NASTY)
def test_one_line_is_one_line_and_stable(dirty: str) -> None:
    line = one_line(dirty, 50)
    assert len(line) <= 50
    assert line.splitlines() in ([line], [])
    assert one_line(line, 50) == line


def test_long_text_is_cut_with_a_mark_and_quickly() -> None:
    assert clean("x" * 50_000_000) == "x" * 1999 + CUT
    assert clean("x" * 2000) == "x" * 2000


def test_inert_breaks_workflow_commands_and_leaves_casts_alone() -> None:
    assert inert("::set-env name=A::b") == ": :set-env name=A::b"
    assert inert("a\n   ::add-mask::x") == "a\n   : :add-mask::x"
    assert inert("x ##[error]y") == "x ## [error]y"
    assert inert("montant::numeric") == "montant::numeric"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (17.5, "17,5"),
        (20, "20"),
        (100, "100"),
        (0, "0"),
        (-0.001, "0"),
        (1.333, "1,33"),
        (12345.5, "12\u202f345,5"),
        (math.nan, "–"),
        (math.inf, "–"),
    ],
)
def test_numbers_are_french(value: float, text: str) -> None:
    assert number(value) == text


def test_088_file_names_cannot_leave_hide_or_overflow() -> None:
    for hostile in ("../../etc/passwd", "a\nb", "\u202egpj.exe", "é" * 300, "a/b", ".", "", "-rf"):
        name = file_name(hostile, "07_dbt")
        assert name.isascii()
        assert name.replace("-", "").replace("_", "").isalnum()
        assert not name.startswith((".", "-"))
        assert len(name) <= FILE_NAME
    assert file_name("les-entrepots", "07_dbt") == "les-entrepots-07_dbt"


@given(NASTY, NASTY)
def test_distinct_teams_have_distinct_files(one: str, other: str) -> None:
    assert (file_name(one, "x") == file_name(other, "x")) == (one == other)
