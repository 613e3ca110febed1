"""The terminal: what each reader needs, at any width, with nothing that a CI runner obeys."""

from __future__ import annotations

import io
import re
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from graders.model import Finding, Outcome, Report, Status
from graders.reports import console
from tests.reports import samples
from tests.reports.strategies import reports as any_report


def shown(report: Report, *, student: bool, width: int = 100, color: bool = False) -> str:
    file = io.StringIO()
    system = "standard" if color else None
    console.show(
        report,
        Console(file=file, width=width, force_terminal=color, color_system=system),  # type: ignore[arg-type]
        student,
    )
    return file.getvalue()


def squeezed(text: str) -> str:
    return " ".join(text.replace("│", " ").split())


def test_a_student_sees_marks_hints_and_the_score() -> None:
    text = squeezed(shown(samples.bad(), student=True))
    for wanted in (
        "Note : 3,33 / 20",
        "✔ réussi",
        "◐ partiel",
        "✘ échoué",
        "– non vérifié",
        "→ Classé par nombre de lignes",
        "Vu : COUNT(*) par mois",
        "Même cause que plus haut.",
    ):
        assert wanted in text
    assert "8421337" not in text


def test_an_instructor_sees_times_stages_and_provenance_instead_of_hints() -> None:
    text = squeezed(shown(samples.to_regrade(), student=False))
    for wanted in (
        "31,2 s",
        "épreuve",
        "seed : 8421337",
        "SECRET-42",
        "Note provisoire : 12,5 / 20",
    ):
        assert wanted in text
    assert "→" not in text.replace("categorie →", "")


def test_081_a_student_does_not_see_what_a_crash_of_ours_said() -> None:
    text = shown(samples.to_regrade(), student=True)
    assert "SECRET-42" not in text
    assert "↻ à recorriger" in text


def test_a_refusal_is_explained_once_line_by_line() -> None:
    text = squeezed(shown(samples.refused(), student=True))
    assert text.count("compose.yaml:14") == text.count("compose.yaml:22") == 1
    assert "Rendu refusé" in text


@pytest.mark.parametrize("width", [40, 60, 80, 120, 300])
@pytest.mark.parametrize("sample", samples.ALL)
def test_lines_fit_and_no_word_of_a_title_is_lost(sample: Callable[[], Report], width: int) -> None:
    text = shown(sample(), student=True, width=width)
    assert max(map(cell_len, text.splitlines())) <= width
    for result in sample().results:
        assert set(result.criterion.title.split()) <= set(text.split())


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(report=any_report(), width=st.integers(40, 130), student=st.booleans())
def test_085_no_report_moves_the_cursor_or_starts_a_command(
    report: Report, width: int, student: bool
) -> None:
    text = shown(report, student=student, width=width)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
    assert not [line for line in text.splitlines() if line.lstrip().startswith("::")]
    assert "##[" not in text


def test_085_wrapping_does_not_bring_a_command_to_the_start_of_a_line() -> None:
    # One long word per length: somewhere the fold falls right before the colons.
    bad = ["q" * pad + "::set-env" for pad in range(24, 48)]
    rows = [samples.result("a", b, Status.FAILED, 0, 1, Finding(0.0, b, b, b)) for b in bad]
    text = shown(samples.report(Outcome.GRADED, *rows, notices=tuple(bad)), student=True, width=48)
    assert re.search(r"(?m)^\s*│ ::set-env", text)
    assert not [line for line in text.splitlines() if line.lstrip().startswith("::")]


def test_text_is_not_read_as_rich_markup() -> None:
    found = Finding(0.0, "[bold red]gras[/] :smile: [/x]")
    report = samples.report(
        Outcome.GRADED, samples.result("a", "[link=http://x]t[/link]", Status.FAILED, 0, 1, found)
    )
    text = shown(report, student=True, color=True)
    assert "[bold red]gras[/] :smile: [/x]" in text
    assert "[link=http://x]t[/link]" in text
    assert "\x1b]8" not in text
