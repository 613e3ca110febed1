"""What may be asked of a data set; imports nothing heavy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from datagen.errors import DatagenError

Format: TypeAlias = Literal["csv", "parquet"]
Progress: TypeAlias = Callable[[int, int], None]


def checked_scale(scale: float) -> float:
    """Return the scale, or raise DatagenError where it makes no sense."""
    if not 0 < scale <= 1_000_000:
        raise DatagenError(f"--scale doit être compris entre 0 et 1 000 000, et non {scale:g}.")
    return scale


def silent(_done: int, _total: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True)
class Options:
    """How much data and in which form; `progress` is told rows done and rows in all.

    `hidden` asks for the variant that no student has seen: for 04 a quarter of the rows and one
    region more, for 06 one more day with other dirt; for the others another seed is enough.
    """

    scale: float = 1.0
    rows: int | None = None
    format: Format | None = None
    hidden: bool = False
    progress: Progress = silent
