"""Imports point down only: a module imports strictly lower layers, never a neighbour."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LAYERS = (
    "errors model version",
    "text untrusted",
    "suite rubric statics course wire registries",
    "intake policy vault images http",
    "clients engine reports compose",
    "stack",
    "clean doctor",
    "tools",
    "pipeline",
    "batch pullrequest selftest",
    "commands",
    "cli",
)
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names.split()}
ONLY_IN = {
    "docker": {"stack", "images", "clean", "doctor"},
    "git": {"intake", "pullrequest"},
    "jinja2": {"reports"},
    "cryptography": {"vault"},
}


def modules() -> list[Path]:
    return sorted((ROOT / "graders").rglob("*.py"))


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def home(path: Path) -> str:
    """Return the layer's name of a module: `graders/tools/dbt.py` is `tools`."""
    return path.relative_to(ROOT / "graders").with_suffix("").parts[0]


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_down(path: Path) -> None:
    here = home(path)
    if here == "__init__":
        return
    targets = {t.split(".")[1] for t in imports(path) if t.startswith("graders.")}
    # A package's own modules know each other; packages never know their neighbours.
    wrong = {t for t in targets if t != here and RANK[t] >= RANK[here]}
    assert not wrong


@pytest.mark.parametrize("library", ONLY_IN)
def test_foreign_libraries_have_one_home(library: str) -> None:
    homes = {home(p) for p in modules() if any(i.split(".")[0] == library for i in imports(p))}
    assert homes <= ONLY_IN[library]


def test_datagen_knows_nothing_of_graders() -> None:
    for path in (ROOT / "datagen").rglob("*.py"):
        assert not any(i.split(".")[0] == "graders" for i in imports(path)), path


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_073_074_090_nothing_of_a_submission_can_become_code_or_entities(path: Path) -> None:
    """No pickle, no YAML object, no pytest and no XML reader: reports only write JUnit."""
    names = imports(path)
    tops = {n.split(".")[0] for n in names}
    assert not tops & {"pickle", "shelve", "marshal", "dill", "joblib", "pytest", "_pytest"}
    assert not tops & {"lxml", "defusedxml", "xmltodict", "bs4", "expat"}
    assert not any(n.startswith("xml") for n in names) or home(path) == "reports"
    calls = {
        ast.unparse(node.func)
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
    }
    banned = r"(.*\.)?(read_xml|read_pickle|fromstring|XMLParser|iterparse|unsafe_load|full_load)"
    assert not [c for c in calls if re.fullmatch(banned, c)]
    assert not calls & {"eval", "exec", "yaml.load", "np.load", "numpy.load"}
