"""What vetting costs beside Compose's own resolution: `python -m benchmarks.policy [FILE]`.

Prints medians of 20 runs; the goal is less than 50 ms for find + vet on a normal file.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from graders import compose, course, policy, rubric
from graders.model import Submission, Work

T = TypeVar("T")
RUNS = 20


def timed(times: list[float], call: Callable[[], T]) -> T:
    start = time.perf_counter()
    value = call()
    times.append(1000 * (time.perf_counter() - start))
    return value


def main(source: Path) -> None:
    find: list[float] = []
    resolve: list[float] = []
    vet: list[float] = []
    for _ in range(RUNS):
        with tempfile.TemporaryDirectory() as place:
            root = Path(place) / "copie"
            root.mkdir()
            shutil.copyfile(source, root / "compose.yaml")
            work = Work(
                Submission("07_dbt", "essai", root, "", ""),
                rubric.load(course.ROOT / "tests" / "hostile"), 1, 2, Path(place),
            )  # fmt: skip
            file = timed(find, lambda r=root: policy.find(r))  # type: ignore[misc]
            document = timed(resolve, lambda f=file, w=work: compose.resolve(f, "x", w.scratch))  # type: ignore[misc]
            timed(vet, lambda f=file, d=document, w=work: policy.vet(f, d, w, str))  # type: ignore[misc]
    for name, times in (("find", find), ("Compose", resolve), ("vet", vet)):
        print(f"{name:8} {statistics.median(times):7.1f} ms")
    ours = statistics.median(find) + statistics.median(vet)
    print(f"ours / Compose's: {ours / statistics.median(resolve):.2f}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "tests/hostile/base/compose.yaml"))
