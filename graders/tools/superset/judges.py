"""Judge the numbers of one chart by what is asked, and say what differs where they nearly fit."""

from __future__ import annotations

import bisect
import datetime as dt
import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from datagen.sales import YEAR
from graders.clients.superset import Chart, Reply
from graders.model import Plot
from graders.statics import fold
from graders.text import number as shown
from graders.tools.superset.figures import REVENUE, Figures, Values
from graders.tools.superset.queries import family
from graders.tools.superset.series import Series, numbers, series

TOLERANCE = 1e-3  # relative: figures may be rounded
CENT = 0.011
TOP = 10
POINTS = 10  # of a line over time, where the data has as many
UNSORTED = 0.5  # what right figures in the wrong order are worth
NEAR = 0.3  # from here on a chart is taken for a try at what was asked


@dataclass(frozen=True, slots=True)
class Seen:
    """A chart and what it returned."""

    chart: Chart
    reply: Reply

    @property
    def family(self) -> str:
        """Return the family of its visualisation type."""
        return family(self.chart.viz, self.chart.params)

    @property
    def name(self) -> str:
        """Return its name as it is shown."""
        return f"« {self.chart.name[:60]} »"


@dataclass(frozen=True, slots=True)
class Verdict:
    """How well a chart's numbers are what a target asks: `score` 1 is right, `near` ranks tries."""

    score: float = 0.0
    near: float = 0.0
    message: str = ""
    plot: Plot | None = None


def close(seen: float, wanted: float) -> bool:
    """Tell whether two figures are the same but for rounding."""
    return math.isclose(seen, wanted, rel_tol=TOLERANCE, abs_tol=CENT)


def monthly(seen: Seen, figures: Figures) -> Verdict:
    """Judge the revenue of each month."""
    wanted = {month: float(v) for month, v in figures.true.by_month}
    tries = []
    for one in series(seen.reply):
        months = [f"{day:%Y-%m}" for day in one.days]
        if not months or {m[:4] for m in months} != {str(YEAR)}:
            continue
        if len(set(months)) < len(months):
            tries.append(Verdict(near=NEAR, message="les valeurs ne sont pas par mois"))
            continue
        given = dict(zip(months, one.values, strict=True))
        tries.append(_compared(given, wanted, figures.by("mois"), "CA par mois"))
    return _best(tries)


def evolution(seen: Seen, figures: Figures) -> Verdict:
    """Judge the revenue over time, by day, week, month or any other grain."""
    days = [dt.date.fromisoformat(d) for d, _ in figures.true.by_day]
    values = [float(v) for _, v in figures.true.by_day]
    tries = []
    for one in series(seen.reply):
        pairs = sorted(zip(one.days, one.values, strict=True)) if one.days else []
        starts = [day for day, _ in pairs]
        if not pairs or len(set(starts)) < len(starts):
            continue
        if len(pairs) < min(POINTS, len({d.month for d in days})):
            tries.append(Verdict(near=NEAR, message=f"{len(pairs)} point(s) seulement"))
            continue
        for last in (False, True):  # a week may be named after its first day or its last
            sums = _bucketed(days, values, starts, last)
            given = dict(zip(map(str, starts), (v for _, v in pairs), strict=True))
            wanted = dict(zip(map(str, starts), sums, strict=True))
            missed = float(figures.true.revenue) - math.fsum(sums)
            found = _compared(given, wanted, {}, "Évolution du CA")
            if abs(missed) > CENT and found.score:
                found = replace(found, score=0.0, message="une partie de l'année manque")
            tries.append(found)
    return _best(tries)


def _bucketed(
    days: Sequence[dt.date], values: Sequence[float], keys: Sequence[dt.date], last: bool
) -> list[float]:
    """Add the days up between two keys, each key being the first day of its bucket or the last."""
    sums = [0.0] * len(keys)
    for day, value in zip(days, values, strict=True):
        at = bisect.bisect_left(keys, day) if last else bisect.bisect_right(keys, day) - 1
        if 0 <= at < len(keys):
            sums[at] += value
    return sums


def by_category(seen: Seen, figures: Figures) -> Verdict:
    """Judge the revenue of each category."""
    wanted = {name: float(v) for name, v in figures.true.by_category}
    given = [dict(zip(one.labels, one.values, strict=True)) for one in series(seen.reply)]
    others = figures.by("categorie")
    return _best(_compared(g, wanted, others, "CA par catégorie") for g in given)


def top_products(seen: Seen, figures: Figures) -> Verdict:
    """Judge the ten products that bring in most, in order."""
    return _best(_top(seen, one, figures) for one in series(seen.reply))


def _top(seen: Seen, one: Series, figures: Figures) -> Verdict:
    ranking = {name: float(v) for name, v in figures.true.by_product}
    wanted = dict(list(ranking.items())[:TOP])
    given = dict(zip(one.labels, one.values, strict=True))
    known = {fold(name) for name in ranking}
    if not given or sum(fold(n) in known for n in given) < len(given) / 2:
        return Verdict()
    found = _compared(given, wanted, figures.by("produit"), "Top 10 des produits")
    if found.score:
        values = list(one.values)
        falling = all(close(a, b) or a > b for a, b in itertools.pairwise(values))
        rising = all(close(a, b) or a < b for a, b in itertools.pairwise(values))
        if falling or (rising and seen.family == "barres"):  # horizontal bars start at the bottom
            return found
        return replace(found, score=UNSORTED, message="les dix produits ne sont pas triés")
    order = [fold(name) for name in one.labels[:TOP]]
    for measure, measured in figures.by("produit").items():
        ranked = sorted(measured, key=measured.__getitem__, reverse=True)[:TOP]
        wrong = measure != REVENUE and {fold(n) for n in ranked} == set(order)
        if wrong and {fold(n) for n in wanted} != set(order):
            what = f"classé par {_bare(measure)} et non par chiffre d'affaires"
            return replace(found, near=1.0, message=what)
    if len(given) > TOP and len(set(order) & {fold(n) for n in wanted}) == len(order):
        return replace(found, near=1.0, message=f"{len(given)} produits au lieu de {TOP}")
    return found


def by_client(seen: Seen, figures: Figures) -> Verdict:
    """Judge the activity of clients: their sales, quantities or revenue, the ten first at least."""
    tries = []
    for one in series(seen.reply):
        given = dict(zip(one.labels, one.values, strict=True))
        for measure in list(figures.by("client_id"))[:3]:
            values = figures.by("client_id")[measure]
            busiest = sorted(values, key=lambda name: -values[name])
            least = {n: values[n] for n in busiest[:TOP]}
            asked = {n: v for n, v in values.items() if n in given} | least
            tries.append(_compared(given, asked, {}, f"Activité par client ({_bare(measure)})"))
    return _best(tries)


def total(measure: str, of: Callable[[Figures], float]) -> Callable[[Seen, Figures], Verdict]:
    """Return the judge of one number over the whole period."""

    def judge(seen: Seen, figures: Figures) -> Verdict:
        wanted = of(figures)
        single = [o for o in series(seen.reply) if len(o.values) == 1]
        given = numbers(seen.reply, seen.chart.params) if seen.family == "chiffre" else []
        given = given or [o.values[0] for o in single]
        if not given:
            return Verdict()
        plot = Plot(measure, (measure,), (wanted,), (given[0],))
        if any(close(value, wanted) for value in given):
            return Verdict(1.0, 1.0, "", plot)
        return Verdict(0.0, *_slip(given[0], measure, figures), plot)

    return judge


def _slip(given: float, measure: str, figures: Figures) -> tuple[float, str]:
    """Return how near a wrong number is, and what it is instead."""
    asked = {"CA total": (REVENUE,), "Panier moyen": ("la moyenne des montants",),
             "Nombre de transactions": ("le nombre de lignes",)}[measure]  # fmt: skip
    for month in figures.by("mois")[asked[0]]:
        if close(given, figures.by("mois")[asked[0]][month]):
            return 1.0, f"valeur mensuelle ({month}) au lieu du total"
    return 0.0, ""


def _compared(
    seen: Mapping[str, float], wanted: Mapping[str, float], others: Mapping[str, Values], title: str
) -> Verdict:
    """Compare labels and values; `others` are what slips would give."""
    if not seen or not wanted:
        return Verdict()
    by_label = {fold(k): v for k, v in seen.items()}
    missing = [k for k in wanted if fold(k) not in by_label]
    extra = [k for k in seen if fold(k) not in {fold(w) for w in wanted}]
    common = [k for k in wanted if fold(k) in by_label]
    right = [k for k in common if close(by_label[fold(k)], wanted[k])]
    plot = Plot(title, tuple(wanted), tuple(wanted.values()),
                tuple(by_label.get(fold(k), math.nan) for k in wanted))  # fmt: skip
    if len(right) == len(wanted) and not extra:
        return Verdict(1.0, 1.0, "", plot)
    near = len(common) / max(len(wanted), len(seen)) * (0.5 + 0.5 * len(right) / len(wanted))
    told: list[str] = []
    if len(right) < len(common):
        told.append(_instead(by_label, common, others) or _first(by_label, wanted, common, right))
    if missing:
        told.append(f"il manque {_few(missing)}")
    if extra:
        told.append(f"en trop : {_few(extra)}")
    return Verdict(0.0, near, " ; ".join(told), plot)


def _instead(seen: Mapping[str, float], common: Sequence[str], others: Mapping[str, Values]) -> str:
    """Say which other measure the values are, or nothing."""
    for measure, values in others.items():
        if measure != REVENUE and all(
            k in values and close(seen[fold(k)], values[k]) for k in common
        ):
            return f"les valeurs sont {measure} et non {REVENUE}"
    return ""


def _first(
    seen: Mapping[str, float],
    wanted: Mapping[str, float],
    common: Iterable[str],
    right: Sequence[str],
) -> str:
    key = next(k for k in common if k not in right)
    return f"{key} : {shown(seen[fold(key)])} au lieu de {shown(wanted[key])}"


def _few(labels: Sequence[str]) -> str:
    more = f" et {len(labels) - 3} autre(s)" if len(labels) > 3 else ""
    return ", ".join(labels[:3]) + more


def _bare(measure: str) -> str:
    return measure.split(" ", 1)[1] if measure.startswith(("le ", "la ")) else measure


def _best(tries: Iterable[Verdict]) -> Verdict:
    return max(tries, key=lambda v: (v.score, v.near), default=Verdict())
