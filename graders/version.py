"""The grader's version, as reports carry it."""

VERSION = "0.1.0"
