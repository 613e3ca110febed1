"""The corpus as values: a case is a folder `<number>_<slug>` with case.yaml and payload files.

case.yaml holds `title`, `class` (A to H), `outcome` (R, C, 0 or S of the corpus's table), `rule`
where the policy must name one, `exercise`, `stage` (static, docker, or graded: see test_graded.py)
or `untestable: reason`.
`payload/` is laid over `base/`, a minimal good submission. What git cannot hold is `setup`: links,
FIFOs, sparse files, names that collide. What must be said of, or missing from, the outcome:
`message`, `notice` (regular expressions), `absent`, `present` (texts of the plan), `gone` (files).
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
RUBRIC = HERE / "rubric.yaml"


@dataclass(frozen=True, slots=True)
class Case:
    """One hostile submission and what must become of it."""

    folder: Path
    title: str
    group: str
    outcome: str
    exercise: str = "07_dbt"
    stage: str = "static"
    rule: str = ""
    untestable: str = ""
    message: str = ""
    notice: str = ""
    absent: tuple[str, ...] = ()
    present: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    setup: tuple[dict[str, Any], ...] = ()
    more: dict[str, Any] = field(default_factory=dict)  # docker-stage cases' own keys

    @property
    def number(self) -> int:
        """Return the class of hostile submission, 1 to 133."""
        return int("".join(c for c in self.folder.name.split("_")[0] if c.isdigit()))


def load(folder: Path) -> Case:
    """Read one case."""
    data = yaml.safe_load((folder / "case.yaml").read_text("utf-8"))
    data["group"] = data.pop("class")
    known = {k: data.pop(k) for k in list(data) if k in Case.__slots__}
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in known.items()}
    return Case(folder=folder, more=data, **values)


def cases(*stages: str) -> list[Case]:
    """Return the cases of these stages, in the corpus's order."""
    found = [load(p.parent) for p in sorted(HERE.glob("[0-9]*/case.yaml"))]
    return [c for c in found if c.stage in stages]


def build(case: Case, place: Path) -> Path:
    """Write the submission of a case below `place` and return its folder."""
    folder = place / "submissions" / "equipe-hostile" / case.exercise
    shutil.copytree(HERE / "base", folder)
    lay(case, folder)
    return folder


def lay(case: Case, folder: Path) -> None:
    """Lay a case's payload, and what git cannot hold, over a submission."""
    if (payload := case.folder / "payload").is_dir():
        shutil.copytree(payload, folder, dirs_exist_ok=True)
    for step in case.setup:
        _make(folder, **step)


def _make(folder: Path, **step: Any) -> None:
    (kind, name), *_ = step.items()
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "link":
        path.symlink_to(step["to"])
    elif kind == "hardlink":
        path.hardlink_to(folder / step["to"])
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "sparse":
        with path.open("wb") as file:
            file.truncate(step["size"])
    else:
        path.write_text(step["text"], "utf-8")
        path.chmod(step.get("mode", 0o644))
