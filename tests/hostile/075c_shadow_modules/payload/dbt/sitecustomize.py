import sys

open("/tmp/bareme-evil", "w").close()
