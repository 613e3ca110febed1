"""The teams' data sets: the same seed gives the same bytes on every machine.

Read `table.py` first (a column is a pure function of its own random words), then a data set
(`shop.py`), then `registry.py` (which files an exercise is made of).
"""
