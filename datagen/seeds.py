"""From the course and the team to the seed of the team's data."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from datagen.errors import DatagenError

COURSE_FILE = "cours.yaml"
_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


def checked_slug(slug: str) -> str:
    """Return the team's slug, or raise DatagenError where it isn't one."""
    if not _SLUG.fullmatch(slug):
        raise DatagenError(
            f"Nom d'équipe « {slug} » refusé : de 1 à 40 caractères parmi a-z, 0-9 et le tiret, "
            "qui n'est pas le premier (par exemple equipe-07)."
        )
    return slug


def team_seed(course: str, slug: str) -> int:
    """Return the 63-bit seed of this team's data in this course."""
    # A slug holds no slash, so no two (course, slug) pairs hash the same text.
    digest = hashlib.blake2b(f"{course}/{slug}".encode(), digest_size=8, person=b"bareme").digest()
    return int.from_bytes(digest, "big") >> 1


def course_id(root: Path) -> str:
    """Return the course's id, read from `cours.yaml` in the project's root folder."""
    import yaml  # noqa: PLC0415 - the command line must start at once

    path = root / COURSE_FILE
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DatagenError(f"{path} : fichier du cours illisible ({error.strerror}).") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DatagenError(f"{path} : YAML invalide ({error}).") from error
    course = document.get("cours") if isinstance(document, dict) else None
    if not isinstance(course, str) or not course:
        raise DatagenError(f"{path} : la clé « cours » doit donner l'identifiant du cours.")
    return course


def project_root(start: Path) -> Path:
    """Return the nearest folder, from `start` upwards, that holds `cours.yaml`."""
    for folder in (start, *start.parents):
        if (folder / COURSE_FILE).is_file():
            return folder
    raise DatagenError(
        f"{COURSE_FILE} est introuvable à partir de {start} : "
        "placez-vous dans le dossier du cours, ou donnez --root."
    )
