#!/usr/bin/env bash
# Same contract as the entry point of the official apache/airflow image: subcommands of airflow with or
# without the word, bash and python; the group must be 0; the metadata database is waited for.
set -euo pipefail

check_group() {
  [ "$(id -g)" = 0 ] || [ "$(id -u)" = 50000 ] || {
    echo >&2 "ERROR! You should run the image with GID=0 (here: UID=$(id -u), GID=$(id -g))"
    exit 1
  }
}

name_user() { # a user without an entry in /etc/passwd
  whoami >/dev/null 2>&1 && return
  [ ! -w /etc/passwd ] || echo "default:x:$(id -u):0:default:/home/airflow:/sbin/nologin" >> /etc/passwd
  export HOME=/home/airflow
}

wait_for_database() {
  local url=${AIRFLOW__DATABASE__SQL_ALCHEMY_CONN:-} tries=${CONNECTION_CHECK_MAX_COUNT:-20} address
  case $url in postgresql*) ;; *) return 0 ;; esac
  address=$(python3 -c 'import sys, urllib.parse as u
p = u.urlsplit(sys.argv[1]); print(p.hostname or "localhost", p.port or 5432)' "$url")
  for ((; tries > 0; tries--)); do
    (exec 3<>"/dev/tcp/${address/ //}") 2>/dev/null && return 0
    [ "$tries" = 1 ] || sleep "${CONNECTION_CHECK_SLEEP_TIME:-3}"
  done
  [ "${CONNECTION_CHECK_MAX_COUNT:-20}" = 0 ] || { echo >&2 "ERROR! No database at $address"; exit 1; }
}

check_group
umask 0002
name_user
wait_for_database
[ -z "${_AIRFLOW_DB_MIGRATE:-}" ] || airflow db migrate || true
[ -z "${_PIP_ADDITIONAL_REQUIREMENTS:-}" ] ||
  echo >&2 "WARNING: _PIP_ADDITIONAL_REQUIREMENTS is ignored: no package registry is reachable from here"

case "${1:-}" in
  bash | python) exec "$@" ;;
  airflow) shift ;;
esac
exec airflow "$@"
