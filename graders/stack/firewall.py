"""Shield the host's own services, where this process may write firewall rules.

An internal network blocks the way out, but not the way to the host through the bridge's address.
Two rules about bridges of ours alone, whose names begin with `brm` (the policy's) and `brmp` (the
doors'): nothing new comes from them to the host, and nothing at all leaves from a door's. The host
still reaches the containers. The rules are idempotent, and stay.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess

PREFIX = "brm"
DOORS = "brmp"  # p is no hex digit: no network of a plan has such a name
_NEW = ("-m", "conntrack", "!", "--ctstate", "ESTABLISHED,RELATED", "-j", "DROP")
HOST = ("INPUT", "-i", f"{PREFIX}+", *_NEW)
OUT = ("DOCKER-USER", "-i", f"{DOORS}+", *_NEW)  # the chain that the engine leaves to its users


@functools.cache
def ensure() -> bool:
    """Put the rules in force if they are not; tell whether the host is shielded."""
    for rule in (HOST, OUT):
        if not _iptables("-C", *rule):
            _iptables("-I", *rule)
    return in_force()


def in_force() -> bool:
    """Tell whether containers are kept from the host's services."""
    return _iptables("-C", *HOST)


def _iptables(*words: str) -> bool:
    path = shutil.which("iptables", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if not path or os.geteuid() != 0:
        return False
    try:
        done = subprocess.run(
            [path, "-w", "5", *words], capture_output=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
