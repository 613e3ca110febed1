from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from graders import doctor, images
from graders.commands import machine
from graders.errors import MachineError


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> Any:
        raise MachineError("Le moteur Docker ne répond pas. Sur une Debian : `make engine`.")

    monkeypatch.setattr(images, "engine", refuse)


def small(tmp_path: Path, available: int = 512 * 1024) -> doctor.Machine:
    """A machine with `available` KiB of memory, no cgroups and no programs."""
    (tmp_path / "meminfo").write_text(
        f"MemTotal:       2097152 kB\nMemAvailable:   {available} kB\n", "ascii"
    )
    return doctor.Machine(proc=tmp_path, cgroup=tmp_path, disk=tmp_path, path=str(tmp_path))


def test_a_bare_machine_is_told_what_to_type(tmp_path: Path, no_engine: None) -> None:
    items = {i.id: i for i in doctor.examine(small(tmp_path))}
    wrong = {name for name, item in items.items() if not item.ok}
    assert {"memoire_embarqué", "memoire_docker", "git", "iptables", "cgroup", "moteur"} <= wrong
    assert all(items[name].todo for name in wrong)
    assert items["moteur"].todo == "make engine"
    assert items["memoire_embarqué"].seen == "0.5 Gio libres sur 2.0"
    assert not doctor.ready(items.values(), doctor.Need.EMBEDDED)


def test_each_item_has_its_own_id(no_engine: None) -> None:
    ids = [item.id for item in doctor.examine()]
    assert len(ids) == len(set(ids))


def test_cgroups_of_both_versions(tmp_path: Path, no_engine: None) -> None:
    (tmp_path / "memory").mkdir()
    first = {i.id: i for i in doctor.examine(small(tmp_path))}["cgroup"]
    assert (first.ok, first.seen) == (True, "version 1")
    (tmp_path / "cgroup.controllers").touch()
    second = {i.id: i for i in doctor.examine(small(tmp_path))}["cgroup"]
    assert (second.ok, second.seen) == (True, "version 2")


@pytest.mark.parametrize(("memory", "code"), [(4 << 20, 0), (1024, 1)])
def test_exit_code_is_that_of_the_embedded_path(
    tmp_path: Path, no_engine: None, monkeypatch: pytest.MonkeyPatch, memory: int, code: int
) -> None:
    machine_ = small(tmp_path, memory)
    git = tmp_path / "git"
    git.touch(0o755)
    items = doctor.examine(machine_)
    monkeypatch.setattr(doctor, "examine", lambda: items)
    result = CliRunner().invoke(machine.doctor, ["--json"])
    assert result.exit_code == code
    value = json.loads(result.output)
    assert value["docker"] is False
    assert value["embedded"] is (code == 0)
    assert {i["id"] for i in value["items"]} == {i.id for i in items}
    assert CliRunner().invoke(machine.doctor).exit_code == code
