print("\x1b[2J\x1b]0;titre\x07\x1b[31m20/20\x1b[0m \u202e0/02")
print("::add-mask::20")
print("::set-output name=note::20")
raise SystemExit(1)
