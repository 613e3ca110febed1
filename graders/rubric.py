"""Read a rubric: YAML in, validated frozen value out."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from graders.errors import RubricError
from graders.model import Criterion, Limits, Ready, Rubric

TOTAL = 20.0


def load(folder: Path) -> Rubric:
    """Parse and validate `folder`/rubric.yaml; the criteria's points must add up to 20."""
    path = folder / "rubric.yaml"
    try:
        raw = path.read_bytes()
        data = yaml.safe_load(raw)
        jsonschema.validate(data, _schema())
    except (OSError, yaml.YAMLError) as error:
        raise RubricError(f"{path}: {error}") from error
    except jsonschema.ValidationError as error:
        raise RubricError(f"{path}: {error.json_path}: {error.message}") from error
    criteria = tuple(Criterion(**row) for row in data["criteria"])
    if len({c.id for c in criteria}) < len(criteria):
        raise RubricError(f"{path}: two criteria share an id")
    rubric = Rubric(
        criteria=criteria,
        digest=hashlib.sha256(raw).hexdigest(),
        folder=folder,
        ready=tuple(Ready(**row) for row in data.get("ready", [])),
        limits=Limits(**data.get("limits", {})),
        exercise=data["exercise"],
        version=data["version"],
        title=data["title"],
        deliverables=tuple(data.get("deliverables", [])),
        images=data["images"],
        services=data["services"],
        answers=data.get("answers", {}),
        report_headings=tuple(data.get("report_headings", [])),
        report_words=data.get("report_words", 0),
        options=data.get("options", {}),
    )
    if rubric.out_of != TOTAL:
        raise RubricError(f"{path}: the points add up to {rubric.out_of:g}, not {TOTAL:g}")
    return rubric


def _schema() -> dict[str, Any]:
    path = Path(__file__).parent / "schemas" / "rubric.schema.json"
    schema: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return schema
