"""Say what was seen of a chart or of an import: the evidence, and what usually causes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graders.model import Finding, Plot
from graders.text import sentence
from graders.tools.superset.judges import Seen
from graders.tools.superset.match import BY_ID
from graders.tools.superset.session import Session
from graders.tools.superset.shapes import text

UNSUITED = 0.5  # what right figures in an unsuitable type of chart are worth


def chart(session: Session, target_id: str) -> Finding:
    """Judge one asked chart: its numbers, its type, and that it follows the data."""
    target = BY_ID[target_id]
    if target_id not in session.found:
        return _absent(session, target_id)
    seen, verdict = session.found[target_id]
    plots: tuple[Plot, ...] = (verdict.plot,) if verdict.plot else ()
    after = session.followed[target_id]
    if after.score < verdict.score:
        why = f" ({after.message})" if after.message else ""
        return Finding(0.0, f"{seen.name} est juste sur vos données, mais pas sur d'autres{why} : "
                       "valeurs ou filtre écrits en dur ?", plots=plots)  # fmt: skip
    told = [verdict.message] if verdict.message else []
    ratio = verdict.score
    if seen.family not in target.families:
        ratio *= UNSUITED
        told.append(f"type « {seen.chart.viz} », attendu : {' ou '.join(target.families)}")
    message = f"{seen.name} : {' ; '.join(told)}." if told else ""
    return Finding(ratio, message, seen.name, plots=plots)


def _absent(session: Session, target_id: str) -> Finding:
    target = BY_ID[target_id]
    if target_id in session.assigned[1]:
        seen, verdict = session.assigned[1][target_id]
        plots = (verdict.plot,) if verdict.plot else ()
        why = f" ({verdict.message})" if verdict.message else ""
        told = f"{target.title} : {seen.name} n'a pas les bons chiffres{why}."
        return Finding(0.0, told, seen.name, hint=sentence([verdict.message]), plots=plots)
    silent = errors([s for s in session.seen if s.reply.error])
    more = f" Sans réponse : {silent}." if silent else ""
    return Finding(0.0, f"Aucun graphique n'a les chiffres attendus ({target.title}).{more}")


def hints(parts: Mapping[str, Finding]) -> str:
    """Join the hints of several charts, by target: one that holds for all is told once."""
    told = {BY_ID[name].title: part.hint for name, part in parts.items() if part.hint}
    if len(set(told.values())) <= 1:
        return "".join(set(told.values()))
    return " ".join(f"{title} : {hint}" for title, hint in told.items())


def errors(seen: Sequence[Seen]) -> str:
    """Return why charts did not answer, the first few."""
    bad = [f"{s.name} : {s.reply.error}" for s in seen if s.reply.error]
    return " ; ".join(bad[:3])[:900]


def import_hint(session: Session) -> str:
    """Return what usually causes the refusal that was seen."""
    export, said = session.export, session.refusal.casefold()
    tables = [text(d.get("table_name")) for d in export.all("datasets").values()]
    if not export.all("databases"):
        return "L'export n'a pas de dossier databases/ : exportez le tableau de bord entier."
    if len(set(tables)) < len(tables):
        return ("Deux jeux de données portent le même nom de table : Superset les refuse à "
                "l'import. Gardez-en un, et rattachez-y vos graphiques.")  # fmt: skip
    if "sqlite" in said or "unsafe" in said or "security" in said:
        return ("Écrivez PREVENT_UNSAFE_DB_CONNECTIONS = False dans superset_config.py, monté dans "
                "/app/pythonpath.")  # fmt: skip
    return ""
