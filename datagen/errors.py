"""The error of this package; its messages are in French, for they end on a student's screen."""

from __future__ import annotations


class DatagenError(Exception):
    """The data cannot be generated as asked: wrong argument, existing folder, full disk."""
