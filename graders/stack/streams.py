"""Read what a container writes, frame by frame, within a size and a time."""

from __future__ import annotations

import struct
import threading
import time
from dataclasses import dataclass
from typing import Any

STDOUT, STDERR = 1, 2
_READ = 1 << 16


@dataclass(frozen=True, slots=True)
class Output:
    """What a command in a service gave back."""

    code: int
    stdout: str
    stderr: str


class TooLong(Exception):  # noqa: N818 - a bound that was reached, mapped by who asked
    """The command is still at work when its time is over."""


class TooMuch(Exception):  # noqa: N818
    """The command wrote more than it may."""


class Attached:
    """A hijacked connection of the engine: frames of stdout and stderr one way, stdin the other."""

    def __init__(self, sock: Any) -> None:
        # The response's buffered reader may already hold the first frames, which the SDK's own
        # reader of the bare socket would lose.
        self._reader = sock._response.raw._fp.fp
        self._socket = sock._sock
        self._response = sock._response

    def __enter__(self) -> Attached:
        return self

    def __exit__(self, *_: object) -> None:
        self._response.close()

    def feed(self, data: bytes) -> None:
        """Send `data` as stdin in the background, then end it."""

        def send() -> None:
            try:
                self._socket.sendall(data)
                self._socket.shutdown(1)
            except OSError:
                pass  # the command left without reading all

        threading.Thread(target=send, daemon=True).start()

    def collect(self, deadline: float, limit: int) -> tuple[str, str]:
        """Return stdout and stderr once both have ended; TooLong, TooMuch."""
        parts: dict[int, bytearray] = {STDOUT: bytearray(), STDERR: bytearray()}
        while header := self._exactly(8, deadline):
            stream, size = struct.unpack(">BxxxL", header)
            if size + sum(map(len, parts.values())) > limit:
                raise TooMuch
            parts[stream if stream in parts else STDOUT] += self._exactly(size, deadline)
        out, err = (bytes(part).decode("utf-8", "replace") for part in parts.values())
        return out, err

    def _exactly(self, size: int, deadline: float) -> bytes:
        data = bytearray()
        while len(data) < size:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TooLong
            self._socket.settimeout(left)
            try:
                chunk = self._reader.read1(min(_READ, size - len(data)))
            except TimeoutError as error:
                raise TooLong from error
            if not chunk:
                break
            data += chunk
        return bytes(data)
