import sys

open("/tmp/bareme-evil", "w").close()


def pytest_runtest_makereport(item, call):
    raise SystemExit(0)
