#!/usr/bin/env bash
# Make a virtual environment with everything, from the lock file. Usage: scripts/setup.sh .venv
set -euo pipefail
venv=$1
python=${PYTHON:-python3}
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  echo "Python 3.11 or newer is needed (found: $("$python" --version 2>&1 || echo none))." >&2
  exit 2
fi
if ! "$python" -c 'import ensurepip' 2>/dev/null; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    # Debian splits venv from python3; without it no environment can be made at all.
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv
  else
    echo "python3-venv is missing: sudo apt-get install python3-venv" >&2
    exit 2
  fi
fi
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
echo "Installing into $venv (a minute or two the first time)..." >&2
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check uv
export UV_SYSTEM_CERTS=1 # as pip does: a university's proxy may sign with its own authority
"$venv/bin/uv" pip install --quiet --compile-bytecode --python "$venv/bin/python" -r requirements.lock
"$venv/bin/uv" pip install --quiet --python "$venv/bin/python" --no-deps -e .
