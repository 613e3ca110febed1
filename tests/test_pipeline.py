"""The pipeline's own decisions, with a suite of the test's and no stack."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from graders import pipeline, policy, rubric, tools
from graders.errors import MachineError, StackError
from graders.model import Finding, Outcome, Plan, Rubric, Status
from graders.suite import Suite, expect

COMPOSE = "services:\n  db:\n    image: postgres:15\n"
MAKE = ("fichiers", "vivant", "epreuve")


class Fake:
    """A suite whose session may fail to open, and what it saw."""

    def __init__(self) -> None:
        self.opening: Exception | None = None
        self.seeds: list[int] = []
        self.suite: Suite[str] = Suite(
            "07_dbt", self.connect, lambda _seed, folder: folder.mkdir(), embedded=True
        )

        @self.suite.static()
        def fichiers(_: Any) -> Finding:
            return Finding(1.0)

        @self.suite.live()
        def vivant(context: str) -> Finding:
            return expect(context == "session")

        @self.suite.drill(vivant)
        def epreuve(_: str) -> Finding:
            return Finding(0.5)

    @contextlib.contextmanager
    def connect(self, work: Any, _stack: Any, _say: Any) -> Iterator[str]:
        self.seeds.append(work.hidden_seed)
        if self.opening:
            raise self.opening
        yield "session"


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, make_rubric: Any) -> Fake:
    made = Fake()
    rules: Rubric = make_rubric(*MAKE, images={"postgres": "postgres"})
    monkeypatch.setattr(tools, "suite", lambda _: made.suite)
    monkeypatch.setattr(rubric, "load", lambda _: rules)
    # What the policy makes of a Compose file has its own tests.
    monkeypatch.setattr(policy, "vet", lambda *_: Plan("p", {"services": {}}))
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "submissions" / "bleus" / "07_dbt"
    made.mkdir(parents=True)
    (made / "compose.yaml").write_text(COMPOSE)
    return made


def grade(folder: Path, **more: Any) -> Any:
    options = pipeline.Options(more.pop("runtime", "embedded"), **more)
    return pipeline.grade(folder, "07_dbt", options)


def statuses(report: Any) -> list[str]:
    return [r.status.value for r in report.results]


def test_a_session_that_opens_is_graded(fake: Fake, folder: Path) -> None:
    report = grade(folder)
    assert statuses(report) == ["passed", "passed", "partial"]
    assert (report.outcome, report.score) == (Outcome.GRADED, pytest.approx(16.67, abs=0.01))


def test_static_runs_files_only_and_says_so(fake: Fake, folder: Path) -> None:
    report = grade(folder, runtime="static")
    assert statuses(report) == ["passed", "skipped", "skipped"]
    assert fake.seeds == []


def test_a_stack_of_theirs_that_fails_costs_the_live_criteria(fake: Fake, folder: Path) -> None:
    fake.opening = StackError("postgres s'est arrêté")
    report = grade(folder)
    assert statuses(report) == ["passed", "failed", "failed"]
    assert report.outcome is Outcome.GRADED
    assert "postgres" in report.results[1].finding.message


@pytest.mark.parametrize("fault", [MachineError("disque plein"), KeyError("x")])
def test_a_fault_of_ours_is_never_a_zero(fake: Fake, folder: Path, fault: Exception) -> None:
    fake.opening = fault
    report = grade(folder)
    assert report.outcome is Outcome.TO_REGRADE
    assert statuses(report) == ["passed", "error", "error"]


def test_no_compose_file_keeps_what_the_files_earned(fake: Fake, folder: Path) -> None:
    (folder / "compose.yaml").unlink()
    report = grade(folder)
    assert report.outcome is Outcome.REFUSED
    assert statuses(report) == ["passed", "failed", "failed"]
    assert "compose.yaml" in report.results[1].finding.message


def test_hidden_seeds_are_random_keyed_or_replayed(fake: Fake, folder: Path) -> None:
    seeds = [grade(folder).provenance["hidden_seed"] for _ in range(2)]
    assert seeds[0] != seeds[1]
    keyed = [grade(folder, key=b"secret").provenance["hidden_seed"] for _ in range(2)]
    assert keyed[0] == keyed[1]
    assert grade(folder, key=b"other").provenance["hidden_seed"] != keyed[0]
    assert grade(folder, replay=seeds[0]).provenance["hidden_seed"] == seeds[0]
    assert fake.seeds[-1] == seeds[0]


def test_an_instructors_mark_counts_on_human_criteria_only(
    fake: Fake, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dataclasses

    rules = rubric.load(Path())
    first, *others = rules.criteria
    human = dataclasses.replace(first, human=True)
    rules = dataclasses.replace(rules, criteria=(human, *others))
    monkeypatch.setattr(rubric, "load", lambda _: rules)
    report = grade(folder, marks={"fichiers": 2.0, "vivant": 0.0})
    assert [r.points for r in report.results][:2] == [2.0, pytest.approx(6.67, abs=0.01)]
    assert report.results[0].status is Status.PARTIAL
    over = grade(folder, marks={"fichiers": 1000.0})
    assert over.results[0].points == pytest.approx(6.67, abs=0.01)


def test_nothing_is_left_in_the_temporary_folder(
    fake: Fake, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "tmp"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    fake.opening = RuntimeError("x")
    grade(folder)
    assert list(place.iterdir()) == []


def test_without_docker_the_code_runs_here_only_when_trusted(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graders.stack.lacking", lambda: "pas de moteur")
    assert pipeline.choose("auto", fake.suite, trusted=True) == "embedded"
    with pytest.raises(MachineError, match="--trust"):
        pipeline.choose("auto", fake.suite, trusted=False)
    with pytest.raises(MachineError, match="pas de moteur"):
        pipeline.choose("docker", fake.suite, trusted=True)
    fake.suite.embedded = False
    with pytest.raises(MachineError, match="make engine"):
        pipeline.choose("auto", fake.suite, trusted=True)


def test_a_shared_place_gets_the_teams_data_again(fake: Fake, folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "commun"
    place.mkdir()

    def write(seed: int, data: Path) -> None:
        data.mkdir()  # like datagen, it refuses a folder that exists
        (data / "ventes.csv").write_text(str(seed))

    fake.suite.write_data = write
    options = pipeline.Options("embedded", team="bleus")
    for _ in range(2):
        report = pipeline.grade_in(place, folder, "07_dbt", options, pipeline.start)
        assert statuses(report) == ["passed", "passed", "partial"]
        file = place / "donnees" / "ventes.csv"
        inode = file.stat().st_ino
        assert file.read_text() == str(report.provenance["seed"])
        file.write_text("une épreuve l'a remplacé")
    assert file.stat().st_ino == inode  # mounted by itself, it is still the same file
