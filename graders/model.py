"""The values that flow through one grading run: frozen, no I/O, stdlib only."""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class Status(enum.Enum):
    """How one criterion ended."""

    PASSED = "passed"
    PARTIAL = "partial"
    FAILED = "failed"
    SKIPPED = "skipped"  # what it depends on did not pass, or was not asked for
    ERROR = "error"  # our fault: a human must look, never a zero


class Outcome(enum.Enum):
    """How a whole grading ended."""

    GRADED = "graded"
    REFUSED = "refused"  # the student's fault: nothing of theirs was started
    TO_REGRADE = "to_regrade"  # ours: at least one criterion is an error


class Stage(enum.Enum):
    """What a check needs: files only, the running tool, or the tool under faults and new data."""

    STATIC = "static"
    LIVE = "live"
    DRILL = "drill"


@dataclass(frozen=True, slots=True)
class Criterion:
    """A line of the barème. `title` and `hint` are in French; `points` are out of 20 in all."""

    id: str
    title: str
    points: float
    hint: str = ""
    human: bool = False  # an instructor's mark, where one is given, replaces the automatic one


@dataclass(frozen=True, slots=True)
class Limits:
    """What one student's whole stack may use. Memory and disk in MiB, times in seconds."""

    memory: int = 4096
    cpus: float = 2.0
    pids: int = 1024
    disk: int = 2048
    start: float = 180.0
    life: float = 1800.0


@dataclass(frozen=True, slots=True)
class Ready:
    """When a service counts as ready: an HTTP path (with port) answers below 400, or healthy."""

    service: str
    port: int | None = None
    path: str | None = None
    timeout: float = 180.0
    interval: float = 1.0


@dataclass(frozen=True, slots=True)
class Rubric:
    """What one exercise asks for, read from its rubric.yaml.

    `images` maps an official image name without its tag to the local equivalent built by
    `images/`; `report_headings` are the headings that resultats.md must have; `answers` gives the
    type and tolerance of each answer of reponses.yaml; `options` is the tool's own part.
    """

    exercise: str
    version: int
    title: str
    criteria: tuple[Criterion, ...]
    digest: str  # sha256 of the file, hex
    folder: Path
    deliverables: tuple[Mapping[str, Any], ...] = ()
    images: Mapping[str, str] = field(default_factory=dict)
    services: Mapping[str, Any] = field(default_factory=dict)
    ready: tuple[Ready, ...] = ()
    limits: Limits = field(default_factory=Limits)
    answers: Mapping[str, Any] = field(default_factory=dict)
    report_headings: tuple[str, ...] = ()
    report_words: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def out_of(self) -> float:
        """Return the sum of the criteria's points."""
        return round(sum(c.points for c in self.criteria), 2)


@dataclass(frozen=True, slots=True)
class Submission:
    """A clean copy of a student's folder: no links, no devices, bounded in size.

    `notices` say in French what was found elsewhere than asked, or left out, and why.
    """

    exercise: str
    team: str
    root: Path
    commit: str
    digest: str  # sha256 over names and contents, hex
    members: tuple[str, ...] = ()
    answers: Mapping[str, Any] = field(default_factory=dict)
    access: Mapping[str, str] = field(default_factory=dict)
    notices: tuple[str, ...] = ()
    problems: Mapping[str, str] = field(default_factory=dict)  # deliverable -> why it is unusable


@dataclass(frozen=True, slots=True)
class Work:
    """One grading: the submission, its rubric, the two seeds and where to put things.

    `data` holds the regenerated data of the team, `hidden` the same files for the hidden seed,
    `results` is what the stack may write; all three lie in `scratch`, which is removed afterwards.
    """

    submission: Submission
    rubric: Rubric
    seed: int
    hidden_seed: int
    scratch: Path

    @property
    def data(self) -> Path:
        """Return the folder mounted in the place of ./donnees."""
        return self.scratch / "donnees"

    @property
    def hidden(self) -> Path:
        """Return the folder of the hidden data, same file names as `data`."""
        return self.scratch / "cachees"

    @property
    def results(self) -> Path:
        """Return the folder mounted in the place of ./resultats."""
        return self.scratch / "resultats"


@dataclass(frozen=True, slots=True)
class Plan:
    """A Compose document that the policy accepted and rewrote; the only thing that is started."""

    project: str
    document: Mapping[str, Any]
    notices: tuple[str, ...] = ()  # what was replaced, in French


@dataclass(frozen=True, slots=True)
class Plot:
    """Two series to draw side by side in the report: what was expected and what was seen."""

    title: str
    labels: tuple[str, ...]
    wanted: tuple[float, ...]
    seen: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check saw: how much of the criterion holds (0 to 1), and the evidence, in French."""

    ratio: float
    message: str = ""
    seen: str = ""
    wanted: str = ""
    hint: str = ""  # a precise hint; where empty, the rubric's is shown
    plots: tuple[Plot, ...] = ()

    def __post_init__(self) -> None:
        if not (math.isfinite(self.ratio) and 0.0 <= self.ratio <= 1.0):
            raise ValueError(f"a ratio lies between 0 and 1, not {self.ratio}")


@dataclass(frozen=True, slots=True)
class Result:
    """How one criterion ended, and what it was worth."""

    criterion: Criterion
    status: Status
    points: float
    finding: Finding
    seconds: float
    stage: Stage


@dataclass(frozen=True, slots=True)
class Report:
    """The end of one grading. `provenance` allows it to be replayed and defended."""

    exercise: str
    title: str
    team: str
    members: tuple[str, ...]
    commit: str
    outcome: Outcome
    results: tuple[Result, ...]
    out_of: float
    notices: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def score(self) -> float:
        """Return the points won, at two decimals, never above `out_of`."""
        return min(round(sum(r.points for r in self.results), 2), self.out_of)
