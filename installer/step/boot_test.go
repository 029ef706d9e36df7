package step

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	"fate-installer/installer/engine"
	"fate-installer/installer/host"
)

const bootScriptPath = "/etc/init.d/fate-supervisor"

// bootScripts are the step for each kind of boot without systemd.
func bootScript(boot host.Boot) BootScript {
	b := BootScript{Name: "fate-supervisor", Boot: boot, Path: bootScriptPath, Content: []byte("#!/bin/sh\n"),
		Perm: 0o755, Line: "/usr/local/bin/fate-installer --base /data svc run"}
	switch boot {
	case host.BootUpstart:
		b.Path, b.Perm = "/etc/init/fate-supervisor.conf", 0o644
	case host.BootNone:
		b.Path = ""
	}
	return b
}

var runLevelTree = with("/etc/init.d/", "", "/etc/rc0.d/", "", "/etc/rc2.d/", "", "/etc/rc3.d/S10other",
	"-> ../init.d/other")

var bootCases = []conformant{
	{name: "boot by System V", live: true, files: runLevelTree, step: bootScript(host.BootSystemV),
		after: func(w *world) string {
			if !w.exists("/etc/rc3.d/S50fate-supervisor") || !w.exists("/etc/rc0.d/K02fate-supervisor") ||
				w.exists("/etc/rc1.d") {
				return "it is not in the run levels"
			}
			return supervisorRuns(w)
		}},
	{name: "boot by OpenRC", live: true, files: with("/etc/init.d/", "", "/etc/runlevels/default/", ""),
		step: bootScript(host.BootOpenRC), after: func(w *world) string {
			if !w.exists("/etc/runlevels/default/fate-supervisor") {
				return "it is not in the default run level"
			}
			return supervisorRuns(w)
		}},
	{name: "boot by upstart", live: true, files: with("/etc/init/", ""), step: bootScript(host.BootUpstart),
		after: supervisorRuns},
	{name: "boot by nothing", live: true, files: baseTree, step: bootScript(host.BootNone),
		after: func(w *world) string {
			if w.exists("/etc/init.d") {
				return "it has left a script"
			}
			return supervisorRuns(w)
		}},
	{name: "boot script in a tree", files: with("/etc/init.d/", ""), step: bootScript(host.BootSystemV)},
}

const supervisorActive = runDir + "/active/fate-supervisor"

func supervisorRuns(w *world) string {
	if !w.exists(supervisorActive) {
		return "it is not running"
	}
	return ""
}

// initScript is a script of System V, and rc-service, which has the name before the verb.
func (m *machine) initScript(args []string) (string, int, error) {
	switch args[len(args)-1] {
	case "start":
		return "", 0, m.set(supervisorActive)
	case "stop":
		return "", 0, m.w.host.Remove(supervisorActive)
	case "status":
		return "", 3 * status(m.w.host.Exists(supervisorActive)), nil
	}
	return "", 2, nil
}

func (m *machine) initctl(args []string) (string, int, error) {
	if args[0] != "status" {
		return m.initScript(args[:1])
	}
	if m.w.host.Exists(supervisorActive) {
		return "fate-supervisor start/running, process 7\n", 0, nil
	}
	return "fate-supervisor stop/waiting\n", 0, nil
}

func (m *machine) rcUpdate(args []string) (string, int, error) {
	link := path.Join("/etc/runlevels/default", args[1])
	if args[0] == "del" {
		return "", 0, m.w.host.Remove(link)
	}
	return "", 0, m.w.host.Symlink(bootScriptPath, link)
}

// shell is given the script itself, the name of the service and a verb.
func (m *machine) shell(args []string) (string, int, error) {
	if len(args) != 4 || args[0] != "-c" || !strings.HasPrefix(args[1], "#!/bin/sh") {
		return "", 127, fmt.Errorf("a shell is called with %q", args)
	}
	return m.initScript(args)
}

// TestBootByTools: a distribution's own tool registers the script, and takes it out again.
func TestBootByTools(t *testing.T) {
	for tool, want := range map[string][]string{
		"update-rc.d": {"update-rc.d fate-supervisor defaults", "update-rc.d -f fate-supervisor remove"},
		"chkconfig":   {"chkconfig --add fate-supervisor", "chkconfig --del fate-supervisor"},
	} {
		t.Run(tool, func(t *testing.T) {
			w := newWorld(t, tempDir(t), true, runLevelTree)
			m := &machine{w: w}
			h, err := host.New(w.host.Root(), registering{m, tool})
			must(t, err)
			env := &engine.Env{Host: h}
			b := bootBefore{Name: "fate-supervisor", Boot: host.BootSystemV, File: prior{Path: bootScriptPath}}
			must(t, b.enable(t.Context(), env))
			if !b.enabled(env) {
				t.Error("it is not registered")
			}
			must(t, b.disable(t.Context(), env))
			if b.enabled(env) {
				t.Error("it is still registered")
			}
			calls := slices.DeleteFunc(m.calls, func(c string) bool { return !strings.HasPrefix(c, tool) })
			if !slices.Equal(calls, want) {
				t.Errorf("%q, want %q", calls, want)
			}
		})
	}
}

// TestBootOfNothingSaysTheLine: what the host is to run at boot is said, with every run.
func TestBootOfNothingSaysTheLine(t *testing.T) {
	w := newWorld(t, tempDir(t), true, baseTree)
	for range 2 {
		found, err := bootScript(host.BootNone).Check(t.Context(), w.env())
		must(t, err)
		if !strings.Contains(found.Note, "svc run") {
			t.Errorf("note %q", found.Note)
		}
		must(t, bootScript(host.BootNone).Apply(t.Context(), w.env()))
	}
}

// registering is a machine with one more tool, which makes and removes a link.
type registering struct {
	*machine
	tool string
}

func (r registering) Run(ctx context.Context, c host.Cmd) (host.Result, error) {
	if c.Args[0] != r.tool {
		return r.machine.Run(ctx, c)
	}
	r.calls = append(r.calls, strings.Join(c.Args, " "))
	for _, link := range []string{"/etc/rc0.d/K05fate-supervisor", "/etc/rc2.d/S95fate-supervisor",
		"/etc/rc3.d/S95fate-supervisor"} {
		if !slices.ContainsFunc([]string{"--del", "remove"},
			func(w string) bool { return slices.Contains(c.Args, w) }) {
			if err := r.w.host.Symlink(bootScriptPath, link); err != nil {
				return host.Result{}, err
			}
		} else if err := r.w.host.Remove(link); err != nil {
			return host.Result{}, err
		}
	}
	return host.Result{}, nil
}
