"""Wait until a stack is ready. Readiness is data: what to ask, how often, how long."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from graders import compose
from graders.errors import ApiError, MachineError, OutOfBounds, StackError
from graders.model import Ready
from graders.stack import engine, evidence
from graders.stack.evidence import ServiceState
from graders.stack.handle import Stack
from graders.suite import Say

_LOOK = 0.1  # seconds between two looks at the containers
_TELL = 5.0  # seconds between two messages about one service
_ASK = 10.0  # seconds that one HTTP question may take
_LOOP = 3  # restarts that make a crash loop
_STUDENTS = (
    "dependency failed to start",
    "is unhealthy",
    "didn't complete successfully",
    "exited (",
    "oci runtime create failed",
    "failed to create task",
    "not a directory",
    "unable to start container process",
)
_HINTS = {
    137: "donnez plus de mémoire au service, ou réduisez la sienne (JVM : -Xmx).",
    126: "le script doit être exécutable (git update-index --chmod=+x), fins de ligne Unix.",
    127: "vérifiez `command` et `entrypoint`, et le chemin de ce qu'ils appellent.",
}


@dataclass
class _Wait:
    """One rule that does not hold yet."""

    rule: Ready
    start: float
    asked: bool  # by the rubric
    ask: float = 0.0  # when to ask next
    tell: float = field(default=0.0)
    why: str = ""  # the last answer that was not good enough


def rules(stack: Stack, wanted: Sequence[Ready]) -> list[Ready]:
    """Return the rubric's rules, or where it has none: every service has started, and is healthy.

    Without a rule or a healthcheck, a service that ends is no failure: jobs end, and what they
    left undone costs the criteria that need it.
    """
    for rule in wanted:
        if rule.service not in stack.services:
            there = ", ".join(sorted(stack.services))
            raise StackError(
                f"L'énoncé demande un service « {rule.service} » : la pile n'a que {there}."
            )
    started = [n for n, service in stack.services.items() if not service.get("profiles")]
    return list(wanted) or [Ready(name) for name in started]


def wait(stack: Stack, wanted: Sequence[Ready], starting: Future[compose.Output], say: Say) -> None:
    """Return once every rule holds; StackError as soon as one cannot, or when its time is over."""
    begin = time.monotonic()
    left = [_Wait(rule, begin, bool(wanted)) for rule in rules(stack, wanted)]
    told = False
    while left or not starting.done():
        stack.check()
        if starting.done() and not told:
            _composed(stack, starting.result())
            told = True
        left = [one for one in left if not _holds(stack, one, starting.done(), say)]
        if left or not starting.done():
            time.sleep(_LOOK)
    if not told:
        _composed(stack, starting.result())


def _holds(stack: Stack, one: _Wait, composed: bool, say: Say) -> bool:
    rule, now = one.rule, time.monotonic()
    try:
        state = stack.state(rule.service)
    except StackError:
        if composed:
            raise
        state = ServiceState(rule.service, "created")
    _fail_early(stack, one, state)
    if now >= one.ask and _enough(stack, one, state):
        say(f"{rule.service} est prêt, {now - one.start:.0f} s")
        return True
    if now - one.start > min(rule.timeout, stack.limits.start):
        spent = now - one.start
        if rule.port is not None and not stack.opened():
            raise MachineError(f"the stack's door did not open in {spent:.0f} s")
        why = f" Dernière réponse : {one.why}" if one.why else ""
        raise StackError(
            _story(stack, f"{rule.service} n'est pas prêt après {spent:.0f} s.{why}", state)
        )
    if now - one.tell > _TELL:
        one.tell = now
        say(f"{rule.service} démarre, {now - one.start:.0f} s")
    return False


def _enough(stack: Stack, one: _Wait, state: ServiceState) -> bool:
    rule = one.rule
    if rule.port is None and state.over:
        return True  # well, or `_fail_early` had raised
    if rule.port is None or state.status != "running":
        return state.status == "running" and state.health in {"", "healthy"}
    if not stack.opened():
        return False
    one.ask = time.monotonic() + rule.interval
    try:
        if rule.path is None:
            one.why = f"port {rule.port} fermé"
            return stack.listens(rule.service, rule.port)
        url = stack.url(rule.service, rule.port, rule.path)
        answer = stack.http.get(url, timeout=_ASK, tries=1, follow=False)
    except (ApiError, OutOfBounds) as error:
        stack.check()
        one.why = str(error)
        return False
    one.why = f"GET {rule.path} : {answer.status}"
    return answer.ok


def _fail_early(stack: Stack, one: _Wait, state: ServiceState) -> None:
    """Raise where waiting longer cannot help: the service has ended, or restarts for ever."""
    rule = one.rule
    job = rule.port is None and not state.health
    ended = state.over and not (job and (state.code == 0 or not one.asked))
    looping = state.restarts >= _LOOP and state.status == "restarting"
    if ended or looping:
        what = "s'est arrêté" if ended else "redémarre sans cesse"
        raise StackError(_story(stack, f"{rule.service} {what} pendant le démarrage.", state))


def _composed(stack: Stack, output: compose.Output) -> None:
    """Raise what Compose complained of: the student's services, or this machine."""
    if output.code == 0:
        return
    stack.check()
    text = evidence.plain(output.stderr.strip(), 1500)
    if output.code is None:
        raise StackError(_story(stack, "La pile n'a pas fini de démarrer à temps."))
    lowered = text.lower()
    if any(mark in lowered for mark in engine.FULL):
        raise engine.machine_error(text)
    states = stack.evidence(0)
    if any(mark in lowered for mark in _STUDENTS) or any(s.over and s.code for s in states):
        last = text.splitlines()[-1] if text else ""
        raise StackError(_story(stack, f"La pile n'a pas démarré : {last}"))
    raise MachineError(f"Compose n'a pas pu démarrer la pile : {text}")


def _story(stack: Stack, headline: str, state: ServiceState | None = None) -> str:
    states = stack.evidence(15)
    code = state.code if state else next((s.code for s in states if s.over and s.code), 0)
    hint = _HINTS.get(code or 0, "")
    if state and state.health == "unhealthy" and not state.over:
        hint = "la commande du healthcheck échoue : essayez-la par `docker compose exec`."
    elif not hint:
        hint = "lisez les dernières lignes ci-dessus, puis `docker compose up` chez vous."
    return evidence.story(headline, states, hint)
