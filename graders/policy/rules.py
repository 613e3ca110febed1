"""What a resolved service may mean: small named rules, each yields its refusals in French."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graders.errors import Refusal
from graders.model import Work
from graders.policy import dockerfile, mounts
from graders.policy.forbidden import Why
from graders.policy.roles import Role, role_of, roles, split
from graders.policy.source import ComposeFile

# What Docker grants by default, less what reaches the network card or makes device nodes.
USUAL = frozenset(
    [
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "SETGID",
        "SETUID",
        "SETPCAP",
        "NET_BIND_SERVICE",
    ]
)
_ENVIRONMENT = re.compile(
    r"LD_[A-Z_]+|PYTHON(PATH|HOME|STARTUP|INSPECT|EXECUTABLE|USERBASE)|GIT_[A-Z_]+|BASH_ENV|ENV|"
    r"(HTTPS?|ALL|FTP|NO)_PROXY|JAVA_TOOL_OPTIONS|_JAVA_OPTIONS|JDK_JAVA_OPTIONS|NODE_OPTIONS|"
    r"PERL5(LIB|OPT)|RUBY(LIB|OPT)|GCONV_PATH|FAKETIME[A-Z_]*|PATH|HOSTALIASES|SSLKEYLOGFILE|"
    r"(DOCKER|COMPOSE|BUILDKIT)_[A-Z_]+"
)
# An agent rewrites the tool that it is loaded into, whatever variable brings it.
_AGENT = re.compile(r"-(javaagent|agentpath|agentlib|Xbootclasspath)\b")
STEERS = Why(
    "variable-interdite", "cette variable charge du code ou détourne le réseau", "Retirez-la."
)
LOG_DRIVERS = frozenset({"", "json-file", "local", "none"})


@dataclass(frozen=True, slots=True)
class Service:
    """One resolved service, the role that it plays and its image's official reference."""

    file: ComposeFile
    name: str
    body: Mapping[str, Any]
    role: Role
    official: str  # "postgres", "" where it is no official name
    reference: str  # "postgres:15"

    def refusal(self, why: Why, *path: str | int, detail: str = "") -> Refusal:
        """Return a refusal that points at `path` below this service."""
        return self.file.refusal(("services", self.name, *path), why, detail)


def service(file: ComposeFile, name: str, body: Mapping[str, Any], work: Work) -> Service:
    """Return the view of one service that the rules and the rewriting share."""
    official, reference = split(body.get("image", ""))
    role = role_of(name, official, roles(work.rubric.services))
    return Service(file, name, body, role, official, reference)


def name(it: Service, _: Work) -> Iterator[Refusal]:
    """No service answers to a name of the harness's own (its door, its project)."""
    for alias in (it.name, *aliases(it.body)):
        if alias.lower().startswith("bareme"):
            yield it.refusal(Why(
                "nom-reserve", f"le nom « {alias[:40]} » est réservé au correcteur",
                "Choisissez un autre nom.",
            ))  # fmt: skip


def aliases(body: Mapping[str, Any]) -> list[str]:
    """Return the names by which others may call a service: its aliases and its container_name."""
    names = [a for n in body.get("networks", {}).values() for a in (n or {}).get("aliases", [])]
    return [*names, *([body["container_name"]] if "container_name" in body else [])]


def image(it: Service, work: Work) -> Iterator[Refusal]:
    """The image is one of those that the exercise allows."""
    if "build" in it.body and it.role.build:
        return
    if "image" not in it.body:
        if "build" not in it.body:
            yield it.refusal(Why("image", "le service n'a pas d'image", "Ajoutez « image: »."))
    elif it.official not in work.rubric.images:
        known = ", ".join(sorted(work.rubric.images))
        why = Why("image", "cette image n'est pas de celles de l'exercice",
                  f"Images permises : {known}.")  # fmt: skip
        yield it.refusal(why, "image", detail=f" ({it.body['image'][:80]})")


def build(it: Service, work: Work) -> Iterator[Refusal]:
    """A Dockerfile is built only where the rubric says so, from inside the submission."""
    if "build" not in it.body:
        return
    if not it.role.build:
        yield it.refusal(Why(
            "construction", "cet exercice ne construit pas d'image",
            "Utilisez une image permise avec « image: » et montez vos fichiers avec « volumes: ».",
        ), "build")  # fmt: skip
    else:
        yield from _dockerfile(it, work)


def _dockerfile(it: Service, work: Work) -> Iterator[Refusal]:
    asked = it.body["build"]
    if mounts.inside(asked.get("context", ""), work.submission.root) is None:
        yield it.refusal(Why(
            "construction", "le contexte de construction n'est pas dans le rendu",
            "Écrivez build: . ou build: ./dossier.",
        ), "build")  # fmt: skip
        return
    for key in asked.get("args", {}):
        if _ENVIRONMENT.fullmatch(key.upper()):
            yield it.refusal(STEERS, "build", "args", key)
    text = dockerfile.source(asked, work.submission.root)
    if text is None:
        yield it.refusal(Why(
            "dockerfile", "le Dockerfile est absent, trop grand ou n'est pas en UTF-8",
            "Déposez-le dans le contexte de construction.",
        ), "build")  # fmt: skip
        return
    name = asked.get("dockerfile", "Dockerfile")
    for step in dockerfile.parse(text, work.rubric.images):
        if step.why is not None:
            yield Refusal(step.why.rule, f"{step.why.message}.", name, step.line, step.why.instead)


def volumes(it: Service, work: Work) -> Iterator[Refusal]:
    """Mounts stay inside the submission and off the system's own paths."""
    listed, tmpfs = it.body.get("volumes", []), it.body.get("tmpfs", [])
    for odd in mounts.judge(listed, tmpfs, work):
        part = "volumes" if any(m["target"] == odd.target for m in listed) else "tmpfs"
        index, text = _entry(it, part, odd.target)
        yield it.refusal(odd.why, part, index, detail=odd.detail or text)


def _entry(it: Service, part: str, target: str) -> tuple[int, str]:
    """Return the index and text, in the student's own list, of the entry for a container path."""
    raw = it.file.document["services"].get(it.name) or {}
    entries = raw.get(part)
    for index, entry in enumerate(entries if isinstance(entries, list) else []):
        text = entry.get("target") if isinstance(entry, dict) else entry
        if isinstance(text, str) and target.rstrip("/") in text:
            return index, f" ({text[:80]})"
    return 10_000, ""  # none, as with `extends`: the line of the list itself


def environment(it: Service, _: Work) -> Iterator[Refusal]:
    """No variable that loads code, redirects traffic or steers Docker."""
    for key, value in it.body.get("environment", {}).items():
        if _ENVIRONMENT.fullmatch(key.upper()) or _AGENT.search(str(value)):
            yield it.refusal(STEERS, "environment", key)
        elif value is None:
            yield it.refusal(Why(
                "variable-absente", "cette variable n'a pas de valeur chez le correcteur",
                f"Écrivez {key}: valeur.",
            ), "environment", key)  # fmt: skip


def capabilities(it: Service, _: Work) -> Iterator[Refusal]:
    """Capabilities beyond the role's are refused; the usual ones are the role's to give."""
    for name in it.body.get("cap_add", []):
        short = name.upper().removeprefix("CAP_")
        if short not in USUAL and short not in it.role.capabilities and short != "IPC_LOCK":
            yield it.refusal(Why(
                "capacites", f"la capacité {short[:40]} est refusée", "Retirez-la.",
            ), "cap_add")  # fmt: skip


def security(it: Service, _: Work) -> Iterator[Refusal]:
    """Security options may only be tightened."""
    for option in it.body.get("security_opt", []):
        if not re.fullmatch(r"no-new-privileges([:=]true)?", option):
            yield it.refusal(Why(
                "options-de-securite", f"« {option[:60]} » affaiblirait l'isolation",
                "Retirez cette ligne.",
            ), "security_opt")  # fmt: skip


def replicas(it: Service, _: Work) -> Iterator[Refusal]:
    """One container per service."""
    asked = {
        ("scale",): it.body.get("scale", 1),
        ("deploy", "replicas"): it.body.get("deploy", {}).get("replicas", 1),
    }
    for path, count in asked.items():
        if int(count) != 1:
            yield it.refusal(Why(
                "replicas", f"{count} exemplaires demandés, un seul permis", "Retirez cette ligne.",
            ), *path)  # fmt: skip


def ports(it: Service, _: Work) -> Iterator[Refusal]:
    """Published ports are dropped, but one of the machine's own is a mistake worth telling."""
    for index, port in enumerate(it.body.get("ports", [])):
        first = str(port.get("published", "")).partition("-")[0]
        if first and int(first) < 1024:
            yield it.refusal(Why(
                "port-systeme", f"le port {first} appartient à la machine",
                f"Publiez au-dessus de 1023, par exemple 8080:{port.get('target', 80)}.",
            ), "ports", index)  # fmt: skip


def logging(it: Service, _: Work) -> Iterator[Refusal]:
    """Logs stay on the machine."""
    driver = it.body.get("logging", {}).get("driver", "")
    if driver not in LOG_DRIVERS:
        yield it.refusal(Why(
            "journal", f"le pilote de journal « {driver[:40]} » enverrait les traces ailleurs",
            "Retirez « logging ».",
        ), "logging", "driver")  # fmt: skip


def memory(it: Service, work: Work) -> Iterator[Refusal]:
    """Shared memory fits in the exercise's memory."""
    size = int(it.body.get("shm_size", 0))
    if size > work.rubric.limits.memory << 19:
        yield it.refusal(Why(
            "memoire-partagee", "shm_size dépasse la moitié de la mémoire de l'exercice",
            "Demandez 256m au plus.",
        ), "shm_size")  # fmt: skip


def links(it: Service, _: Work) -> Iterator[Refusal]:
    """Links only name services of the file, under simple names."""
    for link in it.body.get("links", []):
        if not re.fullmatch(r"[A-Za-z0-9][\w.-]{0,62}(:[A-Za-z0-9][\w.-]{0,62})?", link):
            yield it.refusal(Why("forme", "ce lien n'a pas la forme service:nom"), "links")


def working_dir(it: Service, _: Work) -> Iterator[Refusal]:
    """The working directory is no door to the engine's own descriptors (CVE-2024-21626)."""
    if not dockerfile.plain_folder(it.body.get("working_dir", "/")):
        yield it.refusal(dockerfile.FOLDER, "working_dir")


Rule = Callable[[Service, Work], Iterator[Refusal]]
RULES: tuple[Rule, ...] = (
    name, image, build, working_dir, volumes, environment, capabilities, security, replicas, ports,
    logging, memory, links,
)  # fmt: skip
