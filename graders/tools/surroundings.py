"""What a submission's code may know of this machine where, on trust, it runs here."""

from __future__ import annotations

import os

KEPT = ("PATH", "HOME", "LANG", "TMPDIR")


def environment(*more: str) -> dict[str, str]:
    """Return these variables alone: the grader's other ones may be tokens or passwords."""
    return {name: os.environ[name] for name in (*KEPT, *more) if name in os.environ}
