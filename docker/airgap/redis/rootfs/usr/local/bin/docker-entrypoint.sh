#!/bin/sh
# Starts Redis as the official image does: options alone are redis-server's, other commands are run as they are.
set -e

if [ "${1#-}" != "$1" ] || [ "${1%.conf}" != "$1" ]; then
  set -- redis-server "$@"
fi

# The official image is compiled with protected mode off, as a container's ports are open only when published.
# Debian's is not: it is told so, unless the arguments or the configuration file say something about it.
open_to_others() {
  shift
  for argument; do
    case $argument in
      *protected-mode* | -v | --version | -h | --help | --test-memory | --check-system | -) return 1 ;;
    esac
  done
  case ${1:-} in
    '' | -*) return 0 ;;
    *) ! grep -qsiE '^[[:space:]]*(protected-mode|include)[[:space:]]' "$1" ;;
  esac
}

if [ "$1" = redis-server ]; then
  if [ "$(id -u)" = 0 ]; then
    find . \! -user redis -exec chown redis '{}' +
    exec setpriv --reuid=redis --regid=redis --init-groups "$0" "$@"
  fi
  # Files of the data folder are nobody else's business.
  if [ "$(umask)" = 0022 ]; then umask 0077; fi
  if open_to_others "$@"; then
    set -- "$@" --protected-mode no
  fi
fi

exec "$@"
