# Les ventes sont dans un fichier SQLite, que Superset refuse par défaut.
PREVENT_UNSAFE_DB_CONNECTIONS = False
