"""The teams' data sets: the same seed gives the same bytes on every machine.

Read `table.py` first (each column draws from a stream of its own), `sheet.py` (rows are whole
numbers, shown as columns or as CSV), then a data set (`shop.py`), then `layouts.py` (which files
an exercise is made of) and `registry.py` (the door: all or nothing).
"""
