package supervisor

import (
	"strings"
	"text/template"
)

// Init is a kind of init other than systemd.
type Init int

// The kinds of init.
const (
	SystemV Init = iota
	OpenRC
	Upstart
)

// Script returns the path, content and permissions of what makes an init of a kind run the daemon. As with systemd, it
// is for the daemon to end its programs, and it gets the time for that. System V alone does not start a daemon again
// that has died; its programs go on, and the next start takes them over.
func (u Unit) Script(kind Init) (path string, content []byte, perm uint32) {
	script := initScripts[kind]
	var b strings.Builder
	err := script.text.Execute(&b, map[string]string{"Name": UnitName, "Program": ShellWord(u.Executable),
		"Base": ShellWord(u.Base)})
	if err != nil {
		panic("supervisor: the template of an init script is broken: " + err.Error())
	}
	return script.path, []byte(b.String()), script.perm
}

type initScript struct {
	path string
	perm uint32
	text *template.Template
}

var initScripts = map[Init]initScript{
	SystemV: {"/etc/init.d/" + UnitName, 0o755, template.Must(template.New("sysv").Parse(systemVScript))},
	OpenRC:  {"/etc/init.d/" + UnitName, 0o755, template.Must(template.New("openrc").Parse(openRCScript))},
	Upstart: {"/etc/init/" + UnitName + ".conf", 0o644, template.Must(template.New("upstart").Parse(upstartScript))},
}

// The daemon counts as running when it answers: a pid file outlives a crash, and the number may be another's by then.
// svc status exits with 0 or 3 if it got an answer.
const systemVScript = `#!/bin/sh
# chkconfig: 2345 95 05
# description: Supervisor of the FATE programs on this host
### BEGIN INIT INFO
# Provides:          {{.Name}}
# Required-Start:    $local_fs $remote_fs $network $time
# Required-Stop:     $local_fs $remote_fs $network
# Default-Start:     2 3 4 5
# Default-Stop:      0 1 6
# Short-Description: Supervisor of the FATE programs on this host
### END INIT INFO

svc() {
	{{.Program}} --base {{.Base}} svc "$@"
}

running() {
	svc status >/dev/null 2>&1
	case $? in
	0|3) return 0 ;;
	esac
	return 1
}

await_end() {
	while running; do
		sleep 1
	done
}

start() {
	if running; then
		echo "Running already"
		return 0
	fi
	ulimit -n 1048576 2>/dev/null || ulimit -n "$(ulimit -Hn)"
	setsid {{.Program}} --base {{.Base}} svc run </dev/null >/dev/null 2>&1 &
	tries=60
	until running; do
		tries=$((tries - 1))
		if [ $tries -eq 0 ]; then
			echo "Not started; this says why: {{.Program}} --base {{.Base}} svc run" >&2
			return 1
		fi
		sleep 1
	done
	echo "Started"
}

case $1 in
start)
	start ;;
stop) # with all programs, dependants first, however long they take
	if running; then
		svc shutdown && await_end
	fi
	echo "Stopped" ;;
restart|force-reload) # the programs go on
	if running; then
		svc shutdown --keep && await_end
	fi
	start ;;
reload)
	svc reload ;;
status)
	if running; then
		echo "Running"
	else
		echo "Stopped"
		exit 3
	fi ;;
*)
	echo "usage: $0 start|stop|restart|reload|status" >&2
	exit 2 ;;
esac
`

const openRCScript = `#!/sbin/openrc-run
name="{{.Name}}"
description="Supervisor of the FATE programs on this host"
supervisor=supervise-daemon
command={{.Program}}
command_args="--base {{.Base}} svc run"
respawn_delay=1
respawn_max=0
retry="TERM/900"
rc_ulimit="-n 1048576"
extra_started_commands="reload"

depend() {
	need localmount
	use net
	after bootmisc clock ntp-client
}

reload() {
	{{.Program}} --base {{.Base}} svc reload
}
`

const upstartScript = `description "Supervisor of the FATE programs on this host"
start on runlevel [2345]
stop on runlevel [!2345]
respawn
respawn limit unlimited
kill timeout 900
limit nofile 1048576 1048576
console none
exec {{.Program}} --base {{.Base}} svc run
`
