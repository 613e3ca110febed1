"""Files: whole or not there, named after team and exercise, never elsewhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from graders import reports
from graders.errors import UsageError
from graders.reports.files import write_text
from tests.reports import samples


def test_every_format_gets_its_file_in_a_folder_that_is_made(tmp_path: Path) -> None:
    out = tmp_path / "a" / "b"
    paths = reports.write(samples.good(), out, reports.REPORTERS)
    assert {name: path.name for name, path in paths.items()} == {
        "json": "les-entrepots-01_superset.json",
        "html": "les-entrepots-01_superset.html",
        "junit": "les-entrepots-01_superset.junit.xml",
        "markdown": "les-entrepots-01_superset.md",
    }
    assert sorted(out.iterdir()) == sorted(paths.values())
    assert reports.json.load(paths["json"]).score == 17.5


def test_writing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    first = {n: p.read_bytes() for n, p in reports.write(samples.bad(), tmp_path).items()}
    assert first == {n: p.read_bytes() for n, p in reports.write(samples.bad(), tmp_path).items()}


@pytest.mark.parametrize("team", ["../../x", "a\nb", "/etc/passwd", "\u202ex", "é" * 300, "..", ""])
def test_088_no_team_writes_elsewhere(tmp_path: Path, team: str) -> None:
    out = tmp_path / "out"
    paths = reports.write(replace(samples.good(), team=team), out)
    assert sorted(tmp_path.iterdir()) == [out]
    assert sorted(out.iterdir()) == sorted(paths.values())


def test_071_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "cible"
    target.write_text("intact")
    (tmp_path / "f").symlink_to(target)
    write_text(tmp_path / "f", "nouveau")
    assert target.read_text() == "intact"
    assert (tmp_path / "f").read_text() == "nouveau"


def test_a_failed_write_leaves_the_old_file_and_no_rest(tmp_path: Path) -> None:
    path = tmp_path / "f"
    write_text(path, "ancien")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "\ud800")
    assert path.read_text() == "ancien"
    assert list(tmp_path.iterdir()) == [path]


def test_an_unknown_format_is_named_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="pdf"):
        reports.write(samples.good(), tmp_path / "out", ["json", "pdf"])
    assert not (tmp_path / "out").exists()
