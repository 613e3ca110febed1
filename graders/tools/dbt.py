"""07_dbt « boutique »: models judged by their rows, tests judged by the faults that they catch."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from datagen.shop_models import MODELS
from graders import statics
from graders.clients.dbt import Answer, Row
from graders.errors import StackError
from graders.model import Finding, Work
from graders.statics import fold
from graders.suite import Suite, expect, share
from graders.tools import dbt_project
from graders.tools.dbt_connect import connect, warm, write_data
from graders.tools.dbt_text import RAW, hard_coded, readable

if TYPE_CHECKING:  # pandas and DuckDB cost half a second, which a refused stack need not wait for
    from graders.tools.dbt_session import Session

DESCRIBED = 0.8  # share of models, and of columns, to describe
ENOUGH = 5  # models to have right before the hidden data proves anything
BUILTIN_TESTS = ("unique", "not_null", "relationships")


suite = Suite("07_dbt", connect, write_data, embedded=True, in_memory=True, warm=warm)


@suite.static()
def structure(work: Work) -> Finding:
    """The stack has both services, the project both targets, each model its layer."""
    try:
        project = dbt_project.load(work.submission.root)
        played = dbt_project.services(work.submission.root, work.rubric.services)
    except StackError as error:
        return Finding(0.0, str(error))
    complaints = [
        f"compose.yaml : aucun service {r}" for r in work.rubric.services if r not in played
    ]
    complaints += [
        f"profiles.yml : aucune cible de type {adapter}"
        for adapter in ("postgres", "duckdb")
        if not project.target(adapter)
    ]
    files = project.model_files()
    placed = {n for n, m in MODELS.items() if n in files and m.layer in files[n].parts}
    found = share(placed, MODELS.keys())
    if misplaced := sorted((MODELS.keys() & files.keys()) - placed):
        complaints.append(f"hors de models/staging ou models/marts : {', '.join(misplaced)}")
    message = " ; ".join([*complaints, found.message] if found.message else complaints)
    ratio = found.ratio if not complaints or found.ratio < 1.0 else 0.5
    return Finding(ratio, message, found.seen, found.wanted)


@suite.static()
def reponses(work: Work) -> Finding:
    """The answers about the team's own data are right."""
    return statics.answers(work, lambda: _truths(work.seed))


def _truths(seed: int) -> Mapping[str, Any]:
    from datagen import shop_truths  # noqa: PLC0415
    from graders.tools.dbt_session import tables  # noqa: PLC0415

    return shop_truths.answers(tables(seed))


@suite.static()
def documentation(work: Work) -> Finding:
    """documentation.md is written."""
    asked: Mapping[str, Any] = work.rubric.options["documentation"]
    path = work.submission.root / "documentation.md"
    return statics.written(path, asked["headings"], asked["words"])


@suite.static()
def resultats(work: Work) -> Finding:
    """resultats.md is written."""
    return statics.report(work)


@suite.live()
def build(session: Session) -> Finding:
    """`dbt build` passes: every imposed model is built, tests run and none fails."""
    state = session.team
    bad = [r for r in state.answer.rows if r.failed]
    complaints = [f"dbt ne peut pas lire {error}." for error in session.aside.values()]
    complaints += [_stopped(state.answer, state.stuck), _failures(session, bad) if bad else ""]
    if any(complaints):
        return Finding(0.0, " ".join(filter(None, complaints)))
    built = {n for n, m in session.models.items() if m["unique_id"] not in state.unbuilt}
    if lacking := sorted(MODELS.keys() - built):
        return Finding(0.0, f"Modèle(s) absent(s) ou non construit(s) : {', '.join(lacking)}.")
    tests = sum(r.is_test for r in state.answer.rows)
    return expect(tests > 0, f"dbt build réussit : {len(MODELS)} modèles, {tests} tests."
                  if tests else "Le projet n'a aucun test.")  # fmt: skip


def _stopped(answer: Answer, stuck: Collection[str]) -> str:
    """Say why a build as a whole did not end, or nothing."""
    if stuck:
        return f"Arrêté au bout du temps permis : {', '.join(stuck)} ne se termine pas."
    if answer.late:
        return answer.error or "dbt build n'a pas fini dans le temps permis."
    if answer.error:
        return f"dbt build échoue. {readable(answer.error)}"
    return ""


def _failures(session: Session, rows: Collection[Row]) -> str:
    shown = [f"{r.name} ({session.explain(r)})" for r in list(rows)[:3]]
    more = f" ; et {len(rows) - 3} autre(s)" if len(rows) > 3 else ""
    return f"dbt build échoue sur {len(rows)} nœud(s) : {' ; '.join(shown)}{more}."


def _rows(session: Session, *names: str) -> Finding:
    """Judge the rows of some models on the team's data; rows typed in for it count as wrong."""
    state = session.team
    wrong = [n for n in names if state.differences[n] is not None]
    if typed := sorted(set(names) & state.right - session.hidden.right):
        return Finding(
            1.0 - len({*wrong, *typed}) / len(names),
            f"Juste(s) sur vos données, faux sur d'autres : {', '.join(typed)}.",
            hint="Les lignes doivent être calculées à partir des sources, pas écrites en dur.",
        )
    if not wrong:
        return Finding(1.0)
    first = state.differences[wrong[0]]
    assert first is not None  # noqa: S101 - chosen so
    message = " ; ".join(
        f"{n} : {d.message}{_why(session, n)}" for n in wrong if (d := state.differences[n])
    )
    return Finding(1.0 - len(wrong) / len(names), message + ".", first.seen, first.wanted)


def _why(session: Session, name: str) -> str:
    """Return what dbt said of a model that it could not build."""
    rows = session.team.answer.rows
    said = [r for r in rows if r.failed and not r.is_test and fold(r.name) == name]
    return f" : {session.explain(said[0])}" if said else ""


@suite.live()
def staging(session: Session) -> Finding:
    """The four staging models hold the expected rows."""
    return _rows(session, *(n for n, m in MODELS.items() if m.layer == "staging"))


@suite.live()
def fct_ventes(session: Session) -> Finding:
    """The fact table holds the expected rows."""
    return _rows(session, "fct_ventes")


@suite.live()
def dim_clients(session: Session) -> Finding:
    """The dimension of clients holds the expected rows."""
    return _rows(session, "dim_clients")


@suite.live()
def dim_produits(session: Session) -> Finding:
    """The dimension of products holds the expected rows."""
    return _rows(session, "dim_produits")


@suite.live()
def dim_temps(session: Session) -> Finding:
    """The dimension of days holds the expected rows."""
    return _rows(session, "dim_temps")


@suite.live()
def business_metrics(session: Session) -> Finding:
    """The monthly figures are the expected ones."""
    return _rows(session, "business_metrics")


@suite.live()
def couches(session: Session) -> Finding:
    """Staging models are views on sources alone, marts are tables on models and seeds alone."""
    complaints = []
    for name, model in MODELS.items():
        node = session.models.get(name)
        if node is None:
            complaints.append(f"{name} : absent")
        elif why := _out_of_layer(session, node, model.layer):
            complaints.append(f"{name} : {why}")
    ratio = 1.0 - len(complaints) / len(MODELS)
    return Finding(ratio, " ; ".join(complaints))


def _out_of_layer(session: Session, node: Mapping[str, Any], layer: str) -> str:
    kinds = {parent.split(".")[0] for parent in session.manifest.parents(node)}
    materialized = node["config"]["materialized"]
    if hard_coded(node):
        return f"écrit « {RAW}. » en toutes lettres au lieu de source()"
    if layer == "staging":
        if kinds != {"source"}:
            return "doit lire des sources, et rien d'autre"
        return "" if materialized == "view" else f"doit être une vue, pas « {materialized} »"
    if "source" in kinds or not kinds:
        return "doit lire par ref() seulement"
    if materialized not in ("table", "incremental"):
        return f"doit être une table, pas « {materialized} »"
    return ""


@suite.live()
def seed_macro(session: Session) -> Finding:
    """A seed and a macro of the project serve a model."""
    manifest = session.manifest
    models = manifest.nodes("model")
    read = manifest.ancestors([m["unique_id"] for m in models])
    seeds = [s for s in manifest.nodes("seed") if s["unique_id"] in read]
    called = {m for model in models for m in model["depends_on"]["macros"]}
    macros = called & manifest.own_macros().keys()
    lacking = [
        what
        for what, found in (("aucun seed ne sert à un modèle", seeds),
                            ("aucune macro du projet ne sert à un modèle", macros))
        if not found
    ]  # fmt: skip
    return Finding(1.0 - len(lacking) / 2, " ; ".join(lacking))


@suite.live()
def docs(session: Session) -> Finding:
    """Documentation is generated; four models and four columns out of five are described."""
    done = session.team.docs
    if done is None or not done.success:
        why = readable(done.error) if done and done.error else "pas de réponse."
        return Finding(0.0, f"dbt docs generate échoue. {why}")
    models = session.manifest.nodes("model")
    columns = [(n, c) for n, found in session.team.columns.items() for c in found]
    if not models or not columns:
        return Finding(0.0, "Aucun modèle à décrire.")
    told = [m for m in models if str(m["description"]).strip()]
    described = {
        (fold(m["name"]), fold(c["name"]))
        for m in models
        for c in m["columns"].values()
        if str(c.get("description", "")).strip()
    }
    shares = (
        len(told) / len(models),
        sum((n, fold(c)) in described for n, c in columns) / len(columns),
    )
    ratio = sum(min(1.0, s / DESCRIBED) for s in shares) / 2
    return Finding(ratio, f"Décrits : {shares[0]:.0%} des modèles, {shares[1]:.0%} des colonnes ; "
                   f"{DESCRIBED:.0%} sont demandés.")  # fmt: skip


@suite.live()
def tests_generiques(session: Session) -> Finding:
    """The four kinds of generic tests are used: unique, not_null, relationships, a range."""
    found = set()
    for node in session.manifest.nodes("test"):
        data = node.get("test_metadata")
        if not data:
            continue
        if data["name"] in BUILTIN_TESTS and not data.get("namespace"):
            found.add(data["name"])
        elif any(word in str(key) for key in data["kwargs"] for word in ("min", "max")):
            found.add("plage_acceptee")
    return share(found, (*BUILTIN_TESTS, "plage_acceptee"))


@suite.drill()
def donnees_cachees(session: Session) -> Finding:
    """The models that are right on the team's data are right on hidden data too."""
    right = session.team.right
    if not right:
        return Finding(0.0, "Aucun modèle n'est juste sur vos données : rien à vérifier.")
    if wrong := sorted(right - session.hidden.right):
        why = "; ".join(f"{n} : {d.message}" for n in wrong if (d := session.hidden.differences[n]))
        return Finding(
            0.0, f"Juste(s) sur vos données, faux sur d'autres (valeurs écrites en dur ?) : {why}."
        )
    ratio = min(1.0, len(right) / ENOUGH)
    return Finding(ratio, f"{len(right)} modèle(s) juste(s) sur vos données et sur d'autres.")


@suite.drill()
def fautes(session: Session) -> Finding:
    """Each of ten kinds of bad rows makes a test fail; healthy data makes none fail."""
    state = session.hidden
    if complaint := _stopped(state.answer, ()):
        return Finding(0.0, complaint)
    if alarms := state.answer.failures(tests=True):
        names = ", ".join(r.name for r in alarms[:5])
        return Finding(0.0, f"Fausse alerte : sur des données saines, échec de {names}.")
    if not any(r.is_test for r in state.answer.rows):
        return Finding(0.0, "Aucun test ne s'exécute.")
    control, *trials = session.trials
    if control.tests:
        names = ", ".join(control.tests[:5])
        return Finding(0.0, f"Fausse alerte : {control.fault.label} fait échouer {names}.")
    missed = [t.fault.label for t in trials if not t.tests]
    caught = len(trials) - len(missed)
    message = f"{caught} faute(s) détectée(s) sur {len(trials)}."
    if missed:
        message += f" Aucun test n'échoue pour : {', '.join(f'« {m} »' for m in missed)}."
    return Finding(caught / len(trials), message)
