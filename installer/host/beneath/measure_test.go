package beneath

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// measured measures a path below a tree.
func measured(t *testing.T, r *Root, path string) (*Place, Usage, error) {
	t.Helper()
	p, err := r.Exact("measure", path)
	must(t, err)
	t.Cleanup(func() { p.Close() })
	u, err := p.Measure(t.Context(), os.Geteuid())
	return p, u, err
}

// TestMeasureAndDiscard: what was measured is removed, links in it are removed and not followed.
func TestMeasureAndDiscard(t *testing.T) {
	bothKernels(t, func(t *testing.T) {
		dir := makeTree(t, "victim/keep", "app/job/sub/file", "app/job/link -> ../../victim", "app/file")
		r := open(t, dir, stranger())
		p, u, err := measured(t, r, "/app/job")
		must(t, err)
		if !u.IsDir || u.Files != 4 || u.Newest.IsZero() {
			t.Errorf("%+v", u)
		}
		must(t, p.Discard(u, ".gone"))
		file, u, err := measured(t, r, "/app/file")
		must(t, err)
		must(t, file.Discard(u, "file"))
		if left, _ := os.ReadDir(filepath.Join(dir, "app")); len(left) != 0 {
			t.Errorf("%v is left", left)
		}
		if _, err := os.Stat(filepath.Join(dir, "victim/keep")); err != nil {
			t.Error(err)
		}
	})
}

// TestDiscardOfSomethingElse: what has taken the place of what was measured stays, under its name.
func TestDiscardOfSomethingElse(t *testing.T) {
	dir := makeTree(t, "app/job/file", "app/other/file", "app/x")
	r := open(t, dir, stranger())
	p, u, err := measured(t, r, "/app/job")
	must(t, err)
	must(t, unix.Renameat2(unix.AT_FDCWD, filepath.Join(dir, "app/job"), unix.AT_FDCWD, filepath.Join(dir, "app/other"),
		unix.RENAME_EXCHANGE))
	if err := p.Discard(u, ".gone"); !errors.Is(err, ErrReplaced) {
		t.Errorf("%v, want ErrReplaced", err)
	}
	if err := p.Sibling("none").Discard(u, ".gone"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v, want ErrNotExist", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "app/job/file")); err != nil {
		t.Error(err)
	}
}

// TestDiscardRace exchanges the directory all the time for one that was not measured, and for a link.
func TestDiscardRace(t *testing.T) {
	bothKernels(t, func(t *testing.T) {
		dir := makeTree(t, "victim/keep", "app/trap -> ../victim", "app/other/keep")
		r := open(t, dir, stranger())
		for n := range 200 {
			with := []string{"app/trap", "app/other"}[n%2]
			must(t, os.MkdirAll(filepath.Join(dir, "app/job/sub"), 0o755))
			p, u, err := measured(t, r, "/app/job")
			must(t, err)
			stop := exchanging(t, filepath.Join(dir, "app/job"), filepath.Join(dir, with))
			_ = p.Discard(u, ".gone")
			stop()
			// what was renamed between two exchanges
			_ = os.Rename(filepath.Join(dir, "app/.gone"), filepath.Join(dir, "app/job"))
			if info, err := os.Lstat(filepath.Join(dir, "app/job")); err == nil && info.Mode()&fs.ModeSymlink != 0 {
				if _, err := os.Lstat(filepath.Join(dir, with)); err == nil {
					must(t, unix.Renameat2(unix.AT_FDCWD, filepath.Join(dir, "app/job"), unix.AT_FDCWD,
						filepath.Join(dir, with), unix.RENAME_EXCHANGE))
				} else {
					must(t, os.Rename(filepath.Join(dir, "app/job"), filepath.Join(dir, with)))
				}
			}
			if _, err := os.Stat(filepath.Join(dir, "app/job/keep")); err == nil { // the other one has the name
				_ = os.Rename(filepath.Join(dir, with), filepath.Join(dir, "app/third"))
				must(t, os.Rename(filepath.Join(dir, "app/job"), filepath.Join(dir, "app/other")))
			}
			for _, rest := range []string{"app/job", "app/third"} {
				must(t, os.RemoveAll(filepath.Join(dir, rest)))
			}
		}
		for _, kept := range []string{"victim/keep", "app/other/keep"} {
			if _, err := os.Stat(filepath.Join(dir, kept)); err != nil {
				t.Errorf("%s: %v", kept, err)
			}
		}
	})
}

// TestMeasureStays: what is mounted is not measured, and what is nested too deep neither.
func TestMeasureStays(t *testing.T) {
	dir := makeTree(t, "app/deep/"+strings.Repeat("d/", maxDepth+2)+"file", "app/job/mount/")
	r := open(t, dir, stranger())
	if _, _, err := measured(t, r, "/app/deep"); !errors.Is(err, errTooDeep) {
		t.Errorf("%v, want errTooDeep", err)
	}
	inMountNamespace(t, func() {
		must(t, unix.Mount("tmpfs", filepath.Join(dir, "app/job/mount"), "tmpfs", 0, ""))
		r := open(t, dir, stranger()) // in these mounts
		var mounted *MountError
		for _, path := range []string{"/app/job", "/app/job/mount"} {
			if _, _, err := measured(t, r, path); !errors.As(err, &mounted) {
				t.Errorf("%s: %v, want a MountError", path, err)
			}
		}
		must(t, unix.Unmount(filepath.Join(dir, "app/job/mount"), 0))
	})
}

// TestMeasureSeesBindMounts: one of the same file system is a mount, too.
func TestMeasureSeesBindMounts(t *testing.T) {
	dir := makeTree(t, "app/job/sub/file", "app/other/file")
	table := filepath.Join(t.TempDir(), "mountinfo")
	line := "36 35 98:0 /x " + filepath.Join(dir, "app/job/sub") + " rw - ext4 /dev/sda1 rw\n"
	must(t, os.WriteFile(table, []byte(line), 0o600))
	before := mountTable
	mountTable = table
	t.Cleanup(func() { mountTable = before })
	r := open(t, dir, stranger())
	var mounted *MountError
	if _, _, err := measured(t, r, "/app/job"); !errors.As(err, &mounted) {
		t.Errorf("%v, want a MountError", err)
	}
	if _, _, err := measured(t, r, "/app/other"); err != nil {
		t.Error(err)
	}
}
