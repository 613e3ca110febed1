select '%' as produit_id, '.*' as nom_produit, '*' as categorie, '%' as prix
