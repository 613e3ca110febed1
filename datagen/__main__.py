"""`python -m datagen EX --team SLUG`."""

from datagen.cli import datagen_command

datagen_command(prog_name="python -m datagen")
