"""What grading 07 costs beside the same dbt commands typed by hand, in one run on this machine.

By hand: one `dbt build` and `dbt docs generate` on the team's data, one `dbt build` on the hidden
data, and one for each of the eleven injections of the drill. The harness does the same through one
dbt process. BAREME_PASSWORD opens the solution. Usage: python -m benchmarks.dbt
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from benchmarks import solutions
from graders import course, pipeline

EXERCISE = "07_dbt"
BUILDS = 13


def by_hand(project: Path, env: dict[str, str], *words: str) -> float:
    """Return the seconds of one dbt command."""
    dbt = Path(sys.executable).with_name("dbt")
    start = time.perf_counter()
    subprocess.run(
        [str(dbt), *words, "--target", "duckdb"], cwd=project, env=env, check=True,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    return time.perf_counter() - start


def main() -> None:
    """Print the seconds of both ways and their ratio."""
    from datagen import registry, seeds

    with solutions.opened(EXERCISE) as solution, pipeline.scratch() as place:
        work = place / "travail"
        shutil.copytree(solution, work)
        seed = seeds.team_seed(seeds.course_id(course.ROOT), "demo")
        registry.write(EXERCISE, seed, work / "donnees")
        env = {**os.environ, "DBT_PROFILES_DIR": ".", "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}
        hand = by_hand(work / "dbt", env, "docs", "generate")
        hand += sum(by_hand(work / "dbt", env, "build") for _ in range(BUILDS))
        start = time.perf_counter()
        report = pipeline.grade(solution, EXERCISE, pipeline.Options("embedded", team="demo"))
        ours = time.perf_counter() - start
    print(f"by hand: {hand:.1f} s for {BUILDS} builds and the docs")
    print(f"graded: {ours:.1f} s, {report.score:g} / {report.out_of:g}, ratio {ours / hand:.2f}")


if __name__ == "__main__":
    main()
