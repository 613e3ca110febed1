"""A stack that behaves: reached, drilled, and gone afterwards."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from graders.errors import ApiError, MachineError, OutOfBounds, StackError
from graders.model import Plan, Ready
from graders.stack import Stack, up
from tests.docker.conftest import bind, left, plan, python, rubric, service, started

pytestmark = pytest.mark.docker
SERVE = ["python3", "-u", "-m", "http.server", "8000", "--directory", "/donnees"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("pile")
    for folder in ("donnees/logs", "resultats", "autres"):
        (root / folder).mkdir(parents=True)
    (root / "donnees/a.txt").write_text("un")
    (root / "donnees/logs/app.log").write_text("début\n")
    (root / "resultats").chmod(0o777)
    return root


@pytest.fixture(scope="module")
def stack(place: Path) -> Iterator[Stack]:
    services = {
        "web": service(
            SERVE,
            environment={"PRIX": "3"},
            volumes=[
                bind(place / "donnees", "/donnees"),
                bind(place / "donnees/a.txt", "/seul.txt"),
                bind(place / "resultats", "/resultats", writable=True),
                {"type": "volume", "source": "v", "target": "/v"},
            ],
        ),
        "aide": service(["sleep", "infinity"]),
    }
    with started(services, Ready("web", 8000, "/a.txt"), volumes={"v": None}) as running:
        yield running


def test_a_service_is_reached_through_the_door(stack: Stack) -> None:
    assert stack.http.get(stack.url("web", 8000, "/a.txt")).text == "un"
    assert stack.listens("web", 8000)
    assert not stack.listens("web", 8001)
    with pytest.raises(ApiError, match="port 8001, connexion refusée"):
        stack.http.get(stack.url("web", 8001), tries=1)
    with pytest.raises(StackError, match="« base » n'est pas dans la pile"):
        stack.url("base", 5432)


def test_exec_gives_code_output_and_takes_stdin(stack: Stack) -> None:
    script = "cat | wc -c; echo erreur >&2; echo $X; id -u; exit 3"
    done = stack.exec(
        "aide", ["sh", "-c", script], stdin=b"x" * 3_000_000, env={"X": "é"}, user="1000"
    )
    assert (done.code, done.stderr) == (3, "erreur\n")
    assert done.stdout.split() == ["3000000", "é", "1000"]


def test_exec_of_many_small_commands_loses_no_output(stack: Stack) -> None:
    assert all(stack.exec("aide", ["echo", str(n)]).stdout == f"{n}\n" for n in range(20))


def test_exec_is_bounded(stack: Stack) -> None:
    with pytest.raises(OutOfBounds, match="« sleep 1234 » n'a pas fini en 1 s"):
        stack.exec("aide", ["sleep", "1234"], timeout=1)
    with pytest.raises(OutOfBounds, match="a écrit plus de 1 Mio"):
        stack.exec("aide", ["cat", "/dev/zero"], limit=1 << 20)
    assert "1234" not in stack.exec("aide", ["sh", "-c", "cat /proc/*/cmdline"]).stdout
    assert stack.exec("aide", ["absent"]).code in {126, 127}


def test_run_has_the_services_definition_and_extra_mounts(stack: Stack, place: Path) -> None:
    (place / "autres/a.txt").write_text("caché")
    script = "cat /donnees/a.txt; echo $PRIX$PLUS; echo oui > /sortie/f; exit 5"
    mounts = {place / "autres": "/donnees", place / "resultats": "/sortie:rw"}
    done = stack.run("web", ["sh", "-c", script], mounts=mounts, env={"PLUS": "4"})
    assert (done.code, done.stdout) == (5, "caché34\n")
    assert stack.read("resultats/f") == b"oui\n"
    assert stack.run("web", ["-c", "print(1)"], entrypoint=["python3"]).stdout == "1\n"
    assert stack.run("web", ["absent"]).code == 127


def test_run_has_the_services_limits(stack: Stack) -> None:
    start = time.monotonic()
    with pytest.raises(OutOfBounds, match="n'a pas fini en 1 s"):
        stack.run("web", ["sleep", "60"], timeout=1)
    assert time.monotonic() - start < 15
    hungry = stack.run("web", ["python3", "-c", "x = bytearray(400 << 20)"])
    assert hungry.code == 137
    assert "mémoire épuisée (limite 128 Mio)" in hungry.stderr
    assert stack.run("web", ["touch", "/donnees/x"]).code == 1
    names = [c["Names"][0] for c in stack.containers.rows()]
    assert not [n for n in names if "-run-" in n]


def test_stop_start_restart(stack: Stack) -> None:
    stack.stop("web")
    assert stack.state("web").over
    with pytest.raises(ApiError, match="aucun service de ce nom ne tourne"):
        stack.http.get(stack.url("web", 8000))
    with pytest.raises(StackError, match="s'est arrêté"):
        stack.exec("web", ["true"])
    stack.start("web")
    stack.restart("web")
    deadline = time.monotonic() + 20
    while not stack.listens("web", 8000) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert stack.http.get(stack.url("web", 8000, "/a.txt")).text == "un"


def test_append_is_seen_in_the_service(stack: Stack) -> None:
    stack.append("donnees/logs/app.log", b"ligne\n")
    assert stack.http.get(stack.url("web", 8000, "/logs/app.log")).text == "début\nligne\n"
    stack.append("resultats/nouveau.txt", b"1")
    assert stack.exec("web", ["cat", "/resultats/nouveau.txt"]).stdout == "1"
    with pytest.raises(ValueError, match="neither"):
        stack.append("autres/a.txt", b"")


def test_a_link_in_the_results_leads_nowhere(stack: Stack) -> None:
    stack.exec("web", ["ln", "-s", "/etc", "/resultats/etc"])
    stack.exec("web", ["ln", "-s", "/etc/passwd", "/resultats/lien"])
    stack.exec("web", ["mkfifo", "/resultats/fifo"])
    for path in ("resultats/etc/passwd", "resultats/lien", "resultats/fifo"):
        with pytest.raises(StackError, match=path):
            stack.read(path)
        with pytest.raises(StackError, match=path):
            stack.append(path, b"x")


def test_replaced_data_is_seen_by_a_single_files_mount_too(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "nouveau").mkdir()
    (tmp_path / "a.txt").write_text("deux")
    (tmp_path / "nouveau/b.txt").write_text("trois")
    stack.replace_data(tmp_path)
    assert stack.exec("web", ["cat", "/donnees/a.txt", "/seul.txt"]).stdout == "deuxdeux"
    assert stack.exec("web", ["ls", "/donnees"]).stdout.split() == ["a.txt", "nouveau"]


def test_logs_and_evidence(stack: Stack) -> None:
    assert "GET /a.txt" in stack.logs("web")
    web, aide = stack.evidence()
    assert (web.service, web.status, aide.service) == ("web", "running", "aide")


def test_what_is_started_is_labelled_and_confined(stack: Stack) -> None:
    for row in stack.containers.rows():
        assert row["Labels"]["bareme"] == "1"
        ports = [p for p in row.get("Ports", []) if "PublicPort" in p]
        role = row["Labels"].get("bareme.role")
        assert [p["IP"] for p in ports] == (["127.0.0.1"] if role == "door" else [])
    assert stack.exec("aide", ["cat", "/etc/resolv.conf"]).stdout.count("nameserver") == 1


def test_two_stacks_side_by_side_and_nothing_left(client: docker.DockerClient) -> None:
    services = {"web": service(["python3", "-m", "http.server", "8000"])}
    ready = Ready("web", 8000, "/")
    with started(services, ready) as one, started(services, ready) as two:
        assert one.http.get(one.url("web", 8000)).ok
        assert two.http.get(two.url("web", 8000)).ok
        assert left(client, one.project)
    assert not left(client, one.project)
    assert not left(client, two.project)


def test_progress_is_told() -> None:
    said: list[str] = []
    services = {"lent": python("import time; time.sleep(600)")}
    with up(plan(services), rubric(), said.append):
        pass
    assert re.fullmatch(r"lent démarre, 0 s", said[0])
    assert re.fullmatch(r"lent est prêt, \d+ s", said[-1])


def test_an_absent_image_is_the_machines_fault(client: docker.DockerClient) -> None:
    services = {"x": service(["true"], image="bareme/absente:0")}
    with pytest.raises(MachineError, match="image"), started(services):
        pass


def test_a_project_that_runs_already_is_not_touched(stack: Stack) -> None:
    with (
        pytest.raises(MachineError, match="already running"),
        up(Plan(stack.project, {"services": {}}), rubric(), lambda _: None),
    ):
        pass
    assert stack.state("aide").status == "running"
