import pandas as pd
import pytest

from datagen.shop_models import Model
from graders.tools.dbt_rows import column_name, compare

MODEL = Model(
    "marts",
    "client_id",
    {
        "client_id": "integer",
        "nom": "text",
        "montant": "money",
        "jour": "date",
        "actif": "boolean",
    },
)
WANTED = pd.DataFrame(
    {
        "client_id": [1, 2, 3],
        "nom": ["Hervé", "Zoé", "Anne"],
        "montant": [10.5, 0.0, 99.99],
        "jour": pd.to_datetime(["2025-01-31", None, "2025-02-01"]),
        "actif": [True, False, True],
    }
)
DUCKDB = {
    "client_id": ["1", "2", "3"],
    "nom": ["Hervé", "Zoé", "Anne"],
    "montant": ["10.50", "0.00", "99.99"],
    "jour": ["2025-01-31", None, "2025-02-01 00:00:00"],
    "actif": ["true", "false", "true"],
}
POSTGRES = DUCKDB | {"actif": ["t", "f", "t"], "montant": ["10.5", "0", "99.990000001"]}


def seen(**changes: list[str | None]) -> pd.DataFrame:
    return pd.DataFrame(DUCKDB | changes, dtype=object)


@pytest.mark.parametrize("texts", [DUCKDB, POSTGRES], ids=["duckdb", "postgres"])
def test_both_databases_writings_are_equal(texts: dict[str, list[str | None]]) -> None:
    assert compare(MODEL, pd.DataFrame(texts, dtype=object), WANTED) is None


def test_order_more_columns_case_and_accents_of_names_are_free() -> None:
    rows = seen(de_plus=["a", "b", "c"]).iloc[[2, 0, 1], ::-1]
    rows = rows.rename(columns={"montant": "Montant", "actif": "ACTIF", "nom": "Nôm"})
    assert compare(MODEL, rows, WANTED) is None


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (seen().drop(columns="nom"), "colonne(s) absente(s) : nom"),
        (seen().iloc[:2], "1 ligne(s) absente(s), par exemple client_id = 3"),
        (seen(client_id=["1", "2", "4"]), "1 ligne(s) absente(s)"),
        (
            pd.concat([seen(), seen().assign(client_id="9")]),
            "1 ligne(s) de trop, par exemple client_id = 9",
        ),
        (pd.concat([seen(), seen().iloc[:1]]), "plusieurs lignes pour le même client_id"),
        (seen(montant=["10.52", "0", "99.99"]), "valeurs fausses : montant (1 ligne(s))"),
        (seen(montant=["10.50", None, "99.99"]), "valeurs fausses : montant (1 ligne(s))"),
        (seen(nom=["hervé", "Zoé", "Anne"]), "valeurs fausses : nom (1 ligne(s))"),
        (seen(jour=["2025-01-31", "2025-01-01", "2025-02-01"]), "valeurs fausses : jour"),
        (seen(jour=["2025-01-31 10:00:00", None, "2025-02-01"]), "n'est pas une date"),
        (seen(montant=["dix", "0", "99.99"]), "« dix » n'est pas un montant"),
        (seen(client_id=["1", "2", "3.5"]), "« 3.5 » n'est pas un entier"),
        (seen(actif=["oui", "false", "true"]), "« oui » n'est pas un booléen"),
    ],
)
def test_a_difference_is_told_with_an_example(rows: pd.DataFrame, message: str) -> None:
    difference = compare(MODEL, rows, WANTED)
    assert difference is not None
    assert message in difference.message


def test_a_cent_of_rounding_is_forgiven_and_two_are_not() -> None:
    assert compare(MODEL, seen(montant=["10.51", "0", "99.99"]), WANTED) is None
    assert compare(MODEL, seen(montant=["10.52", "0", "99.99"]), WANTED) is not None


def test_no_row_at_all() -> None:
    difference = compare(MODEL, seen().iloc[:0], WANTED)
    assert difference is not None
    assert difference.seen == "0 ligne(s)"


def test_names() -> None:
    assert column_name(" Chiffre d'affaires-Été ") == "chiffre_d'affaires_ete"
