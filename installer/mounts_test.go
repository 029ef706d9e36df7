package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"fate-installer/installer/exit"
)

// inMountNamespace runs the calling test again as a process with mounts of its own, where it returns true. What is
// mounted there is gone when that process ends.
func inMountNamespace(t *testing.T) bool {
	t.Helper()
	const env, none = "INSTALLER_TEST_NAMESPACE", "no namespace:"
	if os.Getenv(env) == t.Name() {
		if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
			fmt.Println(none, err)
			t.SkipNow()
		}
		return true
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can mount")
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), env+"="+t.Name())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	switch {
	case strings.Contains(string(out), none) || len(out) == 0:
		t.Skipf("cannot have mounts of its own: %v %s", err, out)
	case err != nil:
		t.Errorf("%s", out)
	}
	return false
}

// TestMountsAreNotRemoved: an uninstall, with or without the data, and an upgrade find what is mounted in the trees
// that they would remove before they change anything. What a volume holds stays.
func TestMountsAreNotRemoved(t *testing.T) {
	if !inMountNamespace(t) {
		return
	}
	appliance := smallAppliance(t)
	newer := applianceOf(t, map[string]string{"jdk": "8u345", "eggroll": "2.5.4"})
	for _, c := range []struct {
		name, point string
		bind        bool
		args        []string
	}{
		{"volume among the logs", "data/logs/fate/volume", false, []string{"uninstall", "--purge-data", "--yes"}},
		{"bind mount among the data", "data/projects/data/fate/volume", true,
			[]string{"uninstall", "--purge-data", "--yes"}},
		{"volume on a directory of ours", "data/logs/fate/eggroll", false,
			[]string{"uninstall", "--purge-data", "--yes"}},
		{"volume in a component", "data/projects/fate/eggroll/volume", false, []string{"uninstall", "--yes"}},
		{"volume in a component that is replaced", "data/projects/fate/eggroll/volume", true,
			[]string{"--payload", newer, "upgrade"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := machine(t)
			mustRunCLI(t, root, "", "--payload", appliance, "--role", "exchange", "--ip", "192.168.0.88")
			point := filepath.Join(root, c.point)
			mountAt(t, point, c.bind)
			if err := os.WriteFile(filepath.Join(point, "precious"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			_, stderr, code := runCLI(t, root, "", c.args...)
			if code != exit.Preflight || !strings.Contains(stderr, "/"+c.point) ||
				!strings.Contains(stderr, "umount /"+c.point) {
				t.Errorf("exit code %d\n%s", code, stderr)
			}
			for _, kept := range []string{filepath.Join(point, "precious"),
				filepath.Join(root, "usr/local/bin/fate-installer"),
				filepath.Join(root, "data/projects/fate/eggroll/README")} {
				if _, err := os.Stat(kept); err != nil {
					t.Errorf("it was removed: %v", err)
				}
			}
			if err := syscall.Unmount(point, 0); err != nil {
				t.Fatal(err)
			}
			mustRunCLI(t, root, "", c.args...)
		})
	}
}

func mountAt(t *testing.T, point string, bind bool) {
	t.Helper()
	if err := os.MkdirAll(point, 0o755); err != nil {
		t.Fatal(err)
	}
	source, kind, flags := "tmpfs", "tmpfs", uintptr(0)
	if bind {
		source, kind, flags = t.TempDir(), "", syscall.MS_BIND
	}
	if err := syscall.Mount(source, point, kind, flags, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(point, syscall.MNT_DETACH) })
}

// TestVolumeOfTheOperatorIsEmptied: a directory that was a mount point before the installation is data like any other.
func TestVolumeOfTheOperatorIsEmptied(t *testing.T) {
	if !inMountNamespace(t) {
		return
	}
	root := machine(t)
	logs := filepath.Join(root, "data/logs")
	mountAt(t, logs, false)
	mustRunCLI(t, root, "", "--payload", smallAppliance(t), "--role", "exchange", "--ip", "192.168.0.88")
	mustRunCLI(t, root, "", "uninstall", "--purge-data", "--yes")
	if entries, err := os.ReadDir(logs); err != nil || len(entries) != 0 {
		t.Errorf("left: %v, %v", entries, err)
	}
}
