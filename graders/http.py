"""The only way to speak to a student's services: bounded in size, time, depth and destination.

`Client` follows no redirect off the service, retries what may be retried, and turns every failure
into `ApiError` (the service answered wrongly, or not at all), `OutOfBounds` (too long, too large)
or `MachineError` (our own door is gone). `Wire` is the real transport; tests give another object
with the same `request`.
"""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urljoin, urlsplit

import requests
import tenacity
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import HTTPError

from graders.errors import ApiError, MachineError, OutOfBounds
from graders.text import one_line

LIMIT = 32 << 20  # bytes of an answer, decompressed
TIMEOUT = 30.0  # seconds of one exchange, all included
DEPTH = 200  # nested arrays and objects
REDIRECTS = 5
TRANSIENT = frozenset({429, 502, 503, 504})
IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})
# An ordinary browser's: a service must not tell the grader from the student at their desk.
BROWSER: Mapping[str, str] = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Accept": "application/json, text/plain, */*",
    "Accept-Language": "fr,fr-FR;q=0.8,en-US;q=0.5,en;q=0.3",
    "Accept-Encoding": "gzip, deflate",
}
_CHUNK = 1 << 16
_EXCERPT = 300
_PROXY = {
    "connection_refused": "connexion refusée",
    "connection_timeout": "aucune réponse à la connexion",
    "http_response_incomplete": "la connexion a été coupée sans réponse HTTP",
    "dns_error": "aucun service de ce nom ne tourne",
    "destination_ip_prohibited": "l'adresse n'est pas celle d'un service de la pile",
}


class Unreachable(ApiError):  # noqa: N818 - reads as a fact, like OutOfBounds
    """The service could not be connected to: worth another try where nothing was sent."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service answered to one request, whole and decompressed."""

    method: str
    url: str
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=CaseInsensitiveDict)

    @property
    def ok(self) -> bool:
        """Tell whether the status is below 400."""
        return self.status < 400

    @property
    def text(self) -> str:
        """Return the body as text; what is not UTF-8 is replaced."""
        return self.body.decode("utf-8", "replace")

    def expect(self, *statuses: int) -> Answer:
        """Return this answer if its status is one of `statuses` (any 2xx by default)."""
        if self.status in statuses or (not statuses and 200 <= self.status < 300):
            return self
        excerpt = f" : {one_line(self.text, _EXCERPT)}" if self.body else ""
        raise ApiError(f"{_place(self.method, self.url)} a répondu {self.status}{excerpt}")

    def json(self) -> Any:
        """Return the body's JSON value; no duplicate key, no more than 200 levels."""
        try:
            value = json.loads(self.body, object_pairs_hook=_unique, parse_constant=_no_number)
        except RecursionError as error:
            raise ApiError(self._bad_json("trop de niveaux imbriqués")) from error
        except ValueError as error:
            raise ApiError(self._bad_json(str(error))) from error
        if self.body.count(b"[") + self.body.count(b"{") > DEPTH and _deeper(value, DEPTH):
            raise ApiError(self._bad_json(f"plus de {DEPTH} niveaux imbriqués"))
        return value

    def _bad_json(self, why: str) -> str:
        what = f"{_place(self.method, self.url)} n'a pas répondu du JSON utilisable"
        return f"{what} ({one_line(why, 120)}) : {one_line(self.text, _EXCERPT)}"


class Transport(Protocol):
    """One exchange with a service, without redirects or retries."""

    def request(
        self, method: str, url: str, *, timeout: float, limit: int, **options: Any
    ) -> Answer:
        """Send a request and return the whole answer."""


class Wire:
    """The real transport: requests through the stack's door, never around it."""

    def __init__(self, proxy: str | None = None) -> None:
        self.session = requests.Session()
        self.session.trust_env = False  # no proxy, no .netrc, no CA bundle from the environment
        self.session.headers.clear()
        if proxy:
            self.session.proxies = {"http": proxy, "https": proxy}

    def request(
        self, method: str, url: str, *, timeout: float, limit: int, **options: Any
    ) -> Answer:
        """Send a request; OutOfBounds beyond `timeout` seconds or `limit` bytes."""
        deadline = time.monotonic() + timeout
        headers = {**options.pop("headers", {}), "Bareme-Deadline": f"{timeout:.1f}"}
        late = OutOfBounds(f"{_place(method, url)} n'a pas répondu en {timeout:g} s.")
        try:
            with self.session.request(
                method,
                url,
                headers=headers,
                stream=True,
                allow_redirects=False,
                timeout=(min(timeout, 10.0), timeout),
                **options,
            ) as response:
                _raise_for_door(method, url, response)
                body = _body(response, deadline, limit, _place(method, url), late)
                return Answer(method, url, response.status_code, body, response.headers)
        except requests.exceptions.ProxyError as error:
            raise MachineError(f"the stack's door does not answer: {error}") from error
        except requests.Timeout as error:
            raise late from error
        except (requests.RequestException, HTTPError, OSError, zlib.error, ValueError) as error:
            if time.monotonic() >= deadline - 0.1:
                raise late from error
            what = f"{_place(method, url)} n'a pas donné une réponse HTTP entière"
            raise ApiError(f"{what} ({one_line(str(error), 120)}).") from error


def _nothing() -> None:
    """Watch over nothing: the client is not bound to a stack."""


class Client:
    """A session on a student's services: cookies and headers are kept from call to call.

    `watch` is called before each exchange and after each failure; it raises where the cause is
    known to lie elsewhere (the stack was stopped for using too much).
    """

    def __init__(
        self,
        transport: Transport,
        *,
        timeout: float = TIMEOUT,
        limit: int = LIMIT,
        watch: Callable[[], None] = _nothing,
    ) -> None:
        self.transport = transport
        self.timeout, self.limit = timeout, limit
        self.watch = watch
        self.headers: dict[str, str] = dict(BROWSER)

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        limit: int | None = None,
        follow: bool = True,
        tries: int = 3,
        **options: Any,
    ) -> Answer:
        """Send a request and return the answer, whatever its status.

        `options` are those of requests: params, json, data, files, auth. Only idempotent methods
        are tried again, on refused connections and on 429, 502, 503 and 504.
        """
        options["headers"] = {**self.headers, **(headers or {})}
        options["limit"] = self.limit if limit is None else limit
        options["timeout"] = self.timeout if timeout is None else timeout
        attempts = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(tries if method in IDEMPOTENT else 1),
            wait=tenacity.wait_exponential(multiplier=0.2, max=2.0),
            retry=tenacity.retry_if_exception_type(Unreachable)
            | tenacity.retry_if_result(lambda answer: answer.status in TRANSIENT),
            retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
        )
        self.watch()
        try:
            answer: Answer = attempts(self._follow, method, url, follow, options)
        except (ApiError, OutOfBounds, MachineError):
            self.watch()
            raise
        return answer

    def get(self, url: str, **options: Any) -> Answer:
        """Send a GET; see `request`."""
        return self.request("GET", url, **options)

    def post(self, url: str, **options: Any) -> Answer:
        """Send a POST; see `request`."""
        return self.request("POST", url, **options)

    def put(self, url: str, **options: Any) -> Answer:
        """Send a PUT; see `request`."""
        return self.request("PUT", url, **options)

    def patch(self, url: str, **options: Any) -> Answer:
        """Send a PATCH; see `request`."""
        return self.request("PATCH", url, **options)

    def delete(self, url: str, **options: Any) -> Answer:
        """Send a DELETE; see `request`."""
        return self.request("DELETE", url, **options)

    def json(self, url: str, *, method: str = "GET", **options: Any) -> Any:
        """Send a request and return the JSON of its 2xx answer."""
        return self.request(method, url, **options).expect().json()

    def _follow(self, method: str, url: str, follow: bool, options: dict[str, Any]) -> Answer:
        for _ in range(REDIRECTS + 1):
            answer = self.transport.request(method, url, **options)
            target = answer.headers.get("Location")
            if not follow or answer.status not in {301, 302, 303, 307, 308} or not target:
                return answer
            away = urljoin(url, target)
            if _origin(away) != _origin(url):
                what = (
                    f"{_place(method, url)} renvoie hors du service, vers « {one_line(away, 120)} »"
                )
                raise ApiError(f"{what} : cette redirection n'est pas suivie.")
            if answer.status in {301, 302, 303} and method != "HEAD":
                method = "GET"
                options = {k: v for k, v in options.items() if k not in {"json", "data", "files"}}
            url = away
        raise ApiError(f"{_place(method, url)} : plus de {REDIRECTS} redirections à la suite.")


def _place(method: str, url: str) -> str:
    parts = urlsplit(url)
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.hostname} : {method} {one_line(parts.path + query, 160)}"


def _origin(url: str) -> tuple[str, str | None, int]:
    parts = urlsplit(url)
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        port = -1
    return parts.scheme, parts.hostname, port


def _raise_for_door(method: str, url: str, response: requests.Response) -> None:
    """Raise what our own door says; it strips this header from a service's answers."""
    status = response.headers.get("Proxy-Status", "")
    if not status.startswith("bareme; error="):
        return
    error = status.partition("=")[2]
    if error in _PROXY:
        port = urlsplit(url).port or 80
        kind = Unreachable if error.startswith("connection") else ApiError
        raise kind(f"{_place(method, url)} : port {port}, {_PROXY[error]}.")
    if error == "http_response_timeout":
        raise requests.Timeout
    raise MachineError(f"the stack's door refused {method} {url}: {error}")


def _body(
    response: requests.Response, deadline: float, limit: int, place: str, late: OutOfBounds
) -> bytes:
    """Read a body within its bounds, decompressing by hand so that a bomb stops at the limit."""
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in {"identity", "", "gzip", "x-gzip", "deflate"}:
        raise ApiError(f"{place} : compression « {one_line(encoding, 40)} » non demandée.")
    inflate = None if encoding in {"identity", ""} else zlib.decompressobj(47)
    large = OutOfBounds(f"{place} a répondu plus de {limit / (1 << 20):g} Mio.")
    parts, size = [], 0
    while chunk := response.raw.read1(_CHUNK, decode_content=False):
        if time.monotonic() > deadline:
            raise late
        if inflate:
            chunk = inflate.decompress(chunk, limit + 1 - size)
            if inflate.unconsumed_tail:
                raise large
        size += len(chunk)
        if size > limit:
            raise large
        parts.append(chunk)
    return b"".join(parts)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"clé en double : {name}")
        found[name] = value
    return found


def _no_number(_: str) -> None:
    """Read NaN and Infinity, which JSON does not have, as null."""


def _deeper(value: Any, depth: int) -> bool:
    level = [value]
    for _ in range(depth):
        inner = (n.values() if isinstance(n, dict) else n for n in level)
        level = [child for node in inner for child in node if isinstance(child, dict | list)]
        if not level:
            return False
    return True
