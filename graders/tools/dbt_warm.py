"""What a fork server imports before it forks a dbt worker: importing it is all that it does.

The fork server (`dbt_host`) runs this once; each grading of its process then starts from there.
"""

from __future__ import annotations

import gc
import os

gc.disable()  # a fifth of the time to import, for things that all stay
os.environ.clear()
os.environ["OMP_NUM_THREADS"] = "1"  # no thread of another library may be lost in a fork

from graders.tools import dbt_worker  # noqa: E402

dbt_worker.forget_semaphores()

import dbt.adapters.duckdb  # noqa: E402
import dbt.cli.main  # noqa: E402, F401

gc.freeze()
