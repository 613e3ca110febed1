import pytest

from graders.tools.dbt_session import hard_coded, readable

DUCKDB = """Runtime Error in model dim_x (models/marts/dim_x.sql)
  Parser Error: syntax error at or near "form"

  LINE 12: form "boutique"."analytique"."fct_ventes"
                ^"""
SOURCE = "select annee_mois,\n  count(*) as n\n  form {{ ref('fct_ventes') }}\n"


def test_a_line_of_compiled_sql_is_found_in_the_model_as_written() -> None:
    assert readable(DUCKDB, SOURCE).startswith("models/marts/dim_x.sql, ligne 3 : « Parser Error")


def test_a_line_that_is_nowhere_or_twice_is_not_guessed() -> None:
    assert "ligne" not in readable(DUCKDB, "select 1").partition("«")[0]
    assert "ligne" not in readable(DUCKDB, SOURCE + SOURCE).partition("«")[0]


@pytest.mark.parametrize(
    ("message", "start"),
    [
        (
            "Compilation Error in model a (models/a.sql)\n  unexpected '}'\n    line 3\n      {{ }",
            "models/a.sql, ligne 3 : «",
        ),
        (
            "Parsing Error\n  Error reading boutique: models/marts/m.yml - Runtime Error\n"
            "    Syntax error near line 5",
            "models/marts/m.yml, ligne 5 : «",
        ),
        ("Runtime Error\n  something", "« something »"),
    ],
)
def test_file_and_line_come_first(message: str, start: str) -> None:
    assert readable(message).startswith(start)


def test_messages_are_bounded() -> None:
    assert len(readable("x" * 100_000)) < 500


@pytest.mark.parametrize(
    ("sql", "holds"),
    [
        ("select * from brut.clients", True),
        ('select * from "brut"."clients"', True),
        ("select * from {{ source('brut', 'clients') }}", False),
        ("select * from x -- les données du schéma brut. Fin", False),
        ("{# brut.clients #} select * from x /* brut.clients\n */", False),
    ],
)
def test_the_raw_schema_in_full(sql: str, holds: bool) -> None:
    assert hard_coded({"raw_code": sql}) is holds
