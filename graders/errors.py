"""What can go wrong, and whose fault it is.

BaremeError
  x SubmissionError   the student's: the folder cannot be graded as it stands
  x PolicyError       the student's: the Compose file asks for what is refused (carries `Refusal`s)
  x StackError        the student's: the services did not start, or did not stay up
  x ApiError          the student's: a service of theirs answered outside its contract
  x OutOfBounds       the student's: time, size or memory beyond the exercise's limits
  x UsageError        the caller's: an argument names nothing
  x VaultError        wrong password or damaged archive (one message for all)
  x ReportError       a report's file is not one: too large, invalid, or its points don't add up
  x RubricError       the course author's: rubric, checks or mutants disagree
  x MachineError      the machine's: no engine, no image, disk full; never a zero
  x Unchecked         nobody's: this runtime cannot check that criterion, which is skipped

Messages of the student's errors are in French: they end in a report.
"""

from __future__ import annotations

from dataclasses import dataclass


class BaremeError(Exception):
    """Base of every error that this project raises on purpose."""


class SubmissionError(BaremeError):
    """The submission folder cannot be graded as it stands."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason to refuse a stack: the rule, where, what is wrong, what to write instead."""

    rule: str
    message: str
    file: str = ""
    line: int | None = None
    instead: str = ""

    def __str__(self) -> str:
        where = (
            f"{self.file}:{self.line}: "
            if self.file and self.line
            else (f"{self.file}: " if self.file else "")
        )
        instead = f" {self.instead}" if self.instead else ""
        return f"{where}{self.message}{instead} [{self.rule}]"


class PolicyError(BaremeError):
    """The Compose file asks for something that is refused."""

    def __init__(self, *refusals: Refusal) -> None:
        super().__init__("\n".join(str(r) for r in refusals))
        self.refusals = refusals


class StackError(BaremeError):
    """The services did not become ready, or died."""


class ApiError(BaremeError):
    """A service of the student's answered outside its contract."""


class OutOfBounds(BaremeError):  # noqa: N818 - reads as a fact in the report, like StopIteration
    """Something of the student's went beyond a limit of time, size or memory."""


class UsageError(BaremeError):
    """An argument of the command line names nothing that exists."""


class VaultError(BaremeError):
    """A sealed archive cannot be opened: wrong password or damaged file, never said which."""


class ReportError(BaremeError):
    """A report is not one that we write: too large, invalid, or its numbers do not add up."""


class RubricError(BaremeError):
    """The rubric, the checks and the mutants do not describe the same criteria."""


class MachineError(BaremeError):
    """The machine lacks something: an engine, an image, disk space."""


class Unchecked(BaremeError):  # noqa: N818 - reads as a fact in the report
    """This runtime cannot check the criterion: it is skipped, with this reason."""
