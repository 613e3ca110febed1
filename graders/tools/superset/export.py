"""Find a Superset export in a submission, whatever its name, form and place, and read it in bounds.

Nothing is unpacked on disk: members are read in memory, up to their caps, and YAML goes through
`graders.untrusted`. What cannot be read is named in `problems`, and never stops the rest.
"""

from __future__ import annotations

import io
import json
import lzma
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from graders.errors import SubmissionError
from graders.statics import fold
from graders.text import one_line
from graders.tools.superset.shapes import items, mapping, text
from graders.untrusted import read_yaml

KINDS = ("dashboards", "charts", "datasets", "databases")
METADATA = "metadata.yaml"
BUNDLE = 16 << 20  # bytes of a zip
MEMBER = 256 << 10  # bytes of one YAML file
TOTAL = 24 << 20  # bytes of all of them
MEMBERS = 3_000
CHARTS = 100
ARCHIVES = 20
LOOSE = 200  # YAML and JSON files that are looked at
TITLE = "Analyse des ventes"
HOW = (
    "Dans Superset : Dashboards, puis l'icône « Export » (⤓) de la ligne du tableau de bord ; "
    "déposez le zip tel quel, sans l'ouvrir, sous le nom dashboard_export.zip."
)
_DAMAGE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, NotImplementedError,
           RuntimeError, OSError, EOFError, ValueError)  # fmt: skip
_JUNK = ("__MACOSX", ".DS_Store", "._", "Thumbs.db")

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Export:
    """What was found. `form` is zip, folder, yaml, json, server, or empty where there is nothing.

    `files` are the bytes of the members by their names below the root; `problems` (French) say
    what is wrong with the export, `notices` what was put right.
    """

    form: str = ""
    where: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict)
    documents: Mapping[str, Mapping[str, Document]] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()

    def all(self, kind: str) -> Mapping[str, Document]:
        """Return the documents of a kind by file name."""
        return self.documents.get(kind, {})

    @property
    def importable(self) -> bool:
        """Tell whether Superset could import it: an export's files, not a lone dashboard."""
        return self.form in ("zip", "folder", "server") and any(map(self.all, KINDS[:3]))

    @property
    def dashboard(self) -> Document | None:
        """Return the asked dashboard, else the one with most charts."""
        found = list(self.all("dashboards").values())
        named = [d for d in found if fold(text(d.get("dashboard_title"))) == fold(TITLE)]
        return max(named or found, key=lambda d: len(mapping(d.get("position"))), default=None)


def find(root: Path) -> Export:
    """Return the best export below `root`: a zip, else an unzipped folder, else a lone file."""
    files = sorted(p for p in root.rglob("*") if p.is_file())
    zips = [p for p in files if p.suffix.lower() == ".zip"][:ARCHIVES]
    found = [_zip(p.read_bytes(), _shown(p, root)) for p in zips]
    found += [_folder(p.parent, root) for p in files if p.name.lower() == METADATA][:ARCHIVES]
    best = max(found, key=_worth, default=Export())
    if best.importable:
        return best
    loose = [e for e in _loose(files, root) if e.documents]
    return max([best, *loose], key=_worth)


def read(data: bytes) -> Export:
    """Return an export that the student's own Superset has just made."""
    found = _zip(data, "le Superset de la pile")
    return Export("server", found.where, found.files, found.documents, found.problems)


def pack(export: Export, replaced: Mapping[str, bytes]) -> tuple[str, bytes]:
    """Return what to import (dashboard, chart or dataset) and a sound zip of it.

    It has a root folder and its own metadata, of which the lack makes Superset answer 500.
    """
    kinds = {"dashboards": ("dashboard", "Dashboard"), "charts": ("chart", "Slice"),
             "datasets": ("dataset", "SqlaTable")}  # fmt: skip
    endpoint, model = next(kinds[k] for k in KINDS if export.all(k))
    told = f'version: 1.0.0\ntype: {model}\ntimestamp: "2025-01-01T00:00:00+00:00"\n'
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"export/{METADATA}", told)
        for name, data in export.files.items():
            if name != METADATA:
                archive.writestr(f"export/{name}", replaced.get(name, data))
    return endpoint, packed.getvalue()


def _worth(export: Export) -> tuple[bool, bool, int, int]:
    """Rank what was found: importable first, then the asked title, then by number of charts."""
    board = export.dashboard
    titled = board is not None and fold(text(board.get("dashboard_title"))) == fold(TITLE)
    size = sum(len(export.all(kind)) for kind in KINDS)
    return export.importable, titled, size, len(export.problems)


def _zip(data: bytes, where: str) -> Export:
    try:
        if len(data) > BUNDLE:
            raise SubmissionError(f"{where} dépasse {BUNDLE >> 20} Mio.")
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _tree("zip", where, _members(archive, where))
    except SubmissionError as error:
        return Export("zip", where, problems=(str(error),))
    except _DAMAGE as error:
        why = one_line(error, 100)
        return Export("zip", where, problems=(f"{where} n'est pas un zip lisible ({why}). {HOW}",))


def _members(archive: zipfile.ZipFile, where: str) -> Iterator[tuple[str, bytes]]:
    """Yield names and bytes of the YAML members; SubmissionError beyond any bound."""
    infos = archive.infolist()
    _counted([PurePosixPath(info.filename) for info in infos], where)
    total = 0
    for info in infos:
        path = PurePosixPath(info.filename)
        unsafe = path.is_absolute() or ".." in path.parts or "\\" in info.filename
        if unsafe or stat.S_ISLNK(info.external_attr >> 16):
            raise SubmissionError(
                f"{where} contient « {one_line(info.filename, 80)} », qui sort du dossier de "
                f"l'export ou est un lien. {HOW}"
            )
        if info.is_dir() or path.suffix.lower() not in (".yaml", ".yml") or _junk(path):
            continue
        if info.flag_bits & 0x1:
            raise SubmissionError(f"{where} est protégé par un mot de passe. {HOW}")
        with archive.open(info) as member:  # the size that it declares may be a lie
            data = member.read(MEMBER + 1)
        total += len(data)
        if len(data) > MEMBER or total > TOTAL:
            most = MEMBER >> 10 if len(data) > MEMBER else TOTAL >> 10
            raise SubmissionError(f"{where} : « {one_line(path, 80)} » dépasse, une fois "
                                  f"décompressé, les {most} Kio permis.")  # fmt: skip
        yield info.filename, data


def _counted(names: Sequence[PurePosixPath], where: str) -> None:
    """Raise SubmissionError where there are too many files, or too many charts."""
    charts = sum("charts" in n.parts[:-1] and not _junk(n) for n in names)
    if charts > CHARTS:
        raise SubmissionError(f"{where} compte {charts} graphiques, {CHARTS} au plus sont lus : "
                              "n'exportez que le tableau de bord demandé.")  # fmt: skip
    if len(names) > MEMBERS:
        raise SubmissionError(f"{where} compte {len(names)} fichiers, {MEMBERS} au plus sont lus.")


def _folder(folder: Path, root: Path) -> Export:
    """Read an export that was unzipped before it was handed in."""
    where = _shown(folder, root) or "le rendu"
    names = [folder / METADATA, *(p for k in KINDS for p in sorted((folder / k).rglob("*.y*ml")))]
    sound = [p for p in names if p.is_file() and p.stat().st_size <= MEMBER]
    try:
        _counted([PurePosixPath(p.relative_to(folder)) for p in sound], where)
        if sum(p.stat().st_size for p in sound) > TOTAL:
            raise SubmissionError(f"{where} dépasse {TOTAL >> 20} Mio.")
    except SubmissionError as error:
        return Export("folder", where, problems=(str(error),))
    found = _tree("folder", where, ((str(p.relative_to(folder)), p.read_bytes()) for p in sound))
    told = f"L'export a été trouvé décompressé ({where})."
    return Export("folder", where, found.files, found.documents, found.problems,
                  (told, *found.notices))  # fmt: skip


def _tree(form: str, where: str, members: Iterable[tuple[str, bytes]]) -> Export:
    """Sort the members by kind, below whatever root folder they have."""
    files: dict[str, bytes] = {}
    problems: list[str] = []
    notices: list[str] = []
    rootless = False
    for full, data in members:
        parts = PurePosixPath(full).parts
        at = next((n for n, part in enumerate(parts[:-1]) if part in KINDS), None)
        if at is None and parts[-1] != METADATA:
            continue
        name = "/".join(parts if at is None else parts[at:])
        name = METADATA if at is None else name
        rootless = rootless or len(parts) == name.count("/") + 1
        if name in files:
            problems.append(f"{where} : « {one_line(name, 80)} » y est deux fois.")
        files[name] = data
    documents = _documents(files, where, problems)
    if form == "zip" and rootless and documents:
        notices.append("Le zip n'a pas de dossier racine : Superset refuserait de l'importer tel "
                       "quel.")  # fmt: skip
    if METADATA not in files:
        problems.append(f"{where} n'a pas de {METADATA} : ce n'est pas un export de Superset, ou "
                        f"il a été refait à la main. {HOW}")  # fmt: skip
    return Export(form, where, files, documents, tuple(problems), tuple(notices))


def _documents(
    files: Mapping[str, bytes], where: str, problems: list[str]
) -> dict[str, dict[str, Document]]:
    found: dict[str, dict[str, Document]] = {}
    for name, data in files.items():
        if name == METADATA:
            continue
        try:
            found.setdefault(name.split("/")[0], {})[name] = read_yaml(data, name)
        except SubmissionError as error:
            problems.append(f"{where} : {error}")
    return found


def _loose(files: Iterable[Path], root: Path) -> Iterator[Export]:
    """Yield lone dashboards and charts, handed in as YAML or JSON without the rest."""
    few = [p for p in files if p.suffix.lower() in (".yaml", ".yml", ".json")][:LOOSE]
    for path in few:
        if path.stat().st_size > MEMBER or path.name.startswith(("compose", "docker-compose")):
            continue
        where = _shown(path, root)
        form = "json" if path.suffix.lower() == ".json" else "yaml"
        documents = _lone(_load(path, form))
        told = (f"« {where} » seul ne suffit pas : il faut l'export entier (graphiques, jeu de "
                f"données, connexion). {HOW}")  # fmt: skip
        yield Export(form, where, documents=documents, problems=(told,))


def _load(path: Path, form: str) -> Document:
    try:
        if form == "yaml":
            return read_yaml(path.read_bytes(), path.name)
        return mapping(json.loads(path.read_bytes()))
    except (SubmissionError, ValueError, RecursionError):
        return {}


def _lone(document: Document) -> dict[str, dict[str, Document]]:
    """Return the dashboards and charts of a lone document, in the form of an export's."""
    boards: dict[str, Document] = {}
    charts: dict[str, Document] = {}
    inner = mapping(document.get("result")) or document
    if "dashboard_title" in inner:
        boards["dashboard"] = _board(inner)
    elif "slice_name" in inner and "viz_type" in inner:
        charts["chart"] = inner
    for n, wrapped in enumerate(items(document.get("dashboards"))):  # Superset before 1.0
        old = mapping(mapping(wrapped).get("__Dashboard__"))
        if old:
            boards[f"dashboard {n}"] = _board(old)
        for m, part in enumerate(items(old.get("slices"))):
            slice_ = mapping(mapping(part).get("__Slice__"))
            charts[f"chart {n} {m}"] = {**slice_, "params": mapping(slice_.get("params"))}
    return {k: v for k, v in (("dashboards", boards), ("charts", charts)) if v}


def _board(old: Document) -> Document:
    """Return a dashboard with the keys of an export, from those of the API and of old JSON."""
    return {
        **old,
        "position": mapping(old.get("position") or old.get("position_json")),
        "metadata": mapping(old.get("metadata") or old.get("json_metadata")),
    }


def _junk(path: PurePosixPath) -> bool:
    return any(part.startswith(_JUNK) for part in path.parts)


def _shown(path: Path, root: Path) -> str:
    return one_line(path.relative_to(root), 120) if path != root else ""
