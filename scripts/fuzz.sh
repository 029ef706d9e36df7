#!/bin/bash
# Runs every fuzz target of the module, one after the other, for the time given as the first argument (default 5s).
# `go test -fuzz` takes one target at a time, hence the loop. Then it measures how much memory each target takes.
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-5s}
# An input that makes a parser take gigabytes fails here and not on the host that reads it.
export GOMEMLIMIT=1GiB
ulimit -v $((8 << 20)) # KiB
grep -rEo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' . | sort | while IFS=: read -r file target; do
	name=${target#func }
	echo "fuzz $(dirname "$file") $name $time"
	go test -run '^$' -fuzz "^$name\$" -fuzztime "$time" -fuzzminimizetime 10x "$(dirname "$file")" >"${TMPDIR:-/tmp}/fuzz.$$" 2>&1 </dev/null || {
		cat "${TMPDIR:-/tmp}/fuzz.$$"
		rm -f "${TMPDIR:-/tmp}/fuzz.$$"
		exit 1
	}
done
rm -f "${TMPDIR:-/tmp}/fuzz.$$"
go run ./scripts/peak
