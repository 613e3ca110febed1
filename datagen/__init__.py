"""The generators of the course's data sets, and their true answers."""
