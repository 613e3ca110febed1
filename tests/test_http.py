"""The client and the door together, against a service that does not behave."""

from __future__ import annotations

import asyncio
import gzip
import json
import queue
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest
import requests

from graders.errors import ApiError, MachineError, OutOfBounds
from graders.http import BROWSER, Client
from graders.stack import door
from graders.wire import Answer, Unreachable, Wire

SERVICE = "127.0.0.2"  # the only address that the door under test takes for a service's
TOKEN = "le-jeton"


class Rude(BaseHTTPRequestHandler):
    """A service whose answer depends on the path."""

    protocol_version = "HTTP/1.1"
    seen: ClassVar[list[dict[str, str]]] = []
    count = 0

    def log_message(self, *_: object) -> None: ...

    def answer(self, body: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        Rude.seen.append(dict(self.headers))
        Rude.count += 1
        try:
            getattr(self, "on_" + self.path.strip("/").split("?")[0].replace("-", "_"))()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_POST = do_PUT = do_GET  # noqa: N815

    def on_ok(self) -> None:
        size = int(self.headers.get("Content-Length", 0))
        self.answer(self.rfile.read(size) or b'{"a": [1, 2]}', Set_Cookie="s=1; Path=/")

    def on_chunked(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for part in (b"un ", b"deux"):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        self.wfile.write(b"0\r\n\r\n")

    def on_inside(self) -> None:
        self.answer(b"", 302, Location="/ok")

    def on_outside(self) -> None:
        self.answer(b"", 302, Location="http://169.254.169.254/latest/meta-data/")

    def on_port(self) -> None:
        self.answer(b"", 307, Location=f"http://{SERVICE}:1/")

    def on_loop(self) -> None:
        self.answer(b"", 302, Location="/loop")

    def on_bomb(self) -> None:
        self.answer(gzip.compress(bytes(40 << 20), 9), Content_Encoding="gzip")

    def on_small_gzip(self) -> None:
        self.answer(gzip.compress(b'"petit"'), Content_Encoding="gzip")

    def on_brotli(self) -> None:
        self.answer(b"xx", Content_Encoding="br")

    def on_endless(self) -> None:
        self.send_response(200)
        self.end_headers()
        while True:
            self.wfile.write(bytes(1 << 20))

    def on_slow_body(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        for _ in range(100):
            self.wfile.write(b"x")
            time.sleep(0.1)

    def on_slow_head(self) -> None:
        for char in b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100:
            self.wfile.write(bytes([char]))
            self.wfile.flush()
            time.sleep(0.1)

    def on_short(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"trop court")
        self.close_connection = True

    def on_garbage(self) -> None:
        self.wfile.write(b"\x00\x01 pas du HTTP\r\n\r\n")
        self.close_connection = True

    def on_hang_up(self) -> None:
        self.close_connection = True

    def on_twice(self) -> None:
        self.answer(b'{"a": 1, "a": 2}')

    def on_deep(self) -> None:
        self.answer(b"[" * 300 + b"]" * 300)

    def on_abyss(self) -> None:
        self.answer(b"[" * 200_000)

    def on_nan(self) -> None:
        self.answer(b'{"a": NaN, "b": -Infinity}')

    def on_error(self) -> None:
        self.answer("\x1b[31mraté\x1b[0m\n::add-mask::x".encode(), 500)

    def on_busy(self) -> None:
        self.answer(b"ok" if Rude.count >= 3 else b"", 200 if Rude.count >= 3 else 503)

    def on_always_busy(self) -> None:
        self.answer(b"", 503)

    def on_forged(self) -> None:
        self.answer(b"moi", Proxy_Status="bareme; error=http_request_denied")


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    server = ThreadingHTTPServer((SERVICE, 0), Rude)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://{SERVICE}:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    found: queue.SimpleQueue[Any] = queue.SimpleQueue()

    async def serve() -> None:
        here = door.Door(TOKEN, lambda address: address == SERVICE)
        over = asyncio.Event()
        async with await asyncio.start_server(
            here.serve, "127.0.0.1", 0, limit=door.HEAD
        ) as server:
            found.put((server.sockets[0].getsockname()[1], over, asyncio.get_running_loop()))
            await over.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    number, over, loop = found.get(timeout=5)
    yield number
    loop.call_soon_threadsafe(over.set)
    thread.join(timeout=5)


@pytest.fixture
def client(port: int) -> Client:
    Rude.seen.clear()
    Rude.count = 0
    return Client(Wire(f"http://bareme:{TOKEN}@127.0.0.1:{port}"), timeout=1.0, limit=4 << 20)


def test_get_and_json(client: Client, service: str) -> None:
    assert client.json(f"{service}/ok") == {"a": [1, 2]}
    assert client.get(f"{service}/chunked").text == "un deux"
    assert client.get(f"{service}/small-gzip").json() == "petit"
    assert client.post(f"{service}/ok", json={"b": 1}).json() == {"b": 1}
    assert client.put(f"{service}/ok", data=b"3").json() == 3


def test_a_session_keeps_cookies_and_headers(client: Client, service: str) -> None:
    client.headers["X-CSRFToken"] = "jeton"
    client.get(f"{service}/ok")
    client.get(f"{service}/ok?page=2")
    assert Rude.seen[-1]["Cookie"] == "s=1"
    assert Rude.seen[-1]["X-CSRFToken"] == "jeton"


def test_a_service_sees_a_browser_and_nothing_of_ours(client: Client, service: str) -> None:
    client.get(f"{service}/ok")
    seen = {name.lower(): value for name, value in Rude.seen[-1].items()}
    assert seen.keys() == {n.lower() for n in BROWSER} | {"host", "connection"}
    assert "Mozilla" in seen["user-agent"]
    assert not any("bareme" in f"{k}{v}".lower() for k, v in seen.items())


def test_redirects_stay_on_the_service(client: Client, service: str) -> None:
    assert client.get(f"{service}/inside").ok
    assert client.get(f"{service}/inside", follow=False).status == 302
    for path in ("outside", "port"):
        with pytest.raises(ApiError, match="hors du service"):
            client.get(f"{service}/{path}")
    with pytest.raises(ApiError, match="plus de 5 redirections"):
        client.get(f"{service}/loop")


@pytest.mark.parametrize("path", ["bomb", "endless"])
def test_a_body_beyond_the_limit_stops_there(client: Client, service: str, path: str) -> None:
    with pytest.raises(OutOfBounds, match=f"GET /{path} a répondu plus de 4 Mio"):
        client.get(f"{service}/{path}", timeout=10)


@pytest.mark.parametrize("path", ["slow-body", "slow-head"])
def test_a_slow_answer_ends_at_the_deadline(client: Client, service: str, path: str) -> None:
    start = time.monotonic()
    with pytest.raises(OutOfBounds, match="n'a pas répondu en 1 s"):
        client.get(f"{service}/{path}")
    assert time.monotonic() - start < 3


@pytest.mark.parametrize("path", ["short", "garbage", "hang-up", "brotli"])
def test_a_broken_answer_is_the_services_fault(client: Client, service: str, path: str) -> None:
    with pytest.raises(ApiError, match=f"{SERVICE} : GET /{path}"):
        client.get(f"{service}/{path}")


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("twice", "clé en double : a"),
        ("deep", "niveaux"),
        ("abyss", "niveaux"),
        ("chunked", "JSON"),
    ],
)
def test_json_is_bounded(client: Client, service: str, path: str, why: str) -> None:
    with pytest.raises(ApiError, match=why):
        client.json(f"{service}/{path}")


def test_not_a_number_is_null(client: Client, service: str) -> None:
    assert client.json(f"{service}/nan") == {"a": None, "b": None}


def test_an_unexpected_status_is_told_with_its_excerpt(client: Client, service: str) -> None:
    answer = client.get(f"{service}/error")
    assert answer.status == 500
    assert answer.expect(500) is answer
    with pytest.raises(ApiError, match=r"GET /error a répondu 500 : raté ::add-mask::x$"):
        answer.expect()


def test_only_idempotent_requests_are_tried_again(client: Client, service: str) -> None:
    assert client.get(f"{service}/busy").text == "ok"
    Rude.count = 0
    assert client.post(f"{service}/busy").status == 503
    assert Rude.count == 1
    Rude.count = 0
    assert client.get(f"{service}/always-busy").status == 503
    assert Rude.count == 3


def test_a_service_cannot_speak_for_the_door(client: Client, service: str) -> None:
    assert client.get(f"{service}/forged").text == "moi"


def test_a_closed_port_is_the_students_a_closed_door_is_ours(client: Client) -> None:
    with pytest.raises(Unreachable, match="port 9, connexion refusée"):
        client.get(f"http://{SERVICE}:9/", timeout=5)
    with socket.create_server(("127.0.0.1", 0)) as free:
        gone = free.getsockname()[1]
    with pytest.raises(MachineError):
        Client(Wire(f"http://bareme:{TOKEN}@127.0.0.1:{gone}")).get(f"http://{SERVICE}/")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.3", "localhost"])
def test_the_door_leads_to_services_only(client: Client, port: int, host: str) -> None:
    with pytest.raises(ApiError, match="n'est pas celle d'un service"):
        client.get(f"http://{host}:{port}/")


def test_the_door_asks_for_its_token(port: int, service: str) -> None:
    with pytest.raises(MachineError):
        Client(Wire(f"http://bareme:faux@127.0.0.1:{port}")).get(f"{service}/ok")
    assert requests.get(f"http://127.0.0.1:{port}/", timeout=5).status_code == 204


def test_the_door_refuses_what_is_not_http(client: Client, port: int, service: str) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as raw:
        raw.sendall(b"A" * (door.HEAD + 10))
        assert raw.recv(100) == b""
    assert client.get(f"{service}/ok").ok


def test_the_watch_is_asked_first_and_after_a_failure(port: int, service: str) -> None:
    calls: list[int] = []

    def watch() -> None:
        calls.append(1)
        if len(calls) == 2:
            raise OutOfBounds("la pile a été arrêtée")

    client = Client(Wire(f"http://bareme:{TOKEN}@127.0.0.1:{port}"), watch=watch)
    with pytest.raises(OutOfBounds, match="arrêtée"):
        client.get(f"http://{SERVICE}:9/", tries=1)


class Canned:
    """A transport for the tests of clients: answers by path."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers

    def request(self, method: str, url: str, **_: Any) -> Answer:
        return Answer(method, url, 200, json.dumps(self.answers[url.rpartition("/")[2]]).encode())


def test_another_transport_takes_the_place_of_the_wire() -> None:
    assert Client(Canned(health="ok")).json("http://x/health") == "ok"


def test_inner_networks_are_those_without_a_default_route() -> None:
    table = (
        "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
        "eth1\t00000000\t010013AC\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        "eth0\t000012AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
        "eth1\t000013AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
    )
    assert [str(n) for n in door.inner_networks(table)] == ["172.18.0.0/16"]
