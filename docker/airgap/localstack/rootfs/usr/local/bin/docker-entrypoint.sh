#!/bin/bash
# Starts LocalStack as the official image does: LOCALSTACK_X means X, the boot hooks run first, then the supervisor,
# which ends LocalStack on SIGTERM and restarts it on SIGUSR1, takes this process's place.
set -eo pipefail

for name in "${!LOCALSTACK_@}"; do
  case $name in
    LOCALSTACK_HOST | LOCALSTACK_HOSTNAME | LOCALSTACK_BUILD_* | LOCALSTACK_[0-9]*) ;;
    *) export "${name#LOCALSTACK_}=${!name}" ;;
  esac
done

mkdir -p /var/lib/localstack/logs
if [[ -d /etc/localstack/init/boot.d ]]; then
  python3 -m localstack.runtime.init BOOT
fi
exec localstack-supervisor "$@"
