"""Hostile archives: classes 107 to 111 (extraction) and 127 to 133 (encryption).

Each test's name begins with the number of its class.
"""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graders import vault
from graders.errors import UsageError, VaultError
from graders.vault import bundle, sealed

EX = "07_dbt"
PASSWORD = "un mot de passe pour l'essai"
FAST = vault.Cost(log2_n=4)
ROOT = Path(__file__).parents[1]


def hand_made(
    out: Path, content: bytes, exercise: str = EX, version: int = 1, cost: vault.Cost = FAST
) -> Path:
    """Seal any bytes, as somebody who knows the password could."""
    header = vault.Header(exercise, version, cost)
    cipher = sealed.derive(PASSWORD, cost, header.salt)
    with out.open("wb") as file:
        file.write(header.encode())
        with sealed.Sealer(file, cipher, header.encode()) as stream:
            stream.write(content)
    return out


def tar_of(
    *members: tuple[str, bytes | None], layout: int = tarfile.USTAR_FORMAT, **fields: object
) -> bytes:
    """Return a tar whose members are plain files, or take `fields` where they have no content."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", format=layout) as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if content is None:
                for key, value in fields.items():
                    setattr(info, key, value)
                tar.addfile(info)
            else:
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A good archive of a little over two chunks."""
    folder = tmp_path_factory.mktemp("whole")
    content = tar_of(("a.txt", os.urandom(150_000)), ("b/c.txt", b"c"))
    return hand_made(folder / "x", content).read_bytes()


def refusal(data: bytes, folder: Path, password: str = PASSWORD, exercise: str = EX) -> str:
    """Unlock `data`, which must fail and leave nothing; return the message."""
    archive = folder / f"{EX}.bareme"
    archive.write_bytes(data)
    before = sorted(folder.rglob("*"))
    with pytest.raises(VaultError) as error:
        vault.unlock(archive, exercise, password, folder / "out" / EX)
    assert sorted(folder.rglob("*")) == before
    return str(error.value)


def the_one_message(exercise: str = EX) -> str:
    return str(sealed.refused(exercise))


# ---- 127, 128: the ciphertext -----------------------------------------------------------------


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_127_any_changed_byte_is_refused(whole: bytes, tmp_path: Path, data: st.DataObject) -> None:
    # The header's own bytes are all tried in the next test.
    at = data.draw(st.integers(len(vault.Header(EX, 1, FAST).encode()), len(whole) - 1))
    change = data.draw(st.integers(1, 255))
    changed = bytearray(whole)
    changed[at] ^= change
    assert refusal(bytes(changed), tmp_path) == the_one_message()


@pytest.mark.parametrize("change", [0x01, 0x80])
def test_127_any_changed_byte_of_the_header_is_refused(
    whole: bytes, tmp_path: Path, change: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealed, "COST", FAST)  # what a header that can't be read is charged
    for at in range(len(vault.Header(EX, 1, FAST).encode())):
        changed = bytearray(whole)
        changed[at] ^= change
        assert refusal(bytes(changed), tmp_path) == the_one_message(), f"byte {at}"


def test_127_nothing_is_unpacked_before_the_last_chunk_has_been_checked(
    whole: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_early(*_: object) -> None:
        raise AssertionError("unpacked before the whole was authenticated")

    monkeypatch.setattr(bundle, "unpack", too_early)
    assert refusal(whole[:-1] + bytes([whole[-1] ^ 1]), tmp_path) == the_one_message()


def test_127_chunks_that_swap_places_or_come_twice_are_refused(
    whole: bytes, tmp_path: Path
) -> None:
    start, size = len(vault.Header(EX, 1, FAST).encode()), sealed.CHUNK + sealed.TAG
    header, body = whole[:start], whole[start:]
    first, second, last = body[:size], body[size : 2 * size], body[2 * size :]
    assert last
    for order in (
        (second, first, last),
        (first, first, second, last),
        (first, last),
        (last,),
        (first, second, last, last),
        (first, last, second),
    ):
        assert refusal(header + b"".join(order), tmp_path) == the_one_message()


def test_127_a_chunk_of_another_archive_with_the_same_key_is_refused(tmp_path: Path) -> None:
    salt, content = bytes(16), tar_of(("a.txt", os.urandom(100_000)))
    data = []
    for version in (1, 2):
        header = vault.Header(EX, version, FAST, salt)
        file = io.BytesIO(header.encode())
        file.seek(0, io.SEEK_END)
        with sealed.Sealer(file, sealed.derive(PASSWORD, FAST, salt), header.encode()) as stream:
            stream.write(content)
        data.append(file.getvalue())
    start = len(vault.Header(EX, 1, FAST).encode())
    cut = start + sealed.CHUNK + sealed.TAG
    for mixed in (data[0][:start] + data[1][start:], data[0][:cut] + data[1][cut:]):
        assert refusal(mixed, tmp_path) == the_one_message()


def test_128_a_truncated_archive_is_refused(
    whole: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealed, "COST", FAST)
    start, size = len(vault.Header(EX, 1, FAST).encode()), sealed.CHUNK + sealed.TAG
    boundaries = [start, start + size, start + 2 * size]
    cuts = {b + d for b in boundaries for d in (-1, 0, 1, sealed.TAG)} | {0, 1, 32, len(whole) - 1}
    for cut in sorted(cuts):
        assert refusal(whole[:cut], tmp_path) == the_one_message(), f"cut at {cut}"


def test_128_bytes_after_the_end_are_refused(whole: bytes, tmp_path: Path) -> None:
    for tail in (b"\0", b"x" * sealed.TAG, b"x" * (sealed.CHUNK + sealed.TAG), whole):
        assert refusal(whole + tail, tmp_path) == the_one_message()


def test_128_a_rolled_back_archive_is_refused_even_if_its_number_is_forged(
    whole: bytes, tmp_path: Path
) -> None:
    archive = tmp_path / "x"
    archive.write_bytes(whole)
    with pytest.raises(VaultError, match="version 2"):
        vault.unlock(archive, EX, PASSWORD, tmp_path / "out", at_least=2)
    forged = vault.Header(EX, 2, FAST, vault.read_header(archive).salt).encode()
    archive.write_bytes(forged + whole[len(forged) :])
    with pytest.raises(VaultError) as error:
        vault.unlock(archive, EX, PASSWORD, tmp_path / "out", at_least=2)
    assert str(error.value) == the_one_message()
    assert not (tmp_path / "out").exists()


# ---- 129, 130: one message, one cost ----------------------------------------------------------


@pytest.mark.parametrize("other", ["06_airflow", "07_db", "07_dbtx"])
def test_129_the_archive_of_another_exercise_under_this_name(other: str, tmp_path: Path) -> None:
    made = hand_made(tmp_path / "made", tar_of(("a", b"a")), exercise=other).read_bytes()
    assert refusal(made, tmp_path) == the_one_message()
    renamed = made.replace(other.encode(), EX.encode(), 1)
    assert refusal(renamed, tmp_path) == the_one_message()


def test_130_every_refusal_reads_the_same_and_derives_one_key(
    whole: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spent: list[int] = []
    derive = sealed.derive

    def counting(password: str, cost: vault.Cost, salt: bytes) -> object:
        spent.append(cost.memory * cost.p)
        return derive(password, FAST, salt)

    monkeypatch.setattr(sealed, "derive", counting)
    monkeypatch.setattr(sealed, "MAX_SEALED", len(whole) + 100)
    usual = hand_made(tmp_path / "usual", b"x", cost=vault.COST).read_bytes()
    stranger = hand_made(tmp_path / "s", b"x", "06_airflow", cost=vault.COST).read_bytes()
    greedy = usual[:9] + bytes([22, 32, 16]) + usual[12:]
    spent.clear()
    messages = {
        refusal(usual, tmp_path, password="pas celui-là"),
        refusal(usual[:-1], tmp_path),
        refusal(usual[:20], tmp_path),
        refusal(b"", tmp_path),
        refusal(b"PK\x03\x04" + usual, tmp_path),
        refusal(usual[:8] + b"\x02" + usual[9:], tmp_path),
        refusal(usual.replace(b"\r\n", b"\n", 1), tmp_path),
        refusal(stranger, tmp_path),
        refusal(greedy, tmp_path),
        refusal(usual + bytes(len(whole) + 101), tmp_path),
    }
    assert messages == {the_one_message()}
    assert spent == [vault.COST.memory] * 10


def test_130_a_file_above_the_size_limit_is_refused_even_if_well_sealed(
    whole: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealed, "MAX_SEALED", len(whole) - 1)
    assert refusal(whole, tmp_path) == the_one_message()


def test_130_a_header_cannot_ask_for_more_than_the_ceiling(tmp_path: Path) -> None:
    good = hand_made(tmp_path / "x", b"x").read_bytes()
    for numbers in ((30, 8, 1), (20, 8, 1), (17, 8, 5), (17, 255, 1), (10, 8, 0), (0, 8, 1)):
        asked = good[:9] + bytes(numbers) + good[12:]
        (tmp_path / "x").write_bytes(asked)
        with pytest.raises(VaultError):
            vault.read_header(tmp_path / "x")


# ---- 131, 132: what is left behind ------------------------------------------------------------

CHILD = """
import os, resource, subprocess, sys
from pathlib import Path
from graders import vault
from graders.commands.vault import password as ask
resource.setrlimit(resource.RLIMIT_CORE, resource.getrlimit(resource.RLIMIT_CORE)[1:] * 2)
password = ask(None)
vault.unlock(Path(sys.argv[1]), "07_dbt", password, Path(sys.argv[2]))
print(resource.getrlimit(resource.RLIMIT_CORE)[0])
print(subprocess.run(["env"], capture_output=True, text=True, check=True).stdout)
"""


def test_131_132_nothing_in_the_temporary_folder_no_core_dump_no_password_passed_on(
    whole: bytes, tmp_path: Path
) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    (tmp_path / "x").write_bytes(whole)
    run = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path / "x"), str(tmp_path / "out")],
        cwd=ROOT, check=True, capture_output=True, text=True,
        env={**os.environ, "TMPDIR": str(temporary), "BAREME_PASSWORD": PASSWORD},
    )  # fmt: skip
    core, _, environment = run.stdout.partition("\n")
    assert core == "0"
    assert "TMPDIR=" in environment
    assert PASSWORD not in environment + run.stderr
    assert "BAREME_PASSWORD" not in environment
    assert list(temporary.iterdir()) == []
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "tmp", "x"]


def test_131_clear_content_is_never_written_outside_the_target_s_side(
    whole: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("the common temporary folder was used")

    monkeypatch.setattr(tempfile, "gettempdir", forbidden)
    (tmp_path / "x").write_bytes(whole)
    assert vault.unlock(tmp_path / "x", EX, PASSWORD, tmp_path / "out").is_dir()


# ---- 133: the price of a guess ----------------------------------------------------------------


GUESS = r"""
import re, time
from pathlib import Path
from graders.vault import COST, sealed
def peak():
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) // 1024
memory, seconds = peak(), time.process_time()
sealed.derive("x", COST, bytes(16))
print(peak() - memory, time.process_time() - seconds)
"""


def test_133_one_guess_costs_time_and_memory_by_default() -> None:
    run = subprocess.run(
        [sys.executable, "-c", GUESS], cwd=ROOT, check=True, capture_output=True, text=True
    )
    memory, seconds = run.stdout.split()
    assert int(memory) >= 120  # MiB
    assert float(seconds) > 0.1  # of one processor


def test_133_the_default_is_what_sealing_uses(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "a").write_text("a")
    vault.seal(tmp_path / "s", EX, 1, PASSWORD, tmp_path / "x")
    assert vault.read_header(tmp_path / "x").cost == vault.Cost(17, 8, 1)
    assert vault.COST.memory == 128 * 2**20


# ---- 107 to 111: what a correctly sealed archive may not hold ---------------------------------


def rule_of(content: bytes, folder: Path) -> str:
    """Return the rule under which a sealed `content` is refused, nothing having been written."""
    data = hand_made(folder / "made", content).read_bytes()
    message = refusal(data, folder)
    return message[message.rindex("[") :]


@pytest.mark.parametrize(
    "name",
    [
        "../evil", "a/../../evil", "/evil", "//evil", "a//b", "./a", "a/./b", "..", ".",
        "C:evil", "..\\evil", "a\nb", "a\x1b[2Jb", "a\u202eb", "a\x07",
    ],
)  # fmt: skip
def test_107_a_name_that_would_leave_the_folder(name: str, tmp_path: Path) -> None:
    assert rule_of(tar_of(("good", b"1"), (name, b"2")), tmp_path) == "[archive-name]"
    assert list(tmp_path.rglob("evil")) == []


def test_107_a_refused_name_cannot_write_on_the_terminal(tmp_path: Path) -> None:
    data = hand_made(tmp_path / "made", tar_of(("a\x1b[2J\u202eb", b"1"))).read_bytes()
    assert refusal(data, tmp_path).isprintable()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
@pytest.mark.parametrize("target", ["/etc", "..", "good"])
def test_108_a_link_even_inside_the_folder(kind: bytes, target: str, tmp_path: Path) -> None:
    content = tar_of(
        ("good", b"1"), ("link", None), ("link/evil", b"2"), type=kind, linkname=target
    )
    assert rule_of(content, tmp_path) == "[archive-type]"


def test_108_the_long_path_trick_of_cve_2025_4517(tmp_path: Path) -> None:
    deep = "/".join(["d" * 200] * 20)
    content = tar_of((deep, None), layout=tarfile.PAX_FORMAT, type=tarfile.DIRTYPE)
    assert rule_of(content, tmp_path) == "[archive-type]"  # it needs an extended header


def test_109_a_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "MAX_BYTES", 10**6)
    assert rule_of(tar_of(("one", bytes(10**6 + 1))), tmp_path) == "[archive-size]"
    many = [(f"f{i}", bytes(300_000)) for i in range(4)]
    assert rule_of(tar_of(*many), tmp_path) == "[archive-size]"


def test_109_a_bomb_of_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "MAX_ENTRIES", 50)
    assert rule_of(tar_of(*[(f"f{i}", b"") for i in range(51)]), tmp_path) == "[archive-count]"


def test_109_sizes_that_lie(tmp_path: Path) -> None:
    for size in (-512, 2**62):
        info = tarfile.TarInfo("lie")
        info.size = size
        content = gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
        assert rule_of(content, tmp_path) == "[archive-size]"
    short = tarfile.TarInfo("short")
    short.size = 10_000
    content = gzip.compress(short.tobuf(tarfile.USTAR_FORMAT) + b"only this")
    assert rule_of(content, tmp_path) == "[archive-format]"


def test_109_an_extended_header_is_not_read_into_memory(tmp_path: Path) -> None:
    for layout in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        content = tar_of(("a" * 300, b"1"), layout=layout)
        assert rule_of(content, tmp_path) == "[archive-type]"
    sparse = tar_of(("sparse", None), type=tarfile.GNUTYPE_SPARSE)
    assert rule_of(sparse, tmp_path) == "[archive-type]"


@pytest.mark.parametrize(
    "names",
    [
        ("a", "A"), ("a", "a"), ("été", "e\u0301te\u0301"), ("straße", "STRASSE"),
        ("dir/a", "Dir/b"), ("a", "a/b"), ("a/b", "a"),
    ],
)  # fmt: skip
def test_110_names_that_collide(names: tuple[str, str], tmp_path: Path) -> None:
    content = tar_of(*[(n, b"1") for n in names])
    assert rule_of(content, tmp_path) == "[archive-collision]"


@pytest.mark.parametrize("kind", [tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, b"Z"])
def test_111_devices_and_fifos_inside(kind: bytes, tmp_path: Path) -> None:
    assert rule_of(tar_of(("odd", None), type=kind), tmp_path) == "[archive-type]"


def test_111_a_fifo_in_the_archive_s_place_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x")
    with pytest.raises(UsageError, match="Aucune archive"):
        vault.unlock(tmp_path / "x", EX, PASSWORD, tmp_path / "out")


def test_a_content_that_is_no_bundle(tmp_path: Path) -> None:
    for content in (b"", b"plain text", gzip.compress(b"x" * 2000), gzip.compress(b"")[:-3]):
        assert rule_of(content, tmp_path) == "[archive-format]"
