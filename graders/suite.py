"""Declare checks: one function per criterion, named after its rubric id."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from graders.model import Finding, Stage, Work

C = TypeVar("C")
C_co = TypeVar("C_co", covariant=True)
Say = Callable[[str], None]  # progress, one short French sentence


class Connect(Protocol[C_co]):
    """Open a session on the running tool; `stack` is None on the embedded runtime."""

    def __call__(self, work: Work, stack: Any, say: Say) -> AbstractContextManager[C_co]:
        """Give the context that live checks and drills receive."""
        ...


@dataclass(frozen=True, slots=True)
class Check(Generic[C]):
    """A declared check: the function, what must have passed before it, and what it needs."""

    name: str
    stage: Stage
    after: tuple[str, ...]
    run: Callable[[Any], Finding]  # takes Work when static, else C


class Suite(Generic[C]):
    """An ordered set of checks over one context type. No global registry.

    `write_data(seed, folder)` writes the exercise's data files as students get them.
    `embedded` says that the tool also runs without Docker, `in_memory` that what it then writes is
    bounded to a few MiB; `warm` begins, in the background, what it then needs first.
    """

    def __init__(
        self,
        exercise: str,
        connect: Connect[C],
        write_data: Callable[[int, Path], object],
        *,
        embedded: bool = False,
        in_memory: bool = False,
        warm: Callable[[], None] = lambda: None,
    ) -> None:
        self.exercise = exercise
        self.connect = connect
        self.write_data = write_data
        self.embedded = embedded
        self.in_memory = in_memory
        self.warm = warm
        self.checks: dict[str, Check[C]] = {}

    def static(
        self, *after: Callable[..., Finding]
    ) -> Callable[[Callable[[Work], Finding]], Callable[[Work], Finding]]:
        """Add a check of files alone."""
        return self._adder(Stage.STATIC, after)

    def live(
        self, *after: Callable[..., Finding]
    ) -> Callable[[Callable[[C], Finding]], Callable[[C], Finding]]:
        """Add a check of the running tool; it runs only if the checks in `after` passed."""
        return self._adder(Stage.LIVE, after)

    def drill(
        self, *after: Callable[..., Finding]
    ) -> Callable[[Callable[[C], Finding]], Callable[[C], Finding]]:
        """Add a drill: it may change data and services, so drills run last."""
        return self._adder(Stage.DRILL, after)

    def _adder(
        self, stage: Stage, after: Iterable[Callable[..., Finding]]
    ) -> Callable[[Callable[[Any], Finding]], Callable[[Any], Finding]]:
        names = tuple(f.__name__ for f in after)

        def add(function: Callable[[Any], Finding]) -> Callable[[Any], Finding]:
            name = function.__name__
            if name in self.checks:
                raise ValueError(f"check {name!r} is declared twice")
            self.checks[name] = Check(name, stage, names, function)
            return function

        return add


def expect(
    holds: bool, message: str = "", *, seen: object = "", wanted: object = "", hint: str = ""
) -> Finding:
    """Turn a condition into a finding that carries its evidence."""
    return Finding(1.0 if holds else 0.0, message, str(seen), str(wanted), hint)


def share(
    found: Collection[str], wanted: Collection[str], message: str = "", *, hint: str = ""
) -> Finding:
    """Give partial credit: the part of `wanted` that was found."""
    target = set(wanted)
    missing = sorted(target - set(found))
    ratio = 1.0 - len(missing) / len(target)
    if missing and not message:
        message = f"Il manque : {', '.join(missing)}."
    return Finding(ratio, message, ", ".join(sorted(found)), ", ".join(sorted(target)), hint)
