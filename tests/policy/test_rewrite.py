"""The plan: what is kept, what is ours, and that nothing else is in it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from graders import compose
from graders.model import Limits
from graders.policy import rewrite
from tests.policy.conftest import Folder

Base = Callable[..., Folder]
MiB = 1 << 20


def test_a_service_is_confined_whatever_it_asks(base: Base) -> None:
    got = base("restart: always", "init: false", "ports: ['8080:80']", "stop_grace_period: 1h",
               "pull_policy: always", "privileged: false").rules()  # fmt: skip
    assert got == {"privileges"}  # even `false` is outside the list
    it = base("restart: always", "init: false", "ports: ['8080:80']", "stop_grace_period: 1h",
              "pull_policy: always", "labels: {bareme.project: autre}").service()  # fmt: skip
    assert it["restart"] == "no"
    assert it["init"] is True
    assert it["pull_policy"] == "never"
    assert it["cap_drop"] == ["ALL"]
    assert it["security_opt"] == ["no-new-privileges:true"]
    assert it["stop_grace_period"] == "2s"
    assert it["labels"] == {"bareme": "1", "bareme.project": "bareme-07-0badcafe"}
    assert it["logging"]["options"] == {"max-size": "1m", "max-file": "2"}
    assert it["ulimits"]["core"] == {"soft": 0, "hard": 0}
    assert "ports" not in it
    assert it["image"] == "local/postgres:15"


def test_capabilities_are_the_role_s_and_no_more(base: Base) -> None:
    assert base("cap_add: [NET_BIND_SERVICE, IPC_LOCK]").service()["cap_add"] == ["CHOWN", "SETUID"]


def test_there_is_one_internal_network_with_a_bridge_of_our_own(base: Base) -> None:
    folder = base("networks: {avant: {aliases: [pg]}, arriere: }", "container_name: ma_base",
                  tail="networks: {avant: , arriere: {internal: false}}\n")  # fmt: skip
    document = folder.plan().document
    network = document["networks"]["default"]
    assert list(document["networks"]) == ["default"]
    assert network["internal"] is True
    assert network["driver_opts"] == {"com.docker.network.bridge.name": "brm0badcafe"}
    service = document["services"]["base"]
    assert service["networks"] == {"default": {"aliases": ["ma_base", "pg"]}}


def test_a_bridge_name_fits_an_interface() -> None:
    assert rewrite.bridge("bareme-07-0badcafe") == "brm0badcafe"
    assert re.fullmatch("brm[0-9a-f]{8}", rewrite.bridge("autre"))


def test_what_describes_the_service_is_kept(base: Base) -> None:
    it = base(
        "command: [postgres, -c, 'shared_buffers=64MB']",
        "user: '1000:1000'",
        "working_dir: /srv",
        "hostname: db",
        "profiles: [outils]",
        "environment: {A: 'b$$c', N: 3, VIDE: ''}",
        "healthcheck: {test: [CMD, pg_isready], interval: 5s, start_interval: 10ms, retries: 3}",
        "read_only: true",
    ).service()
    assert it["command"] == ["postgres", "-c", "shared_buffers=64MB"]
    assert (it["user"], it["working_dir"], it["hostname"]) == ("1000:1000", "/srv", "db")
    assert it["profiles"] == ["outils"]
    assert it["environment"] == {"A": "b$$c", "N": "3", "VIDE": ""}
    assert it["healthcheck"]["interval"] == "5s"
    assert it["healthcheck"]["start_interval"] == "1s"
    assert it["read_only"] is True


def test_dependencies_keep_their_condition(folder: Folder) -> None:
    folder.write(
        "services:\n  a: {image: 'postgres:15', healthcheck: {test: [CMD, x]}}\n"
        "  b: {image: 'postgres:15', depends_on: {a: {condition: service_healthy}}}\n"
    )
    assert folder.service("b")["depends_on"] == {
        "a": {"condition": "service_healthy", "required": True}
    }


def test_data_results_and_the_copy_are_bound_where_they_really_lie(base: Base) -> None:
    folder = base(
        "volumes: ['./donnees/brut:/d', './resultats/x:/r', './conf:/etc/prometheus', 'pg:/v']",
        tail="volumes: {pg: }\n",
    ).write("a", "conf/a.yml")
    mounts = {m["target"]: m for m in folder.service()["volumes"]}
    work = folder.work
    assert mounts["/d"]["source"] == str(work.data / "brut")
    assert mounts["/d"]["read_only"] is True
    assert mounts["/r"]["source"] == str(work.results / "x")
    assert mounts["/r"]["read_only"] is False
    assert (work.results / "x").stat().st_mode & 0o777 == 0o777
    assert mounts["/etc/prometheus"]["source"] == str(folder.root / "conf")
    assert mounts["/etc/prometheus"]["read_only"] is True
    assert all(m["bind"] == {"create_host_path": False} for m in mounts.values() if "bind" in m)
    assert mounts["/v"] == {"type": "volume", "source": "pg", "target": "/v", "read_only": False}


def test_the_whole_submission_may_be_bound_read_only_with_data_and_results_inside(
    folder: Folder,
) -> None:
    folder.write(
        "services:\n  dbt:\n    image: ghcr.io/dbt-labs/dbt-postgres\n"
        "    volumes: ['.:/usr/app', './resultats/y:/usr/app/resultats']\n"
    )
    mounts = {m["target"]: m for m in folder.service("dbt")["volumes"]}
    assert mounts["/usr/app"]["read_only"] is True
    assert mounts["/usr/app/donnees"]["source"] == str(folder.work.data)
    assert mounts["/usr/app/resultats"]["source"] == str(folder.work.results / "y")
    assert mounts["/usr/app/target"]["read_only"] is False
    assert str(folder.root) not in mounts["/usr/app/target"]["source"]
    assert {p.name for p in folder.root.iterdir()} == {"compose.yaml", "donnees", "target"}


def test_a_role_s_folder_follows_the_working_directory(folder: Folder) -> None:
    folder.write(
        "services:\n  dbt:\n    image: ghcr.io/dbt-labs/dbt-postgres\n"
        "    working_dir: /usr/app/boutique\n    volumes: ['.:/usr/app']\n"
    ).write("name: boutique\n", "boutique/dbt_project.yml")
    targets = [m["target"] for m in folder.service("dbt")["volumes"]]
    assert "/usr/app/boutique/target" in targets


def test_a_granted_bind_writes_to_a_copy_and_never_to_the_submission(folder: Folder) -> None:
    folder.write(
        "services:\n  dbt:\n    image: ghcr.io/dbt-labs/dbt-postgres\n"
        "    volumes: ['./etat:/etat']\n"
    ).write("vrai", "etat/a.db")
    (mount,) = folder.service("dbt")["volumes"]
    assert mount["read_only"] is False
    assert not mount["source"].startswith(str(folder.root))
    assert (folder.scratch / "ecrits" / "dbt" / "etat" / "a.db").read_text() == "vrai"


def test_memory_is_shared_within_the_budget(folder: Folder) -> None:
    folder.write(
        "services:\n"
        "  a: {image: 'postgres:15', mem_limit: 100m}\n"
        "  b: {image: 'postgres:15', deploy: {resources: {limits: {memory: 1g}}}}\n"
        "  c: {image: 'apache/airflow'}\n  d: {image: 'apache/airflow'}\n"
    )
    limits = {n: s["mem_limit"] for n, s in folder.plan().document["services"].items()}
    assert limits["a"] == 100 * MiB
    assert limits["b"] == 1024 * MiB
    assert limits["c"] == limits["d"] == (2048 - 1124) // 2 * MiB


def test_greedy_limits_are_cut_to_the_budget(folder: Folder) -> None:
    rows = [f"  s{n}: {{image: 'postgres:15', mem_limit: 8g}}" for n in range(4)]
    folder.write("services:\n" + "\n".join(rows) + "\n")
    services = folder.plan().document["services"].values()
    assert sum(s["mem_limit"] for s in services) <= 2048 * MiB
    assert all(s["memswap_limit"] == s["mem_limit"] for s in services)


def test_cpu_pids_files_and_shared_memory_are_capped(base: Base) -> None:
    it = base("cpus: 64", "pids_limit: -1", "shm_size: 512m",
              "ulimits: {nofile: 9999999, memlock: -1, core: -1}").service()  # fmt: skip
    assert it["cpus"] == 2.0
    assert it["pids_limit"] == 512
    assert it["shm_size"] <= it["mem_limit"] // 2
    assert 0 < it["ulimits"]["nofile"]["hard"] <= 65_536
    assert it["ulimits"]["fsize"]["hard"] == 1024 * MiB
    assert "memlock" not in it["ulimits"]
    small = base("cpus: 0.5", "pids_limit: 20", "ulimits: {nofile: 100}").service()
    assert (small["cpus"], small["pids_limit"]) == (0.5, 20)
    assert small["ulimits"]["nofile"]["hard"] == 100


def test_tmpfs_has_a_size(base: Base) -> None:
    folder = base("tmpfs: [/a, '/b:size=1m,mode=1777']",
                  "volumes: [{type: tmpfs, target: /c}, {type: tmpfs, target: /d, "
                  "tmpfs: {size: 1g, mode: 511}}]")  # fmt: skip
    folder.limits = Limits(memory=1024)
    it = folder.service()
    assert it["tmpfs"] == ["/a:size=67108864,noexec,nosuid", "/b:size=1048576,noexec,nosuid"]
    sizes = {m["target"]: m["tmpfs"]["size"] for m in it["volumes"]}
    assert sizes == {"/c": 64 * MiB, "/d": it["mem_limit"] // 2}


def test_the_plan_reads_back_as_itself(base: Base) -> None:
    folder = base("command: [sh, -c, 'echo $$HOME $$$$']", "environment: {P: 'a$$b'}")
    plan = folder.plan()
    document = folder.scratch / "plan.json"
    document.write_text(json.dumps(plan.document))
    args = ["-p", plan.project, "-f", str(document), "--env-file", "/dev/null"]
    done = compose.call([*args, "config", "--format", "json"], cwd=folder.scratch, timeout=20)
    read = json.loads(done.stdout)["services"]["base"]
    assert read["command"] == plan.document["services"]["base"]["command"]
    assert read["environment"] == {"P": "a$$b"}
    assert read["image"] == "local/postgres:15"
