"""Dashboards as they are laid out: sections, tabs, filters and scope, and shapes that lie."""

from __future__ import annotations

from typing import Any

import pytest

from graders.tools.superset import static
from graders.tools.superset.board import board
from graders.tools.superset.export import read
from tests.tools.superset_samples import (
    BIG,
    BOARD,
    PIE,
    SET,
    chart,
    documents,
    native,
    node,
    packed,
)


def document() -> dict[str, Any]:
    return documents()[BOARD]


def test_headers_make_sections() -> None:
    found = board(document())
    assert found.named == ("Parts", "Total")
    assert [c.name for c in found.charts] == ["Parts", "Total"]


def test_tabs_and_markdown_titles_make_sections_too() -> None:
    told = document()
    told["position"] |= {
        "ROOT_ID": node("ROOT", "ROOT_ID", ["TABS-a"]),
        "TABS-a": node("TABS", "TABS-a", ["TAB-1", "TAB-2"]),
        "TAB-1": node("TAB", "TAB-1", ["ROW-a"], text="Un"),
        "TAB-2": node("TAB", "TAB-2", ["MARKDOWN-a", "ROW-b"], text="Deux"),
        "MARKDOWN-a": node("MARKDOWN", "MARKDOWN-a", code="## Trois\ntexte"),
    }
    assert board(told).named == ("Un", "Trois")


def test_a_heading_without_charts_is_no_section() -> None:
    told = document()
    told["position"]["GRID_ID"]["children"] = ["HEADER-a", "HEADER-b", "ROW-a", "ROW-b"]
    assert board(told).named == ("Total",)


def test_a_layout_that_contains_itself_ends() -> None:
    told = document()
    told["position"]["ROW-a"]["children"] = ["GRID_ID", "CHART-1", "ROW-a", "CHART-1"]
    assert len(board(told).charts) == 2


@pytest.mark.parametrize("bad", [None, 3, "x", [], {"ROOT_ID": 1}, {"ROOT_ID": {"children": 5}}])
def test_odd_shapes_count_as_empty(bad: Any) -> None:
    assert board({"position": bad, "metadata": bad, "dashboard_title": 5}).charts == ()


def test_a_filter_reaches_what_its_scope_says() -> None:
    told = document()
    told["metadata"]["native_filter_configuration"] = [
        native("time", excluded=[2]), native("select", "Catégorie")
    ]  # fmt: skip
    found = board(told)
    period, category = found.filter("time"), found.filter("select", "categorie")
    assert period is not None
    assert category is not None
    assert [period.reaches(c) for c in found.charts] == [True, False]
    assert [category.reaches(c) for c in found.charts] == [True, True]
    ratio, told_ = static.filters(found)
    assert ratio == 0.75
    assert told_ == ["le filtre de période (Time range) n'atteint pas : Total"]


def test_a_filter_of_one_tab_reaches_that_tab_alone() -> None:
    told = document()
    told["metadata"]["native_filter_configuration"] = [native("time")]
    told["metadata"]["native_filter_configuration"][0]["scope"]["rootPath"] = ["ROW-b"]
    period = board(told).filter("time")
    assert period is not None
    assert [period.reaches(c) for c in board(told).charts] == [False, True]


def test_a_filter_box_is_no_native_filter() -> None:
    told = document()
    told["metadata"] = {"filter_scopes": {}, "default_filters": "{}"}
    assert static.filters(board(told))[0] == 0.0


def graded(**changes: dict[str, Any]) -> tuple[float, list[str]]:
    files = documents()
    for name, change in changes.items():
        files[{"dataset": SET, "pie": PIE, "big": BIG}[name]] |= change
    return static.dataset(read(packed(files)))


def test_the_dataset_needs_its_columns_and_a_temporal_date() -> None:
    assert graded() == (1.0, [])
    columns = [c for c in documents()[SET]["columns"] if c["column_name"] != "quantite"]
    columns[0]["is_dttm"] = False
    ratio, told = graded(dataset={"columns": columns})
    assert 0.4 < ratio < 0.6
    assert told[0] == "colonnes absentes : quantite"
    assert "Is temporal" in told[1]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT * FROM ventes WHERE d > '{{ from_dttm }}'", "Jinja"),
        ("SELECT * FROM (VALUES ('a', 1)) AS v", "en dur"),
        ("SELECT 'a' AS c, 1 AS v UNION ALL SELECT 'b', 2", "en dur"),
    ],
)
def test_094_106_odd_sql_of_a_dataset_is_named(sql: str, message: str) -> None:
    assert message in graded(dataset={"sql": sql})[1][0]


def test_charts_are_counted_by_type_column_and_metric() -> None:
    files = documents()
    assert static.charts(read(packed(files)))[0] == pytest.approx(2 / 8)
    files[PIE]["params"]["metric"] = "nb"
    ratio, told = static.charts(read(packed(files)))
    assert ratio == pytest.approx(1.5 / 8)
    assert "ne somme pas montant_total" in " ".join(told)


def test_charts_on_other_data_do_not_count() -> None:
    files = documents()
    files[SET]["columns"] = [{"column_name": "temperature"}]
    files["charts/Barres_3.yaml"] = chart(3, "Barres", "echarts_timeseries_bar", x_axis="date")
    assert static.charts(read(packed(files)))[0] == 0.0
