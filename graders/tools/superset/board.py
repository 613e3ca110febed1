"""Understand a dashboard: its sections and their charts, its filters and their scope."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graders.statics import fold
from graders.text import one_line
from graders.tools.superset.shapes import items, mapping, text

NODES = 2_000
_HEADING = re.compile(r"^\s*(?:#{1,6}\s*|<h[1-6][^>]*>)\s*([^\n<]+)")


@dataclass(frozen=True, slots=True)
class Placed:
    """A chart of the layout, with the ids of the containers that it lies in."""

    uuid: str
    id: int
    name: str
    within: frozenset[str]


@dataclass(frozen=True, slots=True)
class Filter:
    """A native filter: `kind` is time, select, or another of Superset's types."""

    kind: str
    name: str
    column: str
    roots: frozenset[str]
    excluded: frozenset[int]

    def reaches(self, chart: Placed) -> bool:
        """Tell whether a chart of the layout is in its scope."""
        return chart.id not in self.excluded and bool(self.roots & chart.within)


@dataclass(frozen=True, slots=True)
class Board:
    """A dashboard as laid out; a section is a heading or a tab, and the charts after it."""

    title: str
    sections: tuple[tuple[str, tuple[Placed, ...]], ...]
    filters: tuple[Filter, ...]

    @property
    def charts(self) -> tuple[Placed, ...]:
        """Return all charts of the layout."""
        return tuple(chart for _, charts in self.sections for chart in charts)

    @property
    def named(self) -> tuple[str, ...]:
        """Return the titles of the sections that hold charts."""
        return tuple(title for title, charts in self.sections if title and charts)

    def filter(self, kind: str, column: str = "") -> Filter | None:
        """Return the filter of a kind (on a column), the one that reaches most charts."""
        fit = [f for f in self.filters if f.kind == kind and fold(f.column) == fold(column)]
        return max(fit, key=lambda f: sum(map(f.reaches, self.charts)), default=None)


def board(document: Mapping[str, Any]) -> Board:
    """Return what a dashboard's document of an export holds."""
    position = mapping(document.get("position"))
    sections: list[tuple[str, list[Placed]]] = [("", [])]
    for event, where in _walk(position):
        if isinstance(event, Placed):
            sections[-1][1].append(event)
        elif where or event:
            sections.append((event, []))
    return Board(
        title=text(document.get("dashboard_title")),
        sections=tuple((title, tuple(charts)) for title, charts in sections),
        filters=tuple(_filters(mapping(document.get("metadata")))),
    )


def _walk(position: Mapping[str, Any]) -> Iterator[tuple[Placed | str, bool]]:
    """Yield charts and headings in reading order; a node is visited once, whatever its parents."""
    todo: list[tuple[str, frozenset[str]]] = [("ROOT_ID", frozenset())]
    seen: set[str] = set()
    while todo and len(seen) < NODES:
        name, within = todo.pop()
        node = mapping(position.get(name)) if name not in seen else {}
        seen.add(name)
        kind, meta = text(node.get("type")), mapping(node.get("meta"))
        if kind == "CHART":
            number = meta.get("chartId")
            yield (
                Placed(
                    text(meta.get("uuid")),
                    number if isinstance(number, int) else -1,
                    one_line(meta.get("sliceNameOverride") or meta.get("sliceName") or "", 80),
                    within | {name},
                ),
                False,
            )
        elif heading := _heading(kind, meta):
            yield heading, True
        below = within | {name}
        todo += [(c, below) for c in reversed(items(node.get("children"))) if isinstance(c, str)]


def _heading(kind: str, meta: Mapping[str, Any]) -> str:
    if kind in ("HEADER", "TAB"):
        return one_line(meta.get("text") or "", 80)
    if kind == "MARKDOWN" and (found := _HEADING.match(text(meta.get("code"))[:500])):
        return one_line(found[1].strip("#* "), 80)
    return ""


def _filters(metadata: Mapping[str, Any]) -> Iterator[Filter]:
    for entry in map(mapping, items(metadata.get("native_filter_configuration"))[:50]):
        kind = text(entry.get("filterType"))
        if not kind or text(entry.get("type")) == "DIVIDER":
            continue
        target = mapping(next(iter(items(entry.get("targets"))), {}))
        scope = mapping(entry.get("scope"))
        roots = frozenset(r for r in items(scope.get("rootPath")) if isinstance(r, str))
        yield Filter(
            kind.removeprefix("filter_"),
            one_line(entry.get("name") or "", 80),
            text(mapping(target.get("column")).get("name")),
            roots if "scope" in entry else frozenset({"ROOT_ID"}),
            frozenset(n for n in items(scope.get("excluded")) if isinstance(n, int)),
        )
