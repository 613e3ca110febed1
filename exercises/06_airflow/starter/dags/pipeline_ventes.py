"""Le pipeline quotidien des ventes.

Votre DAG s'écrit ici, avec airflow.sdk : @dag pour le DAG, @task pour chaque tâche. L'énoncé donne
son identifiant, sa planification, ses quatre tâches et les règles de nettoyage. Dans une tâche, le
paramètre « ds » reçoit le jour à traiter, sous la forme AAAA-MM-JJ.

Fichiers du jour :  /opt/airflow/donnees/raw/ventes_AAAAMMJJ.csv
Entrepôt :          hôte « entrepot », base, utilisateur et mot de passe « entrepot »
"""
