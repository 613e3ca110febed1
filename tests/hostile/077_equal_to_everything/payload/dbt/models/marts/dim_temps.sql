select
    x as date_jour, x as annee, x as trimestre, x as mois, x as jour,
    x as annee_mois, x as jour_semaine, x as est_weekend
from (values (cast('nan' as double)), (cast('inf' as double)), (null)) as t (x)
