"""Who started a stack, written in its labels, so that orphans are told from what is running.

An owner is the machine, its boot, the process-id namespace, the process and when it started. Where
the machine or the namespace is another one, only the stack's announced end of life can tell.
"""

from __future__ import annotations

import functools
import os
import platform
import subprocess
import time
import uuid
from collections.abc import Mapping
from pathlib import Path

LABEL = "bareme"
PROJECT = "bareme.project"
OWNER = "bareme.owner"
UNTIL = "bareme.until"  # seconds since 1970
ROLE = "bareme.role"  # "door" on the container that is ours


def labels(project: str, life: float) -> dict[str, str]:
    """Return the labels of everything that a stack of this process consists of."""
    until = str(int(time.time() + life))
    return {LABEL: "1", PROJECT: project, OWNER: me(), UNTIL: until}


def me() -> str:
    """Return this process's owner text."""
    return "|".join((*_place(), str(os.getpid()), started(os.getpid())))


def gone(marks: Mapping[str, str]) -> bool:
    """Tell whether what carries these labels has outlived its owner, or its life."""
    try:
        if time.time() > float(marks.get(UNTIL, "0")):
            return True
        machine, boot, space, pid, since = marks.get(OWNER, "").split("|")
        here_machine, here_boot, here_space = _place()
        if machine != here_machine:
            return False
        if boot != here_boot:
            return True
        return space == here_space and started(int(pid)) != since
    except ValueError:
        return True  # not written by us: whoever copies our label is cleaned like us


def started(pid: int) -> str:
    """Return when a process started, in its system's own terms; nothing if it is dead."""
    if Path("/proc/self/stat").exists():
        try:
            fields = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2]
        except OSError:
            return ""
        state, *rest = fields.split()
        return "" if state in "ZX" else rest[18]
    seen = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return seen.stdout.strip()


@functools.cache
def _place() -> tuple[str, str, str]:
    machine = _read("/etc/machine-id") or f"{platform.node()}-{uuid.getnode():x}"
    try:
        space = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        space = ""
    return machine, _read("/proc/sys/kernel/random/boot_id"), space


def _read(path: str) -> str:
    try:
        return Path(path).read_text("ascii").strip()
    except OSError:
        return ""
