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
_MOUNT = Why(
    "montage-type",
    "ce type ou cette option de montage agit sur la machine",
    "Montez simplement ./source:/cible ou un volume nommé.",
)
_DRIVERS: Mapping[str | int, Why] = {
    "networks": Why("reseau-pilote", "seul le pilote bridge est permis", "Retirez « driver »."),
    "volumes": Why("volume-options", "seul le pilote local est permis", "Retirez « driver »."),
}
_MANY = Why("forme", "il y en a plus que le cours ne permet", "Réduisez la liste.")
_SHAPE = Why("forme", "ce nom ou cette valeur n'a pas la forme attendue")
_VALUE = Why("forme", "la valeur n'est pas de celles que le cours permet")
_FORMS: Mapping[str, Why] = {
    "maxItems": _MANY,
    "maxProperties": _MANY,
    "maxLength": _MANY,
    "propertyNames": _SHAPE,
    "pattern": _SHAPE,
    "required": Why("forme", "il manque une clé obligatoire"),
}


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
    top, part = (path[0] if path else ""), (path[2] if len(path) > 2 else "")
    table: Mapping[str, Why] = {}
    if not path:
        table = TOP
    elif part == "build":
        table = BUILD
    elif part == "deploy":
        table = dict.fromkeys(("devices", "generic_resources"), SERVICE["devices"])
    elif part == "volumes":
        return _MOUNT
    elif len(path) == 2:
        table = {"services": SERVICE, "volumes": VOLUME, "networks": NETWORK}.get(str(top), {})
    return table.get(key, UNKNOWN)


def _form(path: tuple[str | int, ...], error: jsonschema.ValidationError) -> Why:
    """Return why a value has not the form that the schema gives it."""
    last = path[-1] if path else ""
    if last == "driver" and path[0] in _DRIVERS:
        return _DRIVERS[path[0]]
    if last == "type" and "volumes" in path:
        return _MOUNT
    return _FORMS.get(str(error.validator), _VALUE)
