"""Start a vetted document, and take everything down again whatever happens."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import docker

from graders import compose, images
from graders.errors import MachineError, StackError
from graders.model import Plan, Rubric
from graders.stack import disk, dress, engine, firewall, owner, ready, sweep, watchdog
from graders.stack.handle import Stack
from graders.suite import Say

log = logging.getLogger(__name__)
_GRACE = 30.0  # seconds that Compose may take beyond the services' own start
_swept: set[int] = (
    set()
)  # the processes (this one) that looked for orphans before their first stack


@contextlib.contextmanager
def up(plan: Plan, rubric: Rubric, say: Say, engine_runtime: str = "") -> Iterator[Stack]:
    """Start a plan, wait until it is ready, and remove all of it when the block ends.

    `engine_runtime` names one of the engine's OCI runtimes (`runsc`, ...) for the plan's services.
    StackError says why it did not become ready, OutOfBounds which limit it broke, MachineError
    what this machine lacks.
    """
    with contextlib.closing(engine.connect()) as client:
        door = _prepare(client, plan)
        _known_runtime(client, engine_runtime)
        life = rubric.limits.life
        labels = owner.labels(plan.project, life)
        token = secrets.token_urlsafe(24)
        stack = Stack(client, plan, rubric.limits, labels, token)
        with _folder() as folder, _removed(client, stack, folder) as starting:
            document = folder / "compose.json"
            document.touch(mode=0o600)
            dressed = dress.dress(plan.document, labels, door, token, life, engine_runtime)
            document.write_text(json.dumps(dressed))
            _build(plan, document, rubric, say)
            future = starting(
                lambda: _compose(plan, document, rubric.limits.start, "up", "-d", *_UP)
            )
            with disk.watched(client, stack):
                ready.wait(stack, rubric.ready, future, say)
                yield stack


_UP = ("--pull", "never", "--no-build", "--quiet-pull")


def _prepare(client: docker.DockerClient, plan: Plan) -> str:
    """Look first for what would make the start fail because of us; return the door's image."""
    if os.getpid() not in _swept:
        _swept.add(os.getpid())
        if counts := sweep.orphans(client):
            log.warning("left by an earlier run, removed: %s", dict(counts))
    if engine.containers(client, plan.project):
        raise MachineError(f"a stack named {plan.project} is already running")
    door = images.state(client, images.catalogue()["door"])
    if not door.usable:
        raise MachineError("L'image « door » manque : `bareme images build door`.")
    with engine.ours():
        for image in sorted({s["image"] for s in _services(plan) if "build" not in s}):
            client.images.get(image)
    disk.refuse_if_full(client)
    firewall.ensure()
    return door.usable


def _known_runtime(client: docker.DockerClient, name: str) -> None:
    with engine.ours():
        known = sorted(client.info().get("Runtimes") or {}) if name else []
    if name and name not in known:
        raise MachineError(f"Ce moteur n'a pas de runtime « {name} » : {', '.join(known)}.")


def _services(plan: Plan) -> Iterable[Mapping[str, Any]]:
    services: Mapping[str, Any] = plan.document["services"]
    return services.values()


def _build(plan: Plan, document: Path, rubric: Rubric, say: Say) -> None:
    if not any("build" in service for service in _services(plan)):
        return
    say("construction des images de la pile")
    output = _compose(plan, document, rubric.limits.start, "build", "-q")
    if output.code:
        raise engine_or_student(output.stderr)
    if output.code is None:
        raise StackError("La construction de l'image n'a pas fini à temps.")


def engine_or_student(text: str) -> Exception:
    """Tell a Dockerfile that fails from a machine that does."""
    if any(mark in text.lower() for mark in engine.FULL):
        return engine.machine_error(text)
    return StackError(f"L'image de la pile ne se construit pas :\n{text[-1500:]}")


def _compose(plan: Plan, document: Path, start: float, *words: str) -> compose.Output:
    """Run Compose on the document that was written, and on nothing else."""
    where = ("-p", plan.project, "-f", str(document), "--env-file", os.devnull)
    return compose.call(
        [*where, "--progress", "plain", *words],
        cwd=document.parent,
        timeout=start + _GRACE,
        env=engine.environment(),
    )


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix=f"bareme-{os.getpid()}-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _removed(client: docker.DockerClient, stack: Stack, folder: Path) -> Iterator[Any]:
    """Give a way to start Compose in the background; afterwards remove the stack, for certain."""
    guard = watchdog.start(stack.project, stack.until, folder)
    pool = ThreadPoolExecutor(1)
    running: list[Future[compose.Output]] = []

    def start(call: Any) -> Future[compose.Output]:
        running.append(pool.submit(call))
        return running[0]

    try:
        yield start
    finally:
        sweep.remove(client, stack.project)
        for future in running:
            if (
                not future.done()
            ):  # Compose was still starting services: it fails, and we look again
                with contextlib.suppress(Exception):
                    future.result(timeout=_GRACE)
                sweep.remove(client, stack.project)
        pool.shutdown(wait=False)
        guard.kill()
        guard.wait()
