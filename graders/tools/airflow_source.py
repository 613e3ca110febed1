"""Read the source of DAGs without running it: what they define, and habits of Airflow 2.

Nothing here imports Airflow or the student's code: the files are parsed to syntax trees.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from graders import statics
from graders.statics import fold

FILES_CAP = 200
_STANDARD = "airflow.providers.standard"

# An import that Airflow 3 no longer has, and what to write instead; the longest prefix counts.
MODULES = {
    "airflow.operators.dummy": f"from {_STANDARD}.operators.empty import EmptyOperator",
    "airflow.operators.dummy_operator": f"from {_STANDARD}.operators.empty import EmptyOperator",
    "airflow.operators.python_operator": (
        f"from {_STANDARD}.operators.python import PythonOperator, ou @task de airflow.sdk"
    ),
    "airflow.operators.bash_operator": (
        f"from {_STANDARD}.operators.bash import BashOperator, ou @task.bash de airflow.sdk"
    ),
    "airflow.operators.branch_operator": f"from {_STANDARD}.operators.branch import …",
    "airflow.operators.dagrun_operator": (
        f"from {_STANDARD}.operators.trigger_dagrun import TriggerDagRunOperator"
    ),
    "airflow.operators.email": "from airflow.providers.smtp.operators.smtp import EmailOperator",
    "airflow.operators.email_operator": (
        "from airflow.providers.smtp.operators.smtp import EmailOperator"
    ),
    "airflow.operators.postgres_operator": (
        "from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator"
    ),
    "airflow.operators.sqlite_operator": (
        "from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator"
    ),
    "airflow.operators.subdag": "un TaskGroup (from airflow.sdk import task_group)",
    "airflow.operators.subdag_operator": "un TaskGroup (from airflow.sdk import task_group)",
    "airflow.hooks.base_hook": "from airflow.sdk import BaseHook",
    "airflow.hooks.postgres_hook": (
        "from airflow.providers.postgres.hooks.postgres import PostgresHook"
    ),
    "airflow.hooks.sqlite_hook": "from airflow.providers.sqlite.hooks.sqlite import SqliteHook",
    "airflow.sensors.base_sensor_operator": "from airflow.sdk import BaseSensorOperator",
    "airflow.contrib": "le paquet airflow.providers.… de l'outil",
    "airflow.utils.dates": 'une date fixe : pendulum.datetime(2025, 3, 1, tz="UTC")',
}
# These still import, with a warning: said, but no point is lost.
OLD_MODULES = {
    "airflow.operators.python": f"from {_STANDARD}.operators.python import PythonOperator",
    "airflow.operators.bash": f"from {_STANDARD}.operators.bash import BashOperator",
    "airflow.operators.empty": f"from {_STANDARD}.operators.empty import EmptyOperator",
    "airflow.decorators": "from airflow.sdk import dag, task",
}
NAMES = {
    "DummyOperator": "EmptyOperator",
    "days_ago": 'une date fixe : pendulum.datetime(2025, 3, 1, tz="UTC")',
    "SubDagOperator": "un TaskGroup",
}
KEYWORDS = {
    "schedule_interval": "schedule=",
    "timetable": "schedule=",
    "provide_context": "rien : le contexte est passé sans qu'on le demande",
    "concurrency": "max_active_tasks=",
    "task_concurrency": "max_active_tis_per_dag=",
    "fail_stop": "fail_fast=",
    "default_view": "rien : cet argument n'existe plus",
    "orientation": "rien : cet argument n'existe plus",
    "sla": "rien : les SLA n'existent plus",
    "sla_miss_callback": "rien : les SLA n'existent plus",
    "execution_date": "logical_date=",
}
CONTEXT = {
    "execution_date": "logical_date",
    "next_execution_date": "data_interval_end",
    "prev_execution_date": "data_interval_start",
    "prev_execution_date_success": "prev_data_interval_start_success",
    "next_ds": "data_interval_end | ds",
    "next_ds_nodash": "data_interval_end | ds_nodash",
    "prev_ds": "macros.ds_add(ds, -1)",
    "prev_ds_nodash": "macros.ds_add(ds, -1)",
    "yesterday_ds": "macros.ds_add(ds, -1)",
    "yesterday_ds_nodash": "macros.ds_add(ds, -1)",
    "tomorrow_ds": "macros.ds_add(ds, 1)",
    "tomorrow_ds_nodash": "macros.ds_add(ds, 1)",
}
_JINJA = re.compile(r"\{\{(.*?)\}\}|\{%(.*?)%\}", re.S)
_WORD = re.compile(r"[A-Za-z_]+")
_CONTEXT_NAMES = {"kwargs", "kw", "context", "ctx", "contexte"}


@dataclass(frozen=True, slots=True)
class Habit:
    """A habit of Airflow 2, where it is, and the new form; `breaks` if it no longer works."""

    file: str
    line: int
    old: str
    new: str
    breaks: bool = True

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}"
        return f"{where} : « {self.old} » est d'Airflow 2 ; en Airflow 3 : {self.new}"


@dataclass(frozen=True, slots=True)
class Sources:
    """What the files of dags/ say: the DAGs they define, old habits, what can't be read."""

    files: tuple[str, ...] = ()
    dags: tuple[tuple[str, str], ...] = ()  # (file, id); an id that is computed is ""
    habits: tuple[Habit, ...] = ()
    broken: tuple[str, ...] = ()  # « file:line : why », in French

    def defines(self, dag_id: str) -> bool:
        """Tell whether a DAG of this id is defined, accents and case forgiven."""
        return any(fold(found) == fold(dag_id) for _, found in self.dags)


def read(folder: Path) -> Sources:
    """Parse the Python files below `folder`; never raises because of what they hold."""
    paths = sorted(p for p in folder.rglob("*.py") if p.is_file() and not p.is_symlink())
    files, dags, habits, broken = [], [], [], []
    for path in paths[:FILES_CAP]:
        name = path.relative_to(folder.parent).as_posix()
        files.append(name)
        tree = statics.python(path, name)
        if isinstance(tree, str):
            broken.append(tree)
        else:
            dags += [(name, dag_id) for dag_id in definitions(tree)]
            habits += sorted(set(_habits(tree, name)), key=lambda h: (h.line, h.old))
    if len(paths) > FILES_CAP:
        broken.append(f"{folder.name} : plus de {FILES_CAP} fichiers, les suivants ne sont pas lus")
    return Sources(tuple(files), tuple(dags), tuple(habits), tuple(broken))


def definitions(tree: ast.Module) -> Iterator[str]:
    """Yield the id of each DAG that is written in a module, "" where it is computed."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            for decorator in node.decorator_list:
                call = decorator if isinstance(decorator, ast.Call) else None
                if _name(call.func if call else decorator) == "dag":
                    yield _dag_id(call) or node.name
        elif isinstance(node, ast.Call) and _name(node.func) == "DAG":
            yield _dag_id(node) or ""


def _dag_id(call: ast.Call | None) -> str | None:
    if call is None:
        return None
    given = [k.value for k in call.keywords if k.arg == "dag_id"] + call.args[:1]
    for value in given:
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            return value.value
    return None


def _name(node: ast.expr) -> str:
    """Return the last part of a dotted name."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _habits(tree: ast.Module, file: str) -> Iterator[Habit]:
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 1)
        if isinstance(node, ast.ImportFrom | ast.Import):
            yield from _imports(node, file)
        elif isinstance(node, ast.Call):
            yield from _call(node, file)
        elif isinstance(node, ast.Subscript):
            if isinstance(node.slice, ast.Constant) and _name(node.value) in _CONTEXT_NAMES:
                yield from _context(node.slice.value, file, line)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for arg in (*node.args.args, *node.args.kwonlyargs):
                yield from _context(arg.arg, file, arg.lineno)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from _template(node.value, file, line)


def _imports(node: ast.ImportFrom | ast.Import, file: str) -> Iterator[Habit]:
    if isinstance(node, ast.Import):
        modules = [(alias.name, alias.name) for alias in node.names]
    else:
        base = node.module or ""
        modules = [(f"{base}.{alias.name}", base) for alias in node.names]
    for full, shown in modules:
        for table, breaks in ((MODULES, True), (OLD_MODULES, False)):
            found = [m for m in table if full == m or full.startswith(f"{m}.")]
            if found:
                yield Habit(file, node.lineno, shown, table[max(found, key=len)], breaks)


def _call(node: ast.Call, file: str) -> Iterator[Habit]:
    name = _name(node.func)
    if name in NAMES:
        yield Habit(file, node.lineno, name, NAMES[name], name != "DummyOperator")
    if name in {"DAG", "dag", "task"} or name.endswith(("Operator", "Sensor")):
        for keyword in node.keywords:
            if keyword.arg in KEYWORDS:
                old = f"{keyword.arg}="
                yield Habit(file, keyword.value.lineno, old, KEYWORDS[keyword.arg])
    if name == "get" and isinstance(node.func, ast.Attribute) and node.args:
        key = node.args[0]
        if isinstance(key, ast.Constant) and _name(node.func.value) in _CONTEXT_NAMES:
            yield from _context(key.value, file, node.lineno)


def _context(name: object, file: str, line: int) -> Iterator[Habit]:
    if isinstance(name, str) and name in CONTEXT:
        yield Habit(file, line, name, CONTEXT[name])


def _template(text: str, file: str, line: int) -> Iterator[Habit]:
    for found in _JINJA.finditer(text[:20_000]):
        words = set(_WORD.findall(found[1] or found[2] or ""))
        at = line + text.count("\n", 0, found.start())
        for word in sorted(words & CONTEXT.keys()):
            yield Habit(file, at, f"{{{{ {word} }}}}", f"{{{{ {CONTEXT[word]} }}}}")
