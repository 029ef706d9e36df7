#!/bin/bash
# STAND-IN for eggroll's starter and stopper of workers, with the real one's command lines: start runs a script in the
# background; stop and kill take a list of processes as ps prints it and end those it names.
action=$1
what=$2
bash=$(which bash)
echo "$action: $what"
case $action in
start)
	${bash} ${what} &
	;;
stop)
	eval "${what} | grep -v $(basename "$0") | awk '{print \$2}' | xargs kill"
	;;
kill)
	eval "${what} | grep -v $(basename "$0") | awk '{print \$2}' | xargs kill -9"
	;;
esac
echo "$action: result $?"
