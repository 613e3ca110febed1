#!/usr/bin/env bash
# Same contract as the entry point of the official postgres image: the variables POSTGRES_USER,
# _PASSWORD, _DB, _INITDB_ARGS (each also as NAME_FILE), POSTGRES_INITDB_WALDIR and
# POSTGRES_HOST_AUTH_METHOD, and the files of /docker-entrypoint-initdb.d, at the first start only.
set -Eeo pipefail

file_env() { # NAME DEFAULT: NAME, else what the file named by NAME_FILE holds, else DEFAULT
  local name=$1 file="${1}_FILE" value=${2:-}
  if [ -n "${!name:-}" ] && [ -n "${!file:-}" ]; then
    echo >&2 "error: both $name and $file are set (but are exclusive)"; exit 1
  fi
  if [ -n "${!name:-}" ]; then value=${!name}; elif [ -n "${!file:-}" ]; then value=$(<"${!file}"); fi
  export "$name"="$value"
  unset "$file"
}

prepare_directories() {
  mkdir -p "$PGDATA" /var/run/postgresql 2>/dev/null || :
  chmod 00700 "$PGDATA" 2>/dev/null || :
  chmod 03775 /var/run/postgresql 2>/dev/null || :
  [ -z "${POSTGRES_INITDB_WALDIR:-}" ] || mkdir -p "$POSTGRES_INITDB_WALDIR"
  [ "$(id -u)" = 0 ] || return 0
  find "$PGDATA" /var/run/postgresql ${POSTGRES_INITDB_WALDIR:+"$POSTGRES_INITDB_WALDIR"} \
    ! -user postgres -exec chown postgres {} +
}

require_password() {
  [ -z "$POSTGRES_PASSWORD" ] && [ "$POSTGRES_HOST_AUTH_METHOD" != trust ] || return 0
  cat >&2 <<-'EOF'
	Error: Database is uninitialized and superuser password is not specified.
	       You must specify POSTGRES_PASSWORD to a non-empty value for the superuser.
	EOF
  exit 1
}

init_database() {
  # a user without an entry in /etc/passwd (user: "1234") is unknown to initdb
  local wrapper
  if ! getent passwd "$(id -u)" >/dev/null; then
    wrapper=$(ls /usr/lib/*/libnss_wrapper.so)
    NSS_WRAPPER_PASSWD=$(mktemp) NSS_WRAPPER_GROUP=$(mktemp)
    echo "postgres:x:$(id -u):$(id -g):PostgreSQL:$PGDATA:/bin/false" > "$NSS_WRAPPER_PASSWD"
    echo "postgres:x:$(id -g):" > "$NSS_WRAPPER_GROUP"
    export LD_PRELOAD=$wrapper NSS_WRAPPER_PASSWD NSS_WRAPPER_GROUP
  fi
  local arguments=()
  [ -z "${POSTGRES_INITDB_WALDIR:-}" ] || arguments+=(--waldir "$POSTGRES_INITDB_WALDIR")
  # POSTGRES_INITDB_ARGS is a shell fragment, as in the official image
  eval 'initdb --username="$POSTGRES_USER" --pwfile=<(printf "%s\n" "$POSTGRES_PASSWORD")' \
    '"${arguments[@]}"' "${POSTGRES_INITDB_ARGS:-}"
  if [ -n "${wrapper:-}" ]; then
    rm -f "$NSS_WRAPPER_PASSWD" "$NSS_WRAPPER_GROUP"
    unset LD_PRELOAD NSS_WRAPPER_PASSWD NSS_WRAPPER_GROUP
  fi
  local method=${POSTGRES_HOST_AUTH_METHOD:-$(postgres -C password_encryption -D "$PGDATA")}
  printf '\nhost all all all %s\n' "$method" >> "$PGDATA/pg_hba.conf"
}

process_sql() { # the arguments of psql
  PGHOST='' PGHOSTADDR='' psql -v ON_ERROR_STOP=1 --no-psqlrc --no-password \
    --username "$POSTGRES_USER" --dbname "${database:-$POSTGRES_DB}" "$@"
}

create_database() {
  local database=postgres found
  found=$(process_sql --tuples-only --set db="$POSTGRES_DB" <<< \
    "SELECT 1 FROM pg_database WHERE datname = :'db';")
  [ -n "$found" ] || process_sql --set db="$POSTGRES_DB" <<< 'CREATE DATABASE :"db";'
}

run_init_files() {
  local f
  for f in /docker-entrypoint-initdb.d/*; do
    case $f in
      *.sh)
        if [ -x "$f" ]; then echo "$0: running $f"; "$f"; else echo "$0: sourcing $f"; . "$f"; fi ;;
      *.sql) echo "$0: running $f"; process_sql -f "$f" ;;
      *.sql.gz) echo "$0: running $f"; gunzip -c "$f" | process_sql ;;
      *.sql.xz) echo "$0: running $f"; xzcat "$f" | process_sql ;;
      *.sql.zst) echo "$0: running $f"; zstd -dc "$f" | process_sql ;;
      */'*') ;;
      *) echo "$0: ignoring $f" ;;
    esac
  done
}

first_start() { # the server's arguments
  require_password
  ls /docker-entrypoint-initdb.d/ >/dev/null # fails before initdb where the folder cannot be read
  init_database
  export PGPASSWORD="${PGPASSWORD:-$POSTGRES_PASSWORD}"
  [ "${1:-}" != postgres ] || shift
  # on the Unix socket only, so that nobody takes the server for ready before the files have run
  NOTIFY_SOCKET='' pg_ctl -D "$PGDATA" -w start \
    -o "$(printf '%q ' "$@" -c listen_addresses='' -p "${PGPORT:-5432}")"
  create_database
  run_init_files
  pg_ctl -D "$PGDATA" -m fast -w stop
  unset PGPASSWORD
  printf '\nPostgreSQL init process complete; ready for start up.\n\n'
}

main() {
  [ "${1:0:1}" != - ] || set -- postgres "$@"
  if [ "${1:-}" = postgres ] && [[ " $* " != *" --version "* && " $* " != *" --help "* ]]; then
    file_env POSTGRES_PASSWORD
    file_env POSTGRES_USER postgres
    file_env POSTGRES_DB "$POSTGRES_USER"
    file_env POSTGRES_INITDB_ARGS
    : "${POSTGRES_HOST_AUTH_METHOD:=}"
    prepare_directories
    if [ "$(id -u)" = 0 ]; then
      exec setpriv --reuid=postgres --regid=postgres --init-groups "$BASH_SOURCE" "$@"
    fi
    if [ -s "$PGDATA/PG_VERSION" ]; then
      printf '\nPostgreSQL Database directory appears to contain a database; Skipping initialization\n\n'
    else
      first_start "$@"
    fi
  fi
  exec "$@"
}

# a script of initdb.d that sources this file gets the functions only
[ "${FUNCNAME[0]:-}" = source ] || main "$@"
