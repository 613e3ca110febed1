"""`bareme unlock`, `bareme seal`, `bareme rekey`: arguments and messages, nothing else.

A password comes from a file, the environment or the keyboard, never from the command line, where
every user of the machine could read it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

VARIABLE = "BAREME_PASSWORD"
NEW_VARIABLE = "BAREME_NEW_PASSWORD"
_MAX_PASSWORD = 1024
PARTS = frozenset({"solution", "mutants", "variante"})  # what a correction is made of

_file = click.option(
    "--password-file",
    type=click.Path(exists=True, path_type=Path),
    help=f"Fichier dont la première ligne est le mot de passe (sinon ${VARIABLE}, sinon demandé).",
)


@click.command()
@click.argument("exercise", metavar="EX")
@click.option("--to", type=click.Path(path_type=Path), help="Dossier à créer [corrections/EX].")
@click.option("--force", is_flag=True, help="Remplacer le dossier s'il existe.")
@_file
def unlock(exercise: str, to: Path | None, force: bool, password_file: Path | None) -> None:
    """Déverrouille la correction d'un exercice."""
    from graders import course, rubric, vault
    from graders.errors import UsageError

    folder = course.exercise(exercise, course.ROOT)
    archive = _archive(course.ROOT, folder.name)
    target = to or course.ROOT / "corrections" / folder.name
    vault.check_target(target, force=force)  # before asking for a password in vain
    if target.is_dir() and {path.name for path in target.iterdir()} - PARTS:
        raise UsageError(f"{target} n'est pas une correction : il ne sera pas remplacé.")
    at_least = rubric.load(folder).version
    secret = password(password_file)
    vault.unlock(archive, folder.name, secret, target, force, at_least=at_least)
    click.echo(f"Correction de {folder.name} déverrouillée dans {click.format_filename(target)}")


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, path_type=Path))
@click.option("--exercise", metavar="EX", required=True, help="Exercice que DIR corrige.")
@_file
def seal(folder: Path, exercise: str, password_file: Path | None) -> None:
    """Scelle le dossier DIR dans solutions_encrypted/EX.bareme."""
    from graders import course, rubric, vault
    from graders.errors import UsageError

    if not (folder / "solution").is_dir() or {p.name for p in folder.iterdir()} - PARTS:
        raise UsageError(
            f"{folder} : une correction est un dossier solution/, et rien d'autre à côté que "
            "mutants/ et variante/."
        )
    found = course.exercise(exercise, course.ROOT)
    archive = _archive(course.ROOT, found.name)
    version = rubric.load(found).version
    secret = password(password_file, confirm=True)
    vault.seal(folder, found.name, version, secret, archive)
    click.echo(f"Scellé dans {click.format_filename(archive)} (version {version})")


@click.command()
@click.argument("exercises", metavar="[EX...]", nargs=-1)
@_file
@click.option(
    "--new-password-file",
    type=click.Path(exists=True, path_type=Path),
    help=f"Fichier du nouveau mot de passe (sinon ${NEW_VARIABLE}, sinon demandé).",
)
def rekey(
    exercises: tuple[str, ...], password_file: Path | None, new_password_file: Path | None
) -> None:
    """Change le mot de passe des archives scellées (toutes par défaut)."""
    from graders import course, vault
    from graders.errors import UsageError

    names = [course.exercise(name, course.ROOT).name for name in exercises]
    sealed = sorted((course.ROOT / "solutions_encrypted").glob("*.bareme"))
    archives = [_archive(course.ROOT, name) for name in dict.fromkeys(names)] or sealed
    if not archives:
        raise UsageError("Aucune archive scellée dans solutions_encrypted/.")
    old = password(password_file)
    for archive in archives:  # all of them first: a wrong password changes none
        vault.verify(archive, archive.stem, old)
    new = password(
        new_password_file, variable=NEW_VARIABLE, prompt="Nouveau mot de passe", confirm=True
    )
    for archive in archives:
        vault.rekey(archive, archive.stem, old, new)
        click.echo(f"Mot de passe changé : {click.format_filename(archive)}")


def password(
    file: Path | None,
    *,
    variable: str = VARIABLE,
    prompt: str = "Mot de passe des corrections",
    confirm: bool = False,
) -> str:
    """Return a password from `file`, else from the environment, else from the keyboard.

    The variable is removed from the environment, so that no process started later inherits it.
    """
    from graders.errors import UsageError

    inherited = os.environ.pop(variable, "")
    if file is not None:
        return _first_line(file)
    if inherited:
        return inherited
    if not sys.stdin.isatty():
        raise UsageError(
            f"Il faut un mot de passe : --password-file FICHIER, ou la variable {variable}."
        )
    answer: str = click.prompt(
        prompt, hide_input=True, confirmation_prompt="Encore une fois" if confirm else False
    )
    return answer


def _first_line(file: Path) -> str:
    from graders.errors import UsageError

    try:
        with file.open("rb") as stream:
            line = stream.readline(_MAX_PASSWORD + 1).rstrip(b"\r\n").decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        line = ""
    if not 0 < len(line) <= _MAX_PASSWORD:
        name = click.format_filename(file)
        raise UsageError(f"{name} : sa première ligne doit être un mot de passe, en UTF-8.")
    return line


def _archive(root: Path, exercise: str) -> Path:
    return root / "solutions_encrypted" / f"{exercise}.bareme"
