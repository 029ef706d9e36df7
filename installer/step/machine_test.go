package step

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"fate-installer/installer/engine"
	"fate-installer/installer/host"
)

// machine answers the commands of a live host by changing files of its tree, so that a snapshot of the tree shows
// what they did and a new process finds it.
type machine struct {
	w     *world
	mu    sync.Mutex // one command at a time
	calls []string
	busy  atomic.Bool    // in a command, which is one change and not several
	fail  map[string]int // first word, or the whole command, to exit status
}

// runDir holds what a real machine keeps in memory.
const runDir = "/run/machine"

// Run implements [host.Runner].
func (m *machine) Run(_ context.Context, c host.Cmd) (host.Result, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	line := strings.Join(c.Args, " ")
	m.calls = append(m.calls, line)
	for _, key := range []string{line, c.Args[0]} {
		if code := m.fail[key]; code != 0 {
			return m.exit(c, code)
		}
	}
	command := commands[c.Args[0]]
	if command == nil {
		return host.Result{}, fmt.Errorf("cannot run %s: %w", c.Name(), host.ErrNotFound)
	}
	m.busy.Store(true)
	out, code, err := command(m, c.Args[1:])
	m.busy.Store(false)
	if err != nil {
		return host.Result{}, err
	}
	if code != 0 {
		return m.exit(c, code)
	}
	return host.Result{Stdout: []byte(out)}, nil
}

func (m *machine) exit(c host.Cmd, code int) (host.Result, error) {
	return host.Result{Code: code}, &host.ExitError{Name: c.Name(), Code: code}
}

var commands map[string]func(m *machine, args []string) (out string, code int, err error)

func init() {
	commands = map[string]func(*machine, []string) (string, int, error){
		"groupadd": (*machine).groupadd, "groupdel": (*machine).groupdel, "useradd": (*machine).useradd,
		"userdel": (*machine).userdel,
		"usermod": (*machine).usermod, "gpasswd": (*machine).gpasswd, "systemctl": (*machine).systemctl,
		"swapon": (*machine).swapon, "swapoff": (*machine).swapoff, "firewall-cmd": (*machine).firewallCmd,
		"ufw": (*machine).ufw,
		"/usr/local/bin/fate-installer": func(*machine, []string) (string, int, error) {
			return `{"files": [{"path": "` + ManDir + `/fate-installer.1", "content": "printed"}]}`, 0, nil
		},
		"visudo": (*machine).visudo, "journalctl": (*machine).journalctl,
		bootScriptPath: (*machine).initScript, "rc-service": (*machine).initScript, "initctl": (*machine).initctl,
		"rc-update": (*machine).rcUpdate,
		"/bin/sh":   (*machine).shell,
	}
}

func (m *machine) env() *engine.Env { return &engine.Env{Host: m.w.host} }

func (m *machine) groupadd(args []string) (string, int, error) {
	return "", 0, addAccountLine(m.env(), "/etc/group", args[len(args)-1]+":x:"+option(args, "-g", "1000")+":", true)
}

func (m *machine) groupdel(args []string) (string, int, error) {
	return "", 0, dropAccountLine(m.env(), "/etc/group", args[0])
}

func (m *machine) useradd(args []string) (string, int, error) {
	name, home := args[len(args)-1], option(args, "-d", "")
	g, err := m.w.host.LookupGroup(option(args, "-g", "users"))
	if err != nil {
		return "", 6, nil
	}
	if slices.Contains(args, "-m") {
		if err := m.w.host.MkdirAll(home, host.FileMode{Perm: 0o700}); err != nil {
			return "", 0, err
		}
		if err := m.w.host.WriteFile(path.Join(home, ".bashrc"), []byte("skel\n"), host.FileMode{}); err != nil {
			return "", 0, err
		}
	}
	if err := m.w.host.WriteFile(path.Join(mailDir, name), nil, host.FileMode{Perm: 0o660}); err != nil {
		return "", 0, err
	}
	return "", 0, addAccountLine(m.env(), "/etc/passwd", fmt.Sprintf("%s:x:%s:%d::%s:%s", name,
		option(args, "-u", "1000"), g.GID, home, option(args, "-s", "")), true)
}

func (m *machine) userdel(args []string) (string, int, error) {
	return "", 0, dropAccountLine(m.env(), "/etc/passwd", args[0])
}

func (m *machine) usermod(args []string) (string, int, error) {
	return "", 0, editMembers(m.env(), option(args, "-G", ""),
		func(l []string) []string { return append(l, args[len(args)-1]) })
}

func (m *machine) gpasswd(args []string) (string, int, error) {
	return "", 0, editMembers(m.env(), args[2], func(l []string) []string {
		return slices.DeleteFunc(l, func(s string) bool { return s == args[1] })
	})
}

func (m *machine) systemctl(args []string) (string, int, error) {
	unit := args[len(args)-1]
	enabled := "/etc/systemd/system/multi-user.target.wants/" + unit
	if strings.HasSuffix(unit, ".timer") {
		enabled = "/etc/systemd/system/timers.target.wants/" + unit
	}
	active := path.Join(runDir, "active", unit)
	switch args[0] {
	case "is-enabled":
		return "", status(m.w.host.Exists(enabled)), nil
	case "is-active":
		return "", status(m.w.host.Exists(active)), nil
	case "enable":
		return "", 0, m.w.host.Symlink("/etc/systemd/system/"+unit, enabled)
	case "disable":
		return "", 0, m.w.host.Remove(enabled)
	case "start":
		if m.w.host.Exists(unitFails) {
			return "", 1, nil
		}
		return "", 0, m.set(active)
	case "stop":
		return "", 0, m.w.host.Remove(active)
	case "daemon-reload":
		return "", 0, m.w.host.Remove(unitUnread)
	case "show":
		unread := "no"
		if m.w.host.Exists(unitUnread) {
			unread = "yes"
		}
		return "NeedDaemonReload=" + unread + "\n", 0, nil
	case "reset-failed":
		return "", 0, nil
	}
	return "", 1, nil
}

// unitUnread is there when the file of a unit was changed since systemd read it.
const unitUnread = runDir + "/unit-unread"

// unitFails is there when no unit starts, and holds what it then writes to the journal.
const unitFails = runDir + "/unit-fails"

func (m *machine) journalctl([]string) (string, int, error) {
	said, err := m.w.host.ReadFile(unitFails)
	return string(said), 0, err
}

func (m *machine) swapon(args []string) (string, int, error) {
	return "", 0, m.edit("/proc/swaps",
		func(lines []string) []string { return append(lines, fstabField(args[0])+" file 1024 0 -2") })
}

func (m *machine) swapoff(args []string) (string, int, error) {
	return "", 0, m.edit("/proc/swaps", func(lines []string) []string {
		return slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(l, fstabField(args[0])+" ") })
	})
}

// The ports that are open in firewalld, one a line.
const (
	portsNow  = runDir + "/ports-now"
	portsBoot = runDir + "/ports-boot"
)

func (m *machine) firewallCmd(args []string) (string, int, error) {
	file := portsNow
	if slices.Contains(args, "--permanent") {
		file = portsBoot
	}
	open := strings.Fields(m.w.read(file))
	switch {
	case slices.Contains(args, "--list-all"):
		return "public (active)\n  target: default\n  interfaces: eth0\n  ports: " + strings.Join(open, " ") + "\n", 0,
			nil
	case slices.Contains(args, "--list-ports"):
		return strings.Join(open, " ") + "\n", 0, nil
	case !slices.Contains(args, "--zone=public"):
		return "", 1, nil
	}
	return "", 0, m.edit(file, func(lines []string) []string {
		for _, a := range args {
			if p, ok := strings.CutPrefix(a, "--add-port="); ok {
				lines = append(lines, p)
			}
			if p, ok := strings.CutPrefix(a, "--remove-port="); ok {
				lines = slices.DeleteFunc(lines, func(l string) bool { return l == p })
			}
		}
		return lines
	})
}

func (m *machine) ufw(args []string) (string, int, error) {
	switch strings.Join(args[:len(args)-1], " ") {
	case "": // one argument
		if args[0] == "status" {
			out := "Status: active\n\nTo                         Action      From\n--                         ------ " +
				"     ----\n"
			for _, p := range strings.Fields(m.w.read(portsNow)) {
				out += p + "                   ALLOW       Anywhere\n" + p +
					" (v6)              ALLOW       Anywhere (v6)\n"
			}
			return out, 0, nil
		}
		return "", 0, m.edit(ufwConfig, func([]string) []string { return []string{"ENABLED=no"} })
	case "--force":
		return "", 0, m.edit(ufwConfig, func([]string) []string { return []string{"ENABLED=yes"} })
	case "allow":
		return "", 0, m.edit(portsNow, func(l []string) []string { return append(l, args[1]) })
	case "delete allow":
		return "", 0, m.edit(portsNow, func(l []string) []string {
			return slices.DeleteFunc(l, func(s string) bool { return s == args[2] })
		})
	}
	return "", 1, nil
}

// visudo accepts what names a user.
func (m *machine) visudo(args []string) (string, int, error) {
	return "", status(strings.Contains(m.w.read(args[len(args)-1]), "NOPASSWD")), nil
}

func (m *machine) edit(file string, edit func([]string) []string) error {
	var lines []string
	for line := range strings.Lines(m.w.read(file)) {
		lines = append(lines, strings.TrimSpace(line))
	}
	text := strings.Join(edit(lines), "\n")
	if text != "" {
		text += "\n"
	}
	return m.w.host.WriteFile(file, []byte(text), host.FileMode{})
}

// set notes something that a machine remembers until it is switched off.
func (m *machine) set(name string) error { return m.w.host.WriteFile(name, nil, host.FileMode{}) }

func status(ok bool) int {
	if ok {
		return 0
	}
	return 1
}

func option(args []string, name, otherwise string) string {
	if i := slices.Index(args, name); i >= 0 {
		return args[i+1]
	}
	return otherwise
}
