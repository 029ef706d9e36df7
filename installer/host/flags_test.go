package host

import (
	"context"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// TestGuard sets the attributes on files of a tree, where the file system has them.
func TestGuard(t *testing.T) {
	h := newTree(t, map[string]string{"/etc/passwd": "root:x:0:0::/:/bin/sh\n", "/etc/log": "x", "/etc/hosts": "x"})
	for file, flag := range map[string]int{"/etc/passwd": flagImmutable, "/etc/log": flagAppendOnly} {
		f, err := os.Open(h.Path(file))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		had, err := unix.IoctlGetInt(int(f.Fd()), unix.FS_IOC_GETFLAGS)
		if err == nil {
			err = unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, had|flag)
		}
		if err != nil {
			t.Skipf("attributes cannot be set here: %v", err)
		}
		defer func() {
			if err := unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, had); err != nil {
				t.Error(err)
			}
		}()
	}
	facts, err := Gather(context.Background(), h,
		FactsQuery{Paths: []string{"/etc/passwd", "/etc/log", "/etc/hosts", "/etc"}})
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{"/etc/passwd": "i", "/etc/log": "a", "/etc/hosts": "",
		"/etc": "", "/etc/none": ""} {
		if got := h.Guard(file); got != want {
			t.Errorf("%s has %q, want %q", file, got, want)
		}
		fact, ok := facts.PathFact(file)
		if ok && fact.Guard != want {
			t.Errorf("the fact of %s has %q, want %q", file, fact.Guard, want)
		}
	}
}
