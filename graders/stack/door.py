"""The way into one stack: an HTTP forward proxy that reaches its internal networks only.

The container has a leg in each internal network of the stack and one in a bridge of ours, whose
port is published on the loopback of the instructor's machine. Who comes in must know the token,
and gets to an address of the internal networks or nowhere: never to their gateway (the host), nor
to the bridge of ours. One request per connection; every wait and every size is bounded.
Standard library only, and nothing of ours: the launcher gives this file's text to a bare Python, so
the door is always that of the launcher's version.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hmac
import ipaddress
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

PORT = 3128
HEAD = 1 << 16  # bytes of a request's or an answer's head
BODY = 1 << 30  # bytes, either way
LONGEST = 900.0  # seconds of one exchange
CONNECT = 5.0  # seconds
CONNECTIONS = 128
DEADLINE = "bareme-deadline"  # seconds that the client still gives to this exchange
HOP = {"connection", "keep-alive", "proxy-connection", "proxy-authorization", "proxy-status"}
Network = ipaddress.IPv4Network


class Refused(Exception):  # noqa: N818 - an answer, not a failure
    """An exchange that ends here: status, and an error name of RFC 9209 (Proxy-Status)."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status, self.error = status, error


def inner_networks(table: str) -> list[Network]:
    """Return the subnets of the interfaces that have no default route, from /proc/net/route."""
    rows = [line.split() for line in table.splitlines()[1:]]
    outer = {row[0] for row in rows if row[1] == "00000000"}
    return [
        Network((_address(row[1]), str(ipaddress.IPv4Address(_address(row[7])))))
        for row in rows
        if row[0] not in outer and row[2] == "00000000"
    ]


def _address(text: str) -> int:
    return int.from_bytes(bytes.fromhex(text), "little")


def inside(address: str) -> bool:
    """Tell whether an address is a container's of the stack: not the gateway, not outside."""
    ip = ipaddress.IPv4Address(address)
    networks = inner_networks(Path("/proc/net/route").read_text("ascii"))
    return any(ip in net and ip not in (net[0], net[1], net[-1]) for net in networks)


@dataclass
class Head:
    """The first lines of a request or an answer."""

    first: str
    headers: list[tuple[str, str]] = field(default_factory=list)

    @classmethod
    def parse(cls, raw: bytes) -> Head:
        """Read the bytes up to the empty line; ValueError where they are no HTTP head."""
        first, *lines = raw.decode("latin-1").rstrip("\r\n").split("\r\n")
        pairs = [line.split(":", 1) for line in lines]
        return cls(first, [(name.strip(), value.strip()) for name, value in pairs])

    def get(self, name: str) -> str:
        """Return a header's value, or nothing."""
        return next((v for n, v in self.headers if n.lower() == name), "")

    def forwarded(self, first: str) -> bytes:
        """Return the bytes to send on: no hop-by-hop header, one exchange per connection."""
        kept = [f"{n}: {v}" for n, v in self.headers if n.lower() not in HOP | {DEADLINE}]
        return "\r\n".join([first, *kept, "Connection: close", "", ""]).encode("latin-1")


class Door:
    """Serve a proxy that lets in who knows the token, and only to where `inside` says yes."""

    def __init__(self, token: str, inside: Callable[[str], bool]) -> None:
        self.secret = b"Basic " + base64.b64encode(f"bareme:{token}".encode())
        self.inside = inside
        self.open = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Handle one connection, whatever happens in it."""
        self.open += 1
        try:
            if self.open <= CONNECTIONS and not self._from_inside(writer):
                await self._exchange(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            pass  # the other end is told by the closed connection
        finally:
            self.open -= 1
            writer.close()

    def _from_inside(self, writer: asyncio.StreamWriter) -> bool:
        return self.inside(writer.get_extra_info("peername")[0])

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(CONNECT):
            head = Head.parse(await reader.readuntil(b"\r\n\r\n"))
        try:
            method, target, _ = head.first.split(" ", 2)
            if target.startswith("/"):
                raise Refused(204, "")  # the harness asks whether the door is open
            if not hmac.compare_digest(head.get("proxy-authorization").encode(), self.secret):
                raise Refused(407, "http_request_denied")
            begun = asyncio.Event()
            try:
                async with asyncio.timeout(_seconds(head.get(DEADLINE))):
                    await self._forward(method, target, head, reader, writer, begun)
            except TimeoutError:
                if not begun.is_set():  # else the closed connection says it
                    raise Refused(504, "http_response_timeout") from None
        except Refused as refused:
            status = f"Proxy-Status: bareme; error={refused.error}\r\n" if refused.error else ""
            writer.write(
                f"HTTP/1.1 {refused.status} Door\r\n{status}"
                "Content-Length: 0\r\nConnection: close\r\n\r\n".encode()
            )
            await writer.drain()

    async def _forward(
        self,
        method: str,
        target: str,
        head: Head,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        begun: asyncio.Event,
    ) -> None:
        parts = urlsplit(f"//{target}" if method == "CONNECT" else target)
        if not parts.hostname or (method != "CONNECT" and parts.scheme != "http"):
            raise Refused(400, "http_request_error")
        far, near = await self._reach(parts.hostname, parts.port or 80)
        with contextlib.closing(near):
            if method == "CONNECT":
                begun.set()
                writer.write(b"HTTP/1.1 200 Door\r\n\r\n")
                answer = asyncio.ensure_future(_pump(far, writer))
            else:
                path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
                near.write(head.forwarded(f"{method} {path} HTTP/1.1"))
                answer = asyncio.ensure_future(_answer(far, writer, begun))
            body = asyncio.ensure_future(_pump(reader, near))
            try:
                # Whoever ends first ends the exchange: the service answered, or the client left.
                # A service that does not read all of the request may still answer it.
                await asyncio.wait({answer, body}, return_when="FIRST_COMPLETED")
                if body.done() and body.exception():
                    await asyncio.wait({answer})
            finally:
                answer.cancel()
                body.cancel()
                results = await asyncio.gather(answer, body, return_exceptions=True)
            if isinstance(results[0], Refused):
                raise results[0]

    async def _reach(
        self, host: str, port: int
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT):
                found = await loop.getaddrinfo(host, port, family=socket.AF_INET)
                # What was checked is what is connected to: the name is not looked up again.
                addresses = [str(row[4][0]) for row in found if self.inside(str(row[4][0]))]
                if not addresses:
                    raise Refused(502, "destination_ip_prohibited")
                return await asyncio.open_connection(addresses[0], port, limit=HEAD)
        except socket.gaierror as error:
            raise Refused(502, "dns_error") from error
        except TimeoutError as error:
            raise Refused(502, "connection_timeout") from error
        except OSError as error:
            raise Refused(502, "connection_refused") from error


def _seconds(text: str) -> float:
    try:
        return min(max(float(text), 0.1), LONGEST)
    except ValueError:
        return LONGEST


async def _answer(
    far: asyncio.StreamReader, writer: asyncio.StreamWriter, begun: asyncio.Event
) -> None:
    try:
        head = Head.parse(await far.readuntil(b"\r\n\r\n"))
        while head.first.split(" ")[1:2] == ["100"]:
            head = Head.parse(await far.readuntil(b"\r\n\r\n"))
        if not head.first.startswith("HTTP/1."):
            raise ValueError(head.first)
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError, ValueError) as error:
        raise Refused(502, "http_response_incomplete") from error
    begun.set()
    writer.write(head.forwarded(head.first))
    await _pump(far, writer)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    total = 0
    while total < BODY and (chunk := await reader.read(HEAD)):
        total += len(chunk)
        writer.write(chunk)
        await writer.drain()


async def main() -> None:
    """Serve until the stack's life is over."""
    door = Door(os.environ["BAREME_TOKEN"], inside)
    server = await asyncio.start_server(door.serve, "0.0.0.0", PORT, limit=HEAD)  # noqa: S104
    with contextlib.suppress(TimeoutError):
        async with server, asyncio.timeout(float(os.environ["BAREME_LIFE"])):
            await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
