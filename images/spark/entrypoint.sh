#!/usr/bin/env bash
# Same contract as the entry point of the official apache/spark image outside Kubernetes: a user
# without an entry in /etc/passwd gets a name, root steps down to spark, and the command is run.
set -e

if ! getent passwd "$(id -u)" >/dev/null; then
  wrapper=$(ls /usr/lib/*/libnss_wrapper.so)
  NSS_WRAPPER_PASSWD=$(mktemp) NSS_WRAPPER_GROUP=$(mktemp)
  export LD_PRELOAD=$wrapper NSS_WRAPPER_PASSWD NSS_WRAPPER_GROUP
  echo "spark:x:$(id -u):$(id -g):anonymous:$SPARK_HOME:/bin/false" > "$NSS_WRAPPER_PASSWD"
  echo "spark:x:$(id -g):" > "$NSS_WRAPPER_GROUP"
fi
[ "$(id -u)" != 0 ] || exec setpriv --reuid=spark --regid=spark --init-groups "$@"
exec "$@"
