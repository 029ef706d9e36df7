package process

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestReadStat(t *testing.T) {
	self, err := ReadStat(os.Getpid())
	if err != nil || self.PPID != os.Getppid() || self.Dead() {
		t.Errorf("%+v %v", self, err)
	}
}

// TestCommandLine shows a process that has put line ends and a terminal's orders into its arguments.
func TestCommandLine(t *testing.T) {
	stdin, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	cmd := exec.Command("/bin/sh", "-c", "echo; read x\n# \x1b[2J\xff"+strings.Repeat("x", 1000))
	cmd.Stdin = stdin
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stdin.Close()
	// A process that has been started may not have its arguments yet; one that runs has.
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	want := "/bin/sh -c echo; read x # \ufffd[2J\ufffd"
	got := CommandLine(cmd.Process.Pid)
	w.Close()
	_ = cmd.Wait() // read has failed: there was nothing to read
	if !strings.HasPrefix(got, want) || len([]rune(got)) != commandLineLength+3 {
		t.Errorf("%q", got)
	}
}

func TestCgroupCandidates(t *testing.T) {
	own := "12:freezer:/a\n3:cpu,cpuacct:/b\n0::/system.slice/fate-supervisor.service\n2:x:/../..\n"
	found := cgroupCandidates(own)
	if len(found) == 0 || found[0].base != "/sys/fs/cgroup/freezer/a" || !found[0].v1 {
		t.Errorf("%+v", found)
	}
	if got := ownCgroup("/s/fate-supervisor.service/fate-0a1b.prog-x"); got != "/s/fate-supervisor.service" {
		t.Errorf("a daemon in a program's group would nest: %s", got)
	}
	if openCgroup("/etc") != nil || openCgroup("/sys/fs/cgroup/../../../etc") != nil || openCgroup("") != nil {
		t.Error("a directory outside the hierarchy was taken for a group")
	}
}

// TestWithoutPidfd waits for, and signals, a process the way kernels before 5.3 need it.
func TestWithoutPidfd(t *testing.T) {
	other, err := os.StartProcess("/bin/sleep", []string{"sleep", "1000"},
		&os.ProcAttr{Sys: &syscall.SysProcAttr{Setsid: true}})
	if err != nil {
		t.Fatal(err)
	}
	st, err := ReadStat(other.Pid)
	if err != nil {
		t.Fatal(err)
	}
	p := &Tree{ID: Identity{PID: st.PID, Start: st.Start}, table: &Table{}, pidfd: -1}
	ended := make(chan struct{})
	go func() { waitEnd(t.Context(), p.ID, -1); close(ended) }()
	wrong := &Tree{ID: Identity{PID: st.PID, Start: st.Start + 1}, table: &Table{}, pidfd: -1}
	if err := wrong.Signal(unix.SIGKILL); !errors.Is(err, unix.ESRCH) {
		t.Errorf("a process of another start time was signalled: %v", err)
	}
	wrong.KillAll()
	select {
	case <-ended:
		t.Fatal("the wait ended before the process")
	case <-time.After(3 * pollInterval):
	}
	if err := p.Signal(unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Wait(); err != nil {
		t.Fatal(err)
	}
	<-ended
}
