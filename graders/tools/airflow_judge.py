"""Compare the warehouse of 06 with what a run must have left in it, and say what is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from graders.model import Finding
from graders.text import sentence
from graders.tools.airflow_session import Seen, Session
from graders.tools.airflow_warehouse import COLUMNS, Contents, Row


def unread(table: Contents) -> Finding:
    """Say why a table has no rows to look at."""
    if table.missing:
        return Finding(0.0, f"La table ventes n'a pas de colonne {', '.join(table.missing)}.")
    if table.problem:
        return Finding(0.0, table.problem)
    if table.place is None:
        return Finding(
            0.0, "Aucune table « ventes » dans un service PostgreSQL ni un fichier de resultats/."
        )
    return Finding(0.0, f"La table ventes ({table.place}) est vide.")


def spoiled(session: Session, table: Contents, seen: Seen) -> Finding | None:
    """Tell how a bad day went wrong, or return None where it was kept out and said so."""
    if not session.first.table.rows:
        return unread(session.first.table)
    own = session.ids(seen.day) if seen.day != session.plan.missing else set()
    leaked = sum(row[0] in own or row[1] == seen.day.isoformat() for row in table.rows)
    if leaked:
        return Finding(0.0, f"{leaked} ligne(s) du {seen.day} sont entrées dans la table.")
    before = session.second.table.rows
    kept = Counter(before) - Counter(table.rows)
    if kept and changes(session.first.table.rows, before)[1] == 0:
        lost = sum(kept.values())
        return Finding(0.0, f"{lost} ligne(s) d'autres jours ont disparu de la table.")
    if seen.state not in ("success", "failed"):
        return Finding(0.0, f"L'exécution ne finit pas. {seen}.")
    if seen.loaded:
        return Finding(0.0, f"Rien ne signale que le jour est inutilisable. {seen}.")
    return None


def exactly(session: Session, table: Contents, rows: Sequence[Row], seen: Seen) -> Finding:
    """Compare rows with the cleaned rows of a day; a third is lost for each kind of dirt left."""
    if not rows:
        return unread(table) if not table.rows else Finding(0.0, "Aucune ligne de ce jour.")
    wanted = {row[0]: row for row in session.wanted(seen.day)}
    counts = Counter(row[0] for row in rows)
    dirt = {
        "doublons": sum(n - 1 for n in counts.values()),
        "champs vides": sum(row[0] not in wanted and "" in row for row in rows),
        "quantités ou prix non positifs": sum(
            row[0] not in wanted and "" not in row and _not_positive(row) for row in rows
        ),
    }
    left = [f"{kind} ({n})" for kind, n in dirt.items() if n]
    other = sum(row[0] not in wanted and "" not in row and not _not_positive(row) for row in rows)
    lacking = len(wanted.keys() - counts.keys())
    altered = {
        column
        for row in rows
        if row[0] in wanted
        for column, got, asked in zip(COLUMNS, row, wanted[row[0]], strict=True)
        if got != asked
    }
    worse = [f"{lacking} ligne(s) manquent"] if lacking else []
    worse += [f"{other} ligne(s) d'un autre jour ou inconnues"] if other else []
    worse += [f"valeurs inexactes : {', '.join(sorted(altered))}"] if altered else []
    message = f"Reste à nettoyer : {', '.join(left)}." if left else ""
    message += f" {sentence(worse)}"
    ratio = 0.0 if worse else 1 - len(left) / len(dirt)
    return Finding(ratio, message.strip(), f"{len(rows)} lignes", f"{len(wanted)} lignes")


def _not_positive(row: Row) -> bool:
    numbers = (row[COLUMNS.index("quantite")], row[COLUMNS.index("prix_unitaire")])
    return any(n.startswith("-") or n == "0.00" for n in numbers)


def changes(before: Sequence[Row], after: Sequence[Row]) -> tuple[int, int]:
    """Return how many rows came and how many went."""
    old, new = Counter(before), Counter(after)
    return sum((new - old).values()), sum((old - new).values())
