#!/bin/sh
# Install and start a Docker engine on Debian 12 or a relative of it. Only `make engine` and CI call it.
# Idempotent: installs what lacks, starts what does not answer. Without systemd, dockerd is left
# running in the background; its log is /var/log/dockerd.log.
set -eu

say() { printf 'engine: %s\n' "$*"; }
die() { printf 'engine: %s\n' "$*" >&2; exit 1; }
answers() { $SUDO docker version >/dev/null 2>&1; }

SUDO=
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null || die "root is needed: run this as root, or install sudo"
  SUDO=sudo
fi

# Daemons lie in sbin, which is not on the PATH of a plain user of Debian.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
has() { command -v "$1" >/dev/null; }
install() {
  has apt-get || die "no apt-get here: install these yourself: $*"
  say "installing $*"
  $SUDO env DEBIAN_FRONTEND=noninteractive apt-get update -qq
  $SUDO env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" \
    >/dev/null
}

set --
answers || { has docker && has dockerd; } || set -- "$@" docker.io
has iptables || set -- "$@" iptables
has mmdebstrap || set -- "$@" mmdebstrap
[ $# = 0 ] || install "$@"
has docker || install docker-cli # apart from docker.io since Debian 13

if answers; then
  say "the engine answers already"
elif [ -d /run/systemd/system ]; then
  say "starting the docker service"
  $SUDO systemctl enable --now docker
else
  say "starting dockerd in the background (no systemd); log: /var/log/dockerd.log"
  # a killed engine leaves its pid file, and the next one refuses to start
  pid=$($SUDO cat /var/run/docker.pid 2>/dev/null || true)
  if [ -n "$pid" ] && ! $SUDO kill -0 "$pid" 2>/dev/null; then $SUDO rm -f /var/run/docker.pid; fi
  $SUDO sh -c 'PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin setsid nohup dockerd >>/var/log/dockerd.log 2>&1 </dev/null &'
fi

seconds=0
until answers; do
  seconds=$((seconds + 1))
  if [ "$seconds" -gt 60 ]; then
    $SUDO tail -n 20 /var/log/dockerd.log 2>/dev/null || $SUDO journalctl -u docker -n 20 --no-pager || true
    die "no answer after 60 s"
  fi
  sleep 1
done

say "ready: $($SUDO docker version --format '{{.Server.Version}}')"
if [ -n "$SUDO" ] && ! docker version >/dev/null 2>&1; then
  say "to use it without sudo: sudo usermod -aG docker $(id -un), then log in again"
fi
