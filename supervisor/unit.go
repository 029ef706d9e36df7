package supervisor

import (
	"fmt"
	"strings"
	"text/template"
)

// Unit describes the boot unit of the daemon.
type Unit struct {
	Executable string // /usr/local/bin/fate-installer
	Base       string // --base of the daemon
}

// UnitName is the name of the boot unit, without its suffix.
const UnitName = "fate-supervisor"

// SystemdPath is where the unit file lies on a host with systemd.
const SystemdPath = "/etc/systemd/system/" + UnitName + ".service"

// Arguments are what the executable is called with at boot.
func (u Unit) Arguments() []string { return u.arguments("run") }

func (u Unit) arguments(verb string) []string { return []string{"--base", u.Base, "svc", verb} }

// command is a command line of ours for systemd.
func (u Unit) command(verb string) string {
	return systemdCommand(append([]string{u.Executable}, u.arguments(verb)...))
}

// Systemd returns the path and content of the systemd unit.
//
// KillMode=process: a daemon that ends, by whatever means, takes no program with it; the next one takes them over.
// What must end is ended by the daemon itself, in order, and for that it gets as long as it needs: MySQL may take
// minutes, in a reload too, whose time TimeoutStartSec is. The reload is our own command: it tells systemctl what is
// wrong with the configuration, and a minimal Debian has no /bin/kill. Delegate=yes lets it make a control group for each program. StartLimitInterval in [Service] is the old
// place and name, which systemd 219 (CentOS 7) and the newest both understand.
func (u Unit) Systemd() (path string, content []byte) {
	var b strings.Builder
	err := systemdUnit.Execute(&b, map[string]string{"ExecStart": u.command("run"), "ExecReload": u.command("reload")})
	if err != nil {
		panic("supervisor: the unit template is broken: " + err.Error())
	}
	return SystemdPath, []byte(b.String())
}

var systemdUnit = template.Must(template.New("unit").Parse(`[Unit]
Description=Supervisor of the FATE programs on this host
After=network-online.target local-fs.target remote-fs.target time-sync.target
Wants=network-online.target

[Service]
Type=notify
NotifyAccess=main
ExecStart={{.ExecStart}}
ExecReload={{.ExecReload}}
Restart=always
RestartSec=200ms
StartLimitInterval=0
KillMode=process
TimeoutStartSec=900
TimeoutStopSec=900
Delegate=yes
LimitNOFILE=1048576
LimitNPROC=infinity
TasksMax=infinity
OOMScoreAdjust=-900

[Install]
WantedBy=multi-user.target
`))

// systemdCommand quotes a command line for systemd, whose specifiers and variables start with % and $.
func systemdCommand(argv []string) string {
	words := make([]string, len(argv))
	for i, w := range argv {
		w = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "%", "%%", "$", "$$").Replace(w)
		if w == "" || strings.ContainsAny(w, " \t'\"\\;") {
			w = `"` + w + `"`
		}
		words[i] = w
	}
	return strings.Join(words, " ")
}

// ServiceScript returns the content of service.sh, which gives operators the commands they know from AnsibleFATE:
// service.sh start|stop|restart|status|update all|NAME.
func ServiceScript(executable, base string) []byte {
	return fmt.Appendf(nil, `#!/bin/sh
# The programs of this host, by the commands of habit. Everything is done by: %[1]s svc
usage() {
	echo "usage: $0 start|stop|restart|status|update|logs|why all|NAME..." >&2
	exit 2
}
[ $# -ge 1 ] || usage
verb=$1
shift
case $verb in
start|stop|restart)
	[ $# -ge 1 ] || usage ;;
status|update) ;;
logs|why)
	[ $# -ge 1 ] || usage ;;
*)
	usage ;;
esac
exec %[1]s --base %[2]s svc "$verb" "$@"
`, shellWord(executable), shellWord(base))
}

// shellWord quotes a word for a POSIX shell.
func shellWord(w string) string {
	safe := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+", r)
	}
	if w != "" && strings.IndexFunc(w, func(r rune) bool { return !safe(r) }) < 0 {
		return w
	}
	return "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
}
