"""The few endpoints of Superset's REST API that the grader reads and drives."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlsplit

from graders.errors import ApiError, OutOfBounds
from graders.text import one_line

PAGE = 100
MOST = 500  # objects of one kind that are listed
CHARTS = 120  # charts that are read: an export has at most a hundred
LANES = 4  # questions asked at once: Superset's own server has 20 threads, for two cores
ANSWER = 4 << 20  # bytes of one chart's answer
KINDS = ("dashboard", "chart", "dataset", "database")  # in the order in which they can be deleted
_TITLE = re.compile(r"<title>\s*(.*?)\s*</title>", re.IGNORECASE | re.DOTALL)


class Answer(Protocol):
    """What the client needs of an HTTP answer."""

    @property
    def status(self) -> int: ...  # noqa: D102 - see the class
    @property
    def body(self) -> bytes: ...  # noqa: D102 - see the class
    @property
    def text(self) -> str: ...  # noqa: D102 - see the class
    def json(self) -> Any: ...  # noqa: D102 - see the class


class Http(Protocol):
    """What the client needs of an HTTP session; `graders.http.Client` is one."""

    headers: dict[str, str]

    def request(self, method: str, url: str, **options: Any) -> Answer: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart as Superset holds it; `context` is its saved query, where there is one."""

    id: int
    uuid: str
    name: str
    viz: str
    params: Mapping[str, Any]
    context: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Rows:
    """What one query gave: `types` says 0 for numbers, 1 for text, 2 for dates, 3 for booleans."""

    columns: tuple[str, ...] = ()
    types: tuple[int, ...] = ()
    rows: tuple[Mapping[str, Any], ...] = ()
    sql: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a chart answered: the rows of each of its queries, or why there are none."""

    queries: tuple[Rows, ...] = ()
    error: str = ""


@dataclass
class Superset:
    """A student's Superset, spoken to through sessions that `session` opens."""

    session: Callable[[], Http]
    url: str
    chart_limit: float  # seconds that one chart may take
    _lanes: list[Http] = field(default_factory=list)

    @property
    def _http(self) -> Http:
        if not self._lanes:
            self._lanes = [self.session() for _ in range(LANES)]
        return self._lanes[0]

    def login(self, user: str, password: str) -> None:
        """Open a session; the first call of all."""
        body = {"username": user, "password": password, "provider": "db", "refresh": False}
        self._http.headers["Accept"] = "application/json"  # or errors arrive as HTML
        answer = self._call("POST", "security/login", json=body)
        if answer.status == 401:
            raise ApiError(
                f"Superset refuse le compte « {one_line(user, 60)} » : donnez le vôtre dans "
                "acces.yaml (utilisateur, mot_de_passe), ou créez admin / admin."
            )
        token = _object(_good(answer)).get("access_token")
        if not isinstance(token, str):
            raise ApiError("Superset n'a pas donné de jeton (POST /api/v1/security/login).")
        for lane in self._lanes:
            lane.headers |= {"Accept": "application/json", "Authorization": f"Bearer {token}"}
        crumb = _object(_good(self._call("GET", "security/csrf_token/"))).get("result")
        # The token is bound to the first lane's cookie: only that lane changes anything.
        self._http.headers |= {"X-CSRFToken": str(crumb), "Referer": self.url}

    def ids(self, kind: str) -> list[int]:
        """Return the ids of all dashboards, charts, datasets or databases."""
        return [int(row["id"]) for row in self._list(kind, "id")]

    def clear(self) -> dict[str, str]:
        """Delete all that is there; return why a kind of object stayed, by kind."""
        stayed = {}
        for kind in KINDS:
            ids = self.ids(kind)
            if not ids:
                continue
            if kind == "database":  # the only kind without a bulk delete
                answers = [self._call("DELETE", f"database/{n}") for n in ids]
            else:
                answers = [self._call("DELETE", f"{kind}/?q=!({','.join(map(str, ids))})")]
            if bad := [a for a in answers if a.status not in (200, 404)]:
                stayed[kind] = _said(bad[0])
        return stayed

    def load(self, kind: str, bundle: bytes) -> None:
        """Import an export of dashboards, charts or datasets, over what is there."""
        answer = self._call(
            "POST",
            f"{kind}/import/",
            files={"formData": ("export.zip", bundle, "application/zip")},
            data={"passwords": "{}", "overwrite": "true"},
            timeout=60.0,
        )
        if answer.status != 200:
            raise ApiError(f"Superset refuse d'importer l'export ({answer.status}) : "
                           f"{_said(answer)}")  # fmt: skip

    def export(self, dashboards: Sequence[int]) -> bytes:
        """Return Superset's own export of these dashboards."""
        listed = ",".join(map(str, dashboards))
        return _good(self._call("GET", f"dashboard/export/?q=!({listed})")).body

    def databases(self) -> list[Mapping[str, Any]]:
        """Return the connections, each with its URI."""
        rows = self._list("database", "id")
        return [self._one("database", int(row["id"]), "/connection") for row in rows]

    def charts(self) -> list[Chart]:
        """Return all charts, read a few at a time."""
        ids = self.ids("chart")[:CHARTS]
        with ThreadPoolExecutor(LANES) as pool:
            jobs = [
                pool.submit(self._one, "chart", number, "", lane % LANES)
                for lane, number in enumerate(ids)
            ]
            return [_chart(number, job.result()) for number, job in zip(ids, jobs, strict=True)]

    def ask(self, bodies: Iterable[Mapping[str, Any] | None]) -> list[Reply]:
        """Run queries, a few at a time; one that fails or lasts costs its own reply alone."""
        with ThreadPoolExecutor(LANES) as pool:
            # A lane's HTTP session serves one thread at a time.
            free = list(range(LANES))

            def one(body: Mapping[str, Any] | None) -> Reply:
                if body is None:
                    return Reply(error="ce graphique n'a pas de requête lisible")
                lane = free.pop()
                try:
                    return self._ask(body, lane)
                finally:
                    free.append(lane)

            return list(pool.map(one, bodies))

    def _ask(self, body: Mapping[str, Any], lane: int) -> Reply:
        try:
            answer = self._call(
                "POST", "chart/data", lane, json=body, timeout=self.chart_limit, limit=ANSWER
            )
            if answer.status != 200:
                return Reply(error=f"Superset répond {answer.status} : {_said(answer)}")
            return _reply(_object(answer))
        except OutOfBounds as error:
            if "n'a pas répondu en" in str(error):
                return Reply(error=f"pas de réponse en {self.chart_limit:g} s")
            if "a répondu plus de" in str(error):
                return Reply(error=f"plus de {ANSWER >> 20} Mio : agrégez dans la requête")
            raise  # the stack itself was stopped
        except ApiError as error:
            return Reply(error=str(error))

    def _one(self, kind: str, number: int, part: str = "", lane: int = 0) -> Mapping[str, Any]:
        answer = _good(self._call("GET", f"{kind}/{number}{part}", lane))
        found = _object(answer).get("result")
        return found if isinstance(found, dict) else {}

    def _list(self, kind: str, *columns: str) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = []
        while len(found) < MOST:
            page = len(found) // PAGE
            query = f"(columns:!({','.join(columns)}),page:{page},page_size:{PAGE})"
            result = _object(_good(self._call("GET", f"{kind}/?q={query}"))).get("result")
            rows = [r for r in result if isinstance(r, dict)] if isinstance(result, list) else []
            found += rows
            if len(rows) < PAGE:
                break
        return found

    def _call(self, method: str, path: str, lane: int = 0, **options: Any) -> Answer:
        http = self._http if lane == 0 else self._lanes[lane]
        return http.request(method, f"{self.url.rstrip('/')}/api/v1/{path}", **options)


def _good(answer: Answer) -> Answer:
    if answer.status == 200:
        return answer
    where = urlsplit(getattr(answer, "url", "")).path
    raise ApiError(f"Superset répond {answer.status} à {where} : {_said(answer)}")


def _object(answer: Answer) -> dict[str, Any]:
    value = answer.json()
    if not isinstance(value, dict):
        raise ApiError("Superset n'a pas répondu un objet JSON.")
    return value


def _said(answer: Answer) -> str:
    """Return what an error says, whether it came as Superset's JSON or as a page."""
    try:
        value = json.loads(answer.body)
    except (ValueError, RecursionError):
        title = _TITLE.search(answer.text[:20_000])
        page = f"une page HTML « {one_line(title[1], 80)} »" if title else ""
        return page or one_line(answer.text, 200) or "sans un mot"
    if not isinstance(value, dict):
        return one_line(value, 200)
    errors = value.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else {}
    first = first if isinstance(first, dict) else {}
    said = str(value.get("message") or first.get("message") or value)
    extra = first.get("extra")
    details = {
        k: v for k, v in (extra if isinstance(extra, dict) else {}).items() if k != "issue_codes"
    }
    told = f"{said} {json.dumps(details, ensure_ascii=False)}" if details else said
    return one_line(told, 400)


def _chart(number: int, row: Mapping[str, Any]) -> Chart:
    return Chart(
        id=number,
        uuid=str(row.get("uuid") or ""),
        name=str(row.get("slice_name") or ""),
        viz=str(row.get("viz_type") or ""),
        params=_document(row.get("params")) or {},
        context=_document(row.get("query_context")),
    )


def _document(text: Any) -> Mapping[str, Any] | None:
    try:
        value = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _reply(value: Mapping[str, Any]) -> Reply:
    found = value.get("result")
    results = [r for r in found if isinstance(r, dict)] if isinstance(found, list) else []
    errors = [r.get("error") for r in results if r.get("error")]
    if errors or not results:
        return Reply(error=one_line(errors[0] if errors else "réponse vide", 300))
    return Reply(tuple(_rows(r) for r in results))


def _rows(result: Mapping[str, Any]) -> Rows:
    names, types, data = (result.get(k) for k in ("colnames", "coltypes", "data"))
    columns = tuple(str(n) for n in names) if isinstance(names, list) else ()
    kinds = tuple(t if isinstance(t, int) else 1 for t in types) if isinstance(types, list) else ()
    rows = tuple(r for r in data if isinstance(r, dict)) if isinstance(data, list) else ()
    return Rows(columns, kinds, rows, str(result.get("query") or ""))
