"""What is known of a stack's services: states, reasons of their end, last lines; and in French."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graders.text import clean

LOG = 4000  # characters of a service's last lines in a message
_CODES = {
    125: "le moteur n'a pas pu la lancer",
    126: "la commande n'est pas exécutable",
    127: "la commande n'existe pas dans l'image",
    132: "instruction illégale",
    134: "abandon (SIGABRT)",
    135: "erreur de bus",
    137: "tué (SIGKILL)",
    139: "erreur de segmentation",
    143: "arrêté (SIGTERM)",
}
_STATES = {
    "created": "créé mais jamais lancé",
    "running": "en marche",
    "restarting": "redémarre sans cesse",
    "paused": "en pause",
    "dead": "mort",
}
_HEALTH = {
    "healthy": "en bonne santé",
    "unhealthy": "en mauvaise santé (healthcheck)",
    "starting": "healthcheck pas encore concluant",
}


@dataclass(frozen=True, slots=True)
class ServiceState:
    """How one service stands; `code` is its exit code once it has ended."""

    service: str
    status: str  # the engine's word: created, running, restarting, exited, dead
    code: int | None = None
    oom: bool = False
    restarts: int = 0
    health: str = ""
    memory: int = 0  # bytes allowed
    log: str = ""

    @property
    def over(self) -> bool:
        """Tell whether the service has ended and will not come back by itself."""
        return self.status in {"exited", "dead"}

    def __str__(self) -> str:
        words = [_STATES.get(self.status, self.status)]
        if self.over:
            words = [f"terminé, code {self.code}"]
            if meaning := self._meaning():
                words.append(meaning)
        elif self.oom:
            words.append("un de ses processus a épuisé la mémoire")
        if self.health and not self.over:
            words.append(_HEALTH.get(self.health, self.health))
        if self.restarts:
            words.append(f"{self.restarts} redémarrages")
        return f"{self.service} : {', '.join(words)}"

    def _meaning(self) -> str:
        if self.oom:
            limit = f" (limite {self.memory >> 20} Mio)" if self.memory else ""
            return f"mémoire épuisée{limit}"
        return _CODES.get(self.code or 0, "")


def state(service: str, inspected: Mapping[str, Any], log: str = "") -> ServiceState:
    """Return a service's state from the engine's description of its container."""
    now = inspected["State"]
    status = str(now["Status"])
    return ServiceState(
        service=service,
        status=status,
        code=int(now["ExitCode"]) if status in {"exited", "dead"} else None,
        oom=bool(now.get("OOMKilled")),
        restarts=int(inspected.get("RestartCount") or 0),
        health=str((now.get("Health") or {}).get("Status", "")).replace("none", ""),
        memory=int(inspected["HostConfig"].get("Memory") or 0),
        log=log,
    )


def plain(text: str, limit: int = LOG) -> str:
    """Return the end of a log without control sequences."""
    text = clean(text[-2 * limit :], 2 * limit)
    return text if len(text) <= limit else "…" + text[1 - limit :]


def story(headline: str, states: list[ServiceState], hint: str = "") -> str:
    """Return a message that a student can act on: what happened, each state, the last lines."""
    lines = [headline]
    for one in states:
        lines.append(f"- {one}")
        lines += [f"    | {line}" for line in one.log.splitlines()]
    if hint:
        lines.append(f"Piste : {hint}")
    return "\n".join(lines)
