"""The grader's own share of the life of a 06 stack: `python -m benchmarks.airflow [RUNS]`.

The solution is graded; BAREME_PASSWORD opens it. From the stack's start to
its removal, the share is the CPU time of this process and of the commands that it runs, over the
wall time: the rest is spent waiting for Airflow. The goal is less than a tenth.
"""

from __future__ import annotations

import contextlib
import os
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import solutions
from graders import pipeline
from graders.model import Plan, Work
from graders.pipeline import Options


def used() -> float:
    """Return the CPU seconds of this process and of its children that have ended."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(u.ru_utime + u.ru_stime for u in map(resource.getrusage, kinds))


def once(folder: Path) -> tuple[float, float, float]:
    """Return the life of the stack, our CPU time in it, and the score."""
    marks: list[float] = []

    @contextlib.contextmanager
    def start(plan: Plan, work: Work, options: Options) -> Iterator[Any]:
        begin, cpu = time.perf_counter(), used()
        with pipeline.start(plan, work, options) as stack:
            yield stack
        marks.extend((time.perf_counter() - begin, used() - cpu))

    options = Options("docker", team="demo")
    with pipeline.scratch() as place:
        report = pipeline.grade_in(place, folder, "06_airflow", options, start)
    return marks[0], marks[1], report.score


def main(runs: int) -> None:
    with solutions.opened("06_airflow") as folder:
        for _ in range(runs):
            life, cpu, score = once(folder)
            share, load = cpu / life, os.getloadavg()[0]
            print(f"{life:6.1f} s, ours {cpu:4.1f} s: {share:.1%}  {score:g}/20  load {load:.1f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
