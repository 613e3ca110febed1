"""What grading 04 costs beside Spark's own time: `python -m benchmarks.spark [--rows 1000000]`.

The job is played: the expected results are put in its place, with the event log of a real one's
size. All else is what a grading does: the answers about the team's whole data, both data sets, the
true results, reading and comparing. The goal is less than 5 s at one million rows; the graded
runs themselves have fewer.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pandas as pd

from graders import course, rubric
from graders.clients.spark import read_log
from graders.model import Submission, Work
from graders.tools import spark_session
from graders.tools.spark_runner import Ended
from graders.tools.spark_session import EXERCISE, Session

APP = "app-20250101000000-0000"
TASKS = 500


class Played:
    """A job that takes no time: its results and its log are ready."""

    def __init__(self, results: Path, ready: list[Mapping[str, pd.DataFrame]]) -> None:
        self.results, self.ready = results, ready
        self.spent = 0.0  # writing the results, which is Spark's part

    def feed(self, _: Path) -> None: ...

    def executors(self, _: str) -> set[str]:
        return {"0"}

    def run(self, _: float) -> Ended:
        start = time.perf_counter()
        shutil.rmtree(self.results, ignore_errors=True)
        for name, table in self.ready.pop(0).items():
            (self.results / name).mkdir(parents=True)
            table.to_csv(self.results / name / "part-00000.csv", index=False)
        (self.results / APP).write_text("".join(json.dumps(e) + "\n" for e in events()))
        self.spent += time.perf_counter() - start
        return Ended(0, "", "", 0.0, {APP: "FINISHED"})


def events() -> list[dict[str, object]]:
    task = {
        "Event": "SparkListenerTaskEnd",
        "Stage ID": 1,
        "Task End Reason": {"Reason": "Success"},
        "Task Info": {"Executor ID": "0", "Accumulables": [{"Name": "x" * 40}] * 40},
        "Task Metrics": {"Result Size": 4000, "Input Metrics": {"Records Read": 1}},
    }
    return [task] * TASKS


def main(rows: int) -> None:
    spark_session.ROWS = rows
    rules = rubric.load(course.exercise(EXERCISE))
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        work = Work(Submission(EXERCISE, "demo", place, "", ""), rules, 11, 12, place)
        ready = [
            spark_session.true_results(seed, rows, hidden=hidden)
            for seed, hidden in ((work.seed, False), (work.hidden_seed, True))
        ]
        spark_session.true_results.cache_clear()
        played = Played(work.results, ready)
        parts: dict[str, float] = {}

        def timed(what: str, start: float) -> None:
            parts[what] = time.perf_counter() - start

        begin = start = time.perf_counter()
        spark_session.answers(work.seed)
        timed("answers about one million rows", start)
        start = time.perf_counter()
        spark_session.write_data(work.seed, work.data)
        timed("data of the graded run", start)
        start = time.perf_counter()
        with closing(Session(work, played, work.data, lambda _: None)) as session:
            assert len(session.team.right) == 5
            timed("true results, and the comparison", start)
            start = time.perf_counter()
            assert len(session.hidden.right) == 5
            timed("the same for hidden data", start)
        whole = time.perf_counter() - begin - played.spent
        start = time.perf_counter()
        read_log([(work.results / APP).read_bytes()])
        timed(f"  of it, an event log of {TASKS} tasks", start)
    for what, seconds in parts.items():
        print(f"{what:40} {seconds:6.2f} s")
    print(f"{'whole, at ' + format(rows, ',') + ' rows':40} {whole:6.2f} s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=spark_session.ROWS)
    main(parser.parse_args().rows)
