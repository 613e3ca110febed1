"""Write the plan: a new document with only what was judged, and our limits on top.

Nothing is copied whole from the student's document; each key below is written here or is not in
the plan. Limits: memory is shared out of the exercise's budget, so the sum never exceeds it; CPU is
a cap on each service and one weight for the whole stack; PIDs are shared with a floor.
"""

from __future__ import annotations

import hashlib
import re
import resource
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graders.model import Limits, Plan, Work
from graders.policy import binds, dockerfile
from graders.policy.roles import Role
from graders.policy.rules import Service, aliases

MiB = 1 << 20
LABEL, PROJECT_LABEL = "bareme", "bareme.project"
NETWORK = "default"
STOP = "2s"  # init forwards SIGTERM; what has not stopped by then is killed
NOFILE = 16_384
SHM = 64 * MiB
LEAST = 16 * MiB  # Docker itself refuses a limit below 6
PIDS = 128  # the least that a JVM or an Airflow worker lives on
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_KEPT = ("command", "entrypoint", "user", "working_dir", "hostname", "read_only", "tty",
         "stop_signal", "profiles", "links")  # fmt: skip


def bridge(project: str) -> str:
    """Return the name of a project's bridge: `brm` and 8 hex digits, so one firewall rule holds."""
    found = re.search(r"([0-9a-f]{8})$", project)
    return "brm" + (found[1] if found else hashlib.sha256(project.encode()).hexdigest()[:8])


def plan(
    project: str,
    services: Sequence[Service],
    volumes: Mapping[str, Any],
    work: Work,
    image: Callable[[str], str],
) -> Plan:
    """Return the document that will be started for these judged services."""
    labels = {LABEL: "1", PROJECT_LABEL: project}
    memory = shares(services, work.rubric.limits)
    written = {
        it.name: _service(it, len(services), memory[it.name], labels, work, image)
        for it in services
    }
    document = {
        "name": project,
        "services": written,
        "networks": {
            NETWORK: {
                "name": f"{project}_{NETWORK}",
                "driver": "bridge",
                "internal": True,
                "driver_opts": {"com.docker.network.bridge.name": bridge(project)},
                "labels": labels,
            }
        },
        "volumes": {
            name: {"name": f"{project}_{name}", "driver": "local", "labels": labels}
            for name in volumes
        },
    }
    return Plan(project, _escaped(document))


def _service(
    it: Service, count: int, memory: int, labels: Mapping[str, str], work: Work,
    image: Callable[[str], str],
) -> dict[str, Any]:  # fmt: skip
    body, limits = it.body, work.rubric.limits
    written: dict[str, Any] = {k: body[k] for k in _KEPT if body.get(k) is not None}
    written |= {
        **_image(it, labels, work, image),
        "environment": dict(body.get("environment", {})),
        "labels": dict(labels),
        "networks": {NETWORK: {"aliases": sorted({*aliases(body)} - {it.name})}},
        "volumes": binds.rewrite(it.name, body, work, it.role, memory // 2),
        "tmpfs": binds.tmpfs(body.get("tmpfs", []), memory // 2),
        "cap_drop": ["ALL"],
        "cap_add": sorted(it.role.capabilities),
        "security_opt": ["no-new-privileges:true"],
        "init": True,
        "restart": "no",
        "stop_grace_period": STOP,
        "mem_limit": memory,
        "memswap_limit": memory,
        "cpus": _cpus(body, limits),
        "cpu_shares": max(2, 1024 // count),
        "pids_limit": _pids(body, limits, count),
        "shm_size": min(int(body.get("shm_size") or SHM), memory // 2),
        "ulimits": _ulimits(body, limits),
        "logging": {"driver": "json-file", "options": {"max-size": "1m", "max-file": "2"}},
    }
    if "depends_on" in body:
        written["depends_on"] = {
            name: {"condition": on["condition"], "required": on.get("required", True)}
            for name, on in body["depends_on"].items()
        }
    if "healthcheck" in body:
        written["healthcheck"] = _healthcheck(body["healthcheck"])
    return written


def _image(
    it: Service, labels: Mapping[str, str], work: Work, image: Callable[[str], str]
) -> dict[str, Any]:
    """Return what the service runs: an allowed image, or the build of a judged Dockerfile."""
    if "build" not in it.body:
        return {"image": image(it.reference), "pull_policy": "never"}
    asked = it.body["build"]
    text = dockerfile.source(asked, work.submission.root)
    steps = dockerfile.parse(text or "", work.rubric.images)
    build = {
        "context": asked["context"],
        "dockerfile_inline": dockerfile.render(steps, image),
        "network": "none",
        "labels": dict(labels),
        "args": dict(asked.get("args", {})),
    }
    if "target" in asked:
        build["target"] = asked["target"]
    return {"image": f"{labels[PROJECT_LABEL]}-{it.name.lower()}", "build": build}


def shares(services: Sequence[Service], limits: Limits) -> dict[str, int]:
    """Share the exercise's memory, in bytes: own limits are kept while they fit, the rest is split.

    A service without a limit of its own gets at least 256 MiB or an equal part of the budget; own
    limits that do not fit together are cut from the largest down.
    """
    budget = limits.memory * MiB
    asks = {it.name: a for it in services if (a := _own_memory(it.body, it.role))}
    free = [it.name for it in services if it.name not in asks]
    left = budget - len(free) * min(256 * MiB, budget // len(services))
    given: dict[str, int] = {}
    for name, ask in sorted(asks.items(), key=lambda pair: pair[1]):
        given[name] = min(ask, left // (len(asks) - len(given)))
        left -= given[name]
    rest = budget - sum(given.values())
    return given | {name: rest // len(free) for name in free}


def _own_memory(body: Mapping[str, Any], role: Role) -> int:
    limit = body.get("deploy", {}).get("resources", {}).get("limits", {}).get("memory")
    own = int(body.get("mem_limit") or limit or 0)
    return max(own, LEAST) if own > 0 else (role.memory or 0) * MiB


def _cpus(body: Mapping[str, Any], limits: Limits) -> float:
    limit = body.get("deploy", {}).get("resources", {}).get("limits", {}).get("cpus")
    own = float(body.get("cpus") or limit or 0)
    return min(own, limits.cpus) if own > 0 else limits.cpus


def _pids(body: Mapping[str, Any], limits: Limits, count: int) -> int:
    share = max(PIDS, limits.pids // count)
    own = int(body.get("pids_limit") or 0)
    return min(own, share) if own > 0 else share


def _ulimits(body: Mapping[str, Any], limits: Limits) -> dict[str, Any]:
    """Cap open files, written files and core dumps; an engine can only lower its own limits.

    `memlock` is not granted: engines without CAP_SYS_RESOURCE then start nothing at all.
    """
    asked = body.get("ulimits", {}).get("nofile", NOFILE)
    hard = asked if isinstance(asked, int) else asked.get("hard", NOFILE)
    most = min(n for n in (NOFILE, resource.getrlimit(resource.RLIMIT_NOFILE)[1]) if n > 0)
    files = min(hard, most) if hard > 0 else most
    disk = limits.disk * MiB
    return {
        "nofile": {"soft": files, "hard": files},
        "core": {"soft": 0, "hard": 0},
        "fsize": {"soft": disk, "hard": disk},
    }


def _healthcheck(body: Mapping[str, Any]) -> dict[str, Any]:
    """Keep a healthcheck, but no faster than once a second: each one costs the engine an exec."""
    written = dict(body)
    for key in ("interval", "start_interval"):
        if key in written and _seconds(written[key]) < 1.0:
            written[key] = "1s"
    return written


def _seconds(duration: str) -> float:
    found = re.findall(r"([0-9.]+)(ms|us|µs|ns|h|m|s)", duration)
    return sum(float(n) * _UNITS[unit] for n, unit in found)


def _escaped(value: Any) -> Any:
    """Double every `$`: Compose interpolates the plan once more when it starts it."""
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, dict):
        return {k: _escaped(v) for k, v in value.items()}
    return [_escaped(v) for v in value] if isinstance(value, list) else value
