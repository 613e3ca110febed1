"""`python -m datagen EX --team SLUG`."""

from datagen.cli import datagen

datagen(prog_name="python -m datagen")
