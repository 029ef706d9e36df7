package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fate-installer/installer/exit"

	"golang.org/x/sys/unix"
)

// TestUninstallIsRefusedByAnAttribute: nothing is changed while a file that has to be removed is immutable.
func TestUninstallIsRefusedByAnAttribute(t *testing.T) {
	root, _ := installedTree(t)
	const unit = "/etc/systemd/system/fate-supervisor.service"
	f, err := os.Open(filepath.Join(root, unit))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const immutable = 0x10 // FS_IMMUTABLE_FL
	had, err := unix.IoctlGetInt(int(f.Fd()), unix.FS_IOC_GETFLAGS)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, had|immutable)
	}
	if err != nil {
		t.Skipf("attributes cannot be set here: %v", err)
	}
	before := filesOf(t, root)
	_, errOut, code := runCLI(t, root, "", "uninstall", "--yes", "--purge-data")
	if err := unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, had); err != nil {
		t.Fatal(err)
	}
	if code != exit.Preflight || !strings.Contains(errOut, "cannot uninstall") ||
		!strings.Contains(errOut, "chattr -i "+unit) {
		t.Errorf("exit status %d:\n%s", code, errOut)
	}
	if after := filesOf(t, root); after != before {
		t.Errorf("%d files before, %d after", before, after)
	}
	mustRunCLI(t, root, "", "uninstall", "--yes", "--purge-data")
}

// filesOf counts what is installed in a tree.
func filesOf(t *testing.T, root string) int {
	t.Helper()
	n := 0
	err := filepath.WalkDir(filepath.Join(root, "data/projects/fate"),
		func(string, os.DirEntry, error) error { n++; return nil })
	if err != nil {
		t.Fatal(err)
	}
	return n
}
