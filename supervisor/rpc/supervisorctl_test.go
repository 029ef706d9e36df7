package rpc

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

// TestSupervisorctl drives the daemon with the stock client.
func TestSupervisorctl(t *testing.T) {
	ctl, err := exec.LookPath("supervisorctl")
	if err != nil {
		t.Skip("supervisorctl is not installed")
	}
	d := startDaemon(t, "", func(d *daemon) string {
		return d.program("a", "startsecs=0") + d.program("b", "startsecs=0", "autostart=false") + "[group:g]\nprograms=b\n"
	})
	d.untilReady("a")
	run := func(args ...string) string {
		out, _ := exec.Command(ctl, append([]string{"-c", d.conf}, args...)...).CombinedOutput()
		return string(out)
	}
	for _, tt := range []struct{ args, want string }{
		{"status", "a                                RUNNING   pid "},
		{"status", "g:b                              STOPPED   Not started"},
		{"start g:b", "g:b: started"},
		{"start g:b", "g:b: ERROR (already started)"},
		{"restart g:b", "g:b: started"},
		{"stop g:*", "g:b: stopped"},
		{"stop a", "a: stopped"},
		{"stop a", "a: ERROR (not running)"},
		{"start all", "a: started"},
		{"start nosuch", "nosuch: ERROR (no such process)"},
		{"tail a", "hello from a"},
		{"tail -4 a", "pen"},
		{"tail nosuch", "no such process name"},
		{"maintail", "ready"},
		{"avail", "a                                in use    auto      999:999"},
		{"signal USR9 a", "bad signal name"},
		{"reread", "No config updates to processes"},
		{"clear a", "a: cleared"},
		{"version", supervisorVersion},
	} {
		if got := run(strings.Fields(tt.args)...); !strings.Contains(got, tt.want) {
			t.Errorf("supervisorctl %s: %s\nwant %s", tt.args, got, tt.want)
		}
	}
	d.write(d.program("a", "startsecs=0", "environment=X=2") + d.program("c", "startsecs=0"))
	if got := run("update"); !strings.Contains(got, "a: updated process group") || !strings.Contains(got, "c: added process group") || !strings.Contains(got, "g: removed process group") {
		t.Errorf("update: %s", got)
	}
	pid, _ := d.client.PID(testContext(t))
	if got := strings.TrimSpace(run("pid")); got != fmt.Sprint(pid) {
		t.Errorf("pid: %s, want %d", got, pid)
	}
	if got := run("shutdown"); !strings.Contains(got, "Shut down") {
		t.Errorf("shutdown: %s", got)
	}
	_ = d.cmd.Wait()
}
