from __future__ import annotations

import gc
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from docker.errors import ImageNotFound

from graders import course, images, registries, rubric
from graders.errors import MachineError, RubricError, UsageError

RUBRIC = {"postgres": "postgres", "apache/superset": "superset"}


class FakeEngine:
    """Stands for the docker client: `present` maps references to (id, digests, labels)."""

    def __init__(self, present: dict[str, Any] | None = None, events: Any = ()) -> None:
        self.present = dict(present or {})
        self.events = events
        self.built: list[str] = []
        self.pulled: list[str] = []
        self.images = self.api = self

    def close(self) -> None:
        pass

    def get(self, reference: str) -> Any:
        if reference not in self.present:
            raise ImageNotFound(reference)
        identity, digests, labels = self.present[reference]
        return SimpleNamespace(
            id=identity, attrs={"RepoDigests": digests, "Size": 7_000_000}, labels=labels
        )

    def pull(self, reference: str) -> None:
        if reference not in self.events:
            raise ImageNotFound(reference)
        self.pulled.append(reference)

    def build(self, *, tag: str, labels: dict[str, str], fileobj: Any, **_: Any) -> Iterator[Any]:
        assert fileobj.read(1)
        self.built.append(tag)
        yield from self.events
        self.present[tag] = (f"sha256:{tag}", [], labels)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Any:
    def install(**arguments: Any) -> FakeEngine:
        fake = FakeEngine(**arguments)
        monkeypatch.setattr(images, "engine", lambda: fake)
        return fake

    return install


@pytest.fixture
def recipes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A catalogue of two images, the second on top of the first, as the one in use."""
    for name in ("below", "above"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "Dockerfile").write_text(f"FROM {name}", "utf-8")
    (tmp_path / "catalogue.yaml").write_text(
        "above: {tag: t/above:1, needs: [below], megabytes: 1, seconds: 1, reference: above:1}\n"
        "below: {tag: t/below:1, megabytes: 1, seconds: 1}\n",
        "utf-8",
    )
    every = images.catalogue(tmp_path)
    monkeypatch.setattr(images, "catalogue", lambda _folder=None: every)
    return tmp_path


@pytest.mark.parametrize(
    ("official", "name"),
    [
        ("postgres", "postgres"),
        ("postgres:15-bookworm", "postgres"),
        ("docker.io/library/postgres:15", "postgres"),
        ("apache/superset:6.1.0@sha256:" + "0" * 64, "apache/superset"),
        ("ghcr.io/dbt-labs/dbt-postgres:1.9.latest", "ghcr.io/dbt-labs/dbt-postgres"),
        ("localhost:5000/x/y", "localhost:5000/x/y"),
    ],
)
def test_bare_name(official: str, name: str) -> None:
    assert images.bare(official) == name


def test_catalogue_and_folders_agree() -> None:
    folders = {p.parent.name for p in images.FOLDER.glob("*/Dockerfile")}
    assert folders == set(images.catalogue())


@pytest.mark.parametrize("recipe", images.catalogue().values(), ids=lambda r: r.name)
def test_needs_are_what_the_dockerfile_builds_on(recipe: images.Recipe) -> None:
    tags = {r.tag: r.name for r in images.catalogue().values()}
    text = (recipe.folder / "Dockerfile").read_text("utf-8")
    bases = set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) - {"scratch"}
    assert {tags[b] for b in bases} == set(recipe.needs)


@pytest.mark.parametrize("lock", sorted(images.FOLDER.glob("*/*.lock")), ids=str)
def test_locks_pin_every_version_and_name_no_host(lock: Path) -> None:
    lines = [line for line in lock.read_text("utf-8").splitlines() if not line.startswith("#")]
    assert lines
    assert [line for line in lines if not re.fullmatch(r"[a-z0-9._-]+==[\w.+!-]+", line)] == []


def test_rubrics_map_official_names_to_entries_that_stand_for_them() -> None:
    names = course.exercises()
    assert names
    for name in names:
        for official, entry in rubric.load(course.exercise(name)).images.items():
            assert official in images.catalogue()[entry].official, (name, official)


def test_recipes_come_after_what_they_need() -> None:
    seen: set[str] = set()
    for recipe in images.catalogue().values():
        assert seen.issuperset(recipe.needs)
        seen.add(recipe.name)


def test_resolve_prefers_the_official_image_by_digest(engine: Any) -> None:
    pinned = "postgres@sha256:" + "1" * 64
    present = {
        "postgres:15": ("sha256:a", [pinned], {}),
        images.catalogue()["postgres"].tag: ("sha256:b", [], {}),
    }
    engine(present=present)
    assert images.resolve("docker.io/library/postgres:15.4", RUBRIC) == pinned


def test_resolve_falls_back_to_the_local_build(engine: Any) -> None:
    engine(present={images.catalogue()["postgres"].tag: ("sha256:b", [], {})})
    assert images.resolve("postgres:15", RUBRIC) == "sha256:b"


def test_resolve_says_what_to_type(engine: Any) -> None:
    engine()
    with pytest.raises(MachineError, match="bareme images build superset"):
        images.resolve("apache/superset:6.1.0", RUBRIC)


def test_resolve_refuses_what_the_rubric_does_not_map(engine: Any) -> None:
    engine()
    with pytest.raises(RubricError, match="redis"):
        images.resolve("redis:7", RUBRIC)


def test_digest_follows_contents_modes_and_parents(recipes: Path) -> None:
    above = images.catalogue()["above"]
    before = images.digest(above)
    (recipes / "above" / "Dockerfile").touch()
    assert images.digest(above) == before
    (recipes / "above" / "Dockerfile").chmod(0o755)
    assert images.digest(above) != before
    (recipes / "above" / "Dockerfile").chmod(0o644)
    (recipes / "below" / "Dockerfile").write_text("FROM elsewhere", "utf-8")
    assert images.digest(above) != before


def test_build_goes_up_the_dependencies_once(engine: Any, recipes: Path) -> None:
    fake, said = engine(), list[str]()
    images.build(["above"], said.append)
    assert fake.built == ["t/below:1", "t/above:1"]
    images.build([], said.append)
    assert fake.built == ["t/below:1", "t/above:1"]
    assert said[-1] == "t/above:1 : à jour"
    (recipes / "above" / "Dockerfile").write_text("FROM changed", "utf-8")
    images.build([], said.append)
    assert fake.built[2:] == ["t/above:1"]
    images.build(["below"], said.append, force=True)
    assert fake.built[3:] == ["t/below:1"]


def test_a_failed_build_carries_the_end_of_its_log(engine: Any, recipes: Path) -> None:
    events = [{"stream": f"line {n}\n"} for n in range(100)] + [{"error": "code 1"}]
    engine(events=events)
    with pytest.raises(MachineError, match="code 1") as caught:
        images.build(["below"], lambda _: None)
    assert "line 99" in str(caught.value)
    assert "line 1\n" not in str(caught.value)


def test_a_build_that_drags_on_is_given_up(
    engine: Any, recipes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "TIMEOUT", -1.0)
    engine(events=[{"stream": "Step 1"}])
    with pytest.raises(MachineError, match="dépasse"):
        images.build(["below"], lambda _: None)


def test_unknown_image(engine: Any) -> None:
    engine()
    with pytest.raises(UsageError, match="mysql"):
        images.build(["mysql"], lambda _: None)


def test_pull_leaves_out_what_has_no_official_image(engine: Any, recipes: Path) -> None:
    fake = engine(events=["above:1"])
    images.pull([], lambda _: None)
    assert fake.pulled == ["above:1"]


def test_pull_without_a_registry_names_the_other_way(engine: Any, recipes: Path) -> None:
    engine()
    with pytest.raises(MachineError, match="bareme images build above"):
        images.pull([], lambda _: None)


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # the SDK leaves a refused socket open
def test_no_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(MachineError, match="make engine") as caught:
        images.engine()
    del caught
    gc.collect()


def test_apt_sources_keep_the_suite_and_leave_third_parties(tmp_path: Path) -> None:
    folder = tmp_path / "sources.list.d"
    folder.mkdir()
    (folder / "debian.sources").write_text(
        "# a comment\nTypes: deb\nURIs: http://mirror.test/debian\n"
        "Suites: bookworm bookworm-updates\nComponents: main\n  contrib\n\n"
        "Types: deb\nURIs: http://other.test\nSuites: stable\nComponents: main\n\n"
        "Enabled: no\nTypes: deb\nURIs: http://off.test\nSuites: bookworm\nComponents: main\n",
        "utf-8",
    )
    (tmp_path / "sources.list").write_text(
        "deb [signed-by=/k.gpg arch=amd64] http://one.test bookworm-security main contrib\n"
        "deb-src http://src.test bookworm main\n#deb http://no.test bookworm main\n",
        "utf-8",
    )
    found = registries.apt_sources("bookworm", tmp_path)
    assert re.findall(r"URIs: (\S+)", found) == ["http://mirror.test/debian", "http://one.test"]
    assert "Components: main\n  contrib" in found
    assert "Signed-By: /k.gpg" in found
    assert registries.apt_sources("trixie", tmp_path) == ""


def test_build_args_pass_on_what_a_container_can_reach(tmp_path: Path) -> None:
    conf = tmp_path / ".config" / "pip" / "pip.conf"
    conf.parent.mkdir(parents=True)
    conf.write_text("[global]\nindex-url = https://one.test/simple\n", "utf-8")
    environ = {"PIP_EXTRA_INDEX_URL": "file:///srv https://two.test/s", "https_proxy": "http://p:3"}
    found = registries.build_args(environ, tmp_path)
    assert found["PIP_INDEX_URL"] == found["UV_DEFAULT_INDEX"] == "https://one.test/simple"
    assert found["UV_INDEX"] == "https://two.test/s"
    assert found["HTTPS_PROXY"] == "http://p:3"
    assert "HTTP_PROXY" not in found


def test_ca_bundle_is_the_one_that_the_environment_names(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.touch()
    assert registries.ca_bundle({"SSL_CERT_FILE": str(bundle)}) == bundle


@pytest.mark.parametrize("script", ["scripts/engine.sh", "images/postgres/docker-entrypoint.sh"])
def test_scripts_parse_and_are_executable(script: str) -> None:
    path = images.FOLDER.parent / script
    assert path.stat().st_mode & 0o100
    shell = path.read_text("utf-8").partition("\n")[0].removeprefix("#!").split()[-1]
    subprocess.run([shutil.which(Path(shell).name) or shell, "-n", str(path)], check=True)


@pytest.mark.parametrize(
    ("official", "differs"),
    [
        ("postgres:15", False),
        ("docker.io/library/postgres:15.4-alpine", False),
        ("postgres:16", True),
        ("postgres", True),
        ("postgres:latest", True),
    ],
)
def test_another_version_is_told(official: str, differs: bool) -> None:
    told = images.differs(official, {"postgres": "postgres"})
    assert bool(told) is differs
    assert ("postgres:15" in told) is differs
