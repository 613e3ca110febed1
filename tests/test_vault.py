"""Sealed archives: what goes in comes out, all of it or nothing."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from graders import vault
from graders.errors import MachineError, UsageError, VaultError
from graders.vault import bundle, sealed

EX = "07_dbt"
PASSWORD = "un mot de passe pour l'essai"
FAST = vault.Cost(log2_n=8)
ROOT = Path(__file__).parents[1]


@pytest.fixture
def solution(tmp_path: Path) -> Path:
    folder = tmp_path / "solution"
    (folder / "modèles" / "vide").mkdir(parents=True)
    (folder / "modèles" / "fct_ventes.sql").write_text("select 1 -- été\n", "utf-8")
    (folder / "rien").write_bytes(b"")
    (folder / "gros").write_bytes(os.urandom(200_000))
    script = folder / "run.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    return folder


@pytest.fixture
def archive(solution: Path, tmp_path: Path) -> Path:
    out = tmp_path / "solutions_encrypted" / f"{EX}.bareme"
    vault.seal(solution, EX, 3, PASSWORD, out, cost=FAST)
    return out


def contents(folder: Path) -> dict[str, tuple[bytes | None, bool]]:
    return {
        p.relative_to(folder).as_posix(): (
            None if p.is_dir() else p.read_bytes(),
            p.is_file() and os.access(p, os.X_OK),
        )
        for p in folder.rglob("*")
    }


def listing(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*"))


def test_round_trip(archive: Path, solution: Path, tmp_path: Path) -> None:
    to = vault.unlock(archive, EX, PASSWORD, tmp_path / "corrections" / EX)
    assert contents(to) == contents(solution)
    assert listing(tmp_path / "corrections") == [EX, *(f"{EX}/{n}" for n in listing(solution))]
    assert (to / "run.sh").stat().st_mode & 0o777 == 0o777 & ~_umask()
    assert to.stat().st_mode & 0o777 == 0o777 & ~_umask()


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def test_the_header_is_readable_without_a_password(archive: Path) -> None:
    header = vault.read_header(archive)
    assert (header.exercise, header.version, header.cost) == (EX, 3, FAST)


def test_two_seals_hold_the_same_bytes_and_share_none_of_the_ciphertext(
    archive: Path, solution: Path, tmp_path: Path
) -> None:
    for path in solution.rglob("*"):
        os.utime(path, (1, 1))
    again = tmp_path / "again.bareme"
    vault.seal(solution, EX, 3, PASSWORD, again, cost=FAST)
    start = len(vault.read_header(archive).encode())
    assert archive.read_bytes()[start : start + 64] != again.read_bytes()[start : start + 64]

    def plain(path: Path) -> bytes:
        with path.open("rb") as file:
            return b"".join(sealed.Opened(file, EX, PASSWORD).chunks())

    assert plain(archive) == plain(again)


def test_a_reader_written_from_the_documentation_alone(archive: Path) -> None:
    data = archive.read_bytes()
    assert data[:9] == b"\x89BRM\r\n\x1a\n\x01"
    log2_n, r, p = data[9], data[10], data[11]
    salt, version, length = data[12:28], int.from_bytes(data[28:32], "big"), data[32]
    header, body = data[: 33 + length], data[33 + length :]
    assert (header[33:], version) == (EX.encode(), 3)
    key = hashlib.scrypt(PASSWORD.encode(), salt=salt, n=1 << log2_n, r=r, p=p, dklen=32)
    blocks = [body[i : i + 65552] for i in range(0, len(body), 65552)]
    plain = b"".join(
        AESGCM(key).decrypt(i.to_bytes(11, "big") + bytes([i == len(blocks) - 1]), block, header)
        for i, block in enumerate(blocks)
    )
    assert len(blocks) > 2
    assert plain[:2] == b"\x1f\x8b"
    assert plain[4:8] == bytes(4)  # gzip's date


# Made by the first release: whatever changes, archives that were handed out must still open.
FIRST = bytes.fromhex(
    "8942524d0d0a1a0a010808016bf432272a3f86dd1a74056694a0e9f9000000010630375f646274685ab9107c73e4"
    "f35a238337fdad008e542ad76eeb6398f227dbd2438e6fdb75a74a9d69ec56bf5103c5a2e987fdeab9d916a95d9d"
    "fc7288784699cdd23a139729ebc761ba135fb724f7edf39fc6d82501f3b190ecc3aede829815d7dc9fc1eafab8c4"
    "128565f3e5ac5ac3c5085f453b0e07408f4d582615cd971c46535c1f7a9319c7c1d213bafc6a3fd13a105b280ecc"
    "9faa2bede1c042948d8e"
)


def test_an_archive_of_format_1_opens_for_ever(tmp_path: Path) -> None:
    old = tmp_path / "old.bareme"
    old.write_bytes(FIRST)
    to = vault.unlock(old, EX, PASSWORD, tmp_path / "out")
    assert contents(to) == {"a": (None, False), "a/été.txt": (b"bonjour\n", False)}


def test_accents_of_a_password_typed_on_another_system(solution: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.bareme"
    vault.seal(solution, EX, 1, "d\u00e9j\u00e0 vu, encore", out, cost=FAST)
    assert vault.verify(out, EX, "de\u0301ja\u0300 vu, encore") == 1


@pytest.mark.parametrize("size", [0, 1, sealed.CHUNK - 1, sealed.CHUNK, sealed.CHUNK + 1])
@pytest.mark.parametrize("piece", [1000, 10**6])
def test_chunks_of_every_size(size: int, piece: int, tmp_path: Path) -> None:
    header = vault.Header(EX, 1, FAST)
    data = os.urandom(size)
    with (tmp_path / "x").open("w+b") as file:
        file.write(header.encode())
        cipher = sealed.derive(PASSWORD, FAST, header.salt)
        with sealed.Sealer(file, cipher, header.encode()) as stream:
            for start in range(0, size, piece):
                stream.write(data[start : start + piece])
        chunks = list(sealed.Opened(file, EX, PASSWORD).chunks())
    assert b"".join(chunks) == data
    assert len(chunks) == max(1, -(-size // sealed.CHUNK))


def test_an_existing_folder_is_never_replaced_silently(archive: Path, tmp_path: Path) -> None:
    to = tmp_path / "mine"
    to.mkdir()
    (to / "work.sql").write_text("select 42")
    with pytest.raises(UsageError, match="--force"):
        vault.unlock(archive, EX, PASSWORD, to)
    assert listing(to) == ["work.sql"]


def test_force_swaps_the_whole_folder(archive: Path, solution: Path, tmp_path: Path) -> None:
    to = tmp_path / "out" / "mine"
    to.mkdir(parents=True)
    (to / "work.sql").write_text("select 42")
    vault.unlock(archive, EX, PASSWORD, to, force=True)
    assert contents(to) == contents(solution)
    assert [p.name for p in to.parent.iterdir()] == ["mine"]


def test_force_with_a_wrong_password_keeps_the_old_folder(archive: Path, tmp_path: Path) -> None:
    to = tmp_path / "mine"
    to.mkdir()
    (to / "work.sql").write_text("select 42")
    with pytest.raises(VaultError):
        vault.unlock(archive, EX, "un tout autre mot", to, force=True)
    assert listing(to) == ["work.sql"]


def test_force_does_not_replace_what_it_should_not(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository, link, file = tmp_path / "repo", tmp_path / "link", tmp_path / "file"
    (repository / ".git").mkdir(parents=True)
    (repository / "inner").mkdir()
    (tmp_path / "elsewhere").mkdir()
    link.symlink_to(tmp_path / "elsewhere")
    file.write_text("x")
    monkeypatch.chdir(repository / "inner")
    before = listing(tmp_path)
    for to in (repository, link, file, Path(), Path(".."), tmp_path, Path.home(), Path("/")):
        with pytest.raises(UsageError, match="ne sera pas remplacé"):
            vault.unlock(archive, EX, PASSWORD, to, force=True)
    assert listing(tmp_path) == before


def test_an_interrupted_swap_gives_the_old_folder_back(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    to = tmp_path / "mine"
    to.mkdir()
    (to / "work.sql").write_text("select 42")
    before = listing(tmp_path)
    rename = Path.rename

    def interrupted(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        vault.unlock(archive, EX, PASSWORD, to, force=True)
    assert listing(tmp_path) == before


def test_interrupted_while_extracting_leaves_nothing(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = listing(tmp_path)
    unpack = bundle._unpack_one

    def interrupted(tar: object, member: object, path: Path) -> None:
        unpack(tar, member, path)  # type: ignore[arg-type]
        if path.name == "gros":
            assert path.stat().st_size == 200_000
            raise KeyboardInterrupt

    monkeypatch.setattr(bundle, "_unpack_one", interrupted)
    with pytest.raises(KeyboardInterrupt):
        vault.unlock(archive, EX, PASSWORD, tmp_path / "corrections" / EX)
    assert listing(tmp_path) == before


def test_while_extracting_nobody_else_can_look(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes = []
    unpack = bundle.unpack

    def looking(stream: object, to: Path) -> None:
        modes.append((to.parent.parent, to.parent.stat().st_mode & 0o777))
        unpack(stream, to)  # type: ignore[arg-type]

    monkeypatch.setattr(bundle, "unpack", looking)
    vault.unlock(archive, EX, PASSWORD, tmp_path / "out")
    assert modes == [(tmp_path, 0o700)]


def test_two_unlocks_at_once_give_one_whole_folder(
    archive: Path, solution: Path, tmp_path: Path
) -> None:
    barrier = threading.Barrier(4)
    ends: list[str] = []

    def one() -> None:
        barrier.wait()
        try:
            vault.unlock(archive, EX, PASSWORD, tmp_path / "out" / EX)
            ends.append("done")
        except UsageError:
            ends.append("refused")

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ends) == ["done", "refused", "refused", "refused"]
    assert contents(tmp_path / "out" / EX) == contents(solution)
    assert [p.name for p in (tmp_path / "out").iterdir()] == [EX]


def test_an_older_version_than_the_rubric_is_refused(archive: Path, tmp_path: Path) -> None:
    before = listing(tmp_path)
    with pytest.raises(VaultError, match=r"version 3.*version 4"):
        vault.unlock(archive, EX, PASSWORD, tmp_path / "out", at_least=4)
    assert listing(tmp_path) == before
    assert vault.unlock(archive, EX, PASSWORD, tmp_path / "out", at_least=3).is_dir()


def test_sealing_never_goes_back_to_an_older_version(archive: Path, solution: Path) -> None:
    sealed_before = archive.read_bytes()
    with pytest.raises(UsageError, match="recul"):
        vault.seal(solution, EX, 2, PASSWORD, archive, cost=FAST)
    assert archive.read_bytes() == sealed_before
    vault.seal(solution, EX, 4, PASSWORD, archive, cost=FAST)
    assert vault.verify(archive, EX, PASSWORD) == 4


def test_rekey_changes_the_password_and_nothing_else(
    archive: Path, solution: Path, tmp_path: Path
) -> None:
    vault.rekey(archive, EX, PASSWORD, "le nouveau mot", cost=FAST)
    with pytest.raises(VaultError):
        vault.verify(archive, EX, PASSWORD)
    to = vault.unlock(archive, EX, "le nouveau mot", tmp_path / "out", at_least=3)
    assert contents(to) == contents(solution)
    assert vault.read_header(archive).version == 3
    assert [p.name for p in archive.parent.iterdir()] == [archive.name]


def test_rekey_with_a_wrong_password_changes_nothing(archive: Path) -> None:
    before = archive.read_bytes()
    with pytest.raises(VaultError):
        vault.rekey(archive, EX, "pas le bon mot", "le nouveau mot", cost=FAST)
    assert archive.read_bytes() == before
    assert [p.name for p in archive.parent.iterdir()] == [archive.name]


@pytest.mark.parametrize("make", ["link", "folder_link", "fifo", "collision", "empty", "long"])
def test_what_could_not_be_unlocked_is_not_sealed(make: str, tmp_path: Path) -> None:
    folder, out = tmp_path / "s", tmp_path / "out" / "x.bareme"
    folder.mkdir()
    match make:
        case "link":
            (folder / "x").symlink_to("/etc/passwd")
        case "folder_link":
            (folder / "x").symlink_to("/etc")
        case "fifo":
            os.mkfifo(folder / "x")
        case "collision":
            (folder / "Été").write_text("1")
            (folder / "e\u0301té").write_text("2")
        case "long":
            (folder / ("a" * 200)).write_text("1")
    rule = {"folder_link": "type", "link": "type", "fifo": "type", "long": "name"}.get(make, make)
    with pytest.raises(VaultError, match=rf"\[archive-{rule}\]"):
        vault.seal(folder, EX, 1, PASSWORD, out, cost=FAST)
    assert listing(out.parent) == []


def test_bad_arguments(archive: Path, solution: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.bareme"
    with pytest.raises(UsageError, match="8 caractères"):
        vault.seal(solution, EX, 1, "court", out, cost=FAST)
    with pytest.raises(UsageError, match="8 caractères"):
        vault.rekey(archive, EX, PASSWORD, "", cost=FAST)
    with pytest.raises(UsageError, match="Nom d'exercice"):
        vault.seal(solution, "../07", 1, PASSWORD, out, cost=FAST)
    with pytest.raises(UsageError, match="Nom d'exercice"):
        vault.unlock(archive, "../07", PASSWORD, tmp_path / "out")
    with pytest.raises(UsageError, match="version"):
        vault.seal(solution, EX, 0, PASSWORD, out, cost=FAST)
    with pytest.raises(UsageError, match="introuvable"):
        vault.seal(tmp_path / "nowhere", EX, 1, PASSWORD, out, cost=FAST)
    with pytest.raises(UsageError, match="dans le dossier"):
        vault.seal(solution, EX, 1, PASSWORD, solution / "x.bareme", cost=FAST)
    with pytest.raises(UsageError, match="Aucune archive"):
        vault.unlock(tmp_path / "nowhere.bareme", EX, PASSWORD, tmp_path / "out")
    with pytest.raises(VaultError, match="n'est pas une archive"):
        vault.read_header(solution / "gros")
    assert not out.exists()


def test_a_folder_that_cannot_be_made_is_the_machines_fault(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    before = listing(tmp_path)
    with pytest.raises(MachineError, match="Impossible d'écrire"):
        vault.unlock(archive, EX, PASSWORD, tmp_path / "file" / "out")
    assert listing(tmp_path) == before


def test_a_full_disk_is_the_machines_fault(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bundle, "_unpack_one", full)
    before = listing(tmp_path)
    with pytest.raises(MachineError, match="No space left"):
        vault.unlock(archive, EX, PASSWORD, tmp_path / "out")
    assert listing(tmp_path) == before


def test_no_memory_for_the_key_is_the_machines_fault(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Greedy:
        def __init__(self, **_: object) -> None: ...

        def derive(self, _: bytes) -> bytes:
            raise MemoryError

    monkeypatch.setattr(sealed, "Scrypt", Greedy)
    with pytest.raises(MachineError, match="Mémoire insuffisante"):
        vault.unlock(archive, EX, PASSWORD, tmp_path / "out")


LARGE = r"""
import re, sys
from pathlib import Path
from graders import vault
folder, out, to = map(Path, sys.argv[1:])
cost = vault.Cost(log2_n=8)
def peak():  # not ru_maxrss, which a child inherits from its parent
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) // 1024
before = peak()
vault.seal(folder, "07_dbt", 1, "large archive", out, cost=cost)
vault.rekey(out, "07_dbt", "large archive", "larger archive", cost=cost)
vault.unlock(out, "07_dbt", "larger archive", to)
print(peak() - before)
"""


def test_fifty_megabytes_in_bounded_memory(tmp_path: Path) -> None:
    folder = tmp_path / "large"
    folder.mkdir()
    block = os.urandom(2**20)
    with (folder / "data.bin").open("wb") as file:
        for _ in range(50):
            file.write(block)
    arguments = [str(folder), str(tmp_path / "x.bareme"), str(tmp_path / "out")]
    run = subprocess.run(
        [sys.executable, "-c", LARGE, *arguments],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert contents(tmp_path / "out") == contents(folder)
    assert int(run.stdout) < 16  # MiB
