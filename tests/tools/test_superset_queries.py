"""What a chart is asked: bounded, past the cache, with the filters as the dashboard sets them."""

from __future__ import annotations

from typing import Any

import pytest

from graders.tools.superset.queries import ROWS, Narrowed, body, family
from tests.tools.superset_samples import served

CA = {"expressionType": "SQL", "sqlExpression": "SUM(montant_total)", "label": "CA"}
UNDATED = [{"clause": "WHERE", "subject": "date", "operator": "TEMPORAL_RANGE",
            "comparator": "No filter", "expressionType": "SIMPLE"}]  # fmt: skip


def asked(viz: str = "pie", narrowed: Narrowed | None = None, **params: Any) -> dict[str, Any]:
    found = body(served(1, viz, **params), narrowed)
    assert found is not None
    return found["queries"][0]


def test_a_saved_query_is_asked_past_the_cache_and_bounded() -> None:
    context = {"datasource": {"id": 1, "type": "table"}, "force": False, "result_type": "samples",
               "queries": [{"columns": [], "metrics": [CA], "row_limit": 10**9}] * 50}  # fmt: skip
    found = body(served(context=context))
    assert found is not None
    assert (found["force"], found["result_type"], found["result_format"]) == (True, "full", "json")
    assert [q["row_limit"] for q in found["queries"]] == [ROWS] * 4
    assert context["force"] is False


@pytest.mark.parametrize("limit", [None, 0, -1, "10", True, 1e9])
def test_an_odd_limit_is_replaced(limit: Any) -> None:
    assert asked(metric=CA, groupby=["categorie"], row_limit=limit)["row_limit"] == ROWS


def test_filters_are_set_as_a_dashboard_does() -> None:
    narrowed = Narrowed("2025-03-01 : 2025-04-01", "categorie", "Sport")
    query = asked(narrowed=narrowed, metric=CA, groupby=["categorie"], adhoc_filters=UNDATED)
    assert query["time_range"] == "2025-03-01 : 2025-04-01"
    assert query["filters"][0]["op"] == "TEMPORAL_RANGE"
    assert query["filters"][1] == {"col": "categorie", "op": "IN", "val": ["Sport"]}


def test_a_chart_without_a_query_is_rebuilt_by_its_type() -> None:
    pie = asked(metric=CA, groupby=["categorie"], adhoc_filters=UNDATED)
    assert (pie["columns"], pie["metrics"]) == (["categorie"], [CA])
    table = asked("table", groupby=["produit"], metrics=[CA, "nb"], row_limit=10)
    assert table["orderby"] == [[CA, False]]
    assert table["row_limit"] == 10
    by_rows = asked("table", groupby=["produit"], metrics=[CA], timeseries_limit_metric="nb",
                    order_desc=True)  # fmt: skip
    assert by_rows["orderby"] == [["nb", False]]
    bars = asked("echarts_timeseries_bar", x_axis="date", time_grain_sqla="P1M", metrics=[CA])
    assert bars["columns"][0]["timeGrain"] == "P1M"
    assert bars["extras"]["time_grain_sqla"] == "P1M"
    assert bars["post_processing"][0]["operation"] == "pivot"
    assert asked("big_number_total", metric="nb")["columns"] == []


def test_older_forms_are_rebuilt_too() -> None:
    line = asked("line", granularity_sqla="date", time_grain_sqla="P1M", metrics=[CA],
                 time_range="Last year", groupby=[])  # fmt: skip
    assert line["columns"][0]["sqlExpression"] == "date"
    assert (line["granularity"], line["time_range"]) == ("date", "Last year")
    bars = asked("dist_bar", groupby=["client_id"], metrics=["count"])
    assert bars["columns"] == ["client_id"]


def test_free_sql_filters_are_kept_apart() -> None:
    free = [
        {"expressionType": "SQL", "clause": "WHERE", "sqlExpression": "quantite > 1"},
        {"expressionType": "SQL", "clause": "HAVING", "sqlExpression": "SUM(x) > 2"},
    ]
    extras = asked(metric=CA, groupby=["a"], adhoc_filters=free)["extras"]
    assert extras == {"where": "(quantite > 1)", "having": "(SUM(x) > 2)"}


@pytest.mark.parametrize("params", [{}, {"datasource": "x"}, {"metric": None, "groupby": 5}])
def test_a_chart_that_cannot_be_asked_is_none(params: dict[str, Any]) -> None:
    assert body(served(1, "pie", **params)) is None


def test_families() -> None:
    assert family("echarts_timeseries", {"seriesType": "bar"}) == "barres"
    assert family("echarts_timeseries", {}) == "courbe"
    assert family("sunburst_v2", {}) == "secteurs"
    assert family("treemap_v2", {}) == "treemap_v2"
