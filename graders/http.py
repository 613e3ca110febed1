"""The only way to speak to a student's services: bounded in size, time, depth and destination.

`Client` follows no redirect off the service, retries what may be retried, and turns every failure
into `ApiError` (the service answered wrongly, or not at all), `OutOfBounds` (too long, too large)
or `MachineError` (our own door is gone). `graders.wire.Wire` is the real transport; tests give
another object with the same `request`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

import tenacity

from graders.errors import ApiError, MachineError, OutOfBounds
from graders.text import one_line
from graders.wire import Answer, Transport, Unreachable, place

LIMIT = 32 << 20  # bytes of an answer, decompressed
TIMEOUT = 30.0  # seconds of one exchange, all included
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
                    f"{place(method, url)} renvoie hors du service, vers « {one_line(away, 120)} »"
                )
                raise ApiError(f"{what} : cette redirection n'est pas suivie.")
            if answer.status in {301, 302, 303} and method != "HEAD":
                method = "GET"
                options = {k: v for k, v in options.items() if k not in {"json", "data", "files"}}
            url = away
        raise ApiError(f"{place(method, url)} : plus de {REDIRECTS} redirections à la suite.")


def _origin(url: str) -> tuple[str, str | None, int]:
    parts = urlsplit(url)
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        port = -1
    return parts.scheme, parts.hostname, port
