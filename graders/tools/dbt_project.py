"""Find and read a student's dbt project: files alone, nothing is run."""

from __future__ import annotations

import codecs
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from graders.errors import StackError, SubmissionError
from graders.policy import roles
from graders.statics import fold
from graders.untrusted import read_yaml

COMPOSE = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
PROJECT = "dbt_project.yml"
PATHS = (
    "model-paths",
    "seed-paths",
    "macro-paths",
    "test-paths",
    "analysis-paths",
    "snapshot-paths",
    "docs-paths",
    "asset-paths",
    "packages-install-path",
)


@dataclass(frozen=True, slots=True)
class Project:
    """A dbt project: its folder, the name of its profile and that profile's outputs."""

    root: Path
    name: str
    profile: str
    profiles: Path  # the folder of profiles.yml
    outputs: Mapping[str, Mapping[str, Any]]
    packages: bool  # local packages to install

    def target(self, adapter: str) -> str:
        """Return the name of the first output of this type ("postgres", "duckdb"), or ""."""
        return next((n for n, o in self.outputs.items() if o.get("type") == adapter), "")

    def model_files(self) -> dict[str, PurePosixPath]:
        """Return each SQL model's path in the project, by folded name."""
        return {
            fold(path.stem): PurePosixPath(path.relative_to(self.root))
            for path in sorted(self.root.rglob("*.sql"))
            if "models" in path.relative_to(self.root).parts
        }


def load(root: Path) -> Project:
    """Find the project below `root` and read it; StackError says in French what is wrong."""
    found = sorted(root.rglob(PROJECT), key=lambda p: (len(p.parts), str(p)))
    if not found:
        raise StackError(f"Aucun projet dbt : le fichier {PROJECT} est introuvable dans le rendu.")
    folder = found[0].parent
    config = _mapping(found[0], root)
    for key in PATHS:
        for path in _list(config.get(key)):
            if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
                raise StackError(
                    f"{found[0].relative_to(root)} : {key} sort du projet (« {path} ») : "
                    "donnez un dossier du projet."
                )
    profile = str(config.get("profile") or "")
    if not profile:
        raise StackError(f"{found[0].relative_to(root)} : la clé « profile » est absente.")
    profiles, outputs = _outputs(root, folder, profile)
    packages = _packages(root, folder)
    name = str(config.get("name") or "")
    return Project(folder, name, profile, profiles, outputs, packages)


def copy(source: Path, target: Path) -> None:
    """Copy a project for dbt to read, without the mark that Windows puts before UTF-8 text."""
    shutil.copytree(source, target)
    for path in target.rglob("*"):
        if path.suffix in (".sql", ".yml", ".yaml", ".md", ".csv") and path.is_file():
            data = path.read_bytes()
            if data.startswith(codecs.BOM_UTF8):
                path.write_bytes(data.removeprefix(codecs.BOM_UTF8))


def _outputs(
    root: Path, folder: Path, profile: str
) -> tuple[Path, Mapping[str, Mapping[str, Any]]]:
    found = sorted(root.rglob("profiles.yml"), key=lambda p: (p.parent != folder, len(p.parts)))
    if not found:
        raise StackError(
            "Le fichier profiles.yml est introuvable : rangez-le à côté de dbt_project.yml."
        )
    document = _mapping(found[0], root)
    section = document.get(profile)
    outputs = section.get("outputs") if isinstance(section, Mapping) else None
    if not isinstance(outputs, Mapping):
        raise StackError(
            f"{found[0].relative_to(root)} : le profil « {profile} » n'y est pas, "
            "ou n'a pas de section « outputs »."
        )
    return found[0].parent, {str(k): v for k, v in outputs.items() if isinstance(v, Mapping)}


def _packages(root: Path, folder: Path) -> bool:
    """Say whether local packages are asked for; others need the network, which grading has not."""
    present = False
    for name in ("packages.yml", "dependencies.yml"):
        path = folder / name
        if not path.is_file():
            continue
        for package in _list(_mapping(path, root).get("packages")):
            if not isinstance(package, Mapping) or "local" not in package:
                raise StackError(
                    f"{path.relative_to(root)} : la correction se fait sans réseau, donc sans "
                    f"paquet de dbt Hub ni de git (« {package} ») : copiez ce dont vous avez "
                    "besoin dans macros/ ou tests/generic/."
                )
            present = True
    return present


def _mapping(path: Path, root: Path) -> Mapping[str, Any]:
    try:
        return read_yaml(path.read_bytes(), str(path.relative_to(root)))
    except SubmissionError as error:
        raise StackError(str(error)) from error


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


def services(root: Path, granted: Mapping[str, Any]) -> dict[str, str]:
    """Return the service of the Compose file that plays each role of the rubric's `services`."""
    found = sorted(p for name in COMPOSE for p in root.rglob(name))
    if not found:
        raise StackError("compose.yaml est introuvable.")
    listed = _mapping(found[0], root).get("services")
    if not isinstance(listed, Mapping):
        raise StackError(f"{found[0].name} : la section « services » est absente.")
    known = roles.roles(granted)
    played: dict[str, str] = {}
    for name, body in listed.items():
        image = str(body.get("image", "")) if isinstance(body, Mapping) else ""
        role = roles.role_of(str(name), roles.split(image)[0], known).name
        if role:
            played.setdefault(role, str(name))
    return played
