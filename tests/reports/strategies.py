"""Reports of any content, nasty texts included, whose numbers are those of a grading."""

from __future__ import annotations

from hypothesis import strategies as st

from graders.model import Criterion, Finding, Outcome, Plot, Report, Result, Stage, Status

PAYLOADS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style></title></textarea><svg/onload=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "[lien](http://mal) ![i](http://mal) @admin #12 www.mal.example a@b.example",
    "| a | b |\n|---|---|\n```\n<details>",
    "=cmd|' /C calc'!A0",
    "::set-env name=PATH::/mal",
    "##[add-mask]x",
    "\x1b[2J\x1b]0;x\x07\u202e\x00\ufffe\ud800",
    "]]>&amp;<!ENTITY x SYSTEM 'file:///etc/passwd'>",
)
TEXT = st.one_of(
    st.sampled_from(PAYLOADS), st.text(st.characters(exclude_categories=()), max_size=40)
)
NUMBER = st.floats(-1e7, 1e7, allow_subnormal=False) | st.sampled_from(
    [float("nan"), float("inf"), 1e308, 0.0]
)
SERIES = st.lists(NUMBER, max_size=20).map(tuple)
PLOT = st.builds(Plot, TEXT, st.lists(TEXT, max_size=20).map(tuple), SERIES, SERIES)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | NUMBER | TEXT,
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def results(draw: st.DrawFn) -> Result:
    ratio = draw(st.floats(0, 1))
    worth = draw(st.sampled_from([0.5, 1, 2.0, 4]))
    plots = tuple(draw(st.lists(PLOT, max_size=2)))
    finding = Finding(ratio, draw(TEXT), draw(TEXT), draw(TEXT), draw(TEXT), plots)
    return Result(
        Criterion(draw(TEXT), draw(TEXT), worth, draw(TEXT), draw(st.booleans())),
        draw(st.sampled_from(Status)),
        round(worth * ratio, 2),
        finding,
        draw(st.floats(0, 1000)),
        draw(st.sampled_from(Stage)),
    )


@st.composite
def reports(draw: st.DrawFn) -> Report:
    rows = tuple(draw(st.lists(results(), max_size=5)))
    return Report(
        exercise=draw(TEXT),
        title=draw(TEXT),
        team=draw(TEXT),
        members=tuple(draw(st.lists(TEXT, max_size=3))),
        commit=draw(TEXT),
        outcome=draw(st.sampled_from(Outcome)),
        results=rows,
        out_of=round(sum(r.criterion.points for r in rows), 2),
        notices=tuple(draw(st.lists(TEXT, max_size=3))),
        provenance=draw(st.dictionaries(TEXT, JSON, max_size=4)),
    )
