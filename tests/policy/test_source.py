"""What is judged before Compose sees it, and what Compose is given in its place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from graders import policy
from graders.errors import PolicyError
from graders.policy import dotenv
from tests.policy.conftest import Folder

Base = Callable[..., Folder]


def find_rules(folder: Folder) -> set[str]:
    with pytest.raises(PolicyError) as caught:
        policy.find(folder.root)
    return {r.rule for r in caught.value.refusals}


@pytest.mark.parametrize("name", ["compose.yml", "docker-compose.yaml", "docker-compose.yml"])
def test_the_usual_names_are_found(folder: Folder, name: str) -> None:
    folder.write("services: {a: {image: postgres}}\n", name)
    assert policy.find(folder.root).name == name


def test_two_files_with_the_same_content_are_one(folder: Folder) -> None:
    for name in ("compose.yaml", "docker-compose.yml"):
        folder.write("services: {a: {image: postgres}}\n", name)
    assert policy.find(folder.root).name == "compose.yaml"


def test_a_missing_file_a_link_and_a_folder_are_all_absent(folder: Folder) -> None:
    assert find_rules(folder) == {"compose-absent"}
    (folder.root / "compose.yaml").symlink_to("/etc/hostname")
    (folder.root / "compose.yml").mkdir()
    assert find_rules(folder) == {"compose-absent"}


@pytest.mark.parametrize("text", ["[]", "services: []", "a: 1", "services:"])
def test_a_file_without_services_is_refused(folder: Folder, text: str) -> None:
    assert find_rules(folder.write(text)) == {"forme"}


def test_every_reason_is_given_at_once_each_with_its_line(base: Base) -> None:
    folder = base("privileged: true", "pid: host", "command: echo ${JETON}")
    with pytest.raises(PolicyError) as caught:
        policy.find(folder.root)
    assert [(r.rule, r.line) for r in caught.value.refusals] == [
        ("privileges", 4),
        ("espaces-de-noms", 5),
        ("variable-absente", 6),
    ]
    assert str(caught.value).startswith("compose.yaml:4: « services.base.privileged »")


def test_compose_is_given_no_extension_no_version_no_file_to_read(base: Base) -> None:
    folder = base("env_file: [a.env]", "x-note: 1", "environment: [B=2]", tail="x-c: {}\n")
    folder.write("A='un $ dollar'\nB=1 # note\n", "a.env")
    document = policy.find(folder.root).document
    assert document == {
        "services": {
            "base": {"image": "postgres:15", "environment": {"A": "un $$ dollar", "B": "2"}}
        }
    }


@pytest.mark.parametrize(
    "named",
    ["/proc/self/environ", "../x.env", "lien.env", "absent.env", "$X.env", "dossier", "{path: 3}",
     "{path: a.env, format: raw}"],
)  # fmt: skip
def test_env_file_names_only_a_regular_file_of_the_submission(base: Base, named: str) -> None:
    folder = base(f"env_file: {named}").write("A=1\n", "a.env")
    (folder.root / "dossier").mkdir()
    (folder.root / "lien.env").symlink_to("/etc/hostname")
    (folder.root.parent / "x.env").write_text("A=1\n")
    assert "lecture-de-fichier" in find_rules(folder)


def test_an_optional_env_file_may_be_missing(base: Base) -> None:
    folder = base("env_file: [{path: absent.env, required: false}]")
    assert policy.find(folder.root).document["services"]["base"]["environment"] == {}


@pytest.mark.parametrize("text", ["${X}", "$X", "${X:?non}", "${Y:-${X}}", "a${X}b"])
def test_a_variable_without_a_value_is_refused(base: Base, text: str) -> None:
    assert find_rules(base(f'command: "{text}"')) == {"variable-absente"}


@pytest.mark.parametrize("text", ["${X:-1}", "${X-1}", "$$X", "${X:+1}", "${COMPOSE_PROJECT_NAME}"])
def test_a_variable_with_a_default_is_allowed(base: Base, text: str) -> None:
    assert policy.find(base(f'command: "{text}"').root)


def test_the_submissions_own_env_file_gives_values(base: Base) -> None:
    folder = base("command: [echo, $MOT]").write("export MOT='a$b'\n", ".env")
    assert folder.service()["command"] == ["echo", "a$$b"]


def test_variables_that_would_swell_the_document_are_refused(base: Base) -> None:
    folder = base("command: [" + ", ".join(["$GROS"] * 200) + "]")
    folder.write("GROS=" + "x" * 60_000, ".env")
    assert find_rules(folder) == {"variables-volume"}


@pytest.mark.parametrize(
    "line", ["COMPOSE_FILE=x", "DOCKER_HOST=tcp://x", "LD_PRELOAD=x", "HTTPS_PROXY=x", "PATH=x"]
)
def test_a_dot_env_that_steers_compose_is_refused(base: Base, line: str) -> None:
    assert find_rules(base().write(line, ".env")) == {"env-compose"}


@pytest.mark.parametrize(
    "line",
    ["A", "A: b", "A=$B", 'A="$B"', "A='x", 'A="a" b', "A=`id`", "=x", "1A=x", "A='a\\n'", "A=a'b"],
)
def test_what_is_not_name_equals_value_is_refused_with_its_line(line: str) -> None:
    with pytest.raises(PolicyError) as caught:
        dotenv.read(f"# note\n{line}\n".encode(), "a.env")
    assert [(r.rule, r.line) for r in caught.value.refusals] == [("env-illisible", 2)]


@pytest.mark.parametrize(
    ("line", "value"),
    [("A=b c # d", "b c"), ("A=", ""), ("A='x # y' # z", "x # y"), ('A="b"', "b"), ("A = b", "b")],
)
def test_values_are_read_as_compose_reads_them(line: str, value: str) -> None:
    assert dotenv.read(line.encode(), "a.env") == {"A": value}


def test_a_huge_env_file_is_refused(base: Base) -> None:
    folder = base().write("A=1\n" * 20_000, ".env")
    assert find_rules(folder) == {"env-illisible"}


def test_extends_within_the_file_is_resolved(folder: Folder) -> None:
    folder.write(
        "services:\n  a: {image: 'postgres:15', environment: {X: '1'}}\n  b: {extends: a}\n"
        "  c: {extends: {service: a}, environment: {Y: '2'}}\n"
    )
    assert folder.service("b")["environment"] == {"X": "1"}
    assert folder.service("c")["environment"] == {"X": "1", "Y": "2"}


def test_the_graders_environment_never_shows(
    base: Base, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("JETON", "marqueur")
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("JETON=marqueur\n")
    folder = base("environment: {A: '${JETON:-defaut}'}")
    assert folder.service()["environment"] == {"A": "defaut"}
