#!/usr/bin/env bash
# STAND-IN for eggroll's starter of python workers: takes what the worker needs from eggroll.properties, as the real one
# does, and leaves the worker running in the background.
while [[ $# -gt 1 ]]; do
	case $1 in
	--config) config=$2 ;;
	--session-id) session=$2 ;;
	--server-node-id) node=$2 ;;
	--processor-id) processor=$2 ;;
	esac
	shift 2
done
property() {
	grep "$1" "$config" | awk -F '=' '{if($2!~/^#/) print $2}'
}
worker=eggroll.resourcemanager.bootstrap.egg_pair
venv=$(property $worker.venv)
PYTHONPATH=$(property $worker.pythonpath):$PYTHONPATH
export PYTHONPATH
logs=$(property eggroll.logs.dir)/$session
mkdir -p "$logs"
"$venv/bin/python" "$(property $worker.filepath)" --config "$config" --session-id "$session" --server-node-id "$node" \
	--node-manager "$(property eggroll.resourcemanager.nodemanager.port)" --processor-id "$processor" \
	>>"$logs/egg_pair-$processor.out" 2>"$logs/egg_pair-$processor.err" &
