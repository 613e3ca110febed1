"""A broken file gives a value or a PolicyError, nothing else; no plan breaks a promise."""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graders import policy, untrusted
from graders.errors import PolicyError
from graders.policy import dockerfile, dotenv
from tests.hostile import corpus
from tests.policy.conftest import Folder

T = TypeVar("T")
SOURCES = sorted(
    {p.read_text("utf-8") for p in corpus.HERE.glob("*/payload/compose.yaml")}
    | {(corpus.HERE / "base" / "compose.yaml").read_text("utf-8")}
)
TOKENS = [
    "<<: *a", "&", "*a", "!reset ", "${X}", "${X:-y}", "$$", "- ", ": ", "\n", "  ", "{", "}", "[",
    "]", '"', "'", "|", ">", "#", "---\n", "privileged: true", "env_file: .env", "\t", "\x00", "\r",
    "null", "0x1F", "1e999", "é", "\u2028", "services:", "volumes:", "extends: base", "build: .",
]  # fmt: skip
DOCUMENT: dict[str, Any] = {
    "name": "bareme-07-0badcafe",
    "networks": {"default": {"name": "x_default", "ipam": {}}},
    "volumes": {"pg": {"name": "x_pg"}},
    "services": {
        "base": {
            "image": "postgres:15", "command": ["a"], "entrypoint": None, "user": "1",
            "environment": {"A": "b"}, "cap_add": ["CHOWN"], "cpus": 0.5, "mem_limit": "1048576",
            "depends_on": {"dbt": {"condition": "service_started", "required": True}},
            "deploy": {"replicas": 1, "resources": {"limits": {"cpus": 0.5, "memory": "99"}}},
            "healthcheck": {"test": ["CMD", "x"], "interval": "5s", "retries": 3},
            "logging": {"driver": "json-file"}, "links": ["dbt:d"], "shm_size": "67108864",
            "networks": {"default": {"aliases": ["a"]}}, "tmpfs": ["/x:size=1m"],
            "ports": [{"target": 80, "published": "8080"}], "pids_limit": 10, "scale": 1,
            "ulimits": {"nofile": {"soft": 1, "hard": 2}}, "security_opt": ["no-new-privileges"],
            "volumes": [
                {"type": "bind", "source": "ROOT", "target": "/a", "bind": {}},
                {"type": "volume", "source": "pg", "target": "/b", "volume": {}},
                {"type": "tmpfs", "target": "/c", "tmpfs": {"size": "4096", "mode": 511}},
            ],
            "working_dir": "/a", "container_name": "c", "hostname": "h", "profiles": ["p"],
        },
        "dbt": {"image": "ghcr.io/dbt-labs/dbt-postgres:1", "volumes": []},
        "outil": {"build": {"context": "ROOT", "dockerfile": "Dockerfile", "args": {"A": "1"}}},
    },
}  # fmt: skip
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=True), st.text(max_size=20),
    st.sampled_from(
        ["/", "..", "/etc", "-1", "1e9", "0", "9" * 30, "host", "$X", "a" * 5000, "./x", "1-2", "é",
         "/proc/self/fd/8", "bind", "npipe", "true"]
    ),
    st.lists(st.text(max_size=4), max_size=3),
    st.dictionaries(st.text(max_size=6), st.text(max_size=4), max_size=3),
)  # fmt: skip
QUIET = settings(deadline=None, suppress_health_check=list(HealthCheck))


@st.composite
def broken_sources(draw: st.DrawFn) -> str:
    """A real file of the corpus with a few cuts, copies and insertions."""
    text = draw(st.sampled_from(SOURCES))
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 30)))
        middle = draw(st.sampled_from([*TOKENS, text[start:end] * 2, ""]))
        text = text[:start] + middle + text[end:]
    return text


@st.composite
def broken_documents(draw: st.DrawFn) -> dict[str, Any]:
    """A resolved document in which a few parts are replaced, added or removed."""
    document = copy.deepcopy(DOCUMENT)
    for _ in range(draw(st.integers(0, 4))):
        node: Any = document
        while True:
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(node[key], (dict, list)) and node[key] and draw(st.integers(0, 4)):
                node = node[key]
                continue
            match draw(st.integers(0, 2)):
                case 0:
                    node[key] = draw(LEAVES)
                case 1:
                    del node[key]
                case _ if isinstance(node, dict):
                    node[draw(st.text(max_size=8))] = draw(LEAVES)
            break
    return document


def attempt(call: Callable[[], T]) -> T | None:
    """Return what `call` gives, or None after a refusal that says all that it must."""
    try:
        return call()
    except PolicyError as error:
        complete(error)
        return None


def complete(error: PolicyError) -> None:
    assert error.refusals
    assert all(r.rule and r.message and r.file for r in error.refusals)


@QUIET
@given(st.binary(max_size=200) | broken_sources().map(lambda t: t.encode("utf-8", "replace")))
def test_the_reader_gives_a_tree_or_a_refusal(data: bytes) -> None:
    tree = attempt(lambda: untrusted.read(data, "compose.yaml"))
    if tree is None:
        return
    again = untrusted.read(json.dumps(tree.plain(), ensure_ascii=False).encode(), "compose.json")
    assert again.plain() == tree.plain()


@QUIET
@given(broken_sources())
def test_find_gives_a_file_or_refusals(text: str) -> None:
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        (root / "compose.yaml").write_bytes(text.encode("utf-8", "replace"))
        if file := attempt(lambda: policy.find(root)):
            assert json.loads(json.dumps(file.document)) == file.document


@QUIET
@given(broken_documents())
def test_vet_gives_a_plan_that_keeps_its_promises_or_refusals(document: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Folder(Path(place)).write("FROM postgres\n", "Dockerfile")
        file = policy.find(folder.write("services: {base: {image: postgres}}\n").root)
        text = json.dumps(document).replace('"ROOT"', json.dumps(str(folder.root)))
        if plan := attempt(lambda: policy.vet(file, json.loads(text), folder.work, str)):
            keeps_its_promises(plan.document, folder)


def keeps_its_promises(document: Any, folder: Folder) -> None:
    assert document["networks"]["default"]["internal"] is True
    limits = folder.limits
    services = document["services"].values()
    assert sum(s["mem_limit"] for s in services) <= limits.memory << 20
    for service in services:
        assert service["cap_drop"] == ["ALL"]
        assert service["restart"] == "no"
        assert set(service["cap_add"]) <= {"CHOWN", "SETUID"}
        assert 0 < service["cpus"] <= limits.cpus
        assert 0 < service["pids_limit"] <= limits.pids
        assert service["memswap_limit"] == service["mem_limit"]
        assert not service.keys() & {"privileged", "ports", "devices", "network_mode", "pid"}
        for mount in service["volumes"]:
            if mount["type"] == "bind":
                path = Path(mount["source"])
                assert ".." not in path.parts
                inside = path.is_relative_to(folder.root)
                assert inside or path.is_relative_to(folder.scratch)
                assert mount["read_only"] or not inside


@QUIET
@given(
    st.text(max_size=120) | st.lists(st.sampled_from([*TOKENS, "A=", "FROM ", "RUN "])).map("".join)
)
def test_env_files_and_dockerfiles_give_values_or_refusals(text: str) -> None:
    values = attempt(lambda: dotenv.read(text.encode("utf-8", "replace"), ".env"))
    if values is not None:
        assert dotenv.read(dotenv.render(values).encode(), ".env") == values
    for step in dockerfile.parse(text, {"postgres"}):
        assert step.line > 0


@settings(QUIET, max_examples=25)
@given(broken_sources())
def test_what_find_accepts_compose_resolves_or_refuses(text: str) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Folder(Path(place))
        (folder.root / "compose.yaml").write_bytes(text.encode("utf-8", "replace"))
        plan = attempt(folder.plan)
        if plan is not None:
            keeps_its_promises(plan.document, folder)
