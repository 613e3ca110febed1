"""From a student's Compose file to a plan that may be started, or the reasons why not.

find     the file, read within bounds and judged before Compose sees it
(compose.resolve: Compose resolves our own rendering of it, with an empty environment)
vet      the resolved document against the allow-list and the named rules, then rewritten
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from graders.model import Plan, Work
from graders.policy import rewrite, rules, shape
from graders.policy.source import ComposeFile, all_of, find

__all__ = ["ComposeFile", "find", "vet"]


def vet(
    file: ComposeFile, document: Mapping[str, Any], work: Work, image: Callable[[str], str]
) -> Plan:
    """Return the plan of a resolved document; PolicyError with every reason to refuse it.

    `image` maps an official reference (`postgres:15`) to what this machine starts.
    """
    literal = _literal(document)
    if refusals := [file.refusal(path, why) for path, why in shape.odd(literal)]:
        raise all_of(refusals)
    services = [rules.service(file, n, b, work) for n, b in literal["services"].items()]
    refusals = [r for it in services for rule in rules.RULES for r in rule(it, work)]
    if refusals:
        raise all_of(refusals)
    return rewrite.plan(literal["name"], services, literal.get("volumes", {}), work, image)


def _literal(value: Any) -> Any:
    """Undo the doubling of `$` in what Compose prints."""
    if isinstance(value, str):
        return value.replace("$$", "$")
    if isinstance(value, dict):
        return {_literal(k): _literal(v) for k, v in value.items()}
    return [_literal(v) for v in value] if isinstance(value, list) else value
