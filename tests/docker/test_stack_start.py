"""Stacks that do not become ready: told soon, with the reason, and nothing left."""

from __future__ import annotations

import secrets
import time
from pathlib import Path
from typing import Any

import docker
import pytest

from graders.errors import MachineError, OutOfBounds, StackError
from graders.model import Ready
from graders.stack import disk, up
from tests.docker.conftest import BASE, left, plan, python, rubric, service, started

pytestmark = pytest.mark.docker
SLEEP = ["sleep", "infinity"]


def failure(services: dict, *ready: Ready, **limits: float) -> str:
    """Return the message of a stack that fails to start, which leaves nothing."""
    wanted = plan(services)
    with (
        pytest.raises((StackError, OutOfBounds)) as caught,
        up(wanted, rubric(*ready, **limits), lambda _: None),
    ):
        pass
    client = docker.from_env()
    assert not left(client, wanted.project)
    client.close()
    return str(caught.value)


def test_a_service_that_ends_is_told_at_once_with_its_last_lines() -> None:
    start = time.monotonic()
    code = "print('\\x1b[31mbase introuvable\\x1b[0m'); raise SystemExit(3)"
    text = failure({"web": python(code), "x": service(SLEEP)}, Ready("web", 8000, "/"))
    assert time.monotonic() - start < 30
    assert "web s'est arrêté pendant le démarrage" in text
    assert "- web : terminé, code 3\n    | base introuvable" in text
    assert "- x : en marche" in text


def test_exhausted_memory_is_named() -> None:
    balloon = python("x = []\nwhile True: x.append(bytearray(10 << 20))")
    text = failure({"web": balloon}, Ready("web", 8000))
    assert "code 137, mémoire épuisée (limite 128 Mio)" in text
    assert "Piste : donnez plus de mémoire" in text


def test_a_command_that_is_not_in_the_image() -> None:
    text = failure({"web": service(["superset", "run"])}, Ready("web", 8088))
    assert "web" in text
    assert "superset" in text


def test_a_service_that_never_answers() -> None:
    text = failure({"web": service(SLEEP)}, Ready("web", 8000, "/health", timeout=4))
    assert "web n'est pas prêt après" in text
    assert "connexion refusée" in text


def test_a_service_that_answers_an_error() -> None:
    web = service(["python3", "-m", "http.server", "8000"])
    text = failure({"web": web}, Ready("web", 8000, "/absent", timeout=10))
    assert "Dernière réponse : GET /absent : 404" in text


def test_a_healthcheck_that_fails() -> None:
    check = {"test": ["CMD", "false"], "interval": "1s", "retries": 1}
    text = failure({"web": service(SLEEP, healthcheck=check)}, Ready("web"), start=6)
    assert "en mauvaise santé" in text


def test_a_dependency_that_fails() -> None:
    services = {
        "base": python("raise SystemExit(1)"),
        "web": service(SLEEP, depends_on={"base": {"condition": "service_completed_successfully"}}),
    }
    text = failure(services)
    assert "La pile n'a pas démarré" in text
    assert "- base : terminé, code 1" in text


def test_the_statements_service_must_be_there() -> None:
    text = failure({"web": service(SLEEP)}, Ready("superset", 8088, "/health"))
    assert "L'énoncé demande un service « superset » : la pile n'a que web." in text


def test_jobs_end_and_that_is_no_failure() -> None:
    services = {
        "job": python("pass"),
        "raté": python("raise SystemExit(1)"),
        "web": service(SLEEP, depends_on={"job": {"condition": "service_completed_successfully"}}),
    }
    services["rate"] = services.pop("raté")
    with started(services) as stack:
        assert [s.code for s in stack.evidence()] == [0, None, 1]


def test_a_stack_does_not_outlive_its_life() -> None:
    with started({"web": service(SLEEP)}, life=12) as stack:
        with pytest.raises(OutOfBounds, match="a dépassé sa durée de vie"):
            stack.exec("web", ["sleep", "600"], timeout=600)
        deadline = time.monotonic() + 30
        while stack.containers.rows() and time.monotonic() < deadline:
            time.sleep(0.5)
        assert not stack.containers.rows()  # the watchdog's doing: this block is still open


def test_a_full_disk_is_the_machines_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "RESERVE", 1 << 60)
    with pytest.raises(MachineError, match="Il ne reste que"), started({"web": service(SLEEP)}):
        pass


def test_the_services_run_under_the_runtime_that_was_asked_for() -> None:
    wanted = plan({"web": service(SLEEP)})
    client = docker.from_env()
    with up(wanted, rubric(), lambda _: None, "runc") as stack:
        assert stack.exec("web", ["true"]).code == 0
        (web,) = client.containers.list(
            filters={"label": [f"com.docker.compose.project={wanted.project}",
                               "com.docker.compose.service=web"]}
        )  # fmt: skip
        assert web.attrs["HostConfig"]["Runtime"] == "runc"
    client.close()


def test_a_runtime_that_the_engine_lacks_is_the_machines_fault() -> None:
    with (
        pytest.raises(MachineError, match=r"runsc-absent.*runc"),
        up(plan({"web": service(SLEEP)}), rubric(), lambda _: None, "runsc-absent"),
    ):
        pass


def _built(place: Path, run: str) -> dict[str, Any]:
    """Return a service as the policy writes it where the rubric lets students build."""
    text = f"FROM {BASE}\nRUN {run}\n"
    build = {"context": str(place), "dockerfile_inline": text, "network": "none"}
    made = service(["sleep", "infinity"], build=build)
    return {**made, "image": f"bareme-essai-{secrets.token_hex(4)}"}


def test_a_students_image_is_built_and_goes_with_its_stack(
    client: docker.DockerClient, tmp_path: Path
) -> None:
    body = _built(tmp_path, "echo bonjour > /salut")
    with started({"a": body}) as stack:
        assert stack.exec("a", ["cat", "/salut"]).stdout == "bonjour\n"
    assert not client.images.list(name=body["image"])


def test_a_build_has_no_network_and_its_failure_is_told(tmp_path: Path) -> None:
    body = _built(tmp_path, "! ls /sys/class/net | grep -v lo")
    with started({"a": body}):
        pass
    body = _built(tmp_path, "echo raté >&2; exit 3")
    with pytest.raises(StackError, match="exit code: 3"), started({"a": body}):
        pass


def test_a_build_that_does_not_end_is_stopped(tmp_path: Path) -> None:
    begin = time.monotonic()
    with (
        pytest.raises(StackError, match="n'a pas fini à temps"),
        started({"a": _built(tmp_path, f"sleep {600 + secrets.randbelow(99)}")}, start=5.0),
    ):
        pass
    assert time.monotonic() - begin < 120
