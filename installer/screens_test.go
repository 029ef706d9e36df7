package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"fate-installer/installer/backup"
	"fate-installer/installer/deploy"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate/keys"
	"fate-installer/installer/fate/preflight"
	"fate-installer/installer/golden"
	"fate-installer/installer/output"
	"fate-installer/supervisor"

	"github.com/spf13/cobra"
)

// screens are what people see, each printed with fixed data. Their golden files are in testdata/screens, for terminals
// of 80 and 120 columns and for a file.
var screens = map[string]func(g *globals) error{
	"status": func(g *globals) error { return writeStatuses(g, partyStatuses()) },
	"certificates": func(g *globals) error {
		at := time.Date(2026, 12, 20, 0, 0, 0, 0, time.UTC)
		return printStatuses(g, svcStatusReport{Programs: partyStatuses()[:1], Certificates: []keys.Certificate{
			{File: "/data/projects/data/fate/keys/host-ca.pem", Subject: "fate_host", NotAfter: at,
				Validity: keys.Valid},
			{File: "/data/projects/data/fate/keys/host-server.pem", Subject: "host-server", Validity: keys.Expiring,
				NotAfter: at},
			{File: "/data/projects/data/fate/keys/host-client-client.pem", Subject: "guest-client",
				Validity: keys.Expired, NotAfter: at.AddDate(0, -1, 0)},
			{File: "/data/projects/data/fate/keys/host-client-ca.pem", Validity: keys.Unreadable,
				Problem: "it holds no PEM certificate"}}})
	},
	"backups": func(g *globals) error {
		b := exampleBackups
		b.Success = &backup.Success{Time: exampleTime.AddDate(0, 0, -3)}
		b.Failing, b.Overdue = true, true
		return printStatuses(g, svcStatusReport{Programs: partyStatuses()[:1], Backups: &b, now: exampleTime})
	},
	"backup-schedule": func(g *globals) error {
		return printSchedule(g, &deploy.Scheduled{Record: backup.Record{Schedule: exampleBackups.Schedule,
			Success: exampleBackups.Success, Failure: exampleBackups.Failure},
			Faults: []string{"timer fate-backup.timer: it is not running"}}, exampleTime.AddDate(0, 0, 3))
	},
	"ready": func(g *globals) error {
		statuses := partyStatuses()
		for i := range statuses {
			s := &statuses[i]
			s.State, s.Ready, s.Degraded, s.Why = supervisor.Running, true, false, ""
		}
		return writeStatuses(g, statuses)
	},
	"check": func(g *globals) error {
		return printChecks(g, "host of party 10000 at 192.168.0.1, FATE 1.11.4", nil, checksOfHost(), hardenedHost(),
			"", true)
	},
	"help":        func(g *globals) error { return helpOf(g) },
	"help-status": func(g *globals) error { return helpOf(g, "svc", "status") },
	"error": func(g *globals) error {
		printError(g, exit.Hint(fmt.Errorf("cannot install on this host, 1 of its checks refuses:\n%s",
			"port:3306: held by process 812 (mysqld, user mysql) on 0.0.0.0:3306 (wanted: free)"),
			"apply the remedies marked ->, or override with --waive port:3306='reason'"), exit.Preflight)
		return nil
	},
}

func helpOf(g *globals, words ...string) error {
	root := newRootCommand(g)
	root.SetOut(g.Stdout)
	root.SetArgs(append(words, "--help"))
	return root.Execute()
}

// partyStatuses are the programs of a party of which one waits for another host.
func partyStatuses() []supervisor.Status {
	running := func(name string, pid int, memory int64, ports ...int) supervisor.Status {
		return supervisor.Status{Name: name, Group: name, State: supervisor.Running, Ready: true, PID: pid,
			UpSeconds: 90 * 3600, Ports: ports, Memory: memory << 20}
	}
	statuses := []supervisor.Status{
		running("fate-clustermanager", 4242, 311, 4670), running("fate-fateboard", 4311, 402, 8080),
		running("fate-fateflow", 4390, 288, 9360, 9380), running("fate-mysql", 4101, 400, 3306),
		running("fate-nodemanager", 4250, 298, 4671), running("fate-rollsite", 4261, 304, 9370),
	}
	statuses[0].Ready, statuses[0].Why = false, "not ready yet: nodemanager 192.168.0.2:4671 is not registered: "+
		"server_node has no row for it"
	statuses[2].Ready, statuses[2].Degraded, statuses[2].Why, statuses[2].Restarts = false, true,
		"degraded: fate-clustermanager is running, and not ready", 2
	statuses = append(statuses, supervisor.Status{Name: "fate-nginx", Group: "fate-nginx", State: supervisor.Fatal,
		StateSeconds: 42, Restarts: 3, Why: "exited with status 1"})
	return statuses
}

func checksOfHost() []preflight.CheckResult {
	return []preflight.CheckResult{
		{ID: "os", Title: "system", Status: preflight.StatusOK, Measured: "debian 12",
			Wanted: "CentOS 7.2 or later, Ubuntu 16.04 or later, or of their families"},
		{ID: "memory", Title: "memory", Status: preflight.StatusWarning,
			Measured: "7.6 GiB; the programs of this host take 1.8 GiB idle, 2.5 GiB after jobs", Wanted: "16 GiB",
			Remedy: "add memory, or run at most two jobs at a time"},
		{ID: "limit:nofile", Title: "open files", Status: preflight.StatusPlanned, Measured: "1024", Wanted: "65535",
			Remedy: "install writes /etc/security/limits.d/fate.conf"},
		{ID: "port:3306", Title: "port of mysql", Status: preflight.StatusRefused,
			Measured: "held by process 812 (mysqld, user mysql) on 0.0.0.0:3306", Wanted: "free",
			Remedy: "stop it: systemctl disable --now mysqld, or give mysql another port in the cluster file"},
		{ID: "disk-data", Title: "disk", Status: preflight.StatusWaived, Measured: "60.6 GiB free of 252.0 GiB",
			Wanted: "500.0 GiB", Reason: "a trial"},
		{ID: "supervisor-conf", Title: "files", Status: preflight.StatusOK, Measured: "none",
			Wanted: "none in /data/projects/common/supervisord/supervisord.d, or edited ones that an uninstall kept"},
		{ID: "time", Title: "clock", Status: preflight.StatusSkipped, Measured: "a directory tree has no clock",
			Wanted: "synchronized"},
	}
}

func hardenedHost() []preflight.Hardened {
	return []preflight.Hardened{
		{ID: "mounts", LookedAt: "noexec and nosuid of the file systems that are used", Finding: preflight.Found,
			Detail: "/tmp is mounted noexec; the programs of this party run nothing there"},
		{ID: "preload", LookedAt: "/etc/ld.so.preload", Finding: preflight.NotFound},
		{ID: "packet-filter", LookedAt: "firewalld, ufw and the rules of the kernel's packet filter",
			Finding: preflight.NotLookedAt, Detail: "nft is not installed"},
	}
}

// TestHelpFits holds the help of every command to the width of the terminal, but for its examples, which are copied.
func TestHelpFits(t *testing.T) {
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, columns := range []int{80, 120} {
			section := ""
			for line := range strings.Lines(helpText(nil, cmd, columns)) {
				if line = strings.TrimSuffix(line, "\n"); strings.HasSuffix(line, ":") && !strings.HasPrefix(line,
					" ") {
					section = line
				}
				if output.Width(line) > columns && section != "Examples:" {
					t.Errorf("%s: %d of %d columns: %s", cmd.CommandPath(), output.Width(line), columns, line)
				}
			}
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(newRootCommand(&globals{}))
}

var colour = regexp.MustCompile(`\x1b\[[0-9;]*m`)

// TestScreens compares what people see with the golden files. No line is wider than the terminal, but for those that
// are copied: the terminal wraps them and copies them whole.
func TestScreens(t *testing.T) {
	t.Setenv("NO_COLOR", "")
	t.Setenv("CLICOLOR_FORCE", "")
	t.Setenv("TERM", "xterm")
	t.Setenv("PATH", t.TempDir()) // texts call the program by its name
	for name, show := range screens {
		for _, columns := range []int{0, 80, 120} {
			t.Run(fmt.Sprint(name, columns), func(t *testing.T) {
				got := shownOn(t, columns, show)
				for line := range strings.Lines(got) {
					line = colour.ReplaceAllString(strings.TrimSuffix(line, "\n"), "")
					copied := strings.HasPrefix(line, "         -> ") || strings.HasPrefix(line, " hint: ")
					if columns > 0 && output.Width(line) > columns && !copied {
						t.Errorf("%d of %d columns: %s", output.Width(line), columns, line)
					}
				}
				compareScreen(t, name, columns, got)
			})
		}
	}
}

// shownOn returns what is written to a terminal of so many columns, or to a file when there are none.
func shownOn(t *testing.T, columns int, show func(g *globals) error) string {
	t.Helper()
	var file bytes.Buffer
	g := &globals{Stdout: &file, Stderr: &file, Output: outputText, Base: deploy.StandardBase}
	read := func() string { return file.String() }
	if columns > 0 {
		var terminal *os.File
		terminal, read = pty(t, columns)
		g.Stdout, g.Stderr = terminal, terminal
	}
	err := show(g)
	got := read()
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// compareScreen holds a screen against its golden file, in which colours are visible.
func compareScreen(t *testing.T, name string, columns int, got string) {
	t.Helper()
	golden.Compare(t, filepath.Join("testdata", "screens", fmt.Sprintf("%s.%d.txt", name, columns)),
		strings.ReplaceAll(got, "\x1b", "^["))
}

// TestNoColour holds that each of the ways to forbid colours works on a terminal.
func TestNoColour(t *testing.T) {
	t.Setenv("TERM", "xterm")
	t.Setenv("CLICOLOR_FORCE", "")
	show := screens["status"]
	t.Setenv("NO_COLOR", "")
	if got := shownOn(t, 80, show); !strings.Contains(got, "\x1b[32m") {
		t.Errorf("no colours on a terminal:\n%s", got)
	}
	t.Setenv("NO_COLOR", "1")
	if got := shownOn(t, 80, show); strings.Contains(got, "\x1b") {
		t.Errorf("colours with NO_COLOR:\n%s", got)
	}
	t.Setenv("NO_COLOR", "")
	t.Setenv("TERM", "dumb")
	if got := shownOn(t, 80, show); strings.Contains(got, "\x1b") {
		t.Errorf("colours with TERM=dumb:\n%s", got)
	}
	t.Setenv("CLICOLOR_FORCE", "1")
	if got := shownOn(t, 0, show); !strings.Contains(got, "\x1b[32m") {
		t.Errorf("no colours in a file with CLICOLOR_FORCE:\n%s", got)
	}
}

// TestErrorOnATerminal types a wrong command on a terminal.
func TestErrorOnATerminal(t *testing.T) {
	t.Setenv("TERM", "dumb")
	if got := onTerminal(t, 80, "svc", "statu"); !strings.Contains(got, "\n hint: did you mean") {
		t.Error(got)
	}
}
