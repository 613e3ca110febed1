"""`images` (list, build, pull) and `doctor`."""

from __future__ import annotations

import click

_TITLES = {"EMBEDDED": "Pour corriger sans Docker", "DOCKER": "Pour corriger avec Docker"}


@click.group(invoke_without_command=True)
@click.pass_context
def images(context: click.Context) -> None:
    """Liste, construit ou télécharge les images des outils."""
    if context.invoked_subcommand is None:
        context.invoke(list_)


@images.command("list")
@click.option("--json", "as_json", is_flag=True, help="En JSON, pour un programme.")
def list_(as_json: bool) -> None:
    """Dit quelles images sont là, et lesquelles manquent."""
    import contextlib
    import json

    from graders import images as catalogue

    with contextlib.closing(catalogue.engine()) as client:
        states = catalogue.states(client)
    if as_json:
        rows = [
            {
                "name": s.recipe.name,
                "tag": s.recipe.tag,
                "official": s.recipe.reference,
                "usable": s.usable,
                "state": s.kind,
                "bytes": s.size,
            }
            for s in states
        ]
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    for s in states:
        size = f"{s.size / 1e6:.0f} Mo" if s.usable else f"environ {s.recipe.megabytes} Mo"
        click.echo(f"{s.recipe.name:10} {s.name:42} {s.kind}, {size}")


@images.command()
@click.argument("names", nargs=-1)
@click.option("--force", is_flag=True, help="Même si l'image est à jour.")
def build(names: tuple[str, ...], force: bool) -> None:
    """Construit des images (toutes par défaut) depuis les registres de paquets."""
    from graders import images as catalogue

    catalogue.build(names, click.echo, force=force)


@images.command()
@click.argument("names", nargs=-1)
def pull(names: tuple[str, ...]) -> None:
    """Télécharge des images officielles (toutes par défaut) d'un registre d'images."""
    from graders import images as catalogue

    catalogue.pull(names, click.echo)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="En JSON, pour un programme.")
@click.pass_context
def doctor(context: click.Context, as_json: bool) -> None:
    """Dit ce que cette machine a, ce qui manque, et quoi taper.

    Code de retour 0 si la correction sans Docker est possible, 1 sinon.
    """
    import json

    from graders import doctor as ward

    items = ward.examine()
    embedded, docker = (ward.ready(items, need) for need in (ward.Need.EMBEDDED, ward.Need.DOCKER))
    if as_json:
        value = {"embedded": embedded, "docker": docker, "items": ward.as_json(items)}
        click.echo(json.dumps(value, ensure_ascii=False, indent=2))
    else:
        for need in ward.Need:
            click.secho(_TITLES[need.name], bold=True)
            for item in (i for i in items if i.need is need):
                click.echo(f"  {'✓' if item.ok else '✗'} {item.title} : {item.seen}")
                if not item.ok:
                    click.echo(f"      → {item.todo}")
        click.echo(_verdict(embedded, docker))
    context.exit(0 if embedded else 1)


def _verdict(embedded: bool, docker: bool) -> str:
    if not embedded:
        return "La correction sans Docker n'est pas possible : voyez les lignes marquées ✗."
    if not docker:
        return "Prêt sans Docker. Avec Docker, il manque ce qui est marqué ✗."
    return "Prêt, sans Docker et avec."
