select
    commande_id,
    client_id,
    cast(date_commande as date) as date_commande,
    lower(trim(statut)) as statut,
    montant_total
from {{ source('brut', 'commandes') }}
