"""Where the course's files lie, and which exercises it has."""

from __future__ import annotations

from pathlib import Path

from graders.errors import UsageError

ROOT = Path(__file__).resolve().parents[1]


def exercises(root: Path = ROOT) -> list[str]:
    """Return the ids of the exercises that have a rubric, in order."""
    return sorted(p.parent.name for p in root.glob("exercises/*/rubric.yaml"))


def exercise(name: str, root: Path = ROOT) -> Path:
    """Return the folder of an exercise; its number alone (`07`) or its tool (`dbt`) will do."""
    known = exercises(root)
    found = [e for e in known if name in (e, *e.split("_", 1))]
    if not found:
        raise UsageError(f"Exercice inconnu : « {name} ». Exercices : {', '.join(known)}.")
    return root / "exercises" / found[0]
