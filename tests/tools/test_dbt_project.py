from pathlib import Path

import pytest

from graders.errors import StackError
from graders.tools import dbt_project

GRANTED = {
    "postgres": {"images": ["postgres"]},
    "dbt": {"images": ["ghcr.io/dbt-labs/dbt-postgres"]},
}
PROFILES = """
boutique:
  target: base
  outputs:
    base: {type: postgres, host: "{{ env_var('PGHOST') }}"}
    local: {type: duckdb, path: x.duckdb}
"""
COMPOSE = """
services:
  base: {image: "docker.io/library/postgres:15"}
  outil: {image: "ghcr.io/dbt-labs/dbt-postgres:1.11.0"}
  autre: {image: "redis"}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    project = tmp_path / "mon projet"
    (project / "models" / "Staging").mkdir(parents=True)
    (project / "models" / "Staging" / "STG_clients.sql").write_text("select 1")
    (project / "dbt_project.yml").write_text("name: boutique\nprofile: boutique\n")
    (project / "profiles.yml").write_text(PROFILES)
    (tmp_path / "compose.yaml").write_text(COMPOSE)
    return tmp_path


def test_a_project_is_found_wherever_it_is(root: Path) -> None:
    project = dbt_project.load(root)
    assert project.root == root / "mon projet"
    assert (project.target("postgres"), project.target("duckdb")) == ("base", "local")
    assert project.target("bigquery") == ""
    assert "stg_clients" in project.model_files()
    assert not project.packages


def test_services_are_known_by_their_image(root: Path) -> None:
    assert dbt_project.services(root, GRANTED) == {"postgres": "base", "dbt": "outil"}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("dbt_project.yml", None, "Aucun projet dbt"),
        ("dbt_project.yml", "name: [", "dbt_project.yml:2: YAML illisible"),
        ("dbt_project.yml", "name: x\nname: y\n", "écrite deux fois"),
        ("dbt_project.yml", "name: x\n", "« profile » est absente"),
        (
            "dbt_project.yml",
            "profile: boutique\nmodel-paths: [/etc]\n",
            "sort du projet (« /etc »)",
        ),
        (
            "dbt_project.yml",
            "profile: boutique\nseed-paths: [../..]\n",
            "seed-paths sort du projet",
        ),
        ("profiles.yml", None, "profiles.yml est introuvable"),
        ("profiles.yml", "autre: {outputs: {}}\n", "le profil « boutique » n'y est pas"),
        ("packages.yml", "packages:\n  - package: dbt-labs/dbt_utils\n", "sans réseau"),
        ("dependencies.yml", "packages:\n  - git: https://x.example/y.git\n", "sans réseau"),
    ],
)
def test_what_is_wrong_is_told(root: Path, name: str, text: str | None, message: str) -> None:
    path = root / "mon projet" / name
    path.unlink(missing_ok=True)
    if text is not None:
        path.write_text(text)
    with pytest.raises(StackError) as error:
        dbt_project.load(root)
    assert message in str(error.value)


def test_local_packages_are_allowed(root: Path) -> None:
    (root / "mon projet" / "packages.yml").write_text("packages:\n  - local: outils\n")
    assert dbt_project.load(root).packages


def test_a_compose_file_without_services(root: Path) -> None:
    (root / "compose.yaml").write_text("volumes: {}\n")
    with pytest.raises(StackError, match="services"):
        dbt_project.services(root, GRANTED)
