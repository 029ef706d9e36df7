package payload

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// inNamespace runs the calling test again as a process with mounts of its own, where mounted is true. It skips the test
// where the system does not allow that. What the process mounts is gone when it ends.
func inNamespace(t *testing.T) (mounted bool) {
	t.Helper()
	const env = "PAYLOAD_TEST_NAMESPACE"
	if os.Getenv(env) == t.Name() {
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			fmt.Println("no namespace:", err)
			t.SkipNow()
		}
		return true
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), env+"="+t.Name())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) ||
		strings.Contains(string(out), "no namespace:") {
		t.Skipf("cannot have mounts of its own: %v %s", err, out)
	}
	if err != nil {
		t.Errorf("%s", out)
	}
	return false
}

func mountTmpfs(t *testing.T, options string, flags uintptr) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		fmt.Println("no namespace:", err)
		t.SkipNow()
	}
	if flags != 0 {
		if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_REMOUNT|flags, options); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

func openSample(t *testing.T, entries []testEntry) *Payload {
	t.Helper()
	a := writeAppliance(t, WriterOptions{Level: 1, FrameSize: minFrame},
		map[string][]byte{"sample": makeTar(t, entries), "second": makeTar(t, entries)})
	p, err := Open(a.path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func TestDiskFull(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	p := openSample(t, sampleEntries())
	for _, test := range []struct {
		name    string
		options string
		early   bool
	}{
		{"too small", "size=2m", true},
		{"too small for the last blocks", "size=3080k", false},
		{"out of inodes", "size=16m,nr_inodes=30", false},
	} {
		dir := mountTmpfs(t, test.options, 0)
		err := p.Extract(context.Background(), "sample", filepath.Join(dir, "x"),
			ExtractOptions{UID: -1, GID: -1, Workers: 2})
		var space *SpaceError
		if !errors.Is(err, unix.ENOSPC) || !errors.As(err, &space) || (space.Err == nil) != test.early ||
			space.Hint() == "" {
			t.Errorf("%s: error %v", test.name, err)
		}
		wantEmpty(t, dir)
	}
	// Two components have room one by one, but not both.
	dir := mountTmpfs(t, "size=5m", 0)
	err := p.ExtractAll(context.Background(), []Target{{Component: "sample", Path: filepath.Join(dir, "x")},
		{Component: "second", Path: filepath.Join(dir, "y")}}, ExtractOptions{UID: -1, GID: -1})
	var space *SpaceError
	if !errors.As(err, &space) || space.Err != nil || space.Need < 6<<20 {
		t.Errorf("too small for both: error %v", err)
	}
	wantEmpty(t, dir)
	// With room made, running again is all it takes.
	dir = mountTmpfs(t, "size=2m", 0)
	if err := p.Extract(context.Background(), "sample", filepath.Join(dir, "x"),
		ExtractOptions{UID: -1, GID: -1}); err == nil {
		t.Fatal("3 MB were unpacked to 2 MB")
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_REMOUNT, "size=16m"); err != nil {
		t.Fatal(err)
	}
	if err := p.Extract(context.Background(), "sample", filepath.Join(dir, "x"),
		ExtractOptions{UID: -1, GID: -1}); err != nil {
		t.Fatal(err)
	}
}

func TestReadOnlyTarget(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	p := openSample(t, sampleEntries())
	dir := mountTmpfs(t, "size=16m", unix.MS_RDONLY)
	err := p.Extract(context.Background(), "sample", filepath.Join(dir, "x"), ExtractOptions{UID: -1, GID: -1})
	if !errors.Is(err, unix.EROFS) || !strings.Contains(err.Error(), dir) {
		t.Errorf("error %v, want EROFS and the directory", err)
	}
}

func TestNoExecTarget(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	p := openSample(t, sampleEntries())
	dir := mountTmpfs(t, "size=16m", unix.MS_NOEXEC)
	o := ExtractOptions{UID: -1, GID: -1}
	err := p.Extract(context.Background(), "sample", filepath.Join(dir, "x"), o)
	var noexec *NoExecError
	if !errors.As(err, &noexec) || !strings.Contains(noexec.Hint(), "remount,exec") {
		t.Errorf("error %v, want a *NoExecError", err)
	}
	wantEmpty(t, dir)
	o.AllowNoExec = true
	if err := p.Extract(context.Background(), "sample", filepath.Join(dir, "x"), o); err != nil {
		t.Error(err)
	}
}
