"""Read values of unknown shape: what is not as expected counts as empty."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

LARGEST = 2 << 20  # characters of a JSON text inside another file


def mapping(value: Any) -> Mapping[str, Any]:
    """Return a mapping, read from JSON text where it is one; empty where it is none."""
    if isinstance(value, str) and len(value) <= LARGEST:
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return {}
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[Any]:
    """Return a list; empty where it is none."""
    return value if isinstance(value, list) else []


def text(value: Any) -> str:
    """Return a text; empty where it is none."""
    return value if isinstance(value, str) else ""
