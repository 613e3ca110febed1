"""From the moment Superset answers to the last result: `python -m benchmarks.superset FOLDER`.

FOLDER is a submission, such as the solution of an unlocked correction, and may be followed by a
number of runs; the goal is 10 s on an idle
machine. The load beside each run tells how idle this one was.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

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


def main(folder: Path, runs: int) -> None:
    for _ in range(runs):
        seconds, score = once(folder)
        print(f"{seconds:6.1f} s  {score:g}/20  load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 3)
