"""Remove what barème left: containers, networks, volumes, built images, temporary folders."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from graders.stack import engine, sweep


def clean(*, everything: bool = False) -> Mapping[str, int]:
    """Remove the stacks whose harness is dead, or all of ours; return how many things of each kind.

    Found by label: what others have on this engine is not touched.
    """
    with contextlib.closing(engine.connect()) as client:
        return sweep.orphans(client, everything=everything)
