"""The page: complete, escaped, self-contained, and its structure sound."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import HealthCheck, given, settings

from graders.model import Finding, Outcome, Plot, Report, Status
from graders.reports import html
from tests.reports import samples
from tests.reports.strategies import PAYLOADS
from tests.reports.strategies import reports as any_report


def words(text: str) -> set[str]:
    return set(text.split())


VOID = {"meta", "br", "img", "input", "link", "hr"}
TAGS = words(
    "html head meta title style body main header div p h1 h2 h3 dl dt dd code span strong svg "
    "section ul li table thead tbody tfoot tr th td a article figure figcaption desc text rect "
    "line polyline circle details summary footer b"
)
ATTRIBUTES = words(
    "lang charset http-equiv content name class id href title viewbox preserveaspectratio role "
    "aria-hidden aria-labelledby x y x1 x2 y1 y2 width height rx cx cy r points text-anchor scope "
    "colspan"
)


class Page(HTMLParser):
    """Collect tags, attributes, ids and text; refuse tags that close what is not open."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(any_report())
def test_086_no_text_becomes_markup(report: Report) -> None:
    page = Page(html.render(report))
    assert page.open == []
    assert {tag for tag, _ in page.tags} <= TAGS
    assert {name for _, attributes in page.tags for name in attributes} <= ATTRIBUTES
    assert all(str(a["href"]).startswith("#c") for a in page.all("a"))


@pytest.mark.parametrize("payload", PAYLOADS)
def test_086_a_payload_is_shown_as_text_wherever_it_comes_from(payload: str) -> None:
    found = Finding(0.0, payload, payload, payload, payload, (Plot(payload, (payload,), (1,), ()),))
    row = samples.result(payload, payload, Status.FAILED, 0, 1, found)
    report = replace(
        samples.report(Outcome.GRADED, row, notices=(payload,)),
        title=payload,
        team=payload,
        members=(payload,),
        commit=payload,
        exercise=payload,
        provenance={payload: {payload: [payload]}},
    )
    text = html.render(report)
    assert not re.search(r"<(script|img|textarea|svg/|!ENTITY)", text)
    assert "49" not in Page(text).text.replace("490", "")
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)


@pytest.mark.parametrize("sample", samples.ALL)
def test_the_page_fetches_nothing_and_says_so(sample: Callable[[], Report]) -> None:
    text = html.render(sample())
    page = Page(text)
    [policy] = [m["content"] for m in page.all("meta") if "http-equiv" in m]
    style = re.search("<style>(.*?)</style>", text, re.DOTALL)
    assert style
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    assert not re.search(r"https?:|url\(|@import|javascript:|<script|\sstyle=", text)


@pytest.mark.parametrize("sample", samples.ALL)
def test_the_page_is_sound_for_a_reader_who_cannot_see_it(sample: Callable[[], Report]) -> None:
    page = Page(html.render(sample()))
    assert page.all("html") == [{"lang": "fr"}]
    assert len(page.all("h1")) == len(page.all("main")) == 1
    ids = [str(a["id"]) for _, a in page.tags if "id" in a]
    assert len(ids) == len(set(ids))
    assert {str(a["href"])[1:] for a in page.all("a")} <= set(ids)
    for drawing in page.all("svg"):
        labels = str(drawing.get("aria-labelledby", "")).split()
        assert drawing.get("aria-hidden") == "true" or (labels and set(labels) <= set(ids))
    assert all(cell.get("scope") in ("row", "col") for cell in page.all("th"))


def test_a_graded_page_shows_score_evidence_hint_and_provenance() -> None:
    text = Page(html.render(samples.good())).text
    for wanted in (
        "17,5 / 20",
        "categorie → 3 graphiques sur 4",
        "onglet « Portée »",
        "2,5 / 5",
        "partiel",
        "mon dashboard (2).zip",
        "8421337",
        "Graine des données cachées",
    ):
        assert wanted in text
    assert "Relisez la partie" not in text  # no hint where the criterion holds


def test_a_refused_page_says_why_once_with_the_line() -> None:
    page = Page(html.render(samples.refused()))
    assert page.text.count("compose.yaml:14") == 1
    assert "Motif du refus" in page.text
    assert "« Anomalies »" in page.text  # static criteria are still told


def test_081_a_crash_of_ours_shows_nothing_of_what_it_said() -> None:
    text = html.render(samples.to_regrade())
    assert "SECRET-42" not in text
    assert "Note provisoire" in text
    assert "à recorriger" in text


def test_a_plot_draws_both_series_and_leaves_gaps() -> None:
    page = Page(html.render(samples.bad()))
    assert [line["class"] for line in page.all("polyline")] == ["wanted", "seen", "seen"]
    bars = [bar["class"] for bar in page.all("rect") if bar["class"] in ("wanted", "seen")]
    assert bars.count("wanted") == bars.count("seen") == len(samples.PRODUCTS)
    assert "absent" in page.text
    assert "Casque audio sans fil Nomade 2" in page.text
