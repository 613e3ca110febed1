"""`clean`."""

from __future__ import annotations

import click

WORDS = {
    "containers": "conteneurs",
    "networks": "réseaux",
    "volumes": "volumes",
    "images": "images",
    "folders": "dossiers temporaires",
}


@click.command()
@click.option("--all", "everything", is_flag=True, help="Aussi les piles en cours de correction.")
def clean(everything: bool) -> None:
    """Retire les restes de corrections interrompues, et rien d'autre."""
    from graders import clean as cleaning

    counts = cleaning.clean(everything=everything)
    gone = [f"{count} {WORDS[kind]}" for kind, count in counts.items() if count]
    click.echo(f"Retiré : {', '.join(gone)}." if gone else "Rien à retirer.")
