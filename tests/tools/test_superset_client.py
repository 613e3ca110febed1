"""The client against a double of the server: what it says when the server misbehaves."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from graders.clients.superset import ANSWER, LANES, Superset
from graders.errors import ApiError, OutOfBounds
from graders.http import Client
from graders.wire import Answer

Route = Callable[..., tuple[int, Any]]
URL = "http://superset:8088/"


class Double:
    """A double of Superset: answers by route, as little as the client needs."""

    def __init__(self, **routes: Route) -> None:
        self.routes = {"security/login": login, "security/csrf_token/": token, **routes}
        self.calls: list[str] = []

    def request(
        self, method: str, url: str, *, timeout: float, limit: int, **options: Any
    ) -> Answer:
        path = url.partition("/api/v1/")[2]
        self.calls.append(f"{method} {path}")
        route = next((r for name, r in self.routes.items() if path.startswith(name)), None)
        status, value = route(path=path, **options) if route else (404, {"message": "Not found"})
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        if len(body) > limit:
            raise OutOfBounds(f"superset a répondu plus de {limit >> 20} Mio.")
        return Answer(method, url, status, body)


def login(json: dict[str, str], **_: Any) -> tuple[int, Any]:
    if json["password"] != "admin":
        return 401, {"message": "Not authorized"}
    return 200, {"access_token": "jeton"}


def token(**_: Any) -> tuple[int, Any]:
    return 200, {"result": "miette"}


def superset(**routes: Route) -> Superset:
    double = Double(**{name.replace("__", "/"): route for name, route in routes.items()})
    return Superset(lambda: Client(double), URL, 20.0)


def opened(**routes: Route) -> Superset:
    found = superset(**routes)
    found.login("admin", "admin")
    return found


def answers(status: int, value: Any) -> Route:
    return lambda **_: (status, value)


def test_a_wrong_password_is_told_with_its_file() -> None:
    with pytest.raises(ApiError, match=r"refuse le compte « moi ».*acces.yaml"):
        superset().login("moi", "faux")


def test_no_token_is_told() -> None:
    with pytest.raises(ApiError, match="pas donné de jeton"):
        superset(security__login=answers(200, {"refresh": 1})).login("a", "b")


@pytest.mark.parametrize(
    ("status", "value", "said"),
    [
        (500, b"<html><head><title>\n Superset </title></head>" + b"x" * 9000,
         "une page HTML « Superset »"),
        (500, b"", "sans un mot"),
        (422, {"errors": [{"message": "Error importing dashboard",
                           "extra": {"charts/a.yaml": {"x": ["Unknown field."]}}}]},
         "Unknown field"),
        (500, {"message": "Connection failed"}, "Connection failed"),
    ],
)  # fmt: skip
def test_a_refused_import_says_what_the_server_said(status: int, value: Any, said: str) -> None:
    found = opened(dashboard__import=answers(status, value))
    with pytest.raises(ApiError, match=rf"refuse d'importer l'export \({status}\).*{said}"):
        found.load("dashboard", b"zip")


def test_everything_is_deleted_in_an_order_that_works() -> None:
    listed = {"result": [{"id": 3}, {"id": 4}]}
    double = Double(**{k: answers(200, listed) for k in ("dashboard", "chart", "dataset")},
                    database=answers(200, {"result": [{"id": 9}]}))  # fmt: skip
    found = Superset(lambda: Client(double), URL, 20.0)
    found.login("admin", "admin")
    assert found.clear() == {}
    deleted = [c for c in double.calls if c.startswith("DELETE")]
    assert deleted == ["DELETE dashboard/?q=!(3,4)", "DELETE chart/?q=!(3,4)",
                       "DELETE dataset/?q=!(3,4)", "DELETE database/9"]  # fmt: skip


def test_what_stays_is_told() -> None:
    def charts(path: str, **_: Any) -> tuple[int, Any]:
        if "columns" in path:
            return 200, {"result": [{"id": 3}]}
        return 422, {"message": "There are associated alerts or reports"}

    empty = answers(200, {"result": []})
    found = opened(dashboard=empty, chart=charts, dataset=empty, database=empty)
    assert found.clear() == {"chart": "There are associated alerts or reports"}


def rows(count: int) -> dict[str, Any]:
    data = [{"a": n} for n in range(count)]
    return {"result": [{"colnames": ["a"], "coltypes": [0], "data": data, "error": None}]}


def test_replies_come_in_order_and_one_at_a_time_per_lane() -> None:
    busy, most, lock = 0, 0, threading.Lock()

    def data(json: dict[str, Any], **_: Any) -> tuple[int, Any]:
        nonlocal busy, most
        with lock:
            busy += 1
            most = max(most, busy)
        time.sleep(0.01)
        with lock:
            busy -= 1
        return 200, rows(json["n"])

    replies = opened(chart__data=data).ask([{"n": n} for n in range(1, 13)])
    assert [len(r.queries[0].rows) for r in replies] == list(range(1, 13))
    assert 1 < most <= LANES


@pytest.mark.parametrize(
    ("route", "said"),
    [
        (answers(400, {"message": "Error: no such column: x"}), "400 : Error: no such column: x"),
        (answers(200, rows(ANSWER // 4)), "plus de 4 Mio"),
        (answers(200, {"result": []}), "réponse vide"),
        (answers(200, {"result": [{"error": "boum"}]}), "boum"),
        (answers(200, b"[1, 2]"), "pas répondu un objet JSON"),
        (answers(200, b"<html>"), "JSON"),
        (answers(200, b"[" * 100_000), "JSON"),
    ],
)
def test_a_chart_that_fails_costs_itself_alone(route: Route, said: str) -> None:
    def data(json: dict[str, Any], **options: Any) -> tuple[int, Any]:
        return route(**options) if json["n"] == 2 else (200, rows(1))

    first, second, third = opened(chart__data=data).ask([{"n": n} for n in (1, 2, 3)])
    assert said in second.error
    assert not first.error + third.error


def test_a_chart_that_lasts_is_given_up() -> None:
    def slow(**_: Any) -> tuple[int, Any]:
        raise OutOfBounds("superset : POST /api/v1/chart/data n'a pas répondu en 20 s.")

    assert opened(chart__data=slow).ask([{}])[0].error == "pas de réponse en 20 s"


def test_a_stack_that_was_stopped_is_no_chart_s_fault() -> None:
    def stopped(**_: Any) -> tuple[int, Any]:
        raise OutOfBounds("superset a dépassé ses 2 Gio de mémoire.")

    with pytest.raises(OutOfBounds, match="2 Gio"):
        opened(chart__data=stopped).ask([{}])


def test_a_chart_without_a_query_is_not_asked() -> None:
    assert "pas de requête" in opened().ask([None])[0].error


def test_long_lists_are_read_by_page_and_no_further_than_needed() -> None:
    def charts(path: str, **_: Any) -> tuple[int, Any]:
        page = int(path.partition("page:")[2].split(",")[0])
        return 200, {"result": [{"id": n} for n in range(page * 100, min(page * 100 + 100, 230))]}

    assert opened(chart=charts).ids("chart") == list(range(230))


def test_odd_charts_are_read_as_empty() -> None:
    listed = {"result": [{"id": 1}]}
    odd = {"result": {"params": "{", "query_context": "[]", "slice_name": None, "viz_type": 3}}
    found = opened(**{"chart/1": answers(200, odd), "chart/?": answers(200, listed)}).charts()[0]
    assert (found.name, found.viz, found.params, found.context) == ("", "3", {}, None)
