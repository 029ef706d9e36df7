#!/bin/bash
# Builds an appliance from what `make bundle FROM=… OUT=…` was given: a lock file, or an official FATE offline package,
# for which the lock file is written first, next to the package, with its Miniconda and wheels, of which python is made on
# the host. A lock file that is there already is used as it is.
set -euo pipefail
cd "$(dirname "$0")/.."
from=${1:-} out=${2:-}
if [ -z "$from" ] || [ -z "$out" ]; then
	echo "usage: make bundle FROM=<lock file or AnsibleFATE_*_release_offline.tar.gz> OUT=<appliance to write>" >&2
	exit 2
fi
lock=$from
case $from in
*.tar.gz | *.tgz)
	lock=${from%.t*gz}.lock.yaml
	[ -e "$lock" ] || bin/fate-installer bundle import "$from" --lock "$lock" --optional miniconda,pypi
	;;
esac
bin/fate-installer bundle build --lock "$lock" --out "$out"
bin/fate-installer bundle verify "$out"
