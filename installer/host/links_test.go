package host

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

// TestLinksStayInTheTree: a tree is seen as chroot shows it, and nothing outside can be reached.
func TestLinksStayInTheTree(t *testing.T) {
	outside := t.TempDir()
	must(t, os.WriteFile(filepath.Join(outside, "victim"), []byte("outside"), 0o644))
	h := newTree(t, map[string]string{
		"/real/file": "inside", "/absolute": "-> /real", "/relative": "-> real", "/up": "-> ../../../../real",
		"/escape": "-> " + outside, "/deep/er/up": "-> ../../real", "/loop": "-> /loop", "/dangling": "-> /nowhere/at/all",
		"/abs-file": "-> /real/file", "/twice": "-> /absolute",
	})
	for _, dir := range []string{"/real", "/absolute", "/relative", "/up", "/deep/er/up", "/twice", "/real/../real", "/absolute/../absolute"} {
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

// TestRootFollowsOnlyItsOwnLinks works on a directory of the running machine, as the service user could prepare one.
func TestRootFollowsOnlyItsOwnLinks(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root has others' links to fear")
	}
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "etc"), 0o755))
	must(t, os.Symlink("etc", filepath.Join(dir, "ours")))
	must(t, os.Symlink("etc", filepath.Join(dir, "theirs")))
	must(t, os.Lchown(filepath.Join(dir, "theirs"), 65534, 65534))
	must(t, os.Symlink("theirs", filepath.Join(dir, "indirect")))
	h, err := New("/", nil)
	must(t, err)
	must(t, h.WriteFile(filepath.Join(dir, "ours/a"), []byte("a"), FileMode{}))
	for _, link := range []string{"theirs", "indirect"} {
		at := filepath.Join(dir, link)
		for name, err := range map[string]error{
			"write": h.WriteFile(at+"/b", nil, FileMode{}), "mkdir": h.MkdirAll(at+"/b/c", FileMode{}), "remove": h.Remove(at + "/a"),
			"rename": h.Rename(at+"/a", at+"/b"), "link": h.Symlink("x", at+"/b"), "chown": h.Chown(at+"/a", "root", ""),
			"chmod": h.SetMode(at+"/a", FileMode{Perm: 0o666}), "edit": h.EditFile(at+"/a", FileMode{}, func([]byte) ([]byte, error) { return []byte("x"), nil }),
			"resolve": second(h.Resolve(at)), "append": second(h.Append(at+"/a", 0o600)),
		} {
			if !errors.Is(err, ErrUntrustedLink) {
				t.Errorf("%s through %s: %v", name, link, err)
			}
		}
	}
	if entries, err := os.ReadDir(filepath.Join(dir, "etc")); err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
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
