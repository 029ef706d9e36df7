package host

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"fate-installer/installer/host/beneath"
)

// TestReadTailOfWhatIsNoLog puts in the place of a log what the owner of the log directory could put there.
func TestReadTailOfWhatIsNoLog(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte("root's\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Mkdir(filepath.Join(dir, "logs"), 0o755))
	must(os.Symlink(secret, filepath.Join(dir, "logs", "link")))
	must(os.Symlink("/secret", filepath.Join(dir, "logs", "rooted")))
	must(syscall.Mkfifo(filepath.Join(dir, "logs", "pipe"), 0o644))
	must(os.WriteFile(filepath.Join(dir, "logs", "long"), []byte("first line\nsecond line\nthird line\n"), 0o644))

	system, err := New("/", nil)
	must(err)
	tree, err := New(dir, nil)
	must(err)
	defer tree.Close()
	for _, at := range []struct {
		name string
		host *Host
		logs string
	}{{"system", system, filepath.Join(dir, "logs")}, {"tree", tree, "/logs"}} {
		for _, bad := range []string{"link", "rooted", "pipe", "."} {
			if data, err := at.host.ReadTail(filepath.Join(at.logs, bad), 100); err == nil {
				t.Errorf("%s: %s was read as %q", at.name, bad, data)
			}
		}
		if _, err := at.host.ReadTail(at.logs, 100); !errors.Is(err, ErrNotPlain) {
			t.Errorf("%s: a directory gives %v", at.name, err)
		}
		for limit, want := range map[int64]string{100: "first line\nsecond line\nthird line\n", 16: "third line\n",
			11: ""} {
			if data, err := at.host.ReadTail(filepath.Join(at.logs, "long"), limit); err != nil ||
				string(data) != want {
				t.Errorf("%s: the last %d bytes are %q, %v; want %q", at.name, limit, data, err, want)
			}
		}
		if list, err := at.host.ListPlain(at.logs, 3); err != nil || len(list) != 3 {
			t.Errorf("%s: 3 of the entries are %v, %v", at.name, list, err)
		}
	}
}

// TestOpenPlainFollowsNoForeignLinkAbove holds a directory on the way that is another user's link.
func TestOpenPlainFollowsNoForeignLinkAbove(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can be led to what it could not reach itself")
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "real"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "real", "log"), []byte("x\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink("real", link); err != nil {
		t.Fatal(err)
	}
	system, err := New("/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Lchown(link, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	if data, err := system.ReadTail(filepath.Join(link, "log"), 10); !errors.Is(err, ErrUntrustedLink) {
		t.Errorf("below another user's link: %q, %v", data, err)
	}
}

// TestHardLinksAreNotReadOut: a file of root's to which another user has given a name in a directory of its own is not
// read from there; a file of that user's is, and so is a hard link in a directory of root's.
func TestHardLinksAreNotReadOut(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("the files belong to two users")
	}
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o755))
	must(t, os.Mkdir(filepath.Join(dir, "app"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "shadow"), []byte("root's"), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "app/own"), []byte("app's"), 0o600))
	must(t, os.Link(filepath.Join(dir, "shadow"), filepath.Join(dir, "app/planted")))
	must(t, os.Link(filepath.Join(dir, "shadow"), filepath.Join(dir, "roots")))
	must(t, os.Link(filepath.Join(dir, "app/own"), filepath.Join(dir, "app/twice")))
	for _, name := range []string{"app", "app/own"} {
		must(t, os.Chown(filepath.Join(dir, name), 65534, 65534))
	}
	h := machine(t, dir, 0)
	reads := map[string]func(string) ([]byte, error){
		"ReadFile":  h.ReadFile,
		"ReadPlain": func(abs string) ([]byte, error) { return h.ReadPlain(abs, 100) },
		"ReadTail":  func(abs string) ([]byte, error) { return h.ReadTail(abs, 100) },
		"ReadAt":    func(abs string) ([]byte, error) { return h.ReadAt(abs, 100, 0) },
		"Open": func(abs string) ([]byte, error) {
			f, err := h.Open(abs)
			if err != nil {
				return nil, err
			}
			return nil, f.Close()
		},
	}
	for name, read := range reads {
		if data, err := read("/app/planted"); !errors.Is(err, beneath.ErrHardLink) {
			t.Errorf("%s: root's file was read as %q, %v", name, data, err)
		}
		for _, good := range []string{"/app/twice", "/app/own", "/roots"} {
			if _, err := read(good); err != nil {
				t.Errorf("%s: %s: %v", name, good, err)
			}
		}
	}
}

// TestReadingIsBounded: a file that uses no space does not use the memory of its length.
func TestReadingIsBounded(t *testing.T) {
	h := newTree(t, nil)
	must(t, os.WriteFile(filepath.Join(h.Root(), "huge"), nil, 0o600))
	must(t, os.Truncate(filepath.Join(h.Root(), "huge"), 1<<40))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := h.ReadFile("/huge"); !errors.Is(err, ErrTooLong) {
		t.Errorf("ReadFile: %v", err)
	}
	if _, err := h.ReadPlain("/huge", 100); !errors.Is(err, ErrTooLong) {
		t.Errorf("ReadPlain: %v", err)
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 16*ReadLimit {
		t.Errorf("%d bytes were allocated", used)
	}
}

// TestLinkedTreeCanBeRead copies the tree of a component, which has a record of root's among another user's files, by
// links: both trees can be read afterwards.
func TestLinkedTreeCanBeRead(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("the files belong to two users")
	}
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o755))
	must(t, os.Mkdir(filepath.Join(dir, "app"), 0o755))
	for _, name := range []string{"app/record", "app/own"} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(name), 0o644))
	}
	for _, name := range []string{"app", "app/own"} {
		must(t, os.Chown(filepath.Join(dir, name), 65534, 65534))
	}
	h := machine(t, dir, 0)
	must(t, h.CopyTree(t.Context(), "/app", "/kept", CopyOptions{Link: true}))
	for _, tree := range []string{"/app", "/kept"} {
		for _, name := range []string{"record", "own"} {
			if data, err := h.ReadFile(tree + "/" + name); err != nil || string(data) != "app/"+name {
				t.Errorf("%s/%s: %q, %v", tree, name, data, err)
			}
		}
	}
}
