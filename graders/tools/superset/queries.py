"""What to ask of a chart: its saved query, else one rebuilt from its parameters as the editor does.

Filters are applied as the dashboard's native filters would be: a period replaces the range of the
chart's own temporal filters, a value is added to the filters.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graders.clients.superset import Chart
from graders.tools.superset.shapes import items, mapping, text

ROWS = 10_000  # of one answer: the charts asked for have a few hundred
QUERIES = 4
BAR = frozenset({"echarts_timeseries_bar", "dist_bar", "bar"})
LINE = frozenset({"echarts_timeseries_line", "echarts_timeseries_smooth", "echarts_timeseries_step",
                  "echarts_area", "line", "area"})  # fmt: skip
PIE = frozenset({"pie", "sunburst", "sunburst_v2"})
TABLE = frozenset({"table", "ag-grid-table"})
NUMBER = frozenset({"big_number_total", "big_number"})
FAMILIES = {"barres": BAR, "courbe": LINE, "secteurs": PIE, "tableau": TABLE, "chiffre": NUMBER}


@dataclass(frozen=True, slots=True)
class Narrowed:
    """What the filters are set to: days as Superset writes ranges, and a value of a column."""

    period: str = ""
    column: str = ""
    value: str = ""


def family(viz: str, params: Mapping[str, Any]) -> str:
    """Return the family of a visualisation type, or the type itself where it has none."""
    if viz in ("echarts_timeseries", "mixed_timeseries"):
        return "barres" if "bar" in text(params.get("seriesType")) else "courbe"
    return next((name for name, kinds in FAMILIES.items() if viz in kinds), viz)


def body(chart: Chart, narrowed: Narrowed | None = None) -> Mapping[str, Any] | None:
    """Return the question of a chart, bounded, past the cache; None where it has none."""
    context = chart.context if chart.context and chart.context.get("queries") else rebuilt(chart)
    if context is None or not mapping(context.get("datasource")):
        return None
    asked = copy.deepcopy(dict(context))
    queries = [mapping(q) for q in items(asked.get("queries"))[:QUERIES]]
    asked["queries"] = [_bounded(q, narrowed or Narrowed()) for q in queries]
    asked |= {"force": True, "result_format": "json", "result_type": "full"}
    return asked


def _bounded(query: Mapping[str, Any], narrowed: Narrowed) -> dict[str, Any]:
    limit = query.get("row_limit")
    sound = isinstance(limit, int) and not isinstance(limit, bool) and 0 < limit < ROWS
    changed = {**query, "row_limit": limit if sound else ROWS}
    if narrowed.period:
        changed["time_range"] = narrowed.period
    if narrowed.column:
        extra = {"col": narrowed.column, "op": "IN", "val": [narrowed.value]}
        changed["filters"] = [*items(query.get("filters")), extra]
    return changed


def rebuilt(chart: Chart) -> Mapping[str, Any] | None:
    """Return the query that the editor would send for a chart that has no saved one."""
    params = chart.params
    source = text(params.get("datasource")).split("__")
    if len(source) != 2 or not source[0].isdigit():
        return None
    metrics = list(_metrics(params))
    query: dict[str, Any] = {
        "columns": list(_columns(params, chart.viz)),
        "metrics": metrics,
        "row_limit": params.get("row_limit"),
        "post_processing": [],
        **_filters(params),
    }
    if query["columns"] and metrics:
        ordering = params.get("timeseries_limit_metric") or metrics[0]
        descending = params.get("order_desc", True) or "timeseries_limit_metric" not in params
        query["orderby"] = [[ordering, not descending]]
    if not query["columns"] and not metrics:
        return None
    query["post_processing"] = _pivoted(chart, params, metrics)
    return {"datasource": {"id": int(source[0]), "type": "table"}, "queries": [query]}


def _metrics(params: Mapping[str, Any]) -> Iterator[Any]:
    listed = items(params.get("metrics"))
    for metric in listed or [params.get("metric")]:
        if metric:
            yield metric


def _columns(params: Mapping[str, Any], viz: str) -> Iterator[Any]:
    axis, grain = params.get("x_axis"), params.get("time_grain_sqla")
    if not axis and viz not in ("big_number_total", "table"):
        axis = params.get("granularity_sqla") if viz in LINE | {"bar", "big_number"} else None
    if isinstance(axis, str) and axis:
        yield {"columnType": "BASE_AXIS", "sqlExpression": axis, "label": axis,
               "expressionType": "SQL", **({"timeGrain": grain} if grain else {})}  # fmt: skip
    elif isinstance(axis, dict):
        yield {**axis, "columnType": "BASE_AXIS"}
    if params.get("query_mode") == "raw":
        yield from items(params.get("all_columns"))
        return
    for key in ("groupby", "columns", "groupbyRows", "groupbyColumns"):
        found = params.get(key)
        yield from [found] if isinstance(found, str) and found else items(found)


def _filters(params: Mapping[str, Any]) -> dict[str, Any]:
    simple: list[dict[str, Any]] = []
    free: dict[str, list[str]] = {"WHERE": [], "HAVING": []}
    for entry in map(mapping, items(params.get("adhoc_filters"))):
        clause = text(entry.get("clause")).upper() or "WHERE"
        if entry.get("expressionType") == "SQL":
            free.setdefault(clause, []).append(f"({text(entry.get('sqlExpression'))})")
        elif entry.get("subject") and entry.get("operator"):
            simple.append({"col": entry["subject"], "op": entry["operator"],
                           "val": entry.get("comparator")})  # fmt: skip
    extras = {"where": " AND ".join(free["WHERE"]), "having": " AND ".join(free["HAVING"])}
    if params.get("time_grain_sqla"):
        extras["time_grain_sqla"] = text(params["time_grain_sqla"])
    query: dict[str, Any] = {"filters": simple, "extras": extras}
    if params.get("granularity_sqla"):
        query["granularity"] = params["granularity_sqla"]
        query["time_range"] = params.get("time_range") or "No filter"
    return query


def _pivoted(chart: Chart, params: Mapping[str, Any], metrics: list[Any]) -> list[dict[str, Any]]:
    """Return the steps that give a bar chart its order: by the axis, or as it asks."""
    axis = params.get("x_axis")
    simple = isinstance(axis, str) and axis and not params.get("groupby")
    if family(chart.viz, params) != "barres" or not simple or not metrics:
        return []
    labels = [m if isinstance(m, str) else text(mapping(m).get("label")) for m in metrics]
    if not all(labels):
        return []
    aggregates = {label: {"operator": "mean"} for label in labels}
    steps = [{"operation": "pivot", "options": {"index": [axis], "columns": [],
              "aggregates": aggregates, "drop_missing_columns": False}}]  # fmt: skip
    by = text(params.get("x_axis_sort"))
    if by in labels:
        ascending = bool(params.get("x_axis_sort_asc"))
        steps.append({"operation": "sort", "options": {"by": by, "ascending": ascending}})
    return [*steps, {"operation": "flatten"}]
