package rpc

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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
		return d.program("a", "startsecs=0") + d.program("b", "startsecs=0", "autostart=false") +
			"[group:g]\nprograms=b\n"
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
		{"signal URG a", "a: signalled"},
		{"reread", "No config updates to processes"},
		{"clear a", "a: cleared"},
		{"version", supervisorVersion},
	} {
		if got := run(strings.Fields(tt.args)...); !strings.Contains(got, tt.want) {
			t.Errorf("supervisorctl %s: %s\nwant %s", tt.args, got, tt.want)
		}
	}
	d.followWith(ctl, "a")
	d.write(d.program("a", "startsecs=0", "environment=X=2") + d.program("c", "startsecs=0"))
	if got := run("update"); !strings.Contains(got, "a: updated process group") ||
		!strings.Contains(got, "c: added process group") || !strings.Contains(got, "g: removed process group") {
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

// followWith has the stock client follow a program's log until it shows a line that is written after it began.
func (d *daemon) followWith(ctl, name string) {
	d.t.Helper()
	cmd := exec.CommandContext(testContext(d.t), ctl, "-c", d.conf, "tail", "-f", name)
	// its first line would wait for a buffer to fill, here on a pipe
	cmd.Env = append(os.Environ(), "PYTHONUNBUFFERED=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		d.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	const fresh = "a line that was written later"
	lines := bufio.NewScanner(out)
	for lines.Scan() && !strings.Contains(lines.Text(), fresh) {
		if !strings.HasPrefix(lines.Text(), "==> Press Ctrl-C to exit") {
			continue
		}
		log, err := os.OpenFile(filepath.Join(d.dir, name+".log"), os.O_APPEND|os.O_WRONLY, 0)
		if err == nil {
			_, err = log.WriteString(fresh + "\n")
			log.Close()
		}
		if err != nil {
			d.t.Fatal(err)
		}
	}
	if !strings.Contains(lines.Text(), fresh) {
		d.t.Errorf("supervisorctl tail -f does not show what is written: %v", lines.Err())
	}
}
