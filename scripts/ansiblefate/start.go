package ansiblefate

import "path"

// Scripts that start the programs in the foreground with the command lines of AnsibleFATE's. They are shorter: they do
// not look for running processes, nor for the ports.

// eggrollScript is bin/fate-eggroll.sh MODULE starting.
const eggrollScript = `#!/bin/bash
cd "$(dirname "$0")/.." || exit 1
export EGGROLL_HOME=$PWD PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION=python
source ../bin/init_env.sh
value() { sed -n "s/^eggroll\.$1=//p" conf/eggroll.properties; }
case $1 in
clustermanager) class=com.webank.eggroll.core.resourcemanager.ClusterManagerBootstrap key=resourcemanager.$1 ;;
nodemanager) class=com.webank.eggroll.core.resourcemanager.NodeManagerBootstrap key=resourcemanager.$1 ;;
rollsite) class=com.webank.eggroll.rollsite.EggSiteBootstrap key=$1 ;;
*) exit 2 ;;
esac
mkdir -p logs/eggroll
export EGGROLL_LOG_FILE=$1
exec java $(value $key.jvm.options) -Dlog4j.configurationFile=$EGGROLL_HOME/conf/log4j2.properties \
	-cp "$EGGROLL_HOME/lib/*:" com.webank.eggroll.core.Bootstrap --bootstraps $class \
	-c $EGGROLL_HOME/conf/eggroll.properties -p "$(value $key.port)" -s "$(value resourcemanager.process.tag)" \
	>>logs/eggroll/bootstrap.$1.out 2>>logs/eggroll/bootstrap.$1.err
`

// boardScript is service.sh of FATE-Board. What it prints is lost.
const boardScript = `#!/bin/bash
cd "$(dirname "$0")" || exit 1
source ../bin/init_env.sh
exec "$JAVA_HOME/bin/java" -Dspring.config.location="$PWD/conf/application.properties" -Dssh_config_file="$PWD/ssh/" \
	-Xmx2048m -Xms2048m -XX:+PrintGCDetails -XX:+PrintGCDateStamps -Xloggc:gc.log \
	-XX:+HeapDumpOnOutOfMemoryError -jar "$PWD/fateboard.jar" >/dev/null 2>&1
`

// safeScript is bin/mysqld_safe --defaults-file=FILE --user=USER. It starts a server again that does not end by itself.
const safeScript = `#!/bin/sh
cd "$(dirname "$0")/.." || exit 1
export LD_LIBRARY_PATH="$PWD/lib"
value() { sed -n "s/^$1=//p" conf/my.cnf; }
server=bin/mysqld
[ -x $server ] || server=bin/mariadbd
until "$PWD/$server" "$1" --basedir="$PWD" --datadir="$(value datadir)" --log-error="$(value log-error)" \
	--pid-file="$(value pid-file)" >/dev/null 2>&1
do
	sleep 1
done
`

// flowScript is service.sh of FATE-Flow.
func (h *host) flowScript() string {
	logs := h.l.ComponentLogs("fateflow")
	return lines("#!/bin/bash", "source "+h.l.InitEnv(), "exec python "+h.l.FlowServer()+" >>"+
		path.Join(logs, "console.log")+" 2>>"+path.Join(logs, "error.log"))
}
