"""Grading any refused case, as one types it: exit code 1, a French report, no traceback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from graders.commands.grading import grade
from tests.hostile import corpus
from tests.hostile.corpus import Case

REFUSED = [c for c in corpus.cases("static") if c.outcome == "R" and not c.untestable]


@pytest.mark.parametrize("case", REFUSED, ids=lambda c: c.folder.name)
def test_a_refused_submission_has_its_report(case: Case, tmp_path: Path) -> None:
    folder, out = corpus.build(case, tmp_path), tmp_path / "rapports"
    done = CliRunner().invoke(grade, [str(folder), "--static", "--out", str(out)])
    assert done.exit_code == 1, done.output
    assert "refus" in done.output
    assert "Traceback" not in done.output
    report = json.loads((out / "equipe-hostile-07_dbt.json").read_text("utf-8"))
    assert report["status"] == "refused"
