"""Cases graded for real, dbt on this machine: an attack gains nothing, leaks nothing, ends in time.

A case of stage `graded` is laid over the starter of 07_dbt and `dbt_base/`, a small partial work
that is also graded without any attack. More keys of its case.yaml:

runtime    static or embedded
together   graded in one session with all others that say so: dbt takes seconds to start
loses      criteria that the attack may cost; no other changes, and none may gain
fails      how many models dbt cannot build because of it: the attack was made, and was stopped
"""

from __future__ import annotations

import dataclasses
import re
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
import yaml

from datagen import shop_truths
from datagen.seeds import course_id, team_seed
from graders import course, pipeline, reports
from graders.model import Outcome, Report, Status
from graders.tools.dbt_session import tables
from tests.hostile import corpus
from tests.hostile.corpus import Case
from tests.hostile.test_corpus import SECRETS

pytest.importorskip("dbt.adapters.duckdb")

EXERCISE, TEAM, HIDDEN = "07_dbt", "equipe-hostile", 987_654_321
GRADED = corpus.cases("graded")
TOGETHER = [c for c in GRADED if c.more.get("together")]
ALONE = [c for c in GRADED if not c.more.get("together")]
MARK = "bareme-evil"  # what a payload names the file by which it would be seen to have run
SLOWEST = 150.0  # seconds, of a machine that does much else

Alter = Callable[[Path], None]


@dataclass(frozen=True, slots=True)
class End:
    """A report, all its texts, and the ratio of each criterion."""

    report: Report
    text: str

    @property
    def ratios(self) -> Mapping[str, float]:
        return {r.criterion.id: r.finding.ratio for r in self.report.results}

    def message(self, criterion: str) -> str:
        return next(r.finding.message for r in self.report.results if r.criterion.id == criterion)


def work(place: Path, alter: Alter = lambda _: None) -> Path:
    """Write the partial work below `place`, change it, and return its folder."""
    folder = place / "submissions" / TEAM / EXERCISE
    shutil.copytree(course.exercise(EXERCISE) / "starter", folder)
    shutil.copytree(corpus.HERE / "dbt_base", folder, dirs_exist_ok=True)
    alter(folder)
    return folder


def grade(folder: Path, runtime: str = "embedded") -> End:
    """Grade as the command line does, in bounded time, with secrets in the environment."""
    start = time.monotonic()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SECRETS.items():
            patch.setenv(name, value)
        report = pipeline.grade(folder, EXERCISE, pipeline.Options(runtime, replay=HIDDEN))
    assert time.monotonic() - start < SLOWEST
    text = "\n".join(r.render(report) for r in reports.REPORTERS.values())
    for secret in SECRETS.values():
        assert secret not in text
    assert report.outcome is not Outcome.TO_REGRADE, [
        r.finding.message for r in report.results if r.status is Status.ERROR
    ]
    assert not list(Path("/tmp").glob(f"{MARK}*"))
    return End(report, text)


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, End]:
    """Grade the partial work without any attack."""
    folder = work(tmp_path_factory.mktemp("honnête"))
    return {runtime: grade(folder, runtime) for runtime in ("static", "embedded")}


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> End:
    """Grade one submission that makes every attack of `TOGETHER`."""

    def attack(folder: Path) -> None:
        for case in TOGETHER:
            corpus.lay(case, folder)

    return grade(work(tmp_path_factory.mktemp("ensemble"), attack))


def judge(case: Case, end: End, honest: End) -> None:
    """Hold the end of an attack against the case, and against the same work without it."""
    loses = case.more.get("loses", ())
    for name, ratio in end.ratios.items():
        if name in loses:
            assert ratio <= honest.ratios[name], name
        else:
            assert ratio == honest.ratios[name], f"{name}: {end.message(name)}"
    assert re.search(case.message, end.text)
    assert not [text for text in case.absent if text in end.text]


def test_the_partial_work_has_points_to_lose(honest: Mapping[str, End]) -> None:
    ratios = honest["embedded"].ratios
    assert {n for n, ratio in ratios.items() if ratio} >= {"staging", "donnees_cachees", "couches"}
    assert ratios["build"] == ratios["dim_temps"] == 0.0


@pytest.mark.parametrize("case", TOGETHER, ids=lambda c: c.folder.name)
def test_an_attack_among_others_gains_nothing(
    case: Case, together: End, honest: Mapping[str, End]
) -> None:
    judge(case, together, honest["embedded"])


def test_the_attacks_were_made_and_stopped(together: End) -> None:
    stopped = sum(case.more.get("fails", 0) for case in TOGETHER)
    assert f"dbt build échoue sur {stopped} nœud(s)" in together.message("build")


@pytest.mark.parametrize("case", ALONE, ids=lambda c: c.folder.name)
def test_an_attack_gains_nothing(case: Case, tmp_path: Path, honest: Mapping[str, End]) -> None:
    runtime = case.more["runtime"]
    end = grade(work(tmp_path, lambda folder: corpus.lay(case, folder)), runtime)
    judge(case, end, honest[runtime])


def seed_of(team: str) -> int:
    return team_seed(course_id(course.ROOT), team)


def values(rows: pd.DataFrame) -> str:
    """Return rows as a SELECT of VALUES, all as text."""
    lines = ", ".join(
        "(" + ", ".join("null" if pd.isna(v) else f"$x${v}$x$" for v in row) + ")"
        for row in rows.astype(object).itertuples(index=False)
    )
    return f"select * from (values {lines}) as t ({', '.join(rows.columns)})\n"  # noqa: S608


def test_092_093_094_rows_that_are_not_computed_prove_nothing(
    tmp_path: Path, honest: Mapping[str, End]
) -> None:
    """Another team's rows are wrong; one's own, ready-made, void what hidden data had proved."""

    def attack(folder: Path) -> None:
        own = shop_truths.models(tables(seed_of(TEAM)))
        others = shop_truths.models(tables(seed_of("les-autres")))
        marts, seeds = folder / "dbt/models/marts", folder / "dbt/seeds"
        (marts / "dim_temps.sql").write_text("select 1 as n\n")
        (marts / "business_metrics.sql").write_text(values(others["business_metrics"]))
        (marts / "dim_produits.sql").write_text(values(own["dim_produits"]))
        own["dim_clients"].to_csv(seeds / "tout_pret.csv", index=False)
        (marts / "dim_clients.sql").write_text("select * from {{ ref('tout_pret') }}\n")

    end, base = grade(work(tmp_path, attack)), honest["embedded"]
    assert end.ratios["business_metrics"] == 0.0
    assert end.ratios["dim_produits"] == end.ratios["dim_clients"] == 0.0
    assert "faux sur d'autres" in end.message("dim_produits")
    assert base.ratios["donnees_cachees"] > 0.0
    assert end.ratios["donnees_cachees"] == 0.0
    assert "valeurs écrites en dur" in end.message("donnees_cachees")
    assert {"dim_clients", "dim_produits"} <= set(
        re.findall(r"\w+", end.message("donnees_cachees"))
    )


def test_082_092_answers_of_another_team_and_no_oracle(tmp_path: Path) -> None:
    """What another team knows isn't right here, and a wrong answer never shows the right one."""
    theirs = shop_truths.answers(tables(seed_of("les-autres")))
    ours = shop_truths.answers(tables(seed_of(TEAM)))

    def attack(folder: Path) -> None:
        (folder / "reponses.yaml").write_text(yaml.safe_dump(theirs))

    end = grade(work(tmp_path, attack), "static")
    same = {k for k in ours if ours[k] == theirs[k]}
    assert end.ratios["reponses"] == pytest.approx(len(same) / len(ours))
    assert len(same) < len(ours) / 2
    for name in ours.keys() - same:
        shown = str(ours[name])
        assert not re.search(rf"(?<![\w.]){re.escape(shown)}(?![\w.])", end.message("reponses"))
    assert not any(r.finding.wanted for r in end.report.results if r.criterion.id == "reponses")


def test_082_hidden_data_is_drawn_anew_at_every_grading(tmp_path: Path) -> None:
    """Hundreds of attempts teach nothing: each one is judged on other hidden data."""
    from graders import intake, rubric

    rules = rubric.load(course.exercise(EXERCISE))
    submission = intake.load(work(tmp_path), rules, tmp_path)
    options = pipeline.Options("static")
    seeds = {pipeline.prepare(submission, rules, tmp_path, options).hidden_seed for _ in range(200)}
    assert len(seeds) == 200
    keyed = dataclasses.replace(options, key=b"cle de l'enseignant")
    again = {pipeline.prepare(submission, rules, tmp_path, keyed).hidden_seed for _ in range(3)}
    assert len(again) == 1  # to replay one submission...
    changed = dataclasses.replace(submission, digest="1" * 64)
    assert pipeline.prepare(changed, rules, tmp_path, keyed).hidden_seed not in again


def test_089_a_team_is_the_name_of_its_folder_whatever_it_says(tmp_path: Path) -> None:
    """Names in metadata give nobody another one's data or marks."""

    def attack(folder: Path) -> None:
        (folder.parent / "equipe.yaml").write_text(
            "equipe: les-autres\nteam: les-autres\nslug: ../les-autres\nmembres: [Zoé]\n"
        )
        (folder / "equipe.yaml").write_text("membres: [les-autres]\n")

    report = grade(work(tmp_path, attack), "static").report
    assert report.team == TEAM
    assert report.provenance["seed"] == seed_of(TEAM) != seed_of("les-autres")
