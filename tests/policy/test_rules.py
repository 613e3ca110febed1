"""The resolved document: what is allowed, and the named rule of what is not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from graders.policy import forbidden, mounts, rules, shape
from graders.policy.roles import split
from tests.policy.conftest import Folder

Base = Callable[..., Folder]


@pytest.mark.parametrize(
    ("lines", "rule"),
    [
        (["cap_add: [SYS_PTRACE]"], "capacites"),
        (["security_opt: [apparmor=unconfined]"], "options-de-securite"),
        (["scale: 3"], "replicas"),
        (["deploy: {mode: global}"], "forme"),
        (["deploy: {resources: {reservations: {devices: [{capabilities: [gpu]}]}}}"],
         "peripheriques"),
        (["ports: ['443:443']"], "port-systeme"),
        (["logging: {driver: fluentd}"], "journal"),
        (["shm_size: 2g"], "memoire-partagee"),
        (["tmpfs: ['/x:bind']"], "tmpfs"),
        (["tmpfs: ['/usr/bin']"], "montage-cible"),
        (["environment: {PATH: /x}"], "variable-interdite"),
        (["environment: {http_proxy: x}"], "variable-interdite"),
        (["environment: [NU]"], "variable-absente"),
        (["environment: {'A B': x}"], "forme"),
        (["hostname: 'a_b'"], "forme"),
        (["user: 'a b'"], "forme"),
        (["platform: windows/amd64"], "forme"),
        (["ulimits: {rtprio: 99}"], "option-inconnue"),
        (["annotations: {a: b}"], "option-inconnue"),
        (["nimporte: 1"], "option-inconnue"),
        (["volumes: [{type: npipe, source: x, target: /x}]"], "montage-type"),
        (["volumes: [{type: image, source: x, target: /x}]"], "montage-type"),
        (["volumes: [{type: bind, source: ., target: /x, bind: {propagation: shared}}]"],
         "montage-type"),
        (["volumes: ['../x:/x']"], "montage-hors-du-rendu"),
        (["volumes: ['C:\\x:/x']"], "montage-hors-du-rendu"),
        (["volumes: ['./absent:/x']"], "montage-absent"),
        (["volumes: ['.:/usr/lib/python3']"], "montage-cible"),
        (["working_dir: /dev"], "dossier-de-travail"),
        (["network_mode: none"], "reseau-machine"),
        (["extra_hosts: ['x:host-gateway']"], "resolution"),
        (["label_file: x"], "lecture-de-fichier"),
        (["develop: {watch: [{path: ., action: rebuild}]}"], "developpement"),
        (["group_add: ['999']"], "groupes"),
        (["oom_kill_disable: true"], "ressources"),
        (["models: [x]"], "modeles"),
        (["build: ."], "construction"),
        (["container_name: bareme-door"], "nom-reserve"),
        (["networks: {default: {aliases: [Bareme-door]}}"], "nom-reserve"),
    ],
)  # fmt: skip
def test_each_option_outside_the_list_has_its_rule(base: Base, lines: list[str], rule: str) -> None:
    found = base(*lines).refusals()
    assert rule in {r.rule for r in found}
    assert all(r.line and r.message and r.file == "compose.yaml" for r in found)


@pytest.mark.parametrize(
    ("tail", "rule"),
    [
        ("networks: {x: {driver: host}}\n", "reseau-pilote"),
        ("networks: {x: {driver_opts: {a: b}}}\n", "reseau-pilote"),
        ("volumes: {xx: {driver: nfs}}\n", "volume-options"),
        ("include: [x.yaml]\n", "include"),
        ("configs: {x: {content: y}}\n", "secrets"),
        ("models: {x: {model: ai/x}}\n", "modeles"),
        ("autre: 1\n", "option-inconnue"),
    ],
)
def test_top_level_parts_have_their_rules(base: Base, tail: str, rule: str) -> None:
    networks = ("networks: [x]",) if tail.startswith("networks") else ()
    volumes = ("volumes: ['xx:/d']",) if tail.startswith("volumes") else ()
    assert rule in base(*networks, *volumes, tail=tail).rules()


def test_all_refusals_of_a_document_come_together(folder: Folder) -> None:
    folder.write(
        "services:\n  a:\n    image: inconnue:1\n    cap_add: [SYS_ADMIN]\n"
        "  b:\n    image: postgres:15\n    volumes:\n      - pg:/var/lib/postgresql/data\n"
        "      - /etc:/hote\nvolumes:\n  pg:\n"
    )
    found = [(r.rule, r.line) for r in folder.refusals()]
    assert found == [("image", 3), ("capacites", 4), ("montage-hors-du-rendu", 9)]


def test_what_compose_itself_refuses_is_told_with_a_line_and_no_path(base: Base) -> None:
    (found,) = base("user: 3").refusals()
    assert (found.rule, found.line) == ("compose-invalide", 4)
    assert "must be a string" in found.message
    assert "/tmp" not in str(found)


def test_a_cycle_of_dependencies_is_compose_s_to_refuse(folder: Folder) -> None:
    folder.write("services:\n  a: {image: postgres, depends_on: [b]}\n"
                 "  b: {image: postgres, depends_on: [a]}\n")  # fmt: skip
    assert folder.rules() == {"compose-invalide"}


def test_messages_name_no_path_of_the_grader(base: Base) -> None:
    (found,) = base("volumes: ['../../secret:/x']").refusals()
    assert "../../secret" in found.message
    assert "/tmp" not in str(found)


@pytest.mark.parametrize(
    ("reference", "name", "full"),
    [
        ("postgres", "postgres", "postgres:latest"),
        ("docker.io/library/postgres:15", "postgres", "postgres:15"),
        ("index.docker.io/apache/superset:6", "apache/superset", "apache/superset:6"),
        ("docker.elastic.co/kibana/kibana:8", "docker.elastic.co/kibana/kibana",
         "docker.elastic.co/kibana/kibana:8"),
        ("localhost:5000/x", "localhost:5000/x", "localhost:5000/x:latest"),
        ("postgres:15@sha256:" + "0" * 64, "postgres", "postgres:15@sha256:" + "0" * 64),
        ("postgres@sha256:0", "", ""),
        ("Postgres", "", ""),
        ("-v", "", ""),
        ("a b", "", ""),
        ("", "", ""),
    ],
)  # fmt: skip
def test_image_references_have_one_official_name(reference: str, name: str, full: str) -> None:
    assert split(reference) == (name, full)


@pytest.mark.parametrize(
    "target",
    ["/data", "/opt/airflow/dags", "/usr/share/logstash/pipeline", "/etc/prometheus/prometheus.yml",
     "/var/lib/postgresql/data", "/root/.dbt", "/docker-entrypoint-initdb.d", "/usr/app", "/tmp",
     "/var/run/postgresql", "/home/jovyan/work", "/opt/airflow", "/opt/spark/work-dir/donnees",
     "/opt/spark/conf", "/app/superset_home", "/app/pythonpath", "/app/docker", "/usr/app/dbt"],
)  # fmt: skip
def test_ordinary_targets_are_harmless(target: str) -> None:
    assert mounts.harmless(target)


@pytest.mark.parametrize(
    "target",
    ["/", "//", "/usr", "/usr/", "/bin", "/bin/sh", "/usr/local/bin/x", "/lib/x", "/etc",
     "/etc/passwd", "/etc/ld.so.preload", "/proc/1", "/sys", "/dev/sda", "/run", "/run/docker.sock",
     "/var/run/docker.sock", "/app/docker.sock", "/x/../etc/passwd", "/usr/share/x/bin/logstash",
     "/opt/spark/jars", "/opt/venv/lib/python3.11/site-packages/superset", "/var/lib/docker",
     "relative", "/etc/../usr/bin", "/opt/dbt", "/opt/dbt/x", "/opt/spark", "/opt/spark/python",
     "/app", "/app/.venv", "/app/superset", "/home/airflow", "/home/airflow/.local/x",
     "/home/x/.local"],
)  # fmt: skip
def test_system_and_tool_targets_are_not(target: str) -> None:
    assert not mounts.harmless(target)


def test_tmpfs_may_lie_where_programs_keep_their_run_files() -> None:
    assert mounts.harmless("/run", tmpfs=True)
    assert mounts.harmless("/dev/shm", tmpfs=True)
    assert not mounts.harmless("/proc", tmpfs=True)


def test_a_link_made_after_the_copy_is_still_not_followed(base: Base) -> None:
    folder = base("volumes: ['./a/b:/x']").write("x", "vrai/b")
    (folder.root / "a").symlink_to(folder.root / "vrai")
    assert folder.rules() == {"montage-absent"}


def test_no_forbidden_key_is_on_the_allow_list() -> None:
    for part, table in (
        ("service", forbidden.SERVICE),
        ("build", forbidden.BUILD),
        ("volume", forbidden.VOLUME),
        ("network", forbidden.NETWORK),
    ):
        assert not table.keys() & shape.allowed(part)


def test_every_rule_function_says_what_it_is_for() -> None:
    assert all(rule.__doc__ for rule in rules.RULES)
