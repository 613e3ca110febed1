"""The allow-list: the keys and forms of schemas/compose.schema.json, as named refusals."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema

from graders.policy.forbidden import BUILD, NETWORK, SERVICE, TOP, UNKNOWN, VOLUME, Why

# Resolved before the document is judged: `extends` by Compose, `env_file` by us.
SOURCE_ONLY = frozenset({"extends", "env_file"})
_DEVICES = SERVICE["devices"]
_BIND = Why("montage-type", "cette option de montage agit sur la machine", "Retirez cette ligne.")


@functools.cache
def schema() -> Mapping[str, Any]:
    """Return the JSON Schema of a resolved document."""
    path = Path(__file__).parents[1] / "schemas" / "compose.schema.json"
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


@functools.cache
def _validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(schema())


def allowed(part: str) -> frozenset[str]:
    """Return the keys that the schema allows in a part: service, build, network, volume."""
    return frozenset(schema()["$defs"][part]["properties"])


def odd(document: Mapping[str, Any]) -> Iterator[tuple[tuple[str | int, ...], Why]]:
    """Yield the path of everything outside the allow-list, and why it is refused."""
    for error in _validator().iter_errors(document):
        path = tuple(error.absolute_path)
        if error.validator == "additionalProperties":
            known = error.schema.get("properties", {})
            for key in error.instance:
                if key not in known and not (not path and key.startswith("x-")):
                    yield (*path, key), why(path, key)
        else:
            yield path, _form(path, error)


def why(path: tuple[str | int, ...], key: str) -> Why:
    """Return why `key` is refused below `path`."""
    if len(path) == 0:
        return TOP.get(key, UNKNOWN)
    if path[0] == "services" and len(path) == 2:
        return SERVICE.get(key, UNKNOWN)
    if path[0] in ("volumes", "networks") and len(path) == 2:
        return (VOLUME if path[0] == "volumes" else NETWORK).get(key, UNKNOWN)
    if path[0] == "services" and len(path) > 2:
        if path[2] == "build":
            return BUILD.get(key, UNKNOWN)
        if path[2] == "volumes":
            return _BIND
        if path[2] == "deploy" and key in ("devices", "generic_resources"):
            return _DEVICES
    return UNKNOWN


def _form(path: tuple[str | int, ...], error: jsonschema.ValidationError) -> Why:
    last = path[-1] if path else ""
    if len(path) == 3 and path[0] == "networks" and last == "driver":
        return Why("reseau-pilote", "seul le pilote « bridge » est permis", "Retirez « driver ».")
    if len(path) == 3 and path[0] == "volumes" and last == "driver":
        return Why("volume-options", "seul le pilote « local » est permis", "Retirez « driver ».")
    if "volumes" in path and last == "type":
        return Why("montage-type", "ce type de montage est refusé", "Utilisez bind, volume, tmpfs.")
    if error.validator in ("maxItems", "maxProperties", "maxLength"):
        return Why("forme", "il y en a plus que le cours ne permet", "Réduisez la liste.")
    if error.validator == "propertyNames" or error.validator == "pattern":
        return Why("forme", "ce nom ou cette valeur n'a pas la forme attendue")
    if error.validator == "required":
        return Why("forme", "il manque une clé obligatoire")
    return Why("forme", "la valeur n'est pas de celles que le cours permet")
