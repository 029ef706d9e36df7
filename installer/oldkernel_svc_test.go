package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"fate-installer/installer/exit"
	"fate-installer/supervisor"
)

// twoPrograms depend on each other; the second has a child of its own, and both write to their logs.
const twoPrograms = `[supervisord]
logfile=%(here)s/daemon.log

[program:first]
command=/bin/sh -c "echo first is up; exec sleep 1000000"
ready_log=first is up
stdout_logfile=%(here)s/first.log
autorestart=true
startsecs=0

[program:second]
command=/bin/sh -c "sleep 1000000 & echo second has $$!; wait"
ready_exec=/bin/true
depends_on=first
stdout_logfile=%(here)s/second.log
autorestart=true
startsecs=0
`

// supervised is a supervisor on an old kernel, with its programs.
type supervised struct {
	oldKernel
	base   string
	daemon *exec.Cmd
}

// superviseOnOldKernel lets a supervisor run two programs, and ends programs and supervisor in every way.
func superviseOnOldKernel(k oldKernel) {
	c := &supervised{oldKernel: k}
	var err error
	if c.base, err = os.MkdirTemp("", "base"); err != nil { // the path of a socket is short
		k.t.Fatal(err)
	}
	k.t.Cleanup(c.clean)
	dir := filepath.Join(c.base, "projects/common/supervisord")
	if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, "supervisord.conf"),
		[]byte(twoPrograms), 0o600)); err != nil {
		k.t.Fatal(err)
	}
	c.svc("run", "--check")
	c.up()
	ready := c.untilReady(nil)
	for name, st := range ready {
		c.wantFiltered(name, st.PID)
	}
	c.wantFiltered("the supervisor", c.daemon.Process.Pid)
	if out := c.svc("logs", "first"); !strings.Contains(out, "first is up") {
		k.t.Errorf("svc logs: %q", out)
	}

	// A program that dies is started again, as a child of the supervisor and as one that was adopted.
	c.kill(ready["second"].PID, syscall.SIGKILL)
	ready = c.untilReady(ready, "second")
	c.svc("restart", "first")
	ready = c.untilReady(ready, "first")

	c.kill(c.daemon.Process.Pid, syscall.SIGKILL)
	_ = c.daemon.Wait()
	c.up()
	adopted := c.untilReady(ready)
	if !adopted["first"].Adopted || !adopted["second"].Adopted {
		k.t.Errorf("not adopted: %+v", adopted)
	}
	c.kill(adopted["first"].PID, syscall.SIGKILL)
	ready = c.untilReady(adopted, "first")
	c.svc("restart", "second")
	ready = c.untilReady(ready, "second")

	c.svc("upgrade-self")
	c.untilReady(ready)
	log := filepath.Join(dir, "daemon.log")
	if err := os.Rename(log, log+".old"); err != nil {
		k.t.Fatal(err)
	}
	c.kill(c.daemon.Process.Pid, syscall.SIGUSR2)
	c.until("the log is opened again", func() bool { _, err := os.Stat(log); return err == nil })

	c.svc("stop", "all")
	if out, _, code := c.try("fate-installer", "--base", c.base, "svc", "status"); code != 3 ||
		!strings.Contains(out, "STOPPED") {
		k.t.Errorf("svc status of what is stopped: exit code %d\n%s", code, out)
	}
	if left := c.left(); len(left) != 1 || left[0] != c.daemon.Process.Pid {
		k.t.Errorf("processes after svc stop all: %v, the supervisor is %d", left, c.daemon.Process.Pid)
	}
	c.svc("start", "all")
	c.untilReady(ready, "first", "second")
	c.svc("shutdown")
	if err := c.daemon.Wait(); err != nil {
		k.t.Errorf("the supervisor ends with %v", err)
	}
	if left := c.left(); len(left) != 0 {
		k.t.Errorf("processes after svc shutdown: %v", left)
	}
}

// up starts the supervisor. Linux 3.10 has no control groups of version 2, and the supervisor shall not make any on
// this machine: where a process may, it is started with nothing at their place.
func (c *supervised) up() {
	c.t.Helper()
	hide := []string{"unshare", "-m", "sh", "-c", `mount -t tmpfs none /sys/fs/cgroup && exec "$@"`, "sh"}
	c.daemon = c.command("fate-installer", "--base", c.base, "svc", "run")
	if exec.Command(hide[0], append(hide[1:], "true")...).Run() == nil {
		env := c.daemon.Env
		c.daemon = exec.Command(hide[0], append(hide[1:], c.daemon.Args...)...)
		c.daemon.Env = env
	}
	c.daemon.Env = append(c.daemon.Env, "TEST_BASE="+c.base)
	if testing.Verbose() {
		c.daemon.Stderr = os.Stderr
	}
	if err := c.daemon.Start(); err != nil {
		c.t.Fatal(err)
	}
}

// svc runs a command that has to succeed.
func (c *supervised) svc(args ...string) string {
	c.t.Helper()
	return c.want(nil, append([]string{"--base", c.base, "svc"}, args...)...)
}

// untilReady waits until both programs are ready, and returns them. Those that are named have another process than
// before, the others the same.
func (c *supervised) untilReady(before map[string]supervisor.Status, again ...string) map[string]supervisor.Status {
	c.t.Helper()
	now := make(map[string]supervisor.Status)
	c.until("the programs are ready", func() bool {
		out, _, code := c.try("fate-installer", "--base", c.base, "svc", "status", "-o", "json")
		var doc struct{ Programs []supervisor.Status }
		if code != exit.OK || json.Unmarshal([]byte(out), &doc) != nil {
			return false
		}
		for _, st := range doc.Programs {
			now[st.Name] = st
		}
		return !slices.ContainsFunc(again, func(name string) bool { return now[name].PID == before[name].PID })
	})
	for name, st := range before {
		if now[name].PID != st.PID && !slices.Contains(again, name) {
			c.t.Errorf("%s was started again: %+v, before %+v", name, now[name], st)
		}
	}
	if len(now) != 2 {
		c.t.Fatalf("the programs are %+v", now)
	}
	return now
}

// until waits for what happens soon.
func (c *supervised) until(what string, ok func() bool) {
	c.t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			out, stderr, _ := c.try("fate-installer", "--base", c.base, "svc", "status")
			c.t.Fatalf("waited without success until %s\n%s%s", what, out, stderr)
		}
	}
}

func (c *supervised) kill(pid int, sig syscall.Signal) {
	c.t.Helper()
	if err := syscall.Kill(pid, sig); err != nil {
		c.t.Fatal(err)
	}
}

// wantFiltered makes sure that a process is under the filter.
func (c *supervised) wantFiltered(name string, pid int) {
	c.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil || !strings.Contains(string(status), "Seccomp:\t2\n") {
		c.t.Errorf("%s has all system calls (%v):\n%s", name, err, status)
	}
}

// left lists the processes of the supervisor and of all it has started.
func (c *supervised) left() (pids []int) {
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range files {
		env, err := os.ReadFile(file)
		var pid int
		if err == nil && strings.Contains(string(env), "TEST_BASE="+c.base+"\x00") {
			_, _ = fmt.Sscanf(file, "/proc/%d/", &pid)
			pids = append(pids, pid)
		}
	}
	return pids
}

// clean removes what a failed test has left.
func (c *supervised) clean() {
	for _, pid := range c.left() {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	if err := os.RemoveAll(c.base); err != nil && !errors.Is(err, fs.ErrNotExist) {
		c.t.Error(err)
	}
}
