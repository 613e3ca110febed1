"""What the launcher costs beside the bare commands: `python -m benchmarks.stack [--rounds N]`.

Three services that sleep are started and removed, in turn by `docker compose up -d` + `down -v`, by
the same with a fourth service (the door is one), and by the launcher. Medians, and ratios to the
second: the goal is at most 1.15. Needs an engine and the images `base` and `door`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from graders import compose
from graders.model import Criterion, Plan, Rubric
from graders.stack import dress, up

BASE = {"image": "bareme/base:bookworm", "command": ["sleep", "infinity"], "init": True}
NETWORKS = {"default": {"internal": True}}


def services() -> dict[str, Any]:
    waits = {"a": {"condition": "service_started"}}
    mount = {"type": "volume", "source": "data", "target": "/d"}
    return {"a": {**BASE, "volumes": [mount]}, "b": {**BASE, "depends_on": waits}, "c": dict(BASE)}


@contextlib.contextmanager
def bare(project: str, document: Mapping[str, Any]) -> Iterator[None]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "compose.json").write_text(json.dumps(document))
        words = ["-p", project, "-f", str(folder / "compose.json")]
        for command in (["up", "-d"], ["down", "-v"]):
            done = compose.call([*words, *command], cwd=folder, timeout=120)
            assert done.code == 0, done.stderr
            if command[0] == "up":
                yield


def timed(stack: Callable[[], contextlib.AbstractContextManager[object]]) -> tuple[float, float]:
    start = time.perf_counter()
    with stack():
        middle = time.perf_counter()
    return middle - start, time.perf_counter() - middle


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    document = {"services": services(), "networks": NETWORKS, "volumes": {"data": {}}}
    labels = {"bareme.project": "bareme-mesure-porte"}
    door = dress.dress(document, labels, "bareme/door:1", "t", 60.0)
    rules = Rubric("07_dbt", 1, "t", (Criterion("a", "a", 20.0),), "0" * 64, Path())
    contenders = {
        "bare, 3 services": lambda: bare("bareme-mesure", document),
        "bare, 3 services and a door": lambda: bare("bareme-mesure-porte", door),
        "launcher": lambda: up(Plan("bareme-mesure-pile", document), rules, lambda _: None),
    }
    with contenders["launcher"]():
        pass  # the first one looks for orphans
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, stack in contenders.items():
            times[name].append(timed(stack))
    reference = 0.0
    for name, pairs in times.items():
        ups, downs = (statistics.median(column) for column in zip(*pairs, strict=True))
        reference = ups + downs if "door" in name else reference
        ratio = f"  ratio {(ups + downs) / reference:.2f}" if name == "launcher" else ""
        print(f"{name:28} up {ups:5.2f} s  down {downs:5.2f} s{ratio}")


if __name__ == "__main__":
    main()
