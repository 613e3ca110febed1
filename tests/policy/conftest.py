"""A submission folder and the way from its text to a plan."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from graders import compose, policy
from graders.errors import PolicyError, Refusal
from graders.model import Limits, Plan, Rubric, Submission, Work

IMAGES = {
    "postgres": "postgres",
    "ghcr.io/dbt-labs/dbt-postgres": "dbt",
    "apache/airflow": "airflow",
    "apache/spark": "spark",
    "docker.elastic.co/elasticsearch/elasticsearch": "elasticsearch",
    "docker.elastic.co/kibana/kibana": "kibana",
    "docker.elastic.co/logstash/logstash": "logstash",
    "grafana/grafana": "grafana",
    "prom/prometheus": "prometheus",
}
SERVICES: Mapping[str, Any] = {
    "entrepot": {"images": ["postgres"], "capabilities": ["CHOWN", "SETUID"], "memory": 512},
    "dbt": {
        "images": ["ghcr.io/dbt-labs/dbt-postgres"],
        "folders": ["target"],
        "writable": ["/etat"],
    },
    "outil": {"build": True},
}


class Folder:
    """A submission that is written file by file, then vetted."""

    def __init__(self, place: Path) -> None:
        self.root = place / "copie"
        self.root.mkdir()
        self.scratch = place / "scratch"
        self.scratch.mkdir()
        self.limits = Limits(memory=2048, cpus=2.0, pids=512, disk=1024)

    def write(self, text: str, name: str = "compose.yaml") -> Folder:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        return self

    @property
    def work(self) -> Work:
        rubric = Rubric("07_dbt", 1, "t", (), "0", self.root, images=IMAGES, services=SERVICES,
                        limits=self.limits)  # fmt: skip
        return Work(Submission("07_dbt", "demo", self.root, "", "0"), rubric, 1, 2, self.scratch)

    def plan(self, image: Callable[[str], str] = "local/{}".format) -> Plan:
        file = policy.find(self.root)
        document = compose.resolve(file, "bareme-07-0badcafe", self.scratch)
        return policy.vet(file, document, self.work, image)

    def service(self, name: str = "base") -> dict[str, Any]:
        found: dict[str, Any] = json.loads(json.dumps(self.plan().document["services"][name]))
        return found

    def refusals(self) -> tuple[Refusal, ...]:
        with pytest.raises(PolicyError) as caught:
            self.plan()
        return caught.value.refusals

    def rules(self) -> set[str]:
        return {r.rule for r in self.refusals()}


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """Return an empty submission."""
    return Folder(tmp_path)


@pytest.fixture
def base(folder: Folder) -> Callable[..., Folder]:
    """Return a maker of submissions with one PostgreSQL service and these lines below it."""

    def make(*lines: str, tail: str = "") -> Folder:
        body = "".join(f"    {line}\n" for line in lines)
        return folder.write(f"services:\n  base:\n    image: postgres:15\n{body}{tail}")

    return make


# `pytest tests/policy/test_fuzz.py --hypothesis-profile=long`: ten thousand of each.
settings.register_profile("long", max_examples=10_000, deadline=None)
