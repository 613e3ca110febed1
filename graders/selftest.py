"""Grade the grader: the solution must get everything, the starter nothing, each mutant its loss.

A mutant is a small patch of the solution that must lose exactly the criteria it names. Cases run
in `jobs` worker processes; within one, cases whose plan is the same share a running stack (the
files of the next case are put in the place of the last one's), and static mutants start nothing.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import shutil
import sys
from collections.abc import Iterator, Sequence
from concurrent import futures
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from graders import course, pipeline, rubric
from graders.errors import RubricError
from graders.model import Plan, Report, Rubric, Stage, Status, Work

SOLUTION, STARTER = "solution", "starter"


@dataclass(frozen=True, slots=True)
class Case:
    """One folder to grade, and the criteria that it must (`kills`) or may (`consequences`) lose.

    `static` cases are decided by files alone; `fresh` ones get a stack of their own.
    """

    name: str
    folder: Path
    kills: frozenset[str]
    consequences: frozenset[str] = frozenset()
    static: bool = False
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a case lost, and what is wrong with that (empty when all is as declared)."""

    case: str
    score: float
    lost: frozenset[str]
    defects: tuple[str, ...]
    seconds: float


def cases(correction: Path, starter: Path, rules: Rubric, into: Path) -> list[Case]:
    """Build the folders of all cases below `into` from an unlocked correction."""
    every = frozenset(c.id for c in rules.criteria)
    found = [
        Case(SOLUTION, _copy(correction / "solution", into / SOLUTION), frozenset()),
        Case(STARTER, _copy(starter, into / STARTER), every),
    ]
    for folder in sorted(p.parent for p in correction.glob("mutants/*/mutant.yaml")):
        spec = yaml.safe_load((folder / "mutant.yaml").read_text("utf-8"))
        place = _copy(correction / "solution", into / folder.name)
        for name in spec.get("delete", []):
            _remove(place / name)
        if (folder / "files").is_dir():
            shutil.copytree(folder / "files", place, dirs_exist_ok=True)
        kills = frozenset(spec["kills"])
        consequences = frozenset(spec.get("consequences", []))
        if odd := (kills | consequences) - every:
            raise RubricError(f"mutant {folder.name} names no criterion: {', '.join(odd)}")
        static, fresh = bool(spec.get("static")), bool(spec.get("fresh"))
        found.append(Case(folder.name, place, kills, consequences, static, fresh))
    return found


def run(
    exercise: str,
    todo: Sequence[Case],
    runtime: str,
    team: str,
    *,
    jobs: int,
) -> list[Verdict]:
    """Grade the cases and return a verdict for each, in their order; progress goes to stderr."""
    live = [c for c in todo if not c.static]
    shares: list[list[Case]] = [live[n::jobs] for n in range(jobs)]
    shares += [[c for c in todo if c.static]]
    verdicts: dict[str, Verdict] = {}
    context = multiprocessing.get_context("spawn")
    with futures.ProcessPoolExecutor(jobs + 1, mp_context=context) as pool:
        waiting = [pool.submit(_share, exercise, share, runtime, team) for share in shares if share]
        try:
            for ended in futures.as_completed(waiting):
                verdicts |= {v.case: v for v in ended.result()}
        except BaseException:
            for worker in multiprocessing.active_children():
                worker.terminate()  # their watchdogs remove the stacks
            raise
    return [verdicts[c.name] for c in todo]


def unkilled(rules: Rubric, verdicts: Sequence[Verdict]) -> list[str]:
    """Return the criteria that no mutant loses."""
    killed = {c for v in verdicts if v.case not in (SOLUTION, STARTER) for c in v.lost}
    return [c.id for c in rules.criteria if c.id not in killed]


def _share(exercise: str, share: Sequence[Case], runtime: str, team: str) -> list[Verdict]:
    """Grade some cases one after the other in this process, sharing a stack where plans agree."""
    rules = rubric.load(course.exercise(exercise))
    done = []
    with pipeline.scratch() as place, SharedStack() as shared:
        for case in share:
            options = pipeline.Options("static" if case.static else runtime, team=team)
            start = pipeline.start if case.fresh else shared
            report = pipeline.grade_in(place, case.folder, exercise, options, start)
            done.append(judge(case, report, rules))
            seconds = report.provenance.get("seconds", 0.0)
            print(f"  {exercise} {case.name}: {report.score:g} ({seconds:.0f} s)", file=sys.stderr)
    return done


class SharedStack(contextlib.AbstractContextManager["SharedStack"]):
    """Starts a plan's stack, and keeps it for the next plan if that is the same document."""

    def __init__(self) -> None:
        self._open = contextlib.ExitStack()
        self._print = ""
        self._stack: Any = None

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @contextlib.contextmanager
    def __call__(self, plan: Plan, work: Work, options: pipeline.Options) -> Iterator[Any]:
        """Give the running stack of `plan`."""
        text = json.dumps(plan.document, sort_keys=True)
        print_ = text.replace(plan.project, "").replace(plan.project.split("-")[-1], "")
        if print_ != self._print:
            self._open.close()
            self._print = ""
            self._stack = self._open.enter_context(pipeline.start(plan, work, options))
            self._print = print_
        yield self._stack


def judge(case: Case, report: Report, rules: Rubric) -> Verdict:
    """Compare what a case lost with what it should lose."""
    seen = [r for r in report.results if not case.static or r.stage is Stage.STATIC]
    lost = frozenset(r.criterion.id for r in seen if r.status is not Status.PASSED)
    errors = [r for r in seen if r.status is Status.ERROR]
    defects = [f"{r.criterion.id}: {r.finding.seen}" for r in errors]
    if case.name == STARTER:
        defects += [
            f"{r.criterion.id} gives {r.points:g} to the starter" for r in seen if r.points > 0
        ]
    else:
        defects += [f"{name} survives" for name in sorted(case.kills - lost)]
        defects += [
            f"{r.criterion.id} is lost too: {r.finding.message}"
            for r in seen
            if r.criterion.id in lost - case.kills - case.consequences
        ]
    if case.name == SOLUTION and report.score != rules.out_of:
        defects.append(f"the solution scores {report.score:g}, not {rules.out_of:g}")
    seconds = float(report.provenance.get("seconds", 0.0))
    return Verdict(case.name, report.score, lost, tuple(defects), seconds)


def _copy(source: Path, target: Path) -> Path:
    shutil.copytree(source, target)
    return target


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
