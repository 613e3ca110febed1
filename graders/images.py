"""The images of the tools: which there are, which are present, and how to build or pull them.

A stack names official images. Where the official one is present (pulled from an image registry)
it is used by digest, else the equivalent that `images/` builds from package registries.
"""

from __future__ import annotations

import contextlib
import functools
import graphlib
import hashlib
import re
import tarfile
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import docker
import yaml
from docker.errors import APIError, DockerException, ImageNotFound, NotFound

from graders import registries
from graders.errors import MachineError, RubricError, UsageError

FOLDER = Path(__file__).resolve().parents[1] / "images"
LABEL = "bareme.image"  # a container inherits its image's labels: this one marks no container
HASH = "bareme.hash"
SUITE = "bookworm"
TIMEOUT = 1800.0  # seconds, for one image
_TAIL = 25  # lines of the log in an error
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Recipe:
    """One entry of catalogue.yaml; `megabytes` and `seconds` are what to expect of its build."""

    name: str
    folder: Path
    tag: str
    megabytes: int
    seconds: int
    official: tuple[str, ...] = ()
    reference: str = ""
    needs: tuple[str, ...] = ()
    context: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class State:
    """What this machine has of one recipe: ids are empty where the image is absent."""

    recipe: Recipe
    local: str
    official: str
    stale: bool  # the local build comes from another version of the recipe
    size: int  # bytes, of the image that would be used

    @property
    def usable(self) -> str:
        """Return the image that a stack would run, or nothing."""
        return self.official or self.local

    @property
    def name(self) -> str:
        """Return the name under which the image stands, or would stand once built."""
        return self.recipe.reference if self.official else self.recipe.tag

    @property
    def kind(self) -> str:
        """Return in French what stands on this machine for the recipe."""
        if self.official:
            return "officielle"
        if not self.local:
            return "absente"
        return "construite ici, recette changée depuis" if self.stale else "construite ici"


@functools.cache
def catalogue(folder: Path = FOLDER) -> dict[str, Recipe]:
    """Return the recipes by name, each after those it needs."""
    rows = yaml.safe_load((folder / "catalogue.yaml").read_text("utf-8"))
    recipes = {name: _recipe(folder / name, row) for name, row in rows.items()}
    order = graphlib.TopologicalSorter({r.name: r.needs for r in recipes.values()})
    return {name: recipes[name] for name in order.static_order()}


def _recipe(folder: Path, row: Mapping[str, Any]) -> Recipe:
    fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in row.items()}
    return Recipe(name=folder.name, folder=folder, **fields)


def bare(official: str) -> str:
    """Return an image's name without registry default, tag or digest: `postgres` for all of its."""
    name = official.partition("@")[0]
    name = re.sub(r":[^:/]+$", "", name)
    return re.sub(r"^(index\.)?(docker\.io/)?(library/)?", "", name)


def engine() -> docker.DockerClient:
    """Return a client of the Docker engine, which answers."""
    try:
        client = docker.from_env(timeout=60)
        client.ping()
    except DockerException as error:
        raise MachineError(
            f"Le moteur Docker ne répond pas ({error}). Sur une Debian : `make engine`."
        ) from error
    return client


def resolve(official: str, images: Mapping[str, str]) -> str:
    """Return the image to run for an official name, as `name@sha256:...` or a local image's id.

    `images` is the rubric's table of official names (without a tag) to names of the catalogue.
    """
    name = images.get(bare(official), "")
    if name not in catalogue():
        raise RubricError(f"the rubric maps {official} to {name!r}, which images/ does not have")
    with contextlib.closing(engine()) as client:
        found = state(client, catalogue()[name])
    if not found.usable:
        raise MachineError(
            f"L'image {official} manque : `bareme images build {name}`, ou `bareme images pull "
            f"{name}` là où un registre d'images est joignable."
        )
    return found.usable


def differs(official: str, images: Mapping[str, str]) -> str:
    """Say in French that an official name asks for another version than the one used, or "".

    `postgres:15.4` and `postgres:15` are the same version; no tag, or `latest`, is none.
    """
    used = catalogue()[images[bare(official)]].reference
    asked, ours = (re.findall(r"\d+", _tag(name)) for name in (official, used))
    shared = min(len(asked), len(ours), 3)
    if shared and asked[:shared] == ours[:shared]:
        return ""
    return f"« {official} » : la correction se fait avec « {used} », écrivez cette version."


def _tag(official: str) -> str:
    name = official.partition("@")[0]
    return name[len(re.sub(r":[^:/]+$", "", name)) :]


def state(client: docker.DockerClient, recipe: Recipe) -> State:
    """Return what the engine has of `recipe`."""
    local, official = _get(client, recipe.tag), _get(client, recipe.reference)
    digests: list[str] = official.attrs["RepoDigests"] if official else []
    used = official or local
    return State(
        recipe=recipe,
        local=str(local.id) if local else "",
        official=next(iter(digests), str(official.id)) if official else "",
        stale=bool(local) and local.labels.get(HASH) != digest(recipe),
        size=int(used.attrs["Size"]) if used else 0,
    )


def states(client: docker.DockerClient) -> list[State]:
    """Return what the engine has of every recipe."""
    return [state(client, recipe) for recipe in catalogue().values()]


def digest(recipe: Recipe) -> str:
    """Return the hash of a recipe's files and of those it is built on."""
    sha = hashlib.sha256()
    for path in _files(recipe):
        executable = bool(path.stat().st_mode & 0o100)
        sha.update(f"{path.relative_to(recipe.folder)}\0{executable}\0".encode())
        sha.update(hashlib.sha256(path.read_bytes()).digest())
    for name in recipe.needs:
        sha.update(digest(catalogue(recipe.folder.parent)[name]).encode())
    return sha.hexdigest()


def pull(names: Iterable[str], say: Say) -> None:
    """Fetch the official images of `names` (all of those that have one by default)."""
    wanted = [r for r in _chosen(names) if r.reference]
    with contextlib.closing(engine()) as client:
        for recipe in wanted:
            say(f"{recipe.reference} : téléchargement")
            try:
                client.images.pull(recipe.reference)
            except DockerException as error:
                raise MachineError(
                    f"{recipe.reference} n'a pas pu être téléchargée ({error}). Sans registre "
                    f"d'images : `bareme images build {recipe.name}`."
                ) from error
            say(f"{recipe.reference} : prête")


def build(names: Iterable[str], say: Say, *, force: bool = False) -> None:
    """Build the local images of `names` (all by default) and what they need, unless up to date."""
    with contextlib.closing(engine()) as client:
        for recipe in _with_needs(_chosen(names)):
            found = state(client, recipe)
            if found.local and not found.stale and not force:
                say(f"{recipe.tag} : à jour")
                continue
            say(f"{recipe.tag} : construction (environ {recipe.seconds} s)")
            start = time.monotonic()
            _build(client, recipe, say)
            size = state(client, recipe).size / 1e6
            say(f"{recipe.tag} : prête en {time.monotonic() - start:.0f} s, {size:.0f} Mo")


def _build(client: docker.DockerClient, recipe: Recipe, say: Say) -> None:
    log: deque[str] = deque(maxlen=_TAIL)
    try:
        with tempfile.TemporaryFile() as file:
            _context(recipe, file)
            for event in _events(client, recipe, file):
                if "error" in event:
                    raise MachineError(f"{recipe.tag} : {event['error']}\n" + "\n".join(log))
                for line in str(event.get("stream", "")).splitlines():
                    log.append(line)
                    if line.startswith("Step "):
                        say(f"  {line}")
    except (DockerException, OSError) as error:
        raise MachineError(f"{recipe.tag} : {error}\n" + "\n".join(log)) from error


def _events(
    client: docker.DockerClient, recipe: Recipe, context: IO[bytes]
) -> Iterator[dict[str, Any]]:
    # The classic builder: our Dockerfiles are trusted, and it is there without a client's plug-in.
    events = client.api.build(
        fileobj=context,
        custom_context=True,
        tag=recipe.tag,
        rm=True,
        forcerm=True,
        decode=True,
        timeout=int(TIMEOUT),
        buildargs=registries.build_args(),
        labels={LABEL: recipe.name, HASH: digest(recipe)},
    )
    deadline = time.monotonic() + TIMEOUT
    for event in events:
        if time.monotonic() > deadline:
            raise MachineError(
                f"{recipe.tag} : la construction dépasse {TIMEOUT / 60:.0f} minutes."
            )
        yield event


def _context(recipe: Recipe, file: IO[bytes]) -> None:
    with tarfile.open(fileobj=file, mode="w") as tar:
        for path in _files(recipe):
            tar.add(path, str(path.relative_to(recipe.folder)))
        if "ca" in recipe.context:
            tar.add(registries.ca_bundle().resolve(), "ca-certificates.crt")
        if "rootfs" in recipe.context:
            with tempfile.TemporaryDirectory(prefix="bareme-rootfs-") as folder:
                tar.add(registries.rootfs(SUITE, Path(folder)), "rootfs.tar")
    file.seek(0)


def _files(recipe: Recipe) -> list[Path]:
    return sorted(p for p in recipe.folder.rglob("*") if p.is_file())


def _chosen(names: Iterable[str]) -> list[Recipe]:
    recipes, wanted = catalogue(), list(names)
    if unknown := [n for n in wanted if n not in recipes]:
        raise UsageError(
            f"Image inconnue : {', '.join(unknown)}. Images : {', '.join(sorted(recipes))}."
        )
    return [recipes[n] for n in wanted] or list(recipes.values())


def _with_needs(recipes: Iterable[Recipe]) -> list[Recipe]:
    every, wanted = catalogue(), set[str]()
    waiting = [r.name for r in recipes]
    while waiting:
        name = waiting.pop()
        wanted.add(name)
        waiting.extend(every[name].needs)
    return [r for r in every.values() if r.name in wanted]


def _get(client: docker.DockerClient, reference: str) -> Any:
    if not reference:
        return None
    try:
        return client.images.get(reference)
    except (ImageNotFound, NotFound):
        return None
    except APIError as error:
        raise MachineError(f"Le moteur Docker a refusé de décrire {reference} : {error}") from error
