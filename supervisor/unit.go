package supervisor

import (
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

// Arguments are the arguments of the executable at boot.
func (u Unit) Arguments() []string { return u.arguments("run") }

func (u Unit) arguments(verb string) []string { return []string{"--base", u.Base, "svc", verb} }

// command is a command line of ours for systemd.
func (u Unit) command(verb string) string {
	return SystemdCommand(append([]string{u.Executable}, u.arguments(verb)...))
}

// Systemd returns the path and content of the systemd unit.
//
// KillMode=process: a daemon that ends, by whatever means, takes no program with it; the next one takes them over.
// What must end is ended by the daemon itself, in order, and for that it gets as long as it needs: MySQL may take
// minutes, in a reload too, whose time TimeoutStartSec is. The reload is our own command: it shows what is wrong with
// the configuration, and a minimal Debian has no /bin/kill. Delegate=yes lets it make a control group for each program.
// StartLimitInterval in [Service] is the old place and name, which systemd 219 (CentOS 7) and the newest both
// understand.
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

# Rights that neither the supervisor nor a program needs. It keeps those to start programs as their users, to end
# them, to set their limits, to see who has a port, and to read the kernel's log.
CapabilityBoundingSet=~CAP_SYS_MODULE CAP_SYS_RAWIO CAP_SYS_BOOT CAP_SYS_TIME CAP_SYS_PACCT CAP_SYS_TTY_CONFIG
CapabilityBoundingSet=~CAP_MAC_ADMIN CAP_MAC_OVERRIDE CAP_LINUX_IMMUTABLE CAP_AUDIT_CONTROL CAP_NET_ADMIN
CapabilityBoundingSet=~CAP_BLOCK_SUSPEND CAP_WAKE_ALARM CAP_LEASE
# Why the other directives of systemd.exec(5) that confine a service are not here: all that runs below the supervisor
# would inherit them.
# NoNewPrivileges            sudo and other set-uid programs would fail in a program's scripts, and SELinux on
#                            RHEL 7 could not give the supervisor its domain
# SystemCallFilter, RestrictAddressFamilies, RestrictNamespaces, RestrictRealtime, RestrictSUIDSGID, LockPersonality,
# SystemCallArchitectures, ProtectClock, ProtectHostname, ProtectKernelLogs
#                            filters of system calls slow down every call of every job, and before Linux 5.16 all of
#                            the processor's speculation; the kernel's log says which program the kernel has killed
# MemoryDenyWriteExecute     Java and Python's native libraries make code while they run
# PrivateDevices, DevicePolicy
#                            jobs compute on GPUs
# PrivateTmp                 jstack, jmap and mysql find a program's socket in /tmp
# ProtectControlGroups, ProtectKernelTunables
#                            each program has a control group, made by the supervisor; some releases of systemd make
#                            all of /sys read-only for the second
# ProtectSystem, ReadWritePaths, ProtectHome, InaccessiblePaths, ProtectKernelModules
#                            a mount table of its own; the base directory, model stores and the keys of operators may
#                            be anywhere, also below /home. What a program may write is its user's rights.
# ProtectProc, ProcSubset    the supervisor looks for the processes of its programs, and of those that have their ports
# PrivateNetwork, IPAddressDeny
#                            parties talk to each other; the firewall says who may
# PrivateUsers, DynamicUser, User
#                            programs run as users of the host, and their files belong to them
# UMask                      programs inherit it; the supervisor gives its own files their modes

[Install]
WantedBy=multi-user.target
`))

// SystemdCommand quotes a command line for systemd, whose specifiers and variables start with % and $.
func SystemdCommand(argv []string) string {
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

// ShellWord quotes a word for a POSIX shell, unless the shell reads it as it is.
func ShellWord(w string) string {
	safe := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' ||
			strings.ContainsRune("/._-+@%=:,", r)
	}
	if w != "" && strings.IndexFunc(w, func(r rune) bool { return !safe(r) }) < 0 {
		return w
	}
	return "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
}
