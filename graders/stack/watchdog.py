"""Bound the life of one stack even where the harness hangs or is killed: a small process beside it.

It only sleeps until its parent dies or the stack's life is over, then removes the stack. It loads
nothing but the standard library before that.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

_ROUNDS = 200  # looks, three seconds apart


def start(project: str, until: float, folder: Path) -> subprocess.Popen[bytes]:
    """Start the watchdog of a stack; killing it is telling it that the stack is gone."""
    words = (str(os.getpid()), str(until), project, str(folder))
    return subprocess.Popen(
        [sys.executable, "-S", "-E", str(Path(__file__)), *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for the harness
    )


def watch(parent: int, until: float, project: str, folder: Path) -> None:
    """Sleep until `parent` dies or `until` passes, then remove the stack and its folder."""
    while os.getppid() == parent and time.time() < until:
        time.sleep(0.5)
    os.execv(  # noqa: S606 - a fresh interpreter, with site-packages this time
        sys.executable,
        [sys.executable, str(Path(__file__)), "--remove", project, str(folder)],
    )


def remove(project: str, folder: Path) -> None:
    """Remove a stack until two looks, three seconds apart, find nothing.

    The engine may be the reason why the harness died: it is waited for.
    """
    sys.path[0] = str(Path(__file__).parents[2])
    from graders.errors import MachineError  # noqa: PLC0415 - only now is the SDK needed
    from graders.stack import engine, sweep  # noqa: PLC0415

    empty = 0
    for _ in range(_ROUNDS):
        try:
            with contextlib.closing(engine.connect()) as client:
                empty = 0 if sweep.remove(client, project) else empty + 1
        except MachineError:
            empty = 0
        if empty == 2:
            break
        time.sleep(sweep.AGAIN)
    shutil.rmtree(folder, ignore_errors=True)
    sweep.folders()


if __name__ == "__main__":
    if sys.argv[1] == "--remove":
        remove(sys.argv[2], Path(sys.argv[3]))
    else:
        watch(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3], Path(sys.argv[4]))
