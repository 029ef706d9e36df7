package host

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"fate-installer/installer/host/beneath"

	"golang.org/x/sys/unix"
)

// TestLinksStayInTheTree: a tree is seen as chroot shows it, and nothing outside can be reached.
func TestLinksStayInTheTree(t *testing.T) {
	outside := t.TempDir()
	must(t, os.WriteFile(filepath.Join(outside, "victim"), []byte("outside"), 0o644))
	h := newTree(t, map[string]string{
		"/real/file": "inside", "/absolute": "-> /real", "/relative": "-> real", "/up": "-> ../../../../real",
		"/escape": "-> " + outside, "/deep/er/up": "-> ../../real", "/loop": "-> /loop",
		"/dangling": "-> /nowhere/at/all",
		"/abs-file": "-> /real/file", "/twice": "-> /absolute",
	})
	for _, dir := range []string{"/real", "/absolute", "/relative", "/up", "/deep/er/up", "/twice", "/real/../real",
		"/absolute/../absolute"} {
		got, err := h.ReadFile(dir + "/file")
		if err != nil || string(got) != "inside" {
			t.Errorf("%s/file: %q, %v", dir, got, err)
		}
	}
	if got, err := h.ReadFile("/abs-file"); err != nil || string(got) != "inside" {
		t.Errorf("/abs-file: %q, %v", got, err)
	}
	if got, err := h.Resolve("/twice/new"); err != nil || got != "/real/new" {
		t.Errorf("Resolve: %s, %v", got, err)
	}
	if err := h.WriteFile("/escape/victim", []byte("x"), FileMode{}); err == nil {
		t.Error("a write followed a link out of the tree")
	}
	if got, err := os.ReadFile(filepath.Join(outside, "victim")); err != nil || string(got) != "outside" {
		t.Errorf("the file outside: %q, %v", got, err)
	}
	if _, err := h.ReadFile("/loop/x"); !errors.Is(err, syscall.ELOOP) {
		t.Errorf("a loop: %v", err)
	}
	if _, err := h.Stat("/dangling"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a link to nowhere: %v", err)
	}
	if !h.Exists("/dangling") {
		t.Error("a link to nowhere does not exist")
	}
}

// machine is a running machine whose root directory is dir and on which only links of the user trusted are followed.
func machine(t *testing.T, dir string, trusted int) *Host {
	t.Helper()
	root, err := beneath.Open(dir, trusted)
	must(t, err)
	h := &Host{root: "/", files: &fileSystem{dir: dir, root: root}}
	t.Cleanup(func() { h.Close() })
	return h
}

// TestLinksOfTheAdministrator: a base directory that the administrator has made a link works; a link in a directory
// that others may write stops every change.
func TestLinksOfTheAdministrator(t *testing.T) {
	dir := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(dir, "disk/app"), 0o755))
	must(t, os.MkdirAll(filepath.Join(dir, "etc"), 0o755))
	must(t, os.Symlink("/disk", filepath.Join(dir, "data")))
	must(t, os.Symlink("/etc", filepath.Join(dir, "disk/app/planted")))
	must(t, os.Symlink("planted", filepath.Join(dir, "disk/app/indirect")))
	must(t, os.Chmod(filepath.Join(dir, "disk/app"), 0o777)) // as if it were the service user's
	h := machine(t, dir, os.Geteuid())
	must(t, h.WriteFile("/data/state", []byte("a"), FileMode{}))
	if got, err := h.ReadFile("/disk/state"); err != nil || string(got) != "a" {
		t.Errorf("through the administrator's link: %q, %v", got, err)
	}
	for _, link := range []string{"planted", "indirect"} {
		at := "/data/app/" + link
		for name, err := range map[string]error{
			"write": h.WriteFile(at+"/b", nil, FileMode{}), "mkdir": h.MkdirAll(at+"/b/c", FileMode{}),
			"remove":     h.Remove(at + "/a"),
			"remove all": h.RemoveAll(at + "/a"), "rename": h.Rename(at+"/a", at+"/b"), "link": h.Symlink("x", at+"/b"),
			"chown": h.Chown(at+"/a", "0", ""), "chmod": h.SetMode(at+"/a", FileMode{Perm: 0o666}),
			"edit":    h.EditFile(at+"/a", FileMode{}, func([]byte) ([]byte, error) { return []byte("x"), nil }),
			"resolve": second(h.Resolve(at)), "append": second(h.Append(at+"/a", 0o600)),
			"exchange":  h.Exchange(at+"/a", at+"/b"),
			"copy":      h.CopyTree(t.Context(), "/disk/app", at+"/b", CopyOptions{}),
			"copy out":  h.CopyTree(t.Context(), at+"/a", "/disk/b", CopyOptions{}),
			"allocate":  h.Allocate(t.Context(), at+"/b", Allocation{Size: 1}, nil),
			"overwrite": h.WriteAt(at+"/a", nil, 0),
			"read":      second(h.ReadFile(at)), "read below": second(h.ReadFile(at + "/a")),
			"list": second(h.ReadDir(at)),
			"lock": lock(h, at+"/b"), "mounts": second(h.Mounts(at)),
		} {
			if !errors.Is(err, ErrUntrustedLink) {
				t.Errorf("%s through %s: %v", name, link, err)
			}
		}
	}
	if entries, err := os.ReadDir(filepath.Join(dir, "etc")); err != nil || len(entries) != 0 {
		t.Errorf("%v, %v", entries, err)
	}
}

func lock(h *Host, abs string) error {
	_, _, err := h.TryLock(abs)
	return err
}

// TestMachineWithExchangedDirectory writes files and directories as root does during an installation while their
// directory is exchanged with a link.
func TestMachineWithExchangedDirectory(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"victim", "data/app"} {
		must(t, os.MkdirAll(filepath.Join(dir, name), 0o755))
		must(t, os.WriteFile(filepath.Join(dir, name, "file"), []byte("old"), 0o600))
	}
	must(t, os.Symlink("../victim", filepath.Join(dir, "data/trap")))
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-quit:
				return
			default:
				_ = unix.Renameat2(unix.AT_FDCWD, filepath.Join(dir, "data/app"), unix.AT_FDCWD,
					filepath.Join(dir, "data/trap"), unix.RENAME_EXCHANGE)
			}
		}
	}()
	h := machine(t, dir, os.Geteuid()+1)
	for range 300 {
		_ = h.WriteFile("/data/app/file", []byte("new"), FileMode{Perm: 0o644})
		_ = h.Mkdir("/data/app/dir", FileMode{Perm: 0o755})
		_ = h.Symlink("x", "/data/app/link")
		_ = h.SetMode("/data/app/file", FileMode{Perm: 0o640})
		_ = h.RemoveAll("/data/app/dir")
	}
	close(quit)
	<-done
	if entries, err := os.ReadDir(filepath.Join(dir, "victim")); err != nil || len(entries) != 1 {
		t.Errorf("the victim has %v, %v", entries, err)
	}
	info, err := os.Stat(filepath.Join(dir, "victim/file"))
	must(t, err)
	if data, err := os.ReadFile(filepath.Join(dir, "victim/file")); err != nil || string(data) != "old" ||
		info.Mode() != 0o600 {
		t.Errorf("the victim's file: %q, %v, %v", data, info.Mode(), err)
	}
}

// TestPlantedTempFile: in a directory of a less trusted user the temporary name may be a link to something precious.
func TestPlantedTempFile(t *testing.T) {
	h := newTree(t, map[string]string{"/precious": "gold", TempName("/dir/a"): "-> /precious"})
	must(t, h.WriteFile("/dir/a", []byte("new"), FileMode{}))
	if got, err := h.ReadFile("/precious"); err != nil || string(got) != "gold" {
		t.Errorf("the target of the planted link: %q, %v", got, err)
	}
	if got, err := h.ReadFile("/dir/a"); err != nil || string(got) != "new" {
		t.Errorf("the file: %q, %v", got, err)
	}
}

func TestSymlinkReplaces(t *testing.T) {
	h := newTree(t, map[string]string{"/a": "-> old"})
	must(t, h.Symlink("new", "/a"))
	if got, err := h.Readlink("/a"); err != nil || got != "new" {
		t.Errorf("%s, %v", got, err)
	}
}

func TestMissingParents(t *testing.T) {
	h := newTree(t, map[string]string{"/a/f": ""})
	got, err := h.MissingParents("/a/b/c")
	if err != nil || !slices.Equal(got, []string{"/a/b", "/a/b/c"}) {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := h.MissingParents("/a"); err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := h.MissingParents("/a/f/g"); err == nil {
		t.Error("a file is taken for a directory")
	}
}
