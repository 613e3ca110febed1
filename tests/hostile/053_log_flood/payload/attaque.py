import sys

while True:
    sys.stdout.write("x" * 8000 + "\n")
