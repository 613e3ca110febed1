"""One exchange with a student's service: bounded in size, time and depth; errors are mapped here.

`Wire` is the real transport; `graders.http.Client` is what the rest of the harness uses.
"""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlsplit

import requests
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import HTTPError

from graders.errors import ApiError, MachineError, OutOfBounds
from graders.text import one_line

DEPTH = 200  # nested arrays and objects
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
        raise ApiError(f"{place(self.method, self.url)} a répondu {self.status}{excerpt}")

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
        what = f"{place(self.method, self.url)} n'a pas répondu du JSON utilisable"
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
        late = OutOfBounds(f"{place(method, url)} n'a pas répondu en {timeout:g} s.")
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
                body = _body(response, deadline, limit, place(method, url), late)
                return Answer(method, url, response.status_code, body, response.headers)
        except requests.exceptions.ProxyError as error:
            raise MachineError(f"the stack's door does not answer: {error}") from error
        except requests.Timeout as error:
            raise late from error
        except (requests.RequestException, HTTPError, OSError, zlib.error, ValueError) as error:
            if time.monotonic() >= deadline - 0.1:
                raise late from error
            what = f"{place(method, url)} n'a pas donné une réponse HTTP entière"
            raise ApiError(f"{what} ({one_line(str(error), 120)}).") from error


def place(method: str, url: str) -> str:
    """Return how a message names a request: the service, the method and the path."""
    parts = urlsplit(url)
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.hostname} : {method} {one_line(parts.path + query, 160)}"


def _raise_for_door(method: str, url: str, response: requests.Response) -> None:
    """Raise what our own door says; it strips this header from a service's answers."""
    status = response.headers.get("Proxy-Status", "")
    if not status.startswith("bareme; error="):
        return
    error = status.partition("=")[2]
    if error in _PROXY:
        port = urlsplit(url).port or 80
        # A loaded engine's resolver fails for a moment: a name is asked for again, like a port.
        again = error.startswith("connection") or error == "dns_error"
        kind = Unreachable if again else ApiError
        raise kind(f"{place(method, url)} : port {port}, {_PROXY[error]}.")
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
