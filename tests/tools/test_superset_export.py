"""Exports as students hand them in: under other names, in other forms, damaged, hostile."""

from __future__ import annotations

import io
import json
import stat
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from graders.tools.superset import export as exports
from tests.tools.superset_samples import BASE, BIG, BOARD, PIE, documents, legacy, packed

NAME = "dashboard_export.zip"


def hand_in(root: Path, data: bytes, name: str = NAME) -> exports.Export:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_bytes(data)
    return exports.find(root)


def test_a_sound_export_is_read_whole(tmp_path: Path) -> None:
    found = hand_in(tmp_path, packed(documents()))
    assert (found.form, found.where, found.problems, found.notices) == ("zip", NAME, (), ())
    assert {kind: len(found.all(kind)) for kind in exports.KINDS} == {
        "dashboards": 1, "charts": 2, "datasets": 1, "databases": 1
    }  # fmt: skip
    assert found.importable


@pytest.mark.parametrize("name", ["mon export (2).zip", "Tableau/EXPORT.ZIP", "a/b/c é.zip"])
def test_it_is_found_whatever_its_name_and_place(tmp_path: Path, name: str) -> None:
    (tmp_path / "captures.zip").write_bytes(packed({"ecran.png": b"png"}))
    found = hand_in(tmp_path, packed(documents()), name)
    assert found.importable
    assert found.where == name


def test_the_asked_dashboard_is_preferred_to_a_larger_one(tmp_path: Path) -> None:
    other = documents()
    other[BOARD]["dashboard_title"] = "Brouillon"
    other |= {f"charts/Autre_{n}.yaml": other[PIE] for n in range(5)}
    (tmp_path / "brouillon.zip").write_bytes(packed(other))
    found = hand_in(tmp_path, packed(documents()), "final.zip")
    assert found.where == "final.zip"


def test_what_a_mac_adds_is_left_aside(tmp_path: Path) -> None:
    files: dict[str, Any] = {**documents(), ".DS_Store": b"\0", "charts/._Parts_1.yaml": b"\0\1"}
    raw = io.BytesIO(packed(files))
    with zipfile.ZipFile(raw, "a") as archive:
        archive.writestr("__MACOSX/x/charts/._Total_2.yaml", b"\0")
    found = hand_in(tmp_path, raw.getvalue())
    assert found.problems == ()
    assert len(found.all("charts")) == 2


def test_without_a_root_folder_it_is_read_and_said(tmp_path: Path) -> None:
    found = hand_in(tmp_path, packed(documents(), root=""))
    assert found.importable
    assert "dossier racine" in found.notices[0]


def test_without_metadata_it_is_read_and_said(tmp_path: Path) -> None:
    files = documents()
    del files["metadata.yaml"]
    found = hand_in(tmp_path, packed(files))
    assert found.importable
    assert "metadata.yaml" in found.problems[0]


def test_an_unzipped_export_is_read(tmp_path: Path) -> None:
    for name, document in documents().items():
        path = tmp_path / "export" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(document))
    found = exports.find(tmp_path)
    assert (found.form, found.where) == ("folder", "export")
    assert found.importable
    assert len(found.all("charts")) == 2


def test_an_unzipped_export_is_bounded_too(tmp_path: Path) -> None:
    (tmp_path / "charts").mkdir()
    (tmp_path / "metadata.yaml").write_text("version: 1.0.0")
    for n in range(101):
        (tmp_path / f"charts/G_{n}.yaml").write_text("a: 1")
    found = exports.find(tmp_path)
    assert "101 graphiques" in found.problems[0]
    assert not found.importable


@pytest.mark.parametrize(
    ("name", "content", "form", "charts"),
    [
        ("tableau.yaml", yaml.safe_dump(documents()[BOARD]).encode(), "yaml", 0),
        ("dashboard.json", json.dumps(documents()[BOARD]).encode(), "json", 0),
        ("api.json", json.dumps({"result": {
            "dashboard_title": "Analyse des ventes",
            "position_json": json.dumps(documents()[BOARD]["position"]),
            "json_metadata": json.dumps(documents()[BOARD]["metadata"]),
        }}).encode(), "json", 0),
        ("vieux.json", legacy("Analyse des ventes"), "json", 1),
    ],
)  # fmt: skip
def test_a_lone_dashboard_is_understood_but_not_enough(
    tmp_path: Path, name: str, content: bytes, form: str, charts: int
) -> None:
    found = hand_in(tmp_path, content, name)
    assert (found.form, found.importable) == (form, False)
    assert found.dashboard is not None
    assert found.dashboard["dashboard_title"] == "Analyse des ventes"
    assert len(found.dashboard["position"]) == 10
    assert len(found.all("charts")) == charts
    assert "il faut l'export entier" in found.problems[0]
    assert "icône « Export »" in found.problems[0]


def test_nothing_at_all(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("services: {}")
    (tmp_path / "autre.json").write_bytes(b"\xff{")
    assert exports.find(tmp_path) == exports.Export()


def slip() -> bytes:
    return packed({**documents(), "../../evil.yaml": b"a: 1"})


def link() -> bytes:
    raw = io.BytesIO(packed(documents()))
    with zipfile.ZipFile(raw, "a") as archive:
        info = zipfile.ZipInfo("x/charts/lien.yaml")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    return raw.getvalue()


def locked() -> bytes:
    raw = bytearray(packed({**documents()}))
    at = raw.rfind(b"PK\x01\x02")
    raw[at + 8] |= 1  # the last member says that it is encrypted
    return bytes(raw)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"pas un zip", "n'est pas un zip lisible"),
        (b"", "n'est pas un zip lisible"),
        (packed(documents())[:-200], "n'est pas un zip lisible"),
        (slip(), "sort du dossier"),
        (link(), "est un lien"),
        (locked(), "mot de passe"),
        (packed({**documents(), "charts/bombe.yaml": b"0" * (50 << 20)}), "décompressé"),
        (packed({f"charts/G_{n}.yaml": b"a: 1" for n in range(5_000)}), "5000 graphiques"),
        (packed({f"datasets/D_{n}.yaml": b"" for n in range(3_001)}), "3001 fichiers"),
    ],
)
def test_107_108_109_a_hostile_or_damaged_zip_is_refused_with_its_reason(
    tmp_path: Path, data: bytes, message: str
) -> None:
    found = hand_in(tmp_path, data)
    assert not found.importable
    assert message in " ".join(found.problems)


def test_the_whole_is_bounded_too(tmp_path: Path) -> None:
    many = {f"datasets/D_{n}.yaml": b"# " + b"x" * (250 << 10) for n in range(110)}
    found = hand_in(tmp_path, packed(many))
    assert "décompressé" in found.problems[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"slice_name: !!python/object/apply:os.system [ls]", "étiquette"),
        (b"a: &a [x, x]\nb: &b [*a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b]\n"
         + b"".join(b"k%d: &k%d [%s]\n" % (n, n, b", ".join([b"*c" if n == 0 else b"*k%d" % (n - 1)]
                    * 12)) for n in range(6)), "alias"),
        (b"a: 1\na: 2", "deux fois"),
        (b"a: [1", "YAML illisible"),
        (b"\xff\xfe", "UTF-8"),
        (b"- 1\n- 2", "attendu"),
    ],
)  # fmt: skip
def test_a_bad_file_is_named_and_the_others_are_read(
    tmp_path: Path, content: bytes, message: str
) -> None:
    found = hand_in(tmp_path, packed({**documents(), PIE: content}))
    assert PIE in found.problems[0]
    assert message in found.problems[0]
    assert list(found.all("charts")) == [BIG]


def test_a_pack_has_its_root_its_metadata_and_what_was_replaced() -> None:
    files = documents()
    del files["metadata.yaml"]
    found = exports.read(packed(files, root=""))
    kind, data = exports.pack(found, {BASE: b"database_name: Autre"})
    assert kind == "dashboard"
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert {name.split("/")[0] for name in archive.namelist()} == {"export"}
        assert yaml.safe_load(archive.read("export/metadata.yaml"))["type"] == "Dashboard"
        assert archive.read(f"export/{BASE}") == b"database_name: Autre"
        assert yaml.safe_load(archive.read(f"export/{PIE}")) == documents()[PIE]


def test_charts_alone_are_packed_as_charts() -> None:
    files = documents()
    del files[BOARD]
    assert exports.pack(exports.read(packed(files)), {})[0] == "chart"


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damage_anywhere_never_raises(data: st.DataObject) -> None:
    raw = bytearray(packed(documents()))
    for _ in range(data.draw(st.integers(1, 8))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    found = exports.read(bytes(raw))
    assert found.importable or found.problems or not found.documents
