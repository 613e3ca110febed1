"""From the moment Superset answers to the last result: `python -m benchmarks.superset [RUNS]`.

The solution is graded; BAREME_PASSWORD opens it. The goal is 10 s on an idle machine; the load
beside each run tells how idle this one was.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from benchmarks import solutions
from graders import pipeline
from graders.model import Result

READY = "est prêt"


def once(folder: Path) -> tuple[float, float]:
    """Return the seconds from ready to the last result, and the score."""
    marks: dict[str, float] = {}

    def say(message: str) -> None:
        if READY in message:
            marks["ready"] = time.perf_counter()

    def on_result(_: Result) -> None:
        marks["last"] = time.perf_counter()

    options = pipeline.Options("docker", team="demo", say=say, on_result=on_result)
    report = pipeline.grade(folder, "01_superset", options)
    return marks["last"] - marks["ready"], report.score


def main(runs: int) -> None:
    with solutions.opened("01_superset") as folder:
        for _ in range(runs):
            seconds, score = once(folder)
            print(f"{seconds:6.1f} s  {score:g}/20  load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
