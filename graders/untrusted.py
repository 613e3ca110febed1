"""Read YAML within bounds: size, depth, expansion; no duplicate keys, tags, or second document.

libyaml is asked for events only, and the tree is built here without recursion: an alias costs what
its expansion weighs, and the bounds are checked before anything is expanded. Every node keeps its
line. Scalars are typed as Compose's own reader (YAML 1.2 with a few 1.1 habits) types them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

import yaml

from graders.errors import PolicyError, Refusal, SubmissionError

SIZE = 256 << 10  # bytes of the file
DEPTH = 32
WEIGHT = 1 << 20  # characters and nodes once every alias is expanded
NODES = 20_000
KEY = 256  # characters; a JSON key above 1024 is no longer a YAML key

Scalar = str | int | float | bool | None
_PARSER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLS = {w: w.lower() == "true" for w in ["true", "True", "TRUE", "false", "False", "FALSE"]}
_INT = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_OCTAL = re.compile(r"0o?[0-7]{1,12}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,2})?")
# What a YAML reader may take for a line break or drop, and a terminal for an order.
_CONTROL = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff]"
)


@dataclass(frozen=True, slots=True)
class Node:
    """A value of the tree with its line; `keys` gives the line of each key of a mapping."""

    value: Scalar | list[Node] | dict[str, Node]
    line: int
    keys: dict[str, int] = field(default_factory=dict)
    weight: int = 1
    nodes: int = 1
    height: int = 0

    def plain(self) -> Any:
        """Return the value as plain Python, aliases expanded."""
        if isinstance(self.value, dict):
            return {k: v.plain() for k, v in self.value.items()}
        if isinstance(self.value, list):
            return [v.plain() for v in self.value]
        return self.value

    def find(self, *path: str | int) -> int:
        """Return the line of the deepest part of `path` that is written in the file."""
        node, line = self, self.line
        for step in path:
            if isinstance(node.value, dict) and step in node.value:
                line, node = node.keys[str(step)], node.value[str(step)]
            elif isinstance(node.value, list) and (item := _item(node.value, step)) is not None:
                line, node = item.line, item
            else:
                break
        return line


def _item(items: list[Node], step: str | int) -> Node | None:
    """Return the item that `step` means: an index, or the name in `NAME`, `NAME=x` or `NAME:x`."""
    if isinstance(step, int):
        return items[step] if step < len(items) else None
    for item in items:
        if isinstance(item.value, str) and re.split(r"[=:]", item.value, maxsplit=1)[0] == step:
            return item
    return None


@dataclass
class _Open:
    """A collection whose end has not been read yet."""

    line: int
    mapping: bool
    anchor: str | None
    items: list[Node] = field(default_factory=list)
    entries: dict[str, Node] = field(default_factory=dict)
    keys: dict[str, int] = field(default_factory=dict)
    merges: list[Node] = field(default_factory=list)
    key: str | None = None
    merge: bool = False


def read(data: bytes, name: str) -> Node:
    """Return the tree of one YAML document; PolicyError with the line where it is refused."""
    return _Reader(name).read(data)


def read_yaml(data: bytes, name: str) -> dict[str, Any]:
    """Return a document of `name: value` lines; SubmissionError names the file and the line."""
    try:
        plain = read(data, name).plain()
    except PolicyError as error:
        raise SubmissionError(str(error.refusals[0])) from error
    if plain is None:
        return {}
    if not isinstance(plain, dict):
        raise SubmissionError(f"{name}:1: « nom: valeur » est attendu, une ligne par réponse.")
    return plain


class _Reader:
    def __init__(self, name: str) -> None:
        self.name = name
        self.anchors: dict[str, Node] = {}
        self.open: list[_Open] = []
        self.root: Node | None = None
        self.nodes = 0

    def refuse(
        self, rule: str, message: str, line: int | None = None, instead: str = ""
    ) -> NoReturn:
        raise PolicyError(Refusal(rule, message, self.name, line, instead))

    def read(self, data: bytes) -> Node:
        if len(data) > SIZE:
            self.refuse("yaml-taille", f"Le fichier dépasse {SIZE >> 10} Kio.")
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            self.refuse("yaml-encodage", "Le fichier n'est pas en UTF-8.", line,
                        "Enregistrez-le en UTF-8.")  # fmt: skip
        try:
            for event in self._events(text):
                self._take(event)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            where = mark.line + 1 if mark else None
            problem = str(getattr(error, "problem", "") or getattr(error, "reason", ""))[:200]
            self.refuse("yaml-syntaxe", f"YAML illisible : {problem}.", where,
                        "Vérifiez l'indentation, les deux-points et les guillemets.")  # fmt: skip
        if self.root is None:
            self.refuse("yaml-vide", "Le fichier est vide.")
        return self.root

    def _events(self, text: str) -> Iterator[Any]:
        documents = 0
        events: Iterator[Any] = yaml.parse(text, Loader=_PARSER)
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                line = _line(event)
                if documents > 1:
                    self.refuse("yaml-documents", "Le fichier contient plusieurs documents.", line,
                                "Gardez un seul document : retirez « --- ».")  # fmt: skip
                if event.tags:
                    self.refuse("yaml-etiquette", "Les directives %TAG sont refusées.", line)
            elif isinstance(event, yaml.NodeEvent | yaml.CollectionEndEvent):
                yield event

    def _take(self, event: Any) -> None:
        line = _line(event)
        if isinstance(event, yaml.CollectionEndEvent):
            self._close()
            return
        self.nodes += 1
        if self.nodes > NODES:
            self.refuse("yaml-taille", f"Le fichier compte plus de {NODES} éléments.", line)
        if getattr(event, "tag", None) is not None:
            self.refuse("yaml-etiquette", f"L'étiquette « {event.tag[:40]} » est refusée.", line,
                        "Écrivez la valeur sans « ! ».")  # fmt: skip
        if isinstance(event, yaml.AliasEvent):
            anchor = event.anchor or ""
            if anchor not in self.anchors:
                self.refuse("yaml-alias", f"« *{anchor[:40]} » se contient lui-même ou "
                            "n'est défini nulle part.", line)  # fmt: skip
            self._add(self.anchors[anchor], line, quoted=True)
        elif isinstance(event, yaml.ScalarEvent):
            quoted = bool(event.style)
            node = Node(self._scalar(event, line), line, weight=1 + len(event.value))
            if event.anchor:
                self.anchors[event.anchor] = node
            self._add(node, line, quoted)
        else:
            if len(self.open) >= DEPTH:
                self.refuse("yaml-profondeur", f"Plus de {DEPTH} niveaux imbriqués.", line)
            if event.anchor:  # not known until it is closed: it cannot contain itself
                self.anchors.pop(event.anchor, None)
            mapping = isinstance(event, yaml.MappingStartEvent)
            if self.open and self.open[-1].mapping and self._wants_key():
                self.refuse("yaml-cle", "Une clé doit être un simple mot.", line)
            self.open.append(_Open(line, mapping, event.anchor))

    def _scalar(self, event: Any, line: int) -> Scalar:
        text: str = event.value
        if _CONTROL.search(text):
            self.refuse("yaml-caractere", "Un caractère de contrôle est caché ici.", line,
                        "Retirez-le.")  # fmt: skip
        return text if event.style else _typed(text)

    def _wants_key(self) -> bool:
        return self.open[-1].key is None and not self.open[-1].merge

    def _add(self, node: Node, line: int, quoted: bool) -> None:
        """Put a finished node in the collection that is open, as a key, a value or an item."""
        if not self.open:
            self.root = node
            return
        here = self.open[-1]
        if not here.mapping:
            here.items.append(node)
        elif self._wants_key():
            self._key(here, node, line, quoted)
        elif here.merge:
            here.merge = False
            parts = node.value if isinstance(node.value, list) else [node]
            if not all(isinstance(p.value, dict) for p in parts):
                self.refuse("yaml-fusion", "« << » attend l'alias d'un dictionnaire.", line)
            here.merges.extend(parts)
        else:
            assert here.key is not None  # noqa: S101 - _wants_key was false
            here.entries[here.key] = node
            here.key = None

    def _key(self, here: _Open, node: Node, line: int, quoted: bool) -> None:
        if isinstance(node.value, (list, dict)) or node.value is None:
            self.refuse("yaml-cle", "Une clé doit être un simple mot.", line)
        key = str(node.value).lower() if isinstance(node.value, bool) else str(node.value)
        if len(key) > KEY:
            self.refuse("yaml-cle", f"Une clé dépasse {KEY} caractères.", line)
        if key in here.keys:
            self.refuse("yaml-cle-double", f"La clé « {key} » est écrite deux fois "
                        f"(lignes {here.keys[key]} et {line}).", line,
                        "Gardez une seule des deux.")  # fmt: skip
        here.keys[key] = line
        if key == "<<" and not quoted:
            here.merge = True
        else:
            here.key = key

    def _close(self) -> None:
        here = self.open.pop()
        for part in here.merges:
            assert isinstance(part.value, dict)  # noqa: S101 - checked when it was added
            for key, value in part.value.items():
                if key not in here.entries:
                    here.entries[key] = value
                    here.keys[key] = part.keys[key]
        children = list(here.entries.values()) if here.mapping else here.items
        weight = 1 + sum(c.weight for c in children) + sum(map(len, here.entries))
        nodes = 1 + sum(c.nodes for c in children)
        height = 1 + max((c.height for c in children), default=0)
        if weight > WEIGHT or nodes > NODES or height > DEPTH:
            self.refuse("yaml-alias", "Les alias, une fois développés, dépassent les bornes.",
                        here.line, "Répétez moins d'alias imbriqués.")  # fmt: skip
        content: dict[str, Node] | list[Node] = here.entries if here.mapping else here.items
        done = Node(content, here.line, here.keys, weight, nodes, height)
        if here.anchor:
            self.anchors[here.anchor] = done
        self._add(done, here.line, quoted=True)


def _line(event: Any) -> int:
    line: int = event.start_mark.line + 1
    return line


def _typed(text: str) -> Scalar:
    """Return the value of a plain scalar, typed as Compose would."""
    if text in _NULLS:
        return None
    if text in _BOOLS:
        return _BOOLS[text]
    if _INT.fullmatch(text):
        return int(text)
    if _OCTAL.fullmatch(text):
        return int(text.replace("o", ""), 8)
    if len(text) < 40 and _FLOAT.fullmatch(text) and any(c in text for c in ".eE"):
        return float(text)
    return text
