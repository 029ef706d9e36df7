#!/bin/bash
# Runs every comparison under scripts/bench, one after the other, and prints their tables. Arguments go to none of them: each
# is a program of its own with flags (go run ./scripts/bench/NAME -h).
set -euo pipefail
cd "$(dirname "$0")/../.."
make -s build
for comparison in scripts/bench/*/; do
	name=$(basename "$comparison")
	echo "# $name"
	echo
	go build -o "bin/bench-$name" "./$comparison"
	"bin/bench-$name"
	echo
done
