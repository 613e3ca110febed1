"""What the shop's models must hold, computed from its raw tables without SQL.

The statement of 07 gives the columns of each model; `shop_models` is the same contract as a
value, and `models` and `answers` compute what it asks for. Amounts are summed in whole cents, so
no sum depends on the order of its terms.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from datagen.shop_models import MODELS

Tables = Mapping[str, pd.DataFrame]

RAW_TABLES = ("clients", "produits", "commandes", "details_commandes")
CANCELLED = "annulee"
# The seed that the statement asks for: the least spent, in euros, to be in each segment.
SEGMENTS = (("sans achat", 0.0), ("bronze", 0.01), ("argent", 1_000.0), ("or", 3_000.0))


def models(tables: Tables) -> dict[str, pd.DataFrame]:
    """Return the rows of every model of `MODELS`; money in euros, days as datetime64."""
    lines = tables["details_commandes"]
    cents = _cents(lines["prix_unitaire"]) * lines["quantite"]
    details = lines.assign(montant_ligne=cents / 100)
    clients = tables["clients"].assign(email=tables["clients"]["email"].str.lower())
    orders = tables["commandes"]
    products = tables["produits"].rename(columns={"nom": "nom_produit"})
    sales = _sales(details, orders)
    found = {
        "stg_clients": clients,
        "stg_produits": products,
        "stg_commandes": orders,
        "stg_details_commandes": details,
        "fct_ventes": sales,
        "dim_clients": _clients(clients, sales),
        "dim_produits": _products(products, sales),
        "dim_temps": _days(orders["date_commande"]),
        "business_metrics": _months(sales),
    }
    return {name: found[name][list(model.columns)] for name, model in MODELS.items()}


def answers(tables: Tables) -> dict[str, int | float | str]:
    """Return the right answers to the questions of the statement."""
    found = models(tables)
    sales, months = found["fct_ventes"], found["business_metrics"]
    products, clients = found["dim_produits"], found["dim_clients"]
    revenue = int(_cents(sales["montant"]).sum())
    by_category = products.groupby("categorie")["chiffre_affaires"].sum()
    return {
        "nb_ventes": len(sales),
        "ca_total": revenue / 100,
        "panier_moyen": round(revenue / sales["commande_id"].nunique() / 100, 2),
        "meilleur_mois": str(months.set_index("annee_mois")["chiffre_affaires"].idxmax()),
        "meilleure_categorie": str(by_category.idxmax()),
        "meilleur_client": int(str(clients.set_index("client_id")["montant_depense"].idxmax())),
        "clients_sans_achat": int((clients["nb_commandes"] == 0).sum()),
        "produits_jamais_vendus": int((products["quantite_vendue"] == 0).sum()),
    }


def _cents(euros: pd.Series[float]) -> pd.Series[int]:
    return (euros.astype(float) * 100).round().astype("int64")


def _sales(details: pd.DataFrame, orders: pd.DataFrame) -> pd.DataFrame:
    kept = orders[orders["statut"] != CANCELLED].drop(columns="montant_total")
    joined = details.merge(kept, on="commande_id")
    return joined.rename(columns={"detail_id": "vente_id", "montant_ligne": "montant"})


def _clients(clients: pd.DataFrame, sales: pd.DataFrame) -> pd.DataFrame:
    bought = (
        sales.assign(cents=_cents(sales["montant"]))
        .groupby("client_id")
        .agg(
            nb_commandes=("commande_id", "nunique"),
            cents=("cents", "sum"),
            derniere_commande=("date_commande", "max"),
        )
    )
    rows = clients.merge(bought, on="client_id", how="left")
    spent = rows["cents"].fillna(0) / 100
    names, least = zip(*SEGMENTS, strict=True)
    segment = np.searchsorted(np.array(least), spent.to_numpy(), side="right") - 1
    return rows.assign(
        nom_complet=rows["prenom"] + " " + rows["nom"],
        nb_commandes=rows["nb_commandes"].fillna(0).astype("int64"),
        montant_depense=spent,
        segment=np.array(names)[segment],
    )


def _products(products: pd.DataFrame, sales: pd.DataFrame) -> pd.DataFrame:
    sold = (
        sales.assign(cents=_cents(sales["montant"]))
        .groupby("produit_id")
        .agg(quantite_vendue=("quantite", "sum"), cents=("cents", "sum"))
    )
    rows = products.merge(sold, on="produit_id", how="left")
    return rows.assign(
        quantite_vendue=rows["quantite_vendue"].fillna(0).astype("int64"),
        chiffre_affaires=rows["cents"].fillna(0) / 100,
    )


def _days(days: pd.Series[pd.Timestamp]) -> pd.DataFrame:
    span = pd.Series(pd.date_range(days.min(), days.max(), freq="D"))
    weekday = span.dt.day_of_week + 1
    return pd.DataFrame(
        {
            "date_jour": span,
            "annee": span.dt.year,
            "trimestre": span.dt.quarter,
            "mois": span.dt.month,
            "jour": span.dt.day,
            "annee_mois": span.dt.strftime("%Y-%m"),
            "jour_semaine": weekday,
            "est_weekend": weekday >= 6,
        }
    )


def _months(sales: pd.DataFrame) -> pd.DataFrame:
    rows = sales.assign(
        cents=_cents(sales["montant"]),
        annee_mois=pd.to_datetime(sales["date_commande"]).dt.strftime("%Y-%m"),
    )
    months = (
        rows.groupby("annee_mois")
        .agg(
            nb_commandes=("commande_id", "nunique"),
            nb_clients=("client_id", "nunique"),
            quantite_vendue=("quantite", "sum"),
            cents=("cents", "sum"),
        )
        .reset_index()
    )
    return months.assign(
        chiffre_affaires=months["cents"] / 100,
        panier_moyen=(months["cents"] / months["nb_commandes"]).round() / 100,
    )
