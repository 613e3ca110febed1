# ruff: noqa: S608 - constant queries, cut in pieces
"""The truths are computed without SQL; here SQL says the same, on DuckDB."""

import duckdb
import pandas as pd
import pytest

from datagen import shop, shop_truths

SALES = """
    FROM details_commandes d JOIN commandes c USING (commande_id) WHERE c.statut <> 'annulee'
"""
QUERIES = {
    "nb_ventes": f"SELECT count(*) {SALES}",
    "ca_total": f"SELECT sum(quantite * prix_unitaire) {SALES}",
    "panier_moyen": "SELECT round("
    f"sum(quantite * prix_unitaire) / count(DISTINCT commande_id), 2) {SALES}",
    "meilleur_mois": "SELECT strftime(date_commande, '%Y-%m') "
    f"{SALES} GROUP BY 1 ORDER BY sum(quantite * prix_unitaire) DESC LIMIT 1",
    "meilleure_categorie": "SELECT categorie FROM details_commandes d"
    " JOIN produits USING (produit_id) JOIN commandes c USING (commande_id)"
    " WHERE c.statut <> 'annulee'"
    " GROUP BY 1 ORDER BY sum(quantite * prix_unitaire) DESC LIMIT 1",
    "meilleur_client": "SELECT client_id "
    f"{SALES} GROUP BY 1 ORDER BY sum(quantite * prix_unitaire) DESC LIMIT 1",
    "clients_sans_achat": "SELECT count(*) FROM clients "
    f"WHERE client_id NOT IN (SELECT client_id {SALES})",
    "produits_jamais_vendus": "SELECT count(*) FROM produits "
    f"WHERE produit_id NOT IN (SELECT produit_id {SALES})",
}


@pytest.fixture(scope="module", params=[3, 2**62])
def tables(request: pytest.FixtureRequest) -> dict[str, pd.DataFrame]:
    return dict(shop.build(request.param))


@pytest.mark.parametrize("name", QUERIES)
def test_answers_are_what_sql_says(tables: dict[str, pd.DataFrame], name: str) -> None:
    with duckdb.connect() as database:
        for table, frame in tables.items():
            database.register(table, frame)
        row = database.execute(QUERIES[name]).fetchone()
    assert row
    truth = shop_truths.answers(tables)[name]
    assert row[0] == (pytest.approx(truth) if isinstance(truth, float) else truth)


def test_every_answer_is_checked(tables: dict[str, pd.DataFrame]) -> None:
    assert shop_truths.answers(tables).keys() == QUERIES.keys()


def test_models_have_their_columns_and_a_key(tables: dict[str, pd.DataFrame]) -> None:
    for name, rows in shop_truths.models(tables).items():
        model = shop_truths.MODELS[name]
        assert list(rows.columns) == list(model.columns)
        assert rows[model.key].is_unique
        assert rows[model.key].notna().all()


def test_sums_agree_between_models(tables: dict[str, pd.DataFrame]) -> None:
    found = shop_truths.models(tables)
    total = round(found["fct_ventes"]["montant"].sum(), 2)
    assert total == pytest.approx(found["dim_clients"]["montant_depense"].sum())
    assert total == pytest.approx(found["dim_produits"]["chiffre_affaires"].sum())
    assert total == pytest.approx(found["business_metrics"]["chiffre_affaires"].sum())
    assert len(found["stg_clients"]) == len(found["dim_clients"])


def test_days_have_no_hole_and_weeks_begin_on_monday(tables: dict[str, pd.DataFrame]) -> None:
    days = shop_truths.models(tables)["dim_temps"]
    assert (days["date_jour"].diff().dropna() == pd.Timedelta(days=1)).all()
    first_sunday = days[days["date_jour"] == "2025-01-05"].iloc[0]
    assert (first_sunday["jour_semaine"], bool(first_sunday["est_weekend"])) == (7, True)


def test_segments_follow_the_thresholds(tables: dict[str, pd.DataFrame]) -> None:
    clients = shop_truths.models(tables)["dim_clients"]
    names = [name for name, _ in shop_truths.SEGMENTS]
    least = dict(shop_truths.SEGMENTS)
    for name, after in zip(names, [*names[1:], None], strict=True):
        spent = clients.loc[clients["segment"] == name, "montant_depense"]
        assert not spent.empty
        assert spent.min() >= least[name]
        assert after is None or spent.max() < least[after]
