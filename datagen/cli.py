"""`bareme datagen`: a team's data, from the command line; imports nothing heavy before it runs."""

from __future__ import annotations

from pathlib import Path

import click

from datagen import registry, seeds
from datagen.errors import DatagenError
from datagen.options import Format


@click.command("datagen", help="Génère les données d'une équipe pour l'exercice EX.")
@click.argument("exercise", metavar="EX")
@click.option("--team", "slug", required=True, metavar="SLUG", help="Nom court de l'équipe.")
@click.option("--scale", type=float, default=1.0, show_default=True, help="Facteur de taille.")
@click.option("--rows", type=click.IntRange(min=1), help="Nombre de transactions (04_spark).")
@click.option(
    "--format", "file_format", type=click.Choice(["csv", "parquet"]), help="Format (04_spark)."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Dossier à créer [défaut : submissions/SLUG/EX/donnees].",
)
@click.option(
    "--root",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Dossier du cours, qui contient cours.yaml.",
)
def datagen_command(
    *,
    exercise: str,
    slug: str,
    scale: float,
    rows: int | None,
    file_format: Format | None,
    out: Path | None,
    root: Path | None,
) -> None:
    """Generate one team's data for one exercise."""
    try:
        root = root or seeds.project_root(Path.cwd())
        seed = seeds.team_seed(seeds.course_id(root), seeds.checked_slug(slug))
        folder = out or root / "submissions" / slug / exercise / "donnees"
        _write_with_progress(
            exercise, seed, folder, scale=scale, rows=rows, file_format=file_format
        )
    except DatagenError as error:
        click.echo(f"Erreur : {error}", err=True)
        raise click.exceptions.Exit(2) from error
    click.echo(f"Données de l'équipe {slug} pour {exercise} : {folder}")


def _write_with_progress(
    exercise: str,
    seed: int,
    folder: Path,
    *,
    scale: float,
    rows: int | None,
    file_format: Format | None,
) -> None:
    from rich.console import Console  # noqa: PLC0415 - loads on use
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with bar:
        task = bar.add_task("Lignes écrites", total=None)
        registry.write(
            exercise,
            seed,
            folder,
            scale,
            rows=rows,
            format=file_format,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
