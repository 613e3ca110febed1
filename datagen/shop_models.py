"""The models that the statement of 07 imposes: layer, key, and the kind of each column."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["integer", "money", "text", "date", "boolean"]


@dataclass(frozen=True, slots=True)
class Model:
    """A model that the statement imposes: its layer, its key and the kind of each column."""

    layer: Literal["staging", "marts"]
    key: str
    columns: Mapping[str, Kind]


MODELS: Mapping[str, Model] = {
    "stg_clients": Model(
        "staging",
        "client_id",
        {
            "client_id": "integer",
            "nom": "text",
            "prenom": "text",
            "email": "text",
            "ville": "text",
            "date_inscription": "date",
        },
    ),
    "stg_produits": Model(
        "staging",
        "produit_id",
        {"produit_id": "integer", "nom_produit": "text", "categorie": "text", "prix": "money"},
    ),
    "stg_commandes": Model(
        "staging",
        "commande_id",
        {
            "commande_id": "integer",
            "client_id": "integer",
            "date_commande": "date",
            "statut": "text",
            "montant_total": "money",
        },
    ),
    "stg_details_commandes": Model(
        "staging",
        "detail_id",
        {
            "detail_id": "integer",
            "commande_id": "integer",
            "produit_id": "integer",
            "quantite": "integer",
            "prix_unitaire": "money",
            "montant_ligne": "money",
        },
    ),
    "fct_ventes": Model(
        "marts",
        "vente_id",
        {
            "vente_id": "integer",
            "commande_id": "integer",
            "client_id": "integer",
            "produit_id": "integer",
            "date_commande": "date",
            "statut": "text",
            "quantite": "integer",
            "prix_unitaire": "money",
            "montant": "money",
        },
    ),
    "dim_clients": Model(
        "marts",
        "client_id",
        {
            "client_id": "integer",
            "nom_complet": "text",
            "email": "text",
            "ville": "text",
            "date_inscription": "date",
            "nb_commandes": "integer",
            "montant_depense": "money",
            "derniere_commande": "date",
            "segment": "text",
        },
    ),
    "dim_produits": Model(
        "marts",
        "produit_id",
        {
            "produit_id": "integer",
            "nom_produit": "text",
            "categorie": "text",
            "prix": "money",
            "quantite_vendue": "integer",
            "chiffre_affaires": "money",
        },
    ),
    "dim_temps": Model(
        "marts",
        "date_jour",
        {
            "date_jour": "date",
            "annee": "integer",
            "trimestre": "integer",
            "mois": "integer",
            "jour": "integer",
            "annee_mois": "text",
            "jour_semaine": "integer",
            "est_weekend": "boolean",
        },
    ),
    "business_metrics": Model(
        "marts",
        "annee_mois",
        {
            "annee_mois": "text",
            "nb_commandes": "integer",
            "nb_clients": "integer",
            "quantite_vendue": "integer",
            "chiffre_affaires": "money",
            "panier_moyen": "money",
        },
    ),
}
