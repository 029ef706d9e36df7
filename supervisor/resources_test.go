package supervisor

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"fate-installer/supervisor/config"
)

func TestLosesItsExecutable(t *testing.T) {
	b := newBench(t)
	exe := openTestBinary(t)
	b.run(b.child("a", "sleep",
		func(p *config.Program) { p.Command[0] = exe; p.AutoRestart = "true"; p.StartRetries = 1 }))
	b.start("a")
	pid := b.status("a").PID
	if err := os.Remove(exe); err != nil {
		t.Fatal(err)
	}
	_ = syscall.Kill(pid, syscall.SIGKILL)
	st := b.until("a", "FATAL", func(st Status) bool { return st.State == Fatal })
	if !strings.Contains(st.Why, "cannot find the program "+exe) {
		t.Errorf("%+v", st)
	}
}

// TestThousandPrograms starts, probes and stops very many programs and expects nothing of them to be left.
func TestThousandPrograms(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	goroutines, fds := runtime.NumGoroutine(), countFDs(t)
	t.Run("work", func(t *testing.T) {
		b := newBench(t)
		b.opts.Log = b.opts.Log.Level(-1)
		var programs []config.Program
		var names []string
		for i := range 1000 {
			p := config.NewProgram(fmt.Sprintf("p%03d", i), "/bin/sh", "-c", "echo up; exec sleep 100000")
			p.StdoutLogfile, p.RedirectStderr, p.ReadyLog = filepath.Join(b.dir, p.Name+".log"), true, "up"
			programs, names = append(programs, p), append(names, p.Name)
		}
		b.run(programs...)
		b.start(names...)
		if n := len(ownChildren()); n != 1000 {
			t.Errorf("%d children", n)
		}
		b.stop(names...)
	})
	if left := ownChildren(); len(left) > 0 {
		t.Errorf("%d children are left", len(left))
	}
	deadline := time.Now().Add(60 * time.Second)
	for runtime.NumGoroutine() > goroutines && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	if n := runtime.NumGoroutine(); n > goroutines {
		t.Errorf("%d goroutines, %d before", n, goroutines)
	}
	if n := countFDs(t); n > fds+1 {
		t.Errorf("%d descriptors, %d before", n, fds)
	}
}

// TestFullDisk runs a program whose log, and whose supervisor's state, lie on a disk that is full. It does so in a
// process with a mount namespace of its own.
func TestFullDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	if os.Getenv("FATE_TEST_FULL_DISK") == "" {
		exe, _ := os.Executable()
		cmd := exec.Command(exe, "-test.run=^TestFullDisk$", "-test.v")
		cmd.Env = append(os.Environ(), "FATE_TEST_FULL_DISK=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
		out, err := cmd.CombinedOutput()
		if errors.Is(err, syscall.EPERM) {
			t.Skip("namespaces cannot be made here")
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	b := newBench(t)
	disk := filepath.Join(b.dir, "disk")
	if err := os.Mkdir(disk, 0o755); err != nil {
		t.Fatal(err)
	}
	err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
	if err == nil {
		err = unix.Mount("tmpfs", disk, "tmpfs", 0, "size=256k")
	}
	if err != nil {
		t.Skip("cannot mount:", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(disk, unix.MNT_DETACH) })
	b.opts.StateDir = filepath.Join(disk, "state")
	log := filepath.Join(disk, "a.log")
	b.run(b.child("a", "flood 100000;say done;sleep", func(p *config.Program) {
		p.StdoutLogfile, p.StdoutLogfileMaxBytes, p.StdoutLogfileBackups = log, 64<<10, 3
	}))
	b.start("a")
	pid := b.status("a").PID
	deadline := time.Now().Add(60 * time.Second)
	for {
		var st unix.Statfs_t
		if err := unix.Statfs(disk, &st); err != nil {
			t.Fatal(err)
		}
		if st.Bfree == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the disk does not fill")
		}
		time.Sleep(time.Millisecond)
	}
	if err := b.sup.RotateLogs("a"); err != nil && !errors.Is(err, unix.ENOSPC) {
		t.Errorf("rotation: %v", err)
	}
	if n := fileSize(log); n > 128<<10 {
		t.Errorf("the log still has %d bytes", n)
	}
	if st := b.status("a"); st.State != Running || st.PID != pid {
		t.Errorf("%+v", st)
	}
	b.stop("a")
	if isAlive(pid) {
		t.Error("it lives")
	}
}

// TestNoStartDuringShutdown asks for a start while everything is being stopped.
func TestNoStartDuringShutdown(t *testing.T) {
	b := newBench(t)
	b.run(b.child("slow", "ignore;say deaf;sleep", func(p *config.Program) { p.StopWaitSecs = 5; p.ReadyLog = "deaf" }),
		b.child("a", "sleep", func(p *config.Program) { p.AutoStart = false }))
	b.start("slow")
	done := make(chan error, 1)
	go func() { done <- b.sup.Shutdown(testContext(t), false) }()
	b.until("slow", "STOPPING", func(st Status) bool {
		return st.State == Stopping || st.State == Killing ||
			st.State == Stopped
	})
	if err := b.sup.Start(testContext(t), []string{"a"}, true); !errors.Is(err, ErrShutdown) {
		t.Errorf("Start: %v", err)
	}
	if err := b.sup.Restart(testContext(t), []string{"slow"}, false, true); !errors.Is(err, ErrShutdown) {
		t.Errorf("Restart: %v", err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if _, err := b.sup.Update(testContext(t)); !errors.Is(err, ErrShutdown) {
		t.Errorf("Update: %v", err)
	}
}
