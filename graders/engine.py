"""Run a suite's checks in declared order, drills last. Pure but for the clock: no Docker, no files.

Three things can go wrong inside a check. A student's error (`StackError`, `ApiError`,
`OutOfBounds`) fails the criterion with its French message; a missing prerequisite skips it;
anything else is our fault: the criterion is an `error` and the report is marked to be regraded.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterator
from typing import Any

from graders.errors import ApiError, OutOfBounds, RubricError, StackError, Unchecked
from graders.model import Criterion, Finding, Result, Rubric, Stage, Status
from graders.suite import Check, Suite

log = logging.getLogger(__name__)
Clock = Callable[[], float]
STUDENTS_FAULT = (StackError, ApiError, OutOfBounds)


class Run:
    """One pass over a suite: remembers what passed, so that a later stage can depend on it."""

    def __init__(self, suite: Suite[Any], rubric: Rubric, clock: Clock = time.monotonic) -> None:
        self.suite = suite
        self.criteria = {c.id: c for c in rubric.criteria}
        self.clock = clock
        self.passed: set[str] = set()
        if odd := self.criteria.keys() ^ suite.checks.keys():
            raise RubricError(f"rubric and checks disagree on: {', '.join(sorted(odd))}")

    def stage(self, *stages: Stage) -> list[Check[Any]]:
        """Return the checks of these stages, live ones before drills, in declared order."""
        checks = [c for c in self.suite.checks.values() if c.stage in stages]
        return sorted(checks, key=lambda c: c.stage is Stage.DRILL)

    def run(
        self, context: Any, *stages: Stage, only: Collection[str] | None = None
    ) -> Iterator[Result]:
        """Yield one result per criterion of these stages; `only` names the checks to run."""
        for check in self.stage(*stages):
            if only is not None and check.name not in only:
                yield self._skip(check, "non vérifié ici")
            elif blocked := [n for n in check.after if n not in self.passed]:
                titles = ", ".join(f"« {self.criteria[n].title} »" for n in blocked)
                yield self._skip(check, f"non vérifié : dépend de {titles}")
            else:
                result = self._one(check, context)
                if result.status is Status.PASSED:
                    self.passed.add(check.name)
                yield result

    def fail(self, error: Exception, *stages: Stage) -> Iterator[Result]:
        """Yield a failure for every check of these stages: the student's stack is not there."""
        for check in self.stage(*stages):
            finding = Finding(0.0, str(error))
            yield Result(self.criteria[check.name], Status.FAILED, 0.0, finding, 0.0, check.stage)

    def error(self, error: BaseException, *stages: Stage) -> Iterator[Result]:
        """Yield an error for every check of these stages: the machine or the harness failed."""
        for check in self.stage(*stages):
            yield self._crash(check, error, 0.0)

    def skip(self, why: str, *stages: Stage) -> Iterator[Result]:
        """Yield a skipped result for every check of these stages."""
        for check in self.stage(*stages):
            yield self._skip(check, why)

    def _skip(self, check: Check[Any], why: str) -> Result:
        finding = Finding(0.0, why[:1].upper() + why[1:] + ".")
        return Result(self.criteria[check.name], Status.SKIPPED, 0.0, finding, 0.0, check.stage)

    def _crash(self, check: Check[Any], error: BaseException, seconds: float) -> Result:
        finding = Finding(
            0.0,
            "Erreur du correcteur ou de la machine : ce critère sera corrigé de nouveau.",
            seen=f"{type(error).__name__}: {error}"[:2000],
        )
        return Result(self.criteria[check.name], Status.ERROR, 0.0, finding, seconds, check.stage)

    def _one(self, check: Check[Any], context: Any) -> Result:
        criterion = self.criteria[check.name]
        start = self.clock()
        try:
            finding = check.run(context)
        except STUDENTS_FAULT as error:
            finding = Finding(0.0, str(error))
        except Unchecked as error:
            return self._skip(check, str(error))
        except Exception as error:
            log.exception("check %s crashed", criterion.id)
            return self._crash(check, error, self.clock() - start)
        return judged(criterion, finding, self.clock() - start, check.stage)


def judged(criterion: Criterion, finding: Finding, seconds: float, stage: Stage) -> Result:
    """Turn a finding into a result: points are the criterion's times the ratio, at 2 decimals."""
    if finding.ratio >= 1.0:
        status = Status.PASSED
    else:
        status = Status.PARTIAL if finding.ratio > 0.0 else Status.FAILED
    points = round(criterion.points * finding.ratio, 2)
    return Result(criterion, status, points, finding, seconds, stage)
