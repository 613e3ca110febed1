"""Charts recognised by their numbers, on real data of a team; slips named."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from graders.clients.superset import Reply
from graders.tools.superset import figures as truths
from graders.tools.superset.checks import write_data
from graders.tools.superset.figures import REVENUE, SALES, Figures
from graders.tools.superset.judges import Seen, Verdict
from graders.tools.superset.match import BY_ID, assign
from graders.tools.superset.series import day, number, numbers, series
from tests.tools.superset_samples import reply, served

TEXT, NUM, DATE = 1, 0, 2


@pytest.fixture(scope="module")
def csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ventes") / "donnees"
    write_data(7, folder)
    return folder / "ventes.csv"


@pytest.fixture(scope="module")
def true(csv: Path) -> Figures:
    return truths.figures(csv)


def seen(answer: Reply, viz: str = "pie", number_: int = 1, **params: Any) -> Seen:
    return Seen(served(number_, viz, **params), answer)


def judged(target: str, one: Seen, figures: Figures) -> Verdict:
    return BY_ID[target].judge(one, figures)


def ms(text: str) -> float:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC).timestamp() * 1000


def months(true: Figures) -> list[tuple[float, float]]:
    return [(ms(f"{m}-01"), float(v)) for m, v in true.true.by_month]


def ranking(true: Figures, measure: str = REVENUE) -> list[tuple[str, float]]:
    return sorted(true.by("produit")[measure].items(), key=lambda pair: -pair[1])


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (1735689600000.0, dt.date(2025, 1, 1)),
        ("2025-03", dt.date(2025, 3, 1)),
        ("2025-03-09T00:00:00", dt.date(2025, 3, 9)),
        ("Février 2025", dt.date(2025, 2, 1)),
        ("août", dt.date(2025, 8, 1)),
        ("08", dt.date(2025, 8, 1)),
        (8, dt.date(2025, 8, 1)),
        ("2025-02-30", None),
        ("C0008", None),
        (1e300, None),
        (float("nan"), None),
        ("mars -1", None),
    ],
)
def test_dates_in_their_many_forms(given: Any, wanted: dt.date | None) -> None:
    assert day(given) == wanted


@pytest.mark.parametrize(
    ("given", "wanted"),
    [("1 234,50 €", 1234.5), ("12.5", 12.5), (3, 3.0), ("", None), (True, None), ("inf", None),
     ({}, None), ("9" * 400, None)],
)  # fmt: skip
def test_numbers_as_text(given: Any, wanted: float | None) -> None:
    assert number(given) == wanted


def test_labels_with_line_breaks_do_not_matter(true: Figures) -> None:
    answer = reply(["date", "Chiffre\nd'affaires"], [DATE, NUM], *months(true))
    assert judged("ca_mensuel", seen(answer), true).score == 1.0


def test_a_breakdown_is_added_up(true: Figures) -> None:
    rows = [(m, v * 0.25, v * 0.75) for m, v in months(true)]
    answer = reply(["date", "Beauté", "Sport"], [DATE, NUM, NUM], *rows)
    assert judged("ca_mensuel", seen(answer), true).score == 1.0


def test_rows_by_month_and_category_are_added_up(true: Figures) -> None:
    rows = [(m, c, v / 2) for m, v in months(true) for c in ("a", "b")]
    answer = reply(["date", "categorie", "ca"], [DATE, TEXT, NUM], *rows)
    assert judged("ca_mensuel", seen(answer), true).score == 1.0


def test_months_as_text_and_numbers_as_text(true: Figures) -> None:
    rows = [(m, f"{float(v):.2f} €".replace(".", ",")) for m, v in true.true.by_month]
    answer = reply(["mois", "ca"], [TEXT, TEXT], *rows)
    assert judged("ca_mensuel", seen(answer), true).score == 1.0


def test_half_a_year_is_named(true: Figures) -> None:
    verdict = judged("ca_mensuel", seen(reply(["d", "ca"], [DATE, NUM], *months(true)[:6])), true)
    assert verdict.score == 0.0
    assert verdict.message == "il manque 2025-07, 2025-08, 2025-09 et 3 autre(s)"


def test_rows_counted_instead_of_money_are_named(true: Figures) -> None:
    rows = [(ms(f"{m}-01"), v) for m, v in true.by("mois")[SALES].items()]
    verdict = judged("ca_mensuel", seen(reply(["d", "nb"], [DATE, NUM], *rows)), true)
    assert verdict.message == "les valeurs sont le nombre de lignes et non le chiffre d'affaires"
    assert verdict.plot is not None
    assert verdict.plot.seen != verdict.plot.wanted


@pytest.mark.parametrize("start", [0, 1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("ending", [False, True])
def test_a_line_by_week_whatever_the_weeks_first_day(
    true: Figures, start: int, ending: bool
) -> None:
    sums: dict[dt.date, float] = {}
    for text, value in true.true.by_day:
        date = dt.date.fromisoformat(text)
        shift = (date.weekday() - start) % 7
        key = date + dt.timedelta(days=6 - shift) if ending else date - dt.timedelta(days=shift)
        sums[key] = sums.get(key, 0.0) + float(value)
    rows = [(ms(str(d)), v) for d, v in sums.items()]
    answer = reply(["date", "ca"], [DATE, NUM], *rows)
    assert judged("evolution", seen(answer, "echarts_timeseries_line"), true).score == 1.0


def test_a_line_by_day_or_month_but_not_of_two_points(true: Figures) -> None:
    daily = [(ms(d), float(v)) for d, v in true.true.by_day]
    for rows in (daily, months(true)):
        assert judged("evolution", seen(reply(["d", "v"], [DATE, NUM], *rows)), true).score == 1.0
    halves = [(ms("2025-01-01"), 1.0), (ms("2025-07-01"), 2.0)]
    assert judged("evolution", seen(reply(["d", "v"], [DATE, NUM], *halves)), true).score == 0.0


def test_a_line_that_begins_in_july_is_not_the_year(true: Figures) -> None:
    answer = reply(["d", "v"], [DATE, NUM], *[(m, v) for m, v in months(true)[1:]])
    verdict = judged("evolution", seen(answer), true)
    assert (verdict.score, verdict.message) == (0.0, "une partie de l'année manque")


def test_a_rounded_pie_is_right_and_a_partial_one_is_not(true: Figures) -> None:
    rows = [(c, round(float(v))) for c, v in true.true.by_category]
    pie = ["categorie", "ca"], [TEXT, NUM]
    assert judged("par_categorie", seen(reply(*pie, *rows)), true).score == 1.0
    verdict = judged("par_categorie", seen(reply(*pie, *rows[:-1])), true)
    assert verdict.message == f"il manque {rows[-1][0]}"


def top(rows: Sequence[tuple[str, float]], viz: str, true: Figures) -> Verdict:
    return judged("top_produits", seen(reply(["produit", "ca"], [TEXT, NUM], *rows), viz), true)


def test_the_top_ten_in_order(true: Figures) -> None:
    ten = ranking(true)[:10]
    assert top(ten, "table", true).score == 1.0
    assert top(ten[::-1], "table", true).message == "les dix produits ne sont pas triés"
    assert top(ten[::-1], "table", true).score == 0.5
    assert top(ten[::-1], "echarts_timeseries_bar", true).score == 1.0  # horizontal bars
    assert top(sorted(ten), "echarts_timeseries_bar", true).score == 0.5


def test_a_top_ten_by_rows_is_named(true: Figures) -> None:
    money = true.by("produit")[REVENUE]
    ten = [(name, money[name]) for name, _ in ranking(true, SALES)[:10]]
    verdict = top(ten, "table", true)
    assert (verdict.score, verdict.near) == (0.0, 1.0)
    assert verdict.message == "classé par nombre de lignes et non par chiffre d'affaires"


def test_a_top_of_all_products_is_named(true: Figures) -> None:
    assert top(ranking(true), "table", true).message == "35 produits au lieu de 10"


@pytest.mark.parametrize("measure", [REVENUE, SALES, "la quantité vendue"])
def test_clients_by_any_activity(true: Figures, measure: str) -> None:
    rows = sorted(true.by("client_id")[measure].items(), key=lambda pair: -pair[1])
    clients = ["client", "v"], [TEXT, NUM]
    assert judged("activite_clients", seen(reply(*clients, *rows)), true).score == 1.0
    assert judged("activite_clients", seen(reply(*clients, *rows[:10])), true).score == 1.0
    assert judged("activite_clients", seen(reply(*clients, *rows[:9])), true).score == 0.0
    assert judged("activite_clients", seen(reply(*clients, *rows[10:])), true).score == 0.0


def test_the_last_month_in_the_place_of_the_total_is_named(true: Figures) -> None:
    answer = reply(["date", "ca"], [DATE, NUM], *months(true))
    verdict = judged("ca_total", seen(answer, "big_number"), true)
    assert verdict.message == "valeur mensuelle (2025-12) au lieu du total"
    whole = seen(answer, "big_number", aggregation="sum")
    assert judged("ca_total", whole, true).score == 1.0


def test_a_big_number_of_the_whole_asks_a_second_query(true: Figures) -> None:
    trend, whole = months(true), [(float(true.true.revenue),)]
    queries = reply(["d", "v"], [DATE, NUM], *trend).queries + reply(["v"], [NUM], *whole).queries
    assert numbers(Reply(queries), {"aggregation": "raw"}) == [float(true.true.revenue)]


def test_each_chart_answers_once_and_the_suitable_type_comes_first(true: Figures) -> None:
    monthly = reply(["d", "v"], [DATE, NUM], *months(true))
    line, bars = seen(monthly, "echarts_timeseries_line", 1), seen(monthly, "bar", 2)
    found, _ = assign([line, bars], true)
    assert {t: s.chart.id for t, (s, _) in found.items()} == {"evolution": 1, "ca_mensuel": 2}
    found, tries = assign([line], true)
    assert set(found) == {"evolution"}
    assert tries == {}


def test_a_near_try_is_kept_for_its_hint(true: Figures) -> None:
    rows = true.by("categorie")[SALES].items()
    found, tries = assign([seen(reply(["c", "n"], [TEXT, NUM], *rows))], true)
    assert found == {}
    assert "nombre de lignes" in tries["par_categorie"][1].message


@pytest.mark.parametrize(
    "answer",
    [
        Reply(error="boum"),
        reply([], []),
        reply(["a"], [TEXT], ("x",)),
        reply(["a", "b"], [NUM, NUM], (None, None)),
        reply(["a", "b"], [TEXT, NUM], ([1], {"x": 2})),
        reply(["a", "b"], [TEXT], ("x", float("inf"))),
        reply(["d", "v"], [DATE, NUM], ("9999999999999999999", 1), (-1e20, 2)),
    ],
)
def test_odd_answers_are_judged_without_a_crash(answer: Reply, true: Figures) -> None:
    for viz in ("pie", "big_number_total", "echarts_timeseries_bar"):
        found, _ = assign([seen(answer, viz)], true)
        assert found == {}
    assert all(len(s.labels) == len(s.values) for s in series(answer))


def test_a_scene_has_sales_and_is_replayed(csv: Path) -> None:
    assert truths.scene(csv, 11) == truths.scene(csv, 11)
    assert len({truths.scene(csv, n) for n in range(60)}) > 20
    month, category = truths.scene(csv, 11)
    narrowed = truths.figures(csv, month, category)
    assert [m for m, _ in narrowed.true.by_month] == [month]
    assert narrowed.totals[SALES] == narrowed.true.sales >= 5
