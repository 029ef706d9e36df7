#!/bin/bash
# Runs every fuzz target of the module, one after the other, for the time given as the first argument (default 5s).
# `go test -fuzz` takes one target at a time, hence the loop. Then it measures how much memory each target takes.
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-5s}
# An input that makes a parser take gigabytes fails here and not on the host that reads it.
export GOMEMLIMIT=1GiB
ulimit -v $((8 << 20)) # KiB
output=$(mktemp)
trap 'rm -f "$output"' EXIT
grep -rEo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' . | sort | while IFS=: read -r file target; do
	name=${target#func }
	echo "fuzz $(dirname "$file") $name $time"
	# Up to Go 1.26 a run may fail with the end of its own time, without an input that fails (go.dev/issue/75804): run it again.
	for attempt in 1 2 3; do
		if go test -run '^$' -fuzz "^$name\$" -fuzztime "$time" -fuzzminimizetime 10x "$(dirname "$file")" >"$output" 2>&1 </dev/null; then
			continue 2
		fi
		if [ "$attempt" = 3 ] || grep -q 'Failing input written' "$output" || ! grep -q '^ *context deadline exceeded$' "$output"; then
			cat "$output"
			exit 1
		fi
	done
done
go run ./scripts/peak
