"""The sealed format: header, key derivation, authenticated chunks.

Described in docs/reference/format-bareme.md.
"""

from __future__ import annotations

import io
import re
import secrets
import struct
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from graders.errors import MachineError, VaultError

# Like PNG's: the high byte and the line ends break at once where a tool copied it as text.
MAGIC = b"\x89BRM\r\n\x1a\n"
FORMAT = 1
CHUNK = 64 * 1024
TAG = 16
MAX_SEALED = 640 * 1024 * 1024
MAX_KDF_WORK = 512 * 1024 * 1024
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}", re.ASCII)
_FIXED = struct.Struct(">8sBBBB16sIB")


@dataclass(frozen=True, slots=True)
class Cost:
    """What deriving one key costs with scrypt; the default takes 128 MiB and about 0.4 s."""

    log2_n: int = 17
    r: int = 8
    p: int = 1

    @property
    def memory(self) -> int:
        """Return the bytes that one derivation allocates."""
        return int(128 * self.r << self.log2_n)

    @property
    def allowed(self) -> bool:
        """Tell whether the parameters are valid and below the ceiling of memory times passes."""
        return (
            1 <= self.log2_n <= 22
            and 8 <= self.r <= 32
            and 1 <= self.p <= 16
            and self.memory * self.p <= MAX_KDF_WORK
        )


COST = Cost()


@dataclass(frozen=True, slots=True)
class Header:
    """The clear beginning of an archive; every chunk is bound to all of it."""

    exercise: str
    version: int
    cost: Cost = COST
    salt: bytes = field(default_factory=lambda: secrets.token_bytes(16))

    def __post_init__(self) -> None:
        if not (NAME.fullmatch(self.exercise) and 1 <= self.version < 2**32 and self.cost.allowed):
            raise ValueError(f"not a header that can be written: {self}")

    def encode(self) -> bytes:
        """Return the header's bytes, which are also the associated data of every chunk."""
        name = self.exercise.encode("ascii")
        cost = self.cost
        numbers = (FORMAT, cost.log2_n, cost.r, cost.p, self.salt, self.version, len(name))
        return _FIXED.pack(MAGIC, *numbers) + name

    @staticmethod
    def read(file: BinaryIO) -> Header | None:
        """Read a header, or return None where there is none that this version accepts."""
        fixed = file.read(_FIXED.size)
        if len(fixed) < _FIXED.size:
            return None
        magic, version_of_format, log2_n, r, p, salt, version, length = _FIXED.unpack(fixed)
        name = file.read(length)
        if (magic, version_of_format) != (MAGIC, FORMAT) or len(name) < length:
            return None
        try:
            return Header(name.decode("ascii"), version, Cost(log2_n, r, p), salt)
        except ValueError:
            return None


def derive(password: str, cost: Cost, salt: bytes) -> AESGCM:
    """Turn a password into the archive's cipher; this is the step that is slow on purpose."""
    text = unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
    kdf = Scrypt(salt=salt, length=32, n=1 << cost.log2_n, r=cost.r, p=cost.p)
    try:
        return AESGCM(kdf.derive(text))
    except MemoryError:
        need = cost.memory // 2**20
        raise MachineError(f"Mémoire insuffisante : il faut {need} Mio pour la clé.") from None


class Sealer(io.RawIOBase):
    """A writable stream that encrypts what it is given, chunk by chunk; closing writes the last."""

    def __init__(self, file: BinaryIO, cipher: AESGCM, header: bytes) -> None:
        self._file, self._cipher, self._header = file, cipher, header
        self._pending = bytearray()
        self._count = 0

    def writable(self) -> bool:
        """Say that this stream is for writing."""
        return True

    def write(self, data: bytes | bytearray | memoryview) -> int:  # type: ignore[override]
        """Take bytes; a chunk goes out once it is full and known not to be the last."""
        self._pending += data
        while len(self._pending) > CHUNK:
            self._emit(bytes(self._pending[:CHUNK]), last=False)
            del self._pending[:CHUNK]
        return len(data)

    def close(self) -> None:
        """Write the last chunk, marked as such; the file stays open."""
        if not self.closed:
            self._emit(bytes(self._pending), last=True)
        super().close()

    def _emit(self, chunk: bytes, *, last: bool) -> None:
        self._file.write(self._cipher.encrypt(_nonce(self._count, last), chunk, self._header))
        self._count += 1


class Opened:
    """A sealed file with its key derived for the exercise that the caller expects.

    Damage never shows before the key has been derived, so every refusal costs the same.
    """

    def __init__(self, file: BinaryIO, exercise: str, password: str) -> None:
        self._file, self._exercise = file, exercise
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        header = Header.read(file)
        self._start = file.tell()
        cost, salt = (header.cost, header.salt) if header else (COST, bytes(16))
        self._cipher = derive(password, cost, salt)
        if header is None or header.exercise != exercise or size > MAX_SEALED:
            raise refused(exercise)
        self.version = header.version
        self._header = header.encode()

    def chunks(self) -> Iterator[bytes]:
        """Yield the content from its start, each piece authenticated; fail on any damage."""
        self._file.seek(self._start)
        count, block = 0, self._file.read(CHUNK + TAG)
        while True:
            following = self._file.read(CHUNK + TAG)
            try:
                yield self._cipher.decrypt(_nonce(count, not following), block, self._header)
            except (InvalidTag, ValueError):
                raise refused(self._exercise) from None
            if not following:
                return
            count, block = count + 1, following

    def stream(self) -> io.BufferedReader:
        """Return the content as a readable stream."""
        return io.BufferedReader(_Plain(self.chunks()), CHUNK)


class _Plain(io.RawIOBase):
    """Bytes from an iterator of chunks."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        self._left = self._left or next(self._chunks, b"")
        size = min(len(buffer), len(self._left))
        buffer[:size] = self._left[:size]
        self._left = self._left[size:]
        return size


def refused(exercise: str) -> VaultError:
    """Return the one error for a wrong password, damage, and another exercise's archive."""
    return VaultError(
        f"Impossible d'ouvrir l'archive scellée de « {exercise} » : mot de passe incorrect, "
        "ou fichier endommagé, ou archive d'un autre exercice. Rien n'a été écrit."
    )


def _nonce(count: int, last: bool) -> bytes:
    return count.to_bytes(11, "big") + bytes([last])
