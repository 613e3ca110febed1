"""The real Superset: each way an import goes wrong, the data swap, and charts without an end."""

from __future__ import annotations

import copy
import io
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from graders import course, rubric
from graders.clients.superset import Superset
from graders.errors import ApiError
from graders.model import Ready, Submission, Work
from graders.stack import Stack
from graders.stack import files as disk
from graders.tools.superset import checks, session
from graders.tools.superset.session import Session, connect, write_data
from tests.docker.conftest import bind, service, started
from tests.tools.superset_samples import (
    BASE,
    BIG,
    BOARD,
    PIE,
    SET,
    chart,
    documents,
    packed,
    uuid,
)

pytestmark = pytest.mark.docker
IMAGE = "bareme/superset:6.1.0"
CONFIG = course.ROOT / "exercises/01_superset/starter/superset_config.py"
Files = dict[str, Any]


def quiet(_: str) -> None:
    pass


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("superset")
    write_data(5, root / "donnees")
    return root


@pytest.fixture(scope="module")
def stack(place: Path) -> Iterator[Stack]:
    (place / "superset_config.py").write_bytes(CONFIG.read_bytes())
    services = {
        "superset": service(
            ["/usr/bin/run-server.sh"],
            image=IMAGE,
            mem_limit=2 << 30,
            memswap_limit=2 << 30,
            pids_limit=256,
            environment={"SUPERSET_SECRET_KEY": "pour-les-essais-seulement-0123456789-abcdef"},
            volumes=[
                bind(place / "superset_config.py", "/app/pythonpath/superset_config.py"),
                bind(place / "donnees", "/app/donnees"),
            ],
        )
    }
    ready = Ready("superset", 8088, "/health")
    with started(services, ready, start=240.0, life=1200.0, memory=3072) as running:
        yield running


@pytest.fixture
def work(place: Path, tmp_path: Path) -> Work:
    shutil.rmtree(place / "cachees", ignore_errors=True)
    write_data(5, tmp_path / "donnees")
    disk.replace(place / "donnees", tmp_path / "donnees")
    root = tmp_path / "rendu"
    root.mkdir()
    rules = rubric.load(course.exercise("01_superset"))
    return Work(Submission("01_superset", "demo", root, "", str(tmp_path)), rules, 5, 6, place)


@pytest.fixture
def server(stack: Stack) -> Superset:
    found = Superset(stack.session, stack.url("superset", 8088), 20.0)
    found.login("admin", "admin")
    found.clear()
    return found


def hand_in(work: Work, data: bytes) -> None:
    (work.submission.root / "export.zip").write_bytes(data)


def without(name: str) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        del files[name]

    return change


def test_a_sound_export_is_imported_asked_filtered_swapped_and_gone(
    work: Work, stack: Stack, server: Superset
) -> None:
    hand_in(work, packed(documents()))
    with connect(work, stack, quiet) as opened:
        assert checks.import_export(opened).ratio == 1.0
        assert checks.connexion(opened).ratio == 1.0
        assert set(opened.found) == {"par_categorie", "ca_total"}
        assert set(opened.sound) == set(opened.found)
        assert {v.score for v in opened.filtered.values()} == {1.0}
    assert [server.ids(k) for k in ("dashboard", "chart", "dataset", "database")] == [[]] * 4


def rootless(_: Files) -> bytes:
    return packed(documents(), root="")


def mac(files: Files) -> bytes:
    raw = io.BytesIO(packed({**files, ".DS_Store": b"\0"}))
    with zipfile.ZipFile(raw, "a") as archive:
        archive.writestr("__MACOSX/x/charts/._Parts_1.yaml", b"\0")
    return raw.getvalue()


def elsewhere(files: Files) -> None:
    files[BASE]["sqlalchemy_uri"] = "sqlite:////home/moi/tp/ventes.db?timeout=5"


@pytest.mark.parametrize(
    "change", [rootless, mac, without("metadata.yaml"), elsewhere], ids=lambda c: c.__name__
)
def test_what_can_be_put_right_is(
    work: Work, stack: Stack, server: Superset, change: Callable[[Files], bytes | None]
) -> None:
    files = documents()
    hand_in(work, change(files) or packed(files))
    with connect(work, stack, quiet) as opened:
        assert checks.import_export(opened).ratio == 1.0
        assert set(opened.found) == {"par_categorie", "ca_total"}
        assert bool(opened.moved) is (change is elsewhere)


def test_what_is_there_already_does_not_hinder(work: Work, stack: Stack, server: Superset) -> None:
    """A dashboard of the same title, a database of the same UUID (kept by an import), `ventes`."""
    there = documents()
    there[BASE]["sqlalchemy_uri"] = "sqlite:////app/ailleurs.db"
    server.load("dashboard", packed(there))
    hand_in(work, packed(documents()))
    with connect(work, stack, quiet) as opened:
        assert checks.import_export(opened).ratio == 1.0
        assert set(opened.found) == {"par_categorie", "ca_total"}


def test_a_dashboard_that_the_stack_made_by_itself_is_judged(
    work: Work, stack: Stack, server: Superset
) -> None:
    server.load("dashboard", packed(documents()))
    with connect(work, stack, quiet) as opened:
        assert checks.import_export(opened).ratio == 0.5
        assert set(opened.found) == {"par_categorie", "ca_total"}
        assert opened.board.named == ("Parts", "Total")


def unknown(files: Files) -> None:
    files[PIE]["couleur"] = "bleu"


def twice(files: Files) -> None:
    files["databases/Autre.yaml"] = {**files[BASE], "database_name": "Autre", "uuid": uuid(71)}
    files[BIG]["dataset_uuid"] = uuid(91)  # or it would not be imported at all
    files["datasets/Autre/ventes_2.yaml"] = {
        **files[SET], "uuid": uuid(91), "database_uuid": uuid(71)
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message", "hint"),
    [(unknown, "couleur", ""), (without(BASE), "", "databases/"), (twice, "", "Deux jeux")],
    ids=["unknown", "no database", "twice"],
)
def test_an_import_that_is_refused_says_why(
    work: Work, stack: Stack, server: Superset, change: Callable[[Files], None], message: str,
    hint: str,
) -> None:  # fmt: skip
    files = documents()
    change(files)
    hand_in(work, packed(files))
    with connect(work, stack, quiet) as opened:
        found = checks.import_export(opened)
        assert found.ratio == 0.0
        assert found.message.startswith("Superset refuse d'importer l'export (")
        assert message in found.message
        assert hint in found.hint
        assert checks.connexion(opened).ratio == 0.0


@pytest.mark.parametrize("data", [b"pas un zip", packed({"../a.yaml": b""})])
def test_what_is_no_export_is_not_even_sent(
    work: Work, stack: Stack, server: Superset, data: bytes
) -> None:
    hand_in(work, data)
    with connect(work, stack, quiet) as opened:
        assert "icône « Export »" in checks.import_export(opened).message


def test_an_import_of_200_proves_nothing(work: Work, stack: Stack, server: Superset) -> None:
    files = documents()
    files[PIE]["params"]["groupby"] = ["rayon"]
    hand_in(work, packed(files))
    with connect(work, stack, quiet) as opened:
        assert checks.import_export(opened).ratio == 1.0
        assert "rayon" in checks.par_categorie(opened).message
        assert set(opened.found) == {"ca_total"}


def test_a_missing_dataset_loses_the_charts(work: Work, stack: Stack, server: Superset) -> None:
    files = documents()
    del files[SET]
    hand_in(work, packed(files))
    with connect(work, stack, quiet) as opened:
        assert checks.import_export(opened).ratio < 1.0
        assert checks.connexion(opened).ratio == 0.0


def test_a_wrong_password_is_told(work: Work, stack: Stack) -> None:
    access = {"utilisateur": "admin", "mot_de_passe": "autre"}
    submission = Submission("01_superset", "demo", work.submission.root, "", "0", access=access)
    wrong = Work(submission, work.rubric, 5, 6, work.scratch)
    with pytest.raises(ApiError, match="refuse le compte « admin »"):
        connect(wrong, stack, quiet).__enter__()


def virtual(files: Files, sql: str, *columns: str) -> None:
    """Put the pie on a dataset of its own, made of this SQL."""
    other = copy.deepcopy(files[SET]) | {"table_name": "vue", "sql": sql, "uuid": uuid(95)}
    other["columns"] = [
        {"column_name": c, "type": "TEXT", "is_dttm": False, "is_active": True, "groupby": True,
         "filterable": True} for c in columns
    ]  # fmt: skip
    other["main_dttm_col"] = None
    files["datasets/Base/vue_2.yaml"] = other
    files[PIE] |= {"dataset_uuid": uuid(95)}
    files[PIE]["params"]["adhoc_filters"] = []


def crossed(label: str, *times: int) -> str:
    """Return a query whose rows are the sales, multiplied."""
    more = "".join(f", (SELECT rowid AS r FROM ventes LIMIT {n}) t{n}" for n in times)  # noqa: S608
    return f"SELECT {label} AS categorie, 1 AS montant_total FROM ventes{more}"  # noqa: S608


def test_a_list_of_values_scores_nothing(
    work: Work, stack: Stack, server: Superset, place: Path
) -> None:
    from graders.tools.superset import figures

    values = figures.figures(place / "donnees/ventes.csv").true.by_category
    sql = " UNION ALL ".join(f"SELECT '{c}' AS categorie, {v} AS montant_total" for c, v in values)
    files = documents()
    virtual(files, sql, "categorie", "montant_total")
    hand_in(work, packed(files))
    with connect(work, stack, quiet) as opened:
        assert set(opened.found) == {"par_categorie", "ca_total"}
        assert set(opened.sound) == {"ca_total"}
        assert checks.par_categorie(opened).ratio == 0.0


def test_jinja_in_sql_is_an_error_of_that_chart(work: Work, stack: Stack, server: Superset) -> None:
    files = documents()
    virtual(files, "SELECT categorie, montant_total FROM {{ cache_key_wrapper('ventes') }}",
            "categorie", "montant_total")  # fmt: skip
    hand_in(work, packed(files))
    with connect(work, stack, quiet) as opened:
        assert set(opened.found) == {"ca_total"}
        assert "Sans réponse : « Parts »" in checks.par_categorie(opened).message
    assert "Jinja" in checks.jeu_de_donnees(work).message


def test_a_million_rows_are_bounded(work: Work, stack: Stack, server: Superset) -> None:
    files = documents()
    virtual(files, crossed("ventes.rowid || '-' || t500.r", 500), "categorie", "montant_total")
    files[PIE]["params"]["row_limit"] = 1_000_000
    hand_in(work, packed(files))
    with connect(work, stack, quiet) as opened:
        pie = next(s for s in opened.seen if s.chart.viz == "pie")
        assert len(pie.reply.queries[0].rows) == 10_000
        assert set(opened.found) == {"ca_total"}


def test_a_chart_that_does_not_end_costs_itself_alone(
    work: Work, stack: Stack, server: Superset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "CHART_LIMIT", 4.0)
    files = documents()
    virtual(files, crossed("t2000.r % 5", 2000, 50), "categorie", "montant_total")
    hand_in(work, packed(files))
    with connect(work, stack, quiet) as opened:
        assert set(opened.found) == {"ca_total"}
        assert "pas de réponse en 4 s" in checks.par_categorie(opened).message


def test_charts_alone_are_imported_too(work: Work, stack: Stack, server: Superset) -> None:
    files = documents()
    del files[BOARD]
    files[BIG] = chart(2, "Total", "big_number_total", metric="nb", adhoc_filters=[])
    hand_in(work, packed(files))
    with connect(work, stack, quiet) as opened:
        assert isinstance(opened, Session)
        assert set(opened.found) == {"par_categorie", "nb_transactions"}
        assert checks.tableau_complet(opened).ratio == 0.0
