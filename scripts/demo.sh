#!/bin/bash
# The demo that `make demo` runs; see scripts/demo. A program of its own, and not `go run`, so that an interrupt reaches
# it alone and it can clear up.
set -euo pipefail
cd "$(dirname "$0")/.."
go build -o bin/ ./scripts/demo ./scripts/lab
exec bin/demo "$@"
