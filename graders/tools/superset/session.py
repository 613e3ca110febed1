"""A session on a student's Superset: import their export on our data, then ask every chart.

The charts are asked three times, past the cache: on the team's data, under the filters, and on
hidden data put in the place of the team's. Each round is made once, when a check first needs it;
the hidden one comes last, because the data does not come back.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from datagen import registry, sales
from graders.clients.superset import Chart, Superset
from graders.errors import ApiError, BaremeError, StackError
from graders.model import Work
from graders.suite import Say
from graders.tools.superset import board as boards
from graders.tools.superset import export as exports
from graders.tools.superset import figures as truths
from graders.tools.superset import queries
from graders.tools.superset.board import Board, Filter, Placed
from graders.tools.superset.export import Export
from graders.tools.superset.figures import Figures
from graders.tools.superset.judges import Seen, Verdict
from graders.tools.superset.match import BY_ID, Found, assign
from graders.tools.superset.shapes import text

SERVICE, PORT = "superset", 8088
CHART_LIMIT = 20.0  # seconds: the asked ones take a tenth
DATABASE = "ventes.db"
NOTHING = "Aucun tableau de bord à juger : l'export manque ou n'a pas pu être importé."


@dataclass
class Session:
    """All that a live check may touch; each round of questions is made once."""

    work: Work
    stack: Any
    superset: Superset
    export: Export
    charts: Sequence[Chart]
    team: Figures
    scene: tuple[str, str]  # a month and a category
    narrowed: Figures
    hidden: Future[Figures]
    refusal: str = ""  # what Superset said of the import
    moved: str = ""  # what was changed in the connection
    say: Say = field(default=lambda _: None)

    @cached_property
    def board(self) -> Board:
        """Return the asked dashboard; an empty one where there is none."""
        return boards.board(self.export.dashboard or {})

    @cached_property
    def seen(self) -> Sequence[Seen]:
        """Return every chart and what it returns on the team's data."""
        self.say(f"interrogation de {len(self.charts)} graphiques")
        return self._ask(self.charts)

    @cached_property
    def assigned(self) -> tuple[Found, Found]:
        """Return the charts that answer what is asked, and the nearest tries."""
        return assign(self.seen, self.team)

    @property
    def found(self) -> Found:
        """Return the charts that answer what is asked, by target."""
        return self.assigned[0]

    @cached_property
    def filtered(self) -> Mapping[str, Verdict]:
        """Return how each recognised chart stands under the month and category chosen."""
        found = self._narrowed(list(self.found), noon=True)
        wrong = [t for t in found if found[t].score < self.found[t][1].score]
        if wrong and self.period:
            again = self._narrowed(wrong, noon=False)
            found |= {t: v for t, v in again.items() if v.score > found[t].score}
        return found

    def _narrowed(self, targets: Sequence[str], *, noon: bool) -> dict[str, Verdict]:
        charts = [self.found[t][0].chart for t in targets]
        replies = self.superset.ask(
            [queries.body(chart, self._narrowing(chart, noon=noon)) for chart in charts]
        )
        return {
            target: _judged(target, Seen(chart, reply), self.narrowed)
            for target, chart, reply in zip(targets, charts, replies, strict=True)
        }

    @cached_property
    def followed(self) -> Mapping[str, Verdict]:
        """Return how each recognised chart stands on hidden data; the team's data is gone then."""
        _ = self.filtered
        hidden = self.hidden.result()
        self.say("remplacement des données")
        self.stack.replace_data(self.work.hidden)
        targets = list(self.found)
        again = self._ask([self.found[t][0].chart for t in targets])
        return {t: _judged(t, one, hidden) for t, one in zip(targets, again, strict=True)}

    @property
    def sound(self) -> Found:
        """Return the recognised charts whose numbers come from the data, and not from a list."""
        return {
            target: (seen, verdict)
            for target, (seen, verdict) in self.found.items()
            if self.followed[target].score >= verdict.score
        }

    def placed(self, chart: Chart) -> Placed | None:
        """Return where a chart lies in the dashboard, or None."""
        return next((p for p in self.board.charts if p.uuid == chart.uuid and p.uuid), None)

    @property
    def period(self) -> Filter | None:
        """Return the dashboard's filter of period."""
        return self.board.filter("time")

    @property
    def category(self) -> Filter | None:
        """Return the dashboard's filter of category."""
        return self.board.filter("select", "categorie")

    def _ask(self, charts: Sequence[Chart]) -> Sequence[Seen]:
        replies = self.superset.ask([queries.body(c) for c in charts])
        return [Seen(c, r) for c, r in zip(charts, replies, strict=True)]

    def _narrowing(self, chart: Chart, *, noon: bool) -> queries.Narrowed:
        """Return what the dashboard's own filters would do to a chart: nothing out of scope."""
        month, category = self.scene
        where = self.placed(chart)
        timed = where and self.period and self.period.reaches(where)
        chosen = self.category if where and self.category else None
        reached = chosen is not None and where is not None and chosen.reaches(where)
        return queries.Narrowed(
            period=_range(month, noon=noon) if timed else "",
            column=chosen.column if chosen and reached else "",
            value=category,
        )


@contextlib.contextmanager
def connect(work: Work, stack: Any, say: Say) -> Iterator[Session]:
    """Log in, import the export over what the stack provisioned, and leave nothing behind."""
    superset = Superset(stack.session, stack.url(SERVICE, PORT), CHART_LIMIT)
    superset.login(
        work.submission.access.get("utilisateur", "admin"),
        work.submission.access.get("mot_de_passe", "admin"),
    )
    with ThreadPoolExecutor(1) as aside:
        hidden = aside.submit(_hidden, work)  # while Superset works
        session = _session(work, stack, superset, hidden, say)
        try:
            yield session
        finally:
            with contextlib.suppress(BaremeError):
                superset.clear()


def write_data(seed: int, folder: Path) -> None:
    """Write the sales as students get them."""
    registry.write("01_superset", seed, folder)


def _hidden(work: Work) -> Figures:
    write_data(hidden_seed(work), work.hidden)
    return truths.figures(work.hidden / "ventes.csv")


def hidden_seed(work: Work) -> int:
    """Return the first seed from the hidden one on whose categories are not the team's.

    One draw in 56 has the same five, and would let a filter on the team's own go unseen.
    """
    own = categories(work.seed)
    return next(s for s in itertools.count(work.hidden_seed) if categories(s) != own)


def categories(seed: int) -> set[str]:
    """Return the categories of a team's data."""
    return {product.category for product in sales.plan(seed).products}


def _session(
    work: Work, stack: Any, superset: Superset, hidden: Future[Figures], say: Say
) -> Session:
    export = exports.find(work.submission.root)
    if not export.importable and (there := superset.ids("dashboard")):
        export = exports.read(superset.export(there))  # what the stack provisioned by itself
    refusal = moved = ""
    charts: Sequence[Chart] = ()
    if export.importable:
        say("import du tableau de bord")
        replaced, moved = _rewired(export, mounted(stack))
        stayed = superset.clear()
        try:
            superset.load(*exports.pack(export, replaced))
            charts = superset.charts()
        except ApiError as error:
            kept = "".join(f" ({kind} : {why})" for kind, why in stayed.items())
            refusal = f"{error}{kept}"
    csv = work.data / "ventes.csv"
    scene = truths.scene(csv, work.hidden_seed)
    return Session(
        work=work, stack=stack, superset=superset, export=export, charts=charts,
        team=truths.figures(csv), scene=scene, narrowed=truths.figures(csv, *scene),
        hidden=hidden, refusal=refusal, moved=moved, say=say,
    )  # fmt: skip


def mounted(stack: Any) -> str:
    """Return where the data's SQLite file lies in the container; StackError if nowhere."""
    data = stack.folder("donnees")
    for mount in stack.services[SERVICE].get("volumes") or ():
        source = Path(mount.get("source") or "")
        if mount.get("type") != "bind" or not source.is_relative_to(data):
            continue
        inner = (data / DATABASE).relative_to(source) if source != data / DATABASE else ""
        return posixpath.normpath(posixpath.join(mount["target"], str(inner)))
    raise StackError(
        f"Le service « {SERVICE} » ne monte pas ./donnees : ajoutez « ./donnees:/app/donnees:ro » "
        "à ses volumes."
    )


def _rewired(export: Export, path: str) -> tuple[dict[str, bytes], str]:
    """Return the connections' files with the path of the mounted data, and what was changed."""
    replaced: dict[str, bytes] = {}
    moved = []
    for name, document in export.all("databases").items():
        uri = text(document.get("sqlalchemy_uri"))
        if is_sqlite(uri) and uri != f"sqlite:///{path}":
            changed = {**document, "sqlalchemy_uri": f"sqlite:///{path}"}
            replaced[name] = yaml.safe_dump(changed, allow_unicode=True).encode()
            moved.append(f"« {uri[:120]} » remplacé par le chemin des données montées ({path})")
    return replaced, " ; ".join(moved)


def is_sqlite(uri: str) -> bool:
    """Tell whether a connection is to a SQLite file, whatever its path."""
    return uri.split(":", 1)[0].split("+", 1)[0] == "sqlite"


def _judged(target: str, seen: Seen, figures: Figures) -> Verdict:
    if seen.reply.error:
        return Verdict(message=seen.reply.error)
    return BY_ID[target].judge(seen, figures)


def _range(month: str, *, noon: bool) -> str:
    """Return a month as Superset writes a period.

    On a text column Superset compares « 2025-03-01 » with « 2025-03-01 00:00:00 », which comes
    after it: a month from midnight to midnight misses its first day and takes one too many. From
    noon to noon it is exact; on a column of dates without time, midnight is.
    """
    year, number = map(int, month.split("-"))
    bounds = dt.datetime(year, number, 1), dt.datetime(year + number // 12, number % 12 + 1, 1)
    shift = dt.timedelta(hours=-12 if noon else 0)
    return " : ".join((bound + shift).isoformat() for bound in bounds)
