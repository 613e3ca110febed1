"""Arguments and exit codes, nothing else. Commands are imported only when called."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import traceback
from types import FrameType

import click

from graders.errors import BaremeError
from graders.version import VERSION

OURS = 2  # exit code of a fault of the machine, the harness or the command line
COMMANDS = {  # name: (module, one line for --help)
    "datagen": ("datagen.cli:datagen_command", "Génère les données d'une équipe."),
    "start": ("graders.commands.work:start", "Copie le dossier de départ d'un exercice."),
    "check": ("graders.commands.grading:check", "Vérifie son propre travail, avec des indices."),
    "grade": ("graders.commands.grading:grade", "Corrige des rendus et écrit les rapports."),
    "batch": ("graders.commands.cohort:batch", "Corrige toute une promotion."),
    "pr": ("graders.commands.cohort:pr", "Corrige ce qu'une pull request a changé."),
    "selftest": (
        "graders.commands.selftest:selftest",
        "Corrige le correcteur : table des mutants.",
    ),
    "unlock": ("graders.commands.vault:unlock", "Ouvre une correction avec le mot de passe."),
    "seal": ("graders.commands.vault:seal", "Scelle un dossier de correction."),
    "rekey": ("graders.commands.vault:rekey", "Change le mot de passe des corrections."),
    "demo": ("graders.commands.work:demo", "Corrige une solution et une variante fautive."),
    "images": ("graders.commands.machine:images", "Liste, construit ou télécharge les images."),
    "doctor": ("graders.commands.machine:doctor", "Dit ce que cette machine a, et n'a pas."),
    "clean": ("graders.commands.clean:clean", "Retire tout ce que barème a laissé."),
}


class Lazy(click.Group):
    """A group that imports a command's module only when the command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: D102
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: D102
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name][0].split(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: D102
        with formatter.section("Commandes"):
            formatter.write_dl([(name, what) for name, (_, what) in COMMANDS.items()])


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="bareme")
def bareme() -> None:
    """Corrige les travaux pratiques du cours, par le comportement des outils."""


def main() -> None:
    """Run the command line; whatever is not the student's fault ends with exit code 2."""
    signal.signal(signal.SIGTERM, _stop)
    os.umask(0o022)  # containers of other users read the copy and the data
    try:
        # Not standalone: click would end an interruption with 1, which says « refused » here.
        sys.exit(bareme(prog_name="bareme", standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
    except (click.Abort, KeyboardInterrupt):
        click.echo("bareme : interrompu.", err=True)
    except BaremeError as error:
        click.echo(f"bareme : {error}", err=True)
    except OSError as error:
        where = f"{error.filename} : " if error.filename else ""
        click.echo(f"bareme : {where}{error.strerror or error}", err=True)
    except Exception as error:
        traceback.print_exc()
        click.echo(f"bareme : faute du correcteur, à signaler : {error!r}", err=True)
    sys.exit(OURS)


def _stop(_number: int, _frame: FrameType | None) -> None:
    # Unwinds like Ctrl-C, so that stacks and scratch folders are removed.
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
