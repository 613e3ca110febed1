"""The hostile corpus's run-time cases on a real engine: contained, told, gone, neighbours unharmed.

A case of stage `docker` says in its case.yaml what is done with its stack once it is up, in this
order, and how that ends:

ready, limits, images   of the rubric (images: official name to a local one; default, the base)
hold                    seconds during which the stack runs and is only checked
visits                  service, port, path, timeout, json: requests through the door
execs                   service, argv, user, wanted, absent: commands and what they may say
reads                   path, times, absent: a file that is read again and again
reach                   internet, metadata, host, neighbour, dns: none may be reached by `attaque`
ends, message           StackError, OutOfBounds or ApiError, and what it says (regular expression)
unseen                  texts that the message may not hold
answers                 a service that must still answer a command; nothing by default
logs, log_files         texts absent from the log of `attaque`; MiB that its files may take at most
survivor                a word of the command line of a process that must be gone afterwards
"""

from __future__ import annotations

import contextlib
import re
import secrets
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import docker
import pytest

from graders import compose, errors, intake, policy, rubric
from graders.model import Limits, Ready, Rubric, Work
from graders.stack import Stack, firewall, up
from tests.docker.conftest import BASE, left, service, started
from tests.hostile import corpus
from tests.hostile.corpus import Case

pytestmark = pytest.mark.docker
SECRETS = {"GITHUB_TOKEN": "ghp_marqueur", "BAREME_PASSWORD": "mot-de-passe-marqueur"}
OUTSIDE = ("198.51.100.7", 7777)  # a documentation address, in a network namespace of the test's
CONNECT = """
import socket, sys
for place in sys.argv[1:]:
    host, _, port = place.rpartition(":")
    try:
        socket.create_connection((host, int(port)), 2).close()
        print("ATTEINT", place)
    except OSError:
        pass
print("fini")
"""
KNOCK = """
import socket
with socket.create_connection(("bareme-door", 3128), 5) as door:
    try:
        door.sendall(b"GET http://web:8000/ HTTP/1.1\\r\\n\\r\\n")
        print(door.recv(100))
    except OSError:
        print(b"")
"""


@pytest.fixture(scope="module")
def neighbour() -> Iterator[Stack]:
    services = {"web": service(["python3", "-m", "http.server", "8000"])}
    with started(services, Ready("web", 8000, "/"), life=900) as stack:
        yield stack


@pytest.fixture(scope="module")
def host_port() -> Iterator[int]:
    """Give the port of a service of the host's, on all its addresses."""
    with socket.create_server(("0.0.0.0", 0), backlog=50) as server:  # noqa: S104
        yield server.getsockname()[1]


@pytest.fixture(scope="module")
def outside() -> Iterator[tuple[str, int]]:
    """Give a server of the outside world, which an ordinary container does reach."""
    space, wire = f"bareme-{secrets.token_hex(3)}", f"vb{secrets.token_hex(3)}"
    host, port = OUTSIDE

    def ip(*words: str) -> None:
        done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"no network namespace can be made here: {done.stderr}")

    ip("netns", "add", space)
    server = None
    try:
        ip("link", "add", wire, "type", "veth", "peer", "name", "eth0", "netns", space)
        ip("addr", "add", "198.51.100.1/24", "dev", wire)
        ip("link", "set", wire, "up")
        ip("-n", space, "addr", "add", f"{host}/24", "dev", "eth0")
        ip("-n", space, "link", "set", "eth0", "up")
        ip("-n", space, "route", "add", "default", "via", "198.51.100.1")
        words = ["ip", "netns", "exec", space, "python3", "-m", "http.server", str(port)]
        server = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        yield OUTSIDE
    finally:
        if server:
            server.kill()
            server.wait()
        subprocess.run(["ip", "netns", "del", space], check=False)


def vetted(case: Case, place: Path) -> tuple[Any, Rubric]:
    """Take a case through intake and policy, as the pipeline does, onto images of this machine."""
    more = case.more
    rules = replace(
        rubric.load(corpus.HERE),
        folder=place,
        limits=Limits(**{**CALM, **more.get("limits", {})}),
        ready=tuple(Ready(**row) for row in more.get("ready", ())),
    )
    folder = corpus.build(case, place)
    scratch = place / "scratch"
    scratch.mkdir()
    work = Work(intake.load(folder, rules, scratch), rules, 1, 2, scratch)
    work.data.mkdir()
    work.results.mkdir(exist_ok=True)
    project = f"bareme-07-{secrets.token_hex(4)}"
    found = policy.find(work.submission.root)
    document = compose.resolve(found, project, scratch)
    images: Mapping[str, str] = more.get("images", {})
    return policy.vet(found, document, work, lambda n: images.get(n.split(":")[0], BASE)), rules


CALM = {"memory": 512, "cpus": 1.0, "pids": 512, "disk": 1024, "start": 60.0, "life": 180.0}


def act(case: Case, stack: Stack, targets: Mapping[str, list[str]]) -> None:
    """Do with a running stack what the case says."""
    more = case.more
    deadline = time.monotonic() + more.get("hold", 0)
    while time.monotonic() < deadline:
        stack.check()
        time.sleep(0.2)
    for visit in more.get("visits", ()):
        url = stack.url(visit["service"], visit["port"], visit["path"])
        answer = stack.http.get(url, timeout=visit.get("timeout", 10.0))
        if visit.get("json"):
            answer.json()
    for row in more.get("execs", ()):
        done = stack.exec(row["service"], row["argv"], user=row.get("user", ""))
        said = done.stdout + done.stderr
        assert row.get("wanted", "") in said, said
        assert said
        for text in [*row.get("absent", ()), *SECRETS.values()]:
            assert text not in said
    if reads := more.get("reads"):
        keep_reading(stack, reads)
    for name in more.get("reach", ()):
        done = stack.exec("attaque", ["python3", "-c", CONNECT, *targets[name]], timeout=90)
        assert done.stdout == "fini\n", done


def keep_reading(stack: Stack, reads: Mapping[str, Any]) -> None:
    good = tries = 0
    deadline = time.monotonic() + 30  # a quick reader is done before the service has begun
    while tries < reads["times"] or (not good and time.monotonic() < deadline):
        tries += 1
        with contextlib.suppress(errors.StackError):
            text = stack.read(reads["path"]).decode()
            good += 1
            assert not any(word in text for word in reads["absent"])
    assert good


def afterwards(case: Case, stack: Stack) -> None:
    """Look at what is still up: the services that must answer, the logs."""
    more = case.more
    if witness := more.get("answers"):
        assert stack.exec(witness, ["echo", "là"], timeout=30).stdout == "là\n"
    for text in more.get("logs", {}).get("absent", ()):
        assert text not in stack.logs("attaque", 200).lower()
    if most := more.get("log_files"):
        log = Path(stack.containers.inspect("attaque")["LogPath"])
        assert sum(p.stat().st_size for p in log.parent.glob("*.log*")) <= most << 20
        assert len(stack.logs("attaque")) <= 8000


def addresses(client: docker.DockerClient, stack: Stack, port: int) -> list[str]:
    """Return a port on every address of a stack's containers."""
    rows = [client.api.inspect_container(r["Id"]) for r in stack.containers.rows()]
    networks = [n for row in rows for n in row["NetworkSettings"]["Networks"].values()]
    return [f"{n['IPAddress']}:{port}" for n in networks]


@pytest.fixture
def targets(
    client: docker.DockerClient, request: pytest.FixtureRequest, case: Case
) -> dict[str, list[str]]:
    """Return what the case's `attaque` must not reach; each is seen to be there first."""
    found: dict[str, list[str]] = {"metadata": ["169.254.169.254:80"], "dns": ["example.org:80"]}
    wanted = case.more.get("reach", ())
    if "internet" in wanted:
        found["internet"] = [":".join(map(str, request.getfixturevalue("outside")))]
        ordinary = ["python3", "-c", CONNECT, *found["internet"]]
        # The control has two seconds to connect: on a busy machine, one try may miss them.
        tries = (client.containers.run(BASE, ordinary, remove=True) for _ in range(3))
        assert any(b"ATTEINT" in said for said in tries)
    if "host" in wanted:
        if not firewall.ensure():
            pytest.skip("without root and iptables the host's own services are not shielded")
        port = request.getfixturevalue("host_port")
        names = client.networks.list(filters={"driver": "bridge"})
        subnets = [c for n in names for c in n.attrs["IPAM"]["Config"] or ()]
        found["host"] = [f"{c['Gateway']}:{port}" for c in subnets if "Gateway" in c]
    if "neighbour" in wanted:
        other = request.getfixturevalue("neighbour")
        found["neighbour"] = addresses(client, other, 8000) + addresses(client, other, 3128)
    return found


@pytest.mark.parametrize("case", corpus.cases("docker"), ids=lambda c: c.folder.name)
def test_a_hostile_stack_ends_as_its_case_says(
    case: Case,
    tmp_path: Path,
    client: docker.DockerClient,
    neighbour: Stack,
    targets: dict[str, list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    plan, rules = vetted(case, tmp_path)
    kind = getattr(errors, case.more["ends"]) if "ends" in case.more else ()
    start, caught = time.monotonic(), None
    with contextlib.ExitStack() as closing:
        try:
            stack = closing.enter_context(up(plan, rules, lambda _: None))
            if not case.more.get("reach"):
                act(case, stack, targets)
            else:
                reached(client, case, stack, targets)
        except kind as error:
            caught = error
        assert neighbour.http.get(neighbour.url("web", 8000), timeout=20).ok
        if not isinstance(caught, errors.StackError):
            afterwards(case, stack)
    assert time.monotonic() - start < 120
    if kind:
        assert caught, "nothing was raised"
        assert re.search(case.message, str(caught)), str(caught)
        assert not any(text in str(caught) for text in case.more.get("unseen", ()))
    assert not left(client, plan.project)
    assert not survivors(case.more.get("survivor"))


def reached(
    client: docker.DockerClient, case: Case, stack: Stack, targets: dict[str, list[str]]
) -> None:
    """Try the targets, with the stack's own gateway and door among the host's addresses."""
    if host := targets.get("host"):
        port = host[0].rpartition(":")[2]
        for row in client.api.networks(filters={"label": f"bareme.project={stack.project}"}):
            host += [f"{c['Gateway']}:{port}" for c in row["IPAM"]["Config"] if "Gateway" in c]
    act(case, stack, targets)


def survivors(word: str | None) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline") if word else ():
        with contextlib.suppress(OSError):
            if str(word).encode() in path.read_bytes():
                found.append(str(path))
    return found


def test_the_door_gives_nothing_to_the_inside(neighbour: Stack) -> None:
    done = neighbour.exec("web", ["python3", "-c", KNOCK])
    assert done.stdout == "b''\n", done


def test_the_door_itself_has_no_way_out(
    neighbour: Stack, outside: tuple[str, int], client: docker.DockerClient
) -> None:
    if not firewall.ensure():
        pytest.skip("without root and iptables the door's bridge is only left without NAT")
    row = next(r for r in neighbour.containers.rows() if r["Labels"].get("bareme.role") == "door")
    door = client.containers.get(row["Id"])
    code, said = door.exec_run(["python3", "-c", CONNECT, ":".join(map(str, outside))])
    assert (code, said) == (0, b"fini\n")


def test_the_docker_socket_is_nowhere(neighbour: Stack) -> None:
    done = neighbour.exec("web", ["sh", "-c", "ls /var/run/docker.sock /run/docker.sock"])
    assert done.code != 0


def test_many_threads_share_a_stack(neighbour: Stack) -> None:
    codes: list[int] = []

    def visit() -> None:
        codes.append(neighbour.http.get(neighbour.url("web", 8000)).status)

    threads = [threading.Thread(target=visit) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [200] * 12
