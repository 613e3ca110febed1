"""The checks over sessions made by hand, and the static ones over submissions on disk."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
import yaml

from datagen import catalogue
from graders import course, rubric, tools
from graders.clients.superset import Chart, Reply
from graders.errors import StackError
from graders.model import Finding, Rubric, Submission, Work
from graders.tools.superset import checks, findings, session
from graders.tools.superset import figures as truths
from graders.tools.superset.export import Export, read
from graders.tools.superset.figures import REVENUE, Figures
from graders.tools.superset.session import Session, write_data
from tests.tools.superset_samples import (
    BASE,
    BIG,
    BOARD,
    PIE,
    documents,
    packed,
    reply,
    uuid,
)

TEXT, NUM = 1, 0


@pytest.fixture(scope="module")
def rules() -> Rubric:
    return rubric.load(course.exercise("01_superset"))


@pytest.fixture
def work(tmp_path: Path, rules: Rubric) -> Work:
    root = tmp_path / "rendu"
    root.mkdir()
    digest = str(tmp_path)  # the static checks read an export once per submission
    return Work(Submission("01_superset", "demo", root, "", digest), rules, 5, 6, tmp_path)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Figures]:
    place = tmp_path_factory.mktemp("donnees")
    write_data(5, place / "equipe")
    write_data(6, place / "cachees")
    csv = place / "equipe/ventes.csv"
    return {
        "team": truths.figures(csv),
        "narrowed": truths.figures(csv, *truths.scene(csv, 3)),
        "hidden": truths.figures(place / "cachees/ventes.csv"),
        "scene": truths.scene(csv, 3),  # type: ignore[dict-item]
    }


class Stub:
    """Answers the charts of a session from figures: `now` is the data that is mounted."""

    def __init__(self, data: Mapping[str, Figures], **odd: Callable[[Any, str], Reply]) -> None:
        self.data, self.odd, self.now = data, odd, "team"
        self.asked: list[Mapping[str, Any]] = []

    def ask(self, bodies: list[Mapping[str, Any]]) -> list[Reply]:
        return [self._answer(body) for body in bodies]

    def _answer(self, body: Mapping[str, Any]) -> Reply:
        query = body["queries"][0]
        self.asked.append(query)
        narrowed = query.get("time_range") and any(f["op"] == "IN" for f in query["filters"])
        figures = self.data["narrowed" if narrowed else self.now]
        pie = "categorie" in query["columns"]
        if odd := self.odd.get("pie" if pie else "big"):
            return odd(figures, "narrowed" if narrowed else self.now)
        if pie:
            rows = figures.by("categorie")[REVENUE].items()
            return reply(["categorie", "ca"], [TEXT, NUM], *rows)
        return reply(["ca"], [NUM], (float(figures.true.revenue),))


@dataclasses.dataclass
class Stack:
    stub: Stub
    services: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    data: Path = Path("/donnees")

    def replace_data(self, _: Path) -> None:
        self.stub.now = "hidden"

    def folder(self, _: str) -> Path:
        return self.data


def opened(work: Work, data: Mapping[str, Any], stub: Stub, **more: Any) -> Session:
    hidden: Future[Figures] = Future()
    hidden.set_result(data["hidden"])
    export = more.pop("export", read(packed(documents())))
    charts = [
        Chart(n, uuid(n), d["slice_name"], d["viz_type"], d["params"], None)
        for n, d in enumerate(export.all("charts").values(), 1)
    ]
    made = {"work": work, "stack": Stack(stub), "superset": stub, "export": export,
            "charts": charts, "team": data["team"], "scene": data["scene"],
            "narrowed": data["narrowed"], "hidden": hidden}  # fmt: skip
    return Session(**{**made, **more})


def test_two_charts_of_eight_are_recognised_filtered_and_follow(
    work: Work, data: Mapping[str, Any]
) -> None:
    stub = Stub(data)
    made = opened(work, data, stub)
    assert checks.connexion(made).ratio == 1.0
    assert checks.par_categorie(made).ratio == 1.0
    assert stub.now == "hidden"  # asked last, on purpose: the data does not come back
    assert checks.indicateurs(made).ratio == pytest.approx(1 / 3)
    assert checks.ca_mensuel(made) == Finding(
        0.0, "Aucun graphique n'a les chiffres attendus (CA par mois)."
    )
    for check in (checks.tableau_complet, checks.scenario_filtres, checks.donnees_cachees):
        assert check(made).ratio == pytest.approx(2 / 5)
    assert len(stub.asked) == 6


def test_091_a_canned_chart_scores_nothing(work: Work, data: Mapping[str, Any]) -> None:
    def canned(_: Figures, now: str) -> Reply:
        rows = data["team"].by("categorie")[REVENUE].items()
        return reply(["categorie", "ca"], [TEXT, NUM], *rows)

    made = opened(work, data, Stub(data, pie=canned))
    found = checks.par_categorie(made)
    assert found.ratio == 0.0
    assert "mais pas sur d'autres" in found.message
    assert "« Parts »" in checks.donnees_cachees(made).message
    assert checks.donnees_cachees(made).ratio == pytest.approx(0.5 * 2 / 5)


def test_a_chart_that_ignores_the_filters_is_named(work: Work, data: Mapping[str, Any]) -> None:
    def stubborn(_: Figures, now: str) -> Reply:
        figures = data["hidden" if now == "hidden" else "team"]
        return reply(["ca"], [NUM], (float(figures.true.revenue),))

    found = checks.scenario_filtres(opened(work, data, Stub(data, big=stubborn)))
    assert "ne suivent pas « Total »" in found.message
    assert found.ratio < 0.5


def test_out_of_scope_means_not_filtered(work: Work, data: Mapping[str, Any]) -> None:
    files = documents()
    files[BOARD]["metadata"]["native_filter_configuration"][1]["scope"]["excluded"] = [1]
    made = opened(work, data, Stub(data), export=read(packed(files)))
    assert "« Parts »" in checks.scenario_filtres(made).message


def test_a_chart_off_the_dashboard_is_named(work: Work, data: Mapping[str, Any]) -> None:
    files = documents()
    files[BOARD]["position"]["ROW-b"]["children"] = []
    made = opened(work, data, Stub(data), export=read(packed(files)))
    assert checks.tableau_complet(made).message == "Hors du tableau de bord : « Total »."


def test_right_figures_in_an_unsuitable_type_are_worth_half(
    work: Work, data: Mapping[str, Any]
) -> None:
    files = documents()
    files[PIE]["viz_type"] = "treemap_v2"
    found = checks.par_categorie(opened(work, data, Stub(data), export=read(packed(files))))
    assert (found.ratio, len(found.plots)) == (0.5, 1)
    assert "treemap_v2" in found.message


def test_charts_that_do_not_answer_are_told(work: Work, data: Mapping[str, Any]) -> None:
    def broken(*_: Any) -> Reply:
        return Reply(error="no such table: ventes")

    made = opened(work, data, Stub(data, pie=broken, big=broken))
    assert "no such table" in checks.connexion(made).message
    assert "no such table" in checks.par_categorie(made).message


def test_another_engine_is_no_connection(work: Work, data: Mapping[str, Any]) -> None:
    files = documents()
    files[BASE]["sqlalchemy_uri"] = "postgresql://moi:secret@base/ventes"
    found = checks.connexion(opened(work, data, Stub(data), export=read(packed(files))))
    assert found.ratio == 0.0
    assert "base/ventes" in found.message
    assert "secret" not in found.message


@pytest.mark.parametrize(
    ("change", "refusal", "hint"),
    [
        ({BASE: None}, "500", "databases/"),
        ({"datasets/Base/autre.yaml": documents()["datasets/Base/ventes_1.yaml"]}, "500", "Deux"),
        ({}, "SQLiteDialect cannot be used for security reasons", "PREVENT_UNSAFE"),
        ({}, "autre chose", ""),
    ],
)
def test_a_refused_import_has_its_usual_cause(
    work: Work, data: Mapping[str, Any], change: dict[str, Any], refusal: str, hint: str
) -> None:
    files = {k: v for k, v in {**documents(), **change}.items() if v is not None}
    made = opened(work, data, Stub(data), export=read(packed(files)), refusal=refusal)
    found = checks.import_export(made)
    assert (found.ratio, found.message) == (0.0, refusal)
    assert found.hint.startswith(hint) if not hint else hint in found.hint


def test_a_hint_that_holds_for_all_is_told_once() -> None:
    monthly = Finding(0.0, hint="Valeur mensuelle au lieu du total.")
    parts = {"ca_total": monthly, "panier_moyen": monthly, "nb_transactions": Finding(1.0)}
    assert findings.hints(parts) == "Valeur mensuelle au lieu du total."
    parts["panier_moyen"] = Finding(0.0, hint="Autre chose.")
    assert findings.hints(parts) == (
        "CA total : Valeur mensuelle au lieu du total. Panier moyen : Autre chose."
    )
    assert findings.hints({"ca_total": Finding(1.0)}) == ""


def test_what_an_import_loses_is_named(work: Work, data: Mapping[str, Any]) -> None:
    made = opened(work, data, Stub(data))
    assert checks.import_export(made).ratio == 0.5  # the stack's own dashboard, not a hand-in
    made.export = dataclasses.replace(made.export, form="zip")
    assert checks.import_export(made).ratio == 1.0
    made.charts = made.charts[:1]
    assert checks.import_export(made).message == "Perdu(s) à l'import : Total."


def test_without_an_export_the_way_to_make_one_is_told(work: Work, data: Mapping[str, Any]) -> None:
    made = opened(work, data, Stub(data), export=Export(), charts=[])
    assert "icône « Export »" in checks.import_export(made).message
    assert checks.connexion(made).ratio == 0.0


@pytest.mark.parametrize(
    ("mount", "wanted"),
    [
        ({"source": "/x/donnees", "target": "/app/donnees"}, "/app/donnees/ventes.db"),
        ({"source": "/x/donnees/ventes.db", "target": "/tmp/v.db"}, "/tmp/v.db"),
    ],
)
def test_the_mounted_data_is_found(mount: dict[str, str], wanted: str) -> None:
    services = {"superset": {"volumes": [{"type": "volume"}, {"type": "bind", **mount}]}}
    assert session.mounted(Stack(Stub({}), services, Path("/x/donnees"))) == wanted


def test_data_that_is_not_mounted_is_told() -> None:
    with pytest.raises(StackError, match=r"ne monte pas \./donnees"):
        session.mounted(Stack(Stub({}), {"superset": {}}, Path("/x/donnees")))


def test_hidden_data_has_other_categories(work: Work) -> None:
    same = next(s for s in range(6, 2_000) if session.categories(s) == session.categories(5))
    drawn = session.hidden_seed(dataclasses.replace(work, hidden_seed=same))
    assert drawn > same
    assert session.categories(drawn) != session.categories(5)
    assert session.hidden_seed(dataclasses.replace(work, hidden_seed=drawn)) == drawn


# The static checks


def statics(work: Work) -> Iterator[tuple[str, float, str]]:
    for name, check in tools.suite("01_superset").checks.items():
        if check.stage.value == "static":
            found = check.run(work)
            yield name, found.ratio, found.message


def test_the_starter_gets_nothing_from_its_files(work: Work, rules: Rubric) -> None:
    shutil.copytree(rules.folder / "starter", work.submission.root, dirs_exist_ok=True)
    results = list(statics(work))
    assert len(results) == 7
    assert not [r for r in results if r[1] > 0]


def test_a_lone_dashboard_gets_what_it_shows(work: Work) -> None:
    (work.submission.root / "tableau.yaml").write_bytes(yaml.safe_dump(documents()[BOARD]).encode())
    ratios = {name: ratio for name, ratio, _ in statics(work)}
    assert ratios["export"] == 0.25
    assert ratios["mise_en_page"] == pytest.approx(0.8)
    assert ratios["filtres"] == 1.0
    assert ratios["jeu_de_donnees"] == ratios["graphiques"] == 0.0


def test_an_export_that_lacks_a_part_says_which(work: Work) -> None:
    files = documents()
    del files[BASE], files[BIG]
    (work.submission.root / "e.zip").write_bytes(packed(files))
    found = checks.export(work)
    assert found.ratio == 0.75
    assert found.message == "Il manque dans l'export : databases."


def test_a_report_that_cites_anothers_category_is_told(work: Work) -> None:
    foreign = min(set(catalogue.CATEGORIES) - session.categories(work.seed))
    text = "## Enseignements\n## Anomalies\n## Recommandations\n" + "mot " * 200
    (work.submission.root / "resultats.md").write_text(text + f"\nLe {foreign} du jour.")
    assert checks.resultats(work).ratio == 1.0
    (work.submission.root / "resultats.md").write_text(text + f"\nLa catégorie {foreign} mène.")
    found = checks.resultats(work)
    assert found.ratio == 0.5
    assert f"Catégorie absente de vos données citée dans resultats.md : {foreign}" in found.message
