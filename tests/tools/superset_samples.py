"""Small exports and answers, made by hand for the tests: one dashboard, two charts, one dataset."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from graders.clients.superset import Chart, Reply, Rows

BOARD, SET, BASE = "dashboards/Tableau_1.yaml", "datasets/Base/ventes_1.yaml", "databases/Base.yaml"
PIE, BIG = "charts/Parts_1.yaml", "charts/Total_2.yaml"
URI = "sqlite:////app/donnees/ventes.db"


def uuid(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012}"


def chart(number: int, name: str, viz: str, **params: Any) -> dict[str, Any]:
    return {
        "slice_name": name,
        "viz_type": viz,
        "params": {"datasource": "1__table", "viz_type": viz, **params},
        "query_context": None,
        "cache_timeout": None,
        "uuid": uuid(number),
        "version": "1.0.0",
        "dataset_uuid": uuid(90),
    }


def node(kind: str, name: str, children: Sequence[str] = (), **meta: Any) -> dict[str, Any]:
    return {"type": kind, "id": name, "children": list(children), "meta": meta}


def placed(number: int, name: str) -> dict[str, Any]:
    return node("CHART", f"CHART-{number}", chartId=number, sliceName=name, uuid=uuid(number),
                width=4, height=50)  # fmt: skip


def native(kind: str, column: str = "", *, excluded: Sequence[int] = ()) -> dict[str, Any]:
    target = {"column": {"name": column}, "datasetUuid": uuid(90)} if column else {}
    return {
        "id": f"NATIVE_FILTER-{kind}{column}",
        "name": column or "Période",
        "filterType": f"filter_{kind}",
        "type": "NATIVE_FILTER",
        "targets": [target],
        "scope": {"rootPath": ["ROOT_ID"], "excluded": list(excluded)},
        "controlValues": {},
        "defaultDataMask": {"extraFormData": {}, "filterState": {}, "ownState": {}},
        "cascadeParentIds": [],
    }


def column(name: str, kind: str = "TEXT", **more: Any) -> dict[str, Any]:
    return {"column_name": name, "type": kind, "is_dttm": False, "is_active": True,
            "groupby": True, "filterable": True, **more}  # fmt: skip


def documents() -> dict[str, dict[str, Any]]:
    """Return the files of a sound export by name."""
    position = {
        "DASHBOARD_VERSION_KEY": "v2",
        "ROOT_ID": node("ROOT", "ROOT_ID", ["GRID_ID"]),
        "GRID_ID": node("GRID", "GRID_ID", ["HEADER-a", "ROW-a", "HEADER-b", "ROW-b"]),
        "HEADER_ID": node("HEADER", "HEADER_ID", text="Analyse des ventes"),
        "HEADER-a": node("HEADER", "HEADER-a", text="Parts"),
        "ROW-a": node("ROW", "ROW-a", ["CHART-1"]),
        "HEADER-b": node("HEADER", "HEADER-b", text="Total"),
        "ROW-b": node("ROW", "ROW-b", ["CHART-2"]),
        "CHART-1": placed(1, "Parts"),
        "CHART-2": placed(2, "Total"),
    }
    filters = [native("time"), native("select", "categorie")]
    total = {"expressionType": "SQL", "sqlExpression": "SUM(montant_total)", "label": "CA"}
    undated = [{"clause": "WHERE", "subject": "date", "operator": "TEMPORAL_RANGE",
                "comparator": "No filter", "expressionType": "SIMPLE"}]  # fmt: skip
    dated = column("date", is_dttm=True, python_date_format="%Y-%m-%d")
    return {
        "metadata.yaml": {
            "version": "1.0.0",
            "type": "Dashboard",
            "timestamp": "2025-01-01T00:00:00+00:00",
        },
        BOARD: {
            "dashboard_title": "Analyse des ventes",
            "slug": None,
            "uuid": uuid(80),
            "position": position,
            "metadata": {"native_filter_configuration": filters},
            "version": "1.0.0",
        },
        PIE: chart(1, "Parts", "pie", groupby=["categorie"], metric=total, adhoc_filters=undated),
        BIG: chart(2, "Total", "big_number_total", metric=total, adhoc_filters=undated),
        SET: {
            "table_name": "ventes",
            "main_dttm_col": "date",
            "schema": "main",
            "sql": None,
            "uuid": uuid(90),
            "metrics": [{"metric_name": "nb", "expression": "COUNT(*)"}],
            "columns": [
                dated,
                *map(column, ("produit", "categorie", "client_id")),
                column("quantite", "INTEGER"),
                *(column(name, "REAL") for name in ("prix_unitaire", "montant_total")),
            ],
            "version": "1.0.0",
            "database_uuid": uuid(70),
        },
        BASE: {
            "database_name": "Base",
            "sqlalchemy_uri": URI,
            "expose_in_sqllab": True,
            "extra": {},
            "uuid": uuid(70),
            "version": "1.0.0",
        },
    }


def packed(files: Mapping[str, Any], root: str = "dashboard_export_20250101T000000") -> bytes:
    """Return a zip of these files; values that are no bytes are written as YAML."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            full = f"{root}/{name}" if root else name
            raw = content if isinstance(content, bytes) else yaml.safe_dump(content).encode()
            archive.writestr(full, raw)
    return data.getvalue()


def served(number: int = 1, viz: str = "pie", context: Any = None, **params: Any) -> Chart:
    """Return a chart as Superset's API gives it."""
    return Chart(number, uuid(number), f"G{number}", viz, {"datasource": "1__table", **params},
                 context)  # fmt: skip


def reply(columns: Sequence[str], types: Sequence[int], *rows: Sequence[Any]) -> Reply:
    """Return the answer of a chart with one query."""
    found = tuple(dict(zip(columns, row, strict=True)) for row in rows)
    return Reply((Rows(tuple(columns), tuple(types), found),))


def legacy(title: str) -> bytes:
    """Return the JSON that Superset exported before 1.0, with one pie inside."""
    params = json.dumps({"groupby": ["categorie"], "metric": "SUM(montant_total)"})
    slice_ = {"slice_name": "Parts", "viz_type": "pie", "params": params}
    board = {"dashboard_title": title, "position_json": json.dumps(documents()[BOARD]["position"]),
             "json_metadata": "{}", "slices": [{"__Slice__": slice_}]}  # fmt: skip
    return json.dumps({"dashboards": [{"__Dashboard__": board}], "datasources": []}).encode()
