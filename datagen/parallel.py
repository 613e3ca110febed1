"""Work done ahead on every core, its results taken in order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

_MOST_THREADS = 4  # each holds a chunk or two: more would not fit in 500 MB


def cores() -> int:
    """Return how many threads may work at once on this machine."""
    return min(len(os.sched_getaffinity(0)), _MOST_THREADS)


def ahead(jobs: Iterable[Callable[[], T]], threads: int) -> Iterator[T]:
    """Run jobs on threads, a bounded number ahead: NumPy and Arrow free the interpreter."""
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[T]] = deque()
        try:
            for job in jobs:
                waiting.append(pool.submit(job))
                if len(waiting) > threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
