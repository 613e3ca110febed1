import itertools

for number in itertools.count():
    open(f"/plein/{number}", "w").close()
