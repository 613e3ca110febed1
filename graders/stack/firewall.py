"""Keep containers from the host's own services, where this process may write firewall rules.

An internal network blocks the way out, but not the way to the host through the bridge's address.
The rule is about bridges whose name begins with `brm`, the prefix that the policy gives; it lets
the host reach the containers, and stays: it is idempotent, and names nothing else.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess

PREFIX = "brm"
_STATE = ("-m", "conntrack", "!", "--ctstate", "ESTABLISHED,RELATED")
RULE = ("INPUT", "-i", f"{PREFIX}+", *_STATE, "-j", "DROP")


@functools.cache
def ensure() -> bool:
    """Put the rule in force if it is not; tell whether it is."""
    return in_force() or (_iptables("-I", *RULE) and in_force())


def in_force() -> bool:
    """Tell whether containers are kept from the host's services."""
    return _iptables("-C", *RULE)


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
