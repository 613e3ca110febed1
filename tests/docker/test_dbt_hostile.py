"""A student's PostgreSQL that lies to the grader: what is read, and what that brings them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from graders.errors import StackError
from graders.model import Ready
from graders.stack import Stack
from graders.tools import dbt_connect
from graders.tools.dbt_stack import Postgres
from graders.tools.dbt_warehouse import Relation
from tests.docker.conftest import service, started

pytestmark = pytest.mark.docker
USER = "boutique"
# The owner and the database look into `piege` first, where names of the models and of functions
# that a reader may call lie in wait.
SHADOWS = """
CREATE SCHEMA analytique; CREATE SCHEMA piege;
CREATE TABLE analytique.fct_ventes AS SELECT 'lu' AS etat;
CREATE TABLE piege.fct_ventes AS SELECT 'piege' AS etat;
CREATE TABLE piege.pg_database AS SELECT 'piege' AS datname;
CREATE FUNCTION piege.pg_terminate_backend(int) RETURNS boolean AS 'select false' LANGUAGE sql;
ALTER ROLE boutique SET search_path = piege, pg_catalog;
ALTER DATABASE boutique SET search_path = piege, pg_catalog;
"""
# Tables that the grader makes get a trigger which rewrites each row as it is loaded.
REWRITES = """
CREATE FUNCTION public.recrit() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN NEW.nom := 'reecrit'; RETURN NEW; END $$;
CREATE FUNCTION public.guette() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
  IF to_regclass('brut.clients') IS NOT NULL THEN
    CREATE OR REPLACE TRIGGER t BEFORE INSERT ON brut.clients
      FOR EACH ROW EXECUTE FUNCTION public.recrit();
  END IF; END $$;
CREATE EVENT TRIGGER guet ON ddl_command_end WHEN TAG IN ('CREATE TABLE')
  EXECUTE FUNCTION public.guette();
"""
REFUSES = """
CREATE FUNCTION public.refuse() RETURNS event_trigger LANGUAGE plpgsql AS
  $$ BEGIN RAISE EXCEPTION 'on ne passe pas'; END $$;
CREATE EVENT TRIGGER refus ON ddl_command_start WHEN TAG IN ('CREATE TABLE')
  EXECUTE FUNCTION public.refuse();
"""


@pytest.fixture
def base() -> Iterator[Stack]:
    caps = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"]
    body = service(
        ["postgres"],
        image="bareme/postgres:15",
        cap_add=caps,
        mem_limit=512 << 20,
        memswap_limit=512 << 20,
        environment={"POSTGRES_USER": USER, "POSTGRES_PASSWORD": USER},
    )
    with started({"base": body}, Ready("base", 5432)) as stack:
        yield stack


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("donnees")
    dbt_connect.write_data(1, place)
    return place


def student(stack: Stack, sql: str) -> None:
    """Do what a student's own start-up script would."""
    command = ["psql", "-q", "-v", "ON_ERROR_STOP=1", "-U", USER, "-d", USER]
    for _ in range(10):  # the entry point's own restart may still be under way
        done = stack.exec("base", command, stdin=sql.encode())
        if done.code == 0:
            return
        time.sleep(1)
    raise AssertionError(done.stderr)


def test_095_names_that_shadow_the_models_are_not_read(base: Stack, data: Path) -> None:
    student(base, SHADOWS)
    database = Postgres(base, "base")
    database.load(0, data)
    found = database.rows(0, Relation(USER, "analytique", "fct_ventes"), 10)
    assert found.to_dict("list") == {"etat": ["lu"]}
    database.save(0)
    database.execute(0, ["DELETE FROM brut.clients"])
    database.restore(0)
    assert len(database.rows(0, Relation(USER, "brut", "clients"), 5)) == 5


def test_096_rows_rewritten_under_the_grader_are_the_students_own_loss(
    base: Stack, data: Path
) -> None:
    """Expected rows come from the seed and not from this database: a lie makes a model wrong."""
    student(base, REWRITES)
    database = Postgres(base, "base")
    database.load(0, data)
    names = database.rows(0, Relation(USER, "brut", "clients"), 5)["nom"]
    assert set(names) == {"reecrit"}
    student(base, REFUSES)
    with pytest.raises(StackError, match="on ne passe pas"):
        Postgres(base, "base").load(0, data)
