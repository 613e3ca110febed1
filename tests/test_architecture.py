"""Imports point down only: a module imports strictly lower layers, never a neighbour."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LAYERS = (
    "errors model version",
    "text untrusted",
    "suite rubric statics course http registries",
    "intake policy vault images",
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
