"""The daily files: their dirt, their two bad days, and truths by another path."""

from __future__ import annotations

import csv
import datetime as dt
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datagen import daily, daily_truths
from datagen.errors import DatagenError


def lines(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def by_hand(path: Path, day: dt.date) -> set[tuple[str, int, str]]:
    """The statement's four rules, in plain Python."""
    kept = set()
    for line in lines(path):
        if not all(v and v.strip() for v in line.values()):
            continue
        positive = int(line["quantite"]) > 0 and float(line["prix_unitaire"]) > 0
        if positive and line["date"] == day.isoformat():
            kept.add((line["vente_id"], int(line["quantite"]), line["prix_unitaire"]))
    return kept


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**63 - 1))
def test_the_truths_are_those_of_the_rules(
    seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("jours")
    plan = daily.write(seed, folder)
    assert len(list((folder / "raw").iterdir())) == daily.DAYS - 1
    truths = daily_truths.truths(folder)
    assert (truths.corrupt, truths.missing) == (plan.corrupt, plan.missing)
    for day in plan.healthy[:3]:
        path = daily.path(folder, day)
        sales = daily_truths.cleaned(path)
        found = {(s.vente_id, s.quantite, str(s.prix_unitaire)) for s in sales}
        assert found == by_hand(path, day)
        assert all(s.montant_total == s.quantite * s.prix_unitaire for s in sales)


@pytest.mark.parametrize("seed", range(20))
def test_a_healthy_day_has_each_usual_kind_of_dirt(seed: int, tmp_path: Path) -> None:
    plan = daily.plan(seed)
    daily.write(seed, tmp_path)
    rows = lines(daily.path(tmp_path, plan.first))
    assert sum(r["quantite"] == "" for r in rows) >= 3
    assert sum(r["prix_unitaire"] == "" for r in rows) >= 2
    assert sum(r["quantite"].startswith("-") for r in rows) >= 3
    assert Counter(r["vente_id"] for r in rows).most_common(1)[0][1] == 2


@pytest.mark.parametrize("seed", range(20))
def test_the_hidden_day_has_dirt_that_the_teams_days_have_not(seed: int, tmp_path: Path) -> None:
    plan = daily.write(seed, tmp_path)
    day = plan.next_day(seed + 1)
    assert day not in plan.days
    daily.write_hidden(seed + 1, day, tmp_path)
    path = daily.path(tmp_path, day)
    seen = [r for d in plan.healthy for r in lines(daily.path(tmp_path, d))]
    hidden = lines(path)
    for strange in (
        lambda r: r["quantite"] == "0",
        lambda r: r["prix_unitaire"].startswith(("-", "0.00")),
        lambda r: not r["client_id"],
        lambda r: r["produit"].isspace(),
        lambda r: r["date"].replace("-", "") not in r["vente_id"],
    ):
        assert not any(strange(r) for r in seen)
        assert any(strange(r) for r in hidden)
    kept = {s.vente_id for s in daily_truths.cleaned(path)}
    assert len(kept) >= 80
    twice = [i for i, n in Counter(r["vente_id"] for r in hidden).items() if n > 1 and i in kept]
    assert any([r["vente_id"] for r in hidden].index(i) < 3 for i in twice), "far from its double"


@pytest.mark.parametrize("seed", range(20))
def test_a_corrupt_file_shows_each_announced_sign(seed: int, tmp_path: Path) -> None:
    plan = daily.write(seed, tmp_path)
    path = daily.path(tmp_path, plan.corrupt)
    rows = [line.split(",") for line in path.read_text("utf-8").splitlines()[1:]]
    assert any(len(r) < len(daily.COLUMNS) for r in rows)
    assert any(len(r) > 4 and r[4] == "#ERREUR" for r in rows)
    with pytest.raises(ValueError, match="is corrupt"):
        daily_truths.cleaned(path)


@pytest.mark.parametrize("change", [lambda t: t.replace("vente_id", "id"), lambda t: t + "a,b\n"])
def test_either_sign_alone_is_corrupt(change: object, tmp_path: Path) -> None:
    plan = daily.write(3, tmp_path)
    path = daily.path(tmp_path, plan.first)
    path.write_text(change(path.read_text("utf-8")), "utf-8")  # type: ignore[operator]
    with pytest.raises(ValueError, match="is corrupt"):
        daily_truths.cleaned(path)


def test_a_scale_out_of_range_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatagenError, match="--scale"):
        daily.write(1, tmp_path, 0)


def test_a_file_of_another_name_is_not_a_day(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not a daily file"):
        daily_truths.cleaned(tmp_path / "ventes.csv")
