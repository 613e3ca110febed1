"""The local images, each doing what the official one is used for, without egress."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import tarfile
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import docker
import pytest
from docker.models.containers import Container

from graders import images
from graders.errors import MachineError

pytestmark = pytest.mark.docker
MARK = {"bareme.test": "images"}
Run = Callable[..., Container]


@pytest.fixture(scope="module")
def client() -> Iterator[docker.DockerClient]:
    try:
        found = images.engine()
    except MachineError as error:
        pytest.skip(str(error))
    with contextlib.closing(found):
        yield found


@pytest.fixture
def run(client: docker.DockerClient) -> Iterator[Run]:
    """Start a container of a recipe's local build, with files put in place before it starts."""
    started: list[Container] = []

    def start(
        recipe: str, *command: str, files: dict[str, bytes] | None = None, **more: Any
    ) -> Any:
        tag = images.catalogue()[recipe].tag
        if not images.state(client, images.catalogue()[recipe]).local:
            pytest.skip(f"{tag} n'est pas construite : bareme images build {recipe}")
        more = {"network_mode": "none"} | more
        container = client.containers.create(
            tag, list(command) or None, labels=MARK, init=True, mem_limit="2g", **more
        )
        started.append(container)
        if files:
            container.put_archive("/", _tar(files))
        container.start()
        return container

    yield start
    for container in started:
        container.remove(force=True, v=True)


def _tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), 0o644
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def sh(container: Container, *command: str) -> str:
    """Run a command in the container and return its standard output; it must succeed."""
    code, (out, err) = container.exec_run(list(command), demux=True)
    assert code == 0, (out or b"").decode() + (err or b"").decode()
    return (out or b"").decode().strip()


def until(container: Container, *command: str, seconds: float) -> float:
    """Wait until a command succeeds in the container; return the time it took, in seconds."""
    start = time.monotonic()
    while time.monotonic() - start < seconds:
        container.reload()
        if container.status == "exited":
            break
        with contextlib.suppress(docker.errors.APIError):
            if container.exec_run(list(command)).exit_code == 0:
                return time.monotonic() - start
        time.sleep(0.3)
    pytest.fail(f"{command} after {seconds} s:\n{container.logs(tail=30).decode()}")


def finish(container: Container, seconds: int) -> tuple[int, str]:
    """Wait for the end of a container; return its exit code and logs."""
    code = container.wait(timeout=seconds)["StatusCode"]
    return code, container.logs().decode()


# As with the official image, a foreign user needs a folder below the one that is open to all.
@pytest.mark.parametrize(
    ("user", "data", "owner"),
    [("root", "", "999"), ("postgres", "", "999"), ("12345:12345", "/pgdata", "12345")],
)
def test_postgres_initialises_like_the_official_image(
    run: Run, user: str, data: str, owner: str
) -> None:
    folder = "docker-entrypoint-initdb.d"
    files = {
        f"{folder}/1.sql": "create table t (a text); insert into t values ('é');".encode(),
        f"{folder}/2.sql.gz": gzip.compress(b"insert into t values ('gz');"),
        f"{folder}/3.sh": b'psql -U shop -d "$POSTGRES_DB" -c "insert into t values (3)"',
        "tmp/password": b"secret\n",
    }
    environment = {
        "POSTGRES_USER": "shop",
        "POSTGRES_PASSWORD_FILE": "/tmp/password",
        "POSTGRES_DB": "boutique",
        "POSTGRES_INITDB_ARGS": "--data-checksums",
        "PGDATA": f"/var/lib/postgresql/data{data}",
    }
    container = run(
        "postgres",
        "postgres",
        "-c",
        "max_connections=42",
        files=files,
        user=user,
        environment=environment,
    )
    until(container, "pg_isready", "-h", "127.0.0.1", "-U", "shop", "-d", "boutique", seconds=60)
    query = "select string_agg(a, ',' order by a) from t; show data_checksums; show max_connections"
    psql = ("psql", "-h", "127.0.0.1", "-U", "shop", "-At", "boutique", "-c", query)
    assert sh(container, *psql).split() == ["3,é,gz", "on", "42"]
    assert sh(container, "stat", "-c", "%u", f"/var/lib/postgresql/data{data}") == owner


def test_postgres_keeps_its_data_and_stops_quickly(run: Run) -> None:
    container = run("postgres", environment={"POSTGRES_PASSWORD": "x"})
    ready = ("pg_isready", "-h", "127.0.0.1", "-U", "postgres")
    until(container, *ready, seconds=60)
    sh(container, "psql", "-U", "postgres", "-c", "create table kept (a int)")
    start = time.monotonic()
    container.restart(timeout=30)
    assert time.monotonic() - start < 20
    until(container, *ready, seconds=60)
    assert "Skipping initialization" in container.logs().decode()
    assert sh(container, "psql", "-U", "postgres", "-Atc", "select count(*) from kept") == "0"


def test_postgres_asks_for_a_password(run: Run) -> None:
    code, logs = finish(run("postgres"), 60)
    assert code == 1
    assert "POSTGRES_PASSWORD" in logs


def test_dbt_has_both_adapters_and_builds_without_egress(run: Run) -> None:
    files = {
        "usr/app/dbt/dbt_project.yml": b"name: p\nversion: '1.0'\nprofile: p\n",
        "usr/app/dbt/profiles.yml": b"p: {target: d, outputs: {d: {type: duckdb, path: p.duckdb}}}",
        "usr/app/dbt/models/m.sql": b"select 1 as a",
    }
    code, logs = finish(run("dbt", "build", files=files), 120)
    assert code == 0, logs
    assert "Completed successfully" in logs
    code, logs = finish(run("dbt", "-c", "import dbt.adapters.postgres", entrypoint="python"), 60)
    assert code == 0, logs


def test_superset_is_ready_with_its_admin(run: Run) -> None:
    secret = {"SUPERSET_SECRET_KEY": uuid.uuid4().hex * 2}
    container = run("superset", environment=secret)
    until(container, "curl", "-fs", "http://localhost:8088/health", seconds=180)
    login = {"username": "admin", "password": "admin", "provider": "db", "refresh": True}
    answer = sh(container, *_post("http://localhost:8088/api/v1/security/login", login))
    assert json.loads(answer)["access_token"]


def test_superset_initialised_again_is_unharmed(run: Run) -> None:
    admin = "--username admin --firstname A --lastname B --email admin@example.com --password admin"
    script = f"superset db upgrade && superset fab create-admin {admin} && superset init"
    secret = {"SUPERSET_SECRET_KEY": uuid.uuid4().hex * 2}
    code, logs = finish(run("superset", "sh", "-c", script, environment=secret), 300)
    assert code == 0, logs


def test_superset_reads_the_students_configuration(run: Run) -> None:
    config = b"SECRET_KEY = 'x' * 42\nROW_LIMIT = 7\n"
    script = "from superset.app import create_app; print('limit', create_app().config['ROW_LIMIT'])"
    files = {"app/pythonpath/superset_config.py": config}
    code, logs = finish(run("superset", "python", "-c", script, files=files), 180)
    assert code == 0, logs
    assert "limit 7" in logs


def test_airflow_answers_and_parses_a_dag(run: Run) -> None:
    dag = b"""
import pendulum
from airflow.sdk import dag, task
@dag(dag_id="essai", schedule=None, start_date=pendulum.datetime(2024, 1, 1, tz="UTC"))
def essai():
    @task
    def rien():
        import pandas, psycopg2
    rien()
essai()
"""
    container = run("airflow", "standalone", files={"opt/airflow/dags/essai.py": dag})
    base = "http://localhost:8080"
    until(container, "curl", "-fs", f"{base}/api/v2/version", seconds=300)
    login = {"username": "admin", "password": "admin"}
    token = json.loads(sh(container, *_post(f"{base}/auth/token", login)))["access_token"]
    get = ("curl", "-fs", "-H", f"Authorization: Bearer {token}")
    until(container, *get, f"{base}/api/v2/dags/essai", seconds=120)
    errors = json.loads(sh(container, *get, f"{base}/api/v2/importErrors"))
    assert errors["total_entries"] == 0


@pytest.mark.parametrize(
    ("command", "seen"),
    [
        (("bash", "-c", "id -u; id -g"), "50000\n0"),
        (("python", "-c", "import pandas, psycopg2; print('ok')"), "ok"),
        (("airflow", "version"), "3.3.2"),
        (("version",), "3.3.2"),
    ],
)
def test_airflow_entry_point(run: Run, command: tuple[str, ...], seen: str) -> None:
    code, logs = finish(run("airflow", *command), 180)
    assert code == 0, logs
    assert seen in logs


def test_spark_runs_a_job_on_its_cluster(client: docker.DockerClient, run: Run) -> None:
    job = b"""
from pyspark.sql import SparkSession
s = SparkSession.builder.appName("essai").getOrCreate()
print("TOTAL", s.range(1000).selectExpr("sum(id) as t").first().t, s.sparkContext.applicationId)
s.stop()
"""
    network = client.networks.create(
        f"bareme-test-{uuid.uuid4().hex[:8]}", internal=True, labels=MARK
    )
    with contextlib.ExitStack() as stack:
        stack.callback(network.remove)
        spark_class = "/opt/spark/bin/spark-class"
        deploy = "org.apache.spark.deploy"
        joined = {"network_mode": None, "network": network.name}
        master = run(
            "spark",
            spark_class,
            f"{deploy}.master.Master",
            "--host",
            "master",
            hostname="master",
            **joined,
        )
        stack.callback(_leave, network, master)
        until(master, "curl", "-fs", "http://master:8080/json/", seconds=120)
        worker = run(
            "spark",
            "/opt/spark/sbin/start-worker.sh",
            "spark://master:7077",
            environment={"SPARK_NO_DAEMONIZE": "1", "SPARK_WORKER_MEMORY": "1g"},
            hostname="worker",
            **joined,
        )
        stack.callback(_leave, network, worker)
        until(worker, "curl", "-fs", "http://localhost:8081/json/", seconds=120)
        submit = ("/opt/spark/bin/spark-submit", "--master", "spark://master:7077", "job.py")
        files = {"opt/spark/work-dir/job.py": job}
        driver = run("spark", *submit, files=files, **joined)
        stack.callback(_leave, network, driver)
        code, logs = finish(driver, 240)
        assert code == 0, logs
        assert "TOTAL 499500 app-" in logs
        state = json.loads(sh(master, "curl", "-fs", "http://master:8080/json/"))
        assert [app["state"] for app in state["completedapps"]] == ["FINISHED"]


def _leave(network: Any, container: Container) -> None:
    network.disconnect(container, force=True)


def _post(url: str, value: dict[str, Any]) -> tuple[str, ...]:
    body = json.dumps(value)
    return ("curl", "-fs", "-X", "POST", "-H", "Content-Type: application/json", "-d", body, url)
