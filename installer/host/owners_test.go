package host

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

func TestWriteFileModes(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o077)) // a hostile umask changes nothing
	h := newTree(t, map[string]string{"/etc/group": "apps:x:7:\n", "/etc/passwd": "app:x:6:7::/:/bin/sh\n",
		"/a": "old"})
	must(t, h.SetMode("/a", FileMode{Perm: 0o640, Owner: "app", Group: "apps"}))
	must(t, h.WriteFile("/a", []byte("new"), FileMode{}))
	must(t, h.WriteFile("/b", []byte("b"), FileMode{}))
	must(t, h.WriteFile("/c", []byte("c"), FileMode{Perm: 0o600, Owner: "app"}))
	must(t, h.MkdirAll("/d/e", FileMode{Perm: 0o750, Group: "apps"}))
	must(t, h.Mkdir("/f", FileMode{}))
	for p, want := range map[string]string{
		"/a": "-rw-r----- app:apps", "/b": "-rw-r--r-- root:root", "/c": "-rw------- app:root",
		"/d": "drwxr-x--- root:apps", "/d/e": "drwxr-x--- root:apps", "/f": "drwxr-xr-x root:root",
	} {
		if got := describe(t, h, p); got != want {
			t.Errorf("%s: %s, want %s", p, got, want)
		}
	}
}

func describe(t *testing.T, h *Host, p string) string {
	t.Helper()
	fi, err := h.Lstat(p)
	must(t, err)
	owner, group, err := h.Owner(p)
	must(t, err)
	return fi.Mode().String() + " " + owner + ":" + group
}

// ownersAre compares the owners of files, written OWNER:GROUP.
func ownersAre(t *testing.T, h *Host, want map[string]string) {
	t.Helper()
	for p, want := range want {
		if got := strings.Fields(describe(t, h, p))[1]; got != want {
			t.Errorf("%s: %s, want %s", p, got, want)
		}
	}
}

// TestOwnersOfATree: what is recorded follows renames, ends with a removal, and is found by the next process.
func TestOwnersOfATree(t *testing.T) {
	h := newTree(t, map[string]string{"/tree/a/b": "", "/tree/c": "", "/x": ""})
	must(t, h.RecordOwners("/tree", "app", "apps"))
	must(t, h.Chown("/tree/c", "root", ""))
	must(t, h.Chown("/x", "mysql", "mysql"))
	must(t, h.Rename("/tree", "/moved"))
	must(t, h.Remove("/x"))
	must(t, h.WriteFile("/x", nil, FileMode{}))
	// A line that was cut off is no record, and does not spoil the next one.
	must(t, h.Close())
	file := filepath.Join(h.Root(), OwnersFile)
	data, err := os.ReadFile(file)
	must(t, err)
	must(t, os.WriteFile(file, append(data, `{"path":"/moved","ow`...), 0o644))
	h, err = New(h.Root(), nil)
	must(t, err)
	must(t, h.Chown("/moved/a", "late", ""))
	must(t, h.Close())
	h, err = New(h.Root(), nil)
	must(t, err)
	ownersAre(t, h, map[string]string{"/moved/a/b": "app:apps", "/moved/a": "late:apps", "/moved/c": "root:apps",
		"/moved": "app:apps", "/x": "root:root"})
}

func TestAccounts(t *testing.T) {
	h := newTree(t, map[string]string{
		"/etc/passwd": "# comment\nroot:x:0:0:root:/root:/bin/bash\nbad " +
			"line\napp:x:6000:6001::/home/app:/bin/bash\n+::::::\n",
		"/etc/group": "root:x:0:\napps:x:6001:app,other\n",
	})
	for _, name := range []string{"app", "6000"} {
		if u, err := h.LookupUser(name); err != nil || u.Name != "app" || u.GID != 6001 || u.Home != "/home/app" {
			t.Errorf("%s: %+v, %v", name, u, err)
		}
	}
	if g, err := h.LookupGroup("apps"); err != nil || g.GID != 6001 ||
		!slices.Equal(g.Members, []string{"app", "other"}) {
		t.Errorf("%+v, %v", g, err)
	}
	for _, err := range []error{second(h.LookupUser("nobody")), second(h.LookupGroup("nobody"))} {
		if !errors.Is(err, ErrUnknownAccount) {
			t.Errorf("error %v", err)
		}
	}
	if u, err := h.LookupUser("1234"); err != nil || u.UID != 1234 {
		t.Errorf("a number without a name: %+v, %v", u, err)
	}
	if uid, gid, err := h.IDs("app", ""); err != nil || uid != 6000 || gid != -1 {
		t.Errorf("IDs: %d %d, %v", uid, gid, err)
	}
}

// TestOwnersAfterAKill cuts a process off between a change and its record, in both orders.
func TestOwnersAfterAKill(t *testing.T) {
	for _, c := range []struct {
		name string
		cut  func(t *testing.T, h *Host, dir string)
		want map[string]string
	}{
		{"after a rename", func(t *testing.T, h *Host, dir string) {
			_, err := h.owners.announce(owned{From: "/tree", Path: "/moved", Rename: announced})
			must(t, err)
			must(t, os.Rename(dir+"/tree", dir+"/moved"))
		}, map[string]string{"/moved": "app:apps", "/moved/a": "late:apps", "/moved/b": "app:apps"}},
		{"before a rename", func(t *testing.T, h *Host, _ string) {
			_, err := h.owners.announce(owned{From: "/tree", Path: "/moved", Rename: announced})
			must(t, err)
		}, map[string]string{"/tree": "app:apps", "/tree/a": "late:apps", "/tree/b": "app:apps"}},
		{"after a rename over a file", func(t *testing.T, h *Host, dir string) {
			must(t, h.Chown("/new", "other", "other"))
			_, err := h.owners.announce(owned{From: "/new", Path: "/tree/a", Rename: announced})
			must(t, err)
			must(t, os.Rename(dir+"/new", dir+"/tree/a"))
		}, map[string]string{"/tree": "app:apps", "/tree/a": "other:other", "/tree/b": "app:apps"}},
		{"after a removal", func(t *testing.T, _ *Host, dir string) {
			must(t, os.Remove(dir+"/tree/a"))
		}, map[string]string{"/tree": "app:apps", "/tree/a": "app:apps", "/tree/b": "app:apps"}},
		{"after the removal of a tree", func(t *testing.T, _ *Host, dir string) {
			must(t, os.RemoveAll(dir+"/tree"))
		}, map[string]string{"/tree": "root:root", "/tree/a": "root:root", "/tree/b": "root:root"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newTree(t, map[string]string{"/tree/a": "", "/tree/b": "", "/new": ""})
			must(t, h.RecordOwners("/tree", "app", "apps"))
			must(t, h.Chown("/tree/a", "late", ""))
			c.cut(t, h, h.Root())

			again, err := New(h.Root(), nil)
			must(t, err)
			// What was cut off is decided before anything else happens to the paths, and stays so.
			must(t, again.WriteFile("/else", nil, FileMode{}))
			third, err := New(h.Root(), nil)
			must(t, err)
			for p := range c.want {
				if !third.Exists(p) { // made again, it has nothing of the owner before
					must(t, os.MkdirAll(h.Root()+p, 0o755))
				}
			}
			ownersAre(t, again, c.want)
			ownersAre(t, third, c.want)
		})
	}
}

// TestOwnersFileIsForImageBuilders: a run that ends leaves no log but a list.
func TestOwnersFileIsForImageBuilders(t *testing.T) {
	h := newTree(t, map[string]string{"/new/a": "", "/new/b": "", "/gone": ""})
	must(t, h.RecordOwners("/new", "app", "apps"))
	must(t, h.Chown("/new/b", "mysql", "mysql"))
	must(t, h.Chown("/gone", "app", "apps"))
	must(t, h.Rename("/new", "/data"))
	must(t, h.Remove("/gone"))
	must(t, h.Close())
	const want = `{"path":"/data","owner":"app","group":"apps","tree":true}
{"path":"/data/b","owner":"mysql","group":"mysql"}
`
	file := filepath.Join(h.Root(), OwnersFile)
	if got, err := os.ReadFile(file); err != nil || string(got) != want {
		t.Errorf("got\n%s%v, want\n%s", got, err, want)
	}
	entries, err := os.ReadDir(filepath.Dir(file))
	if err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
}

// TestOwnersOfTwoProcesses: the holder of the lock sees what its former holder recorded, and neither drops the record
// of another.
func TestOwnersOfTwoProcesses(t *testing.T) {
	first := newTree(t, map[string]string{"/a": "", "/b": ""})
	second, err := New(first.Root(), nil)
	must(t, err)
	must(t, first.Chown("/a", "app", "apps"))
	release, _, err := second.TryLock("/lock")
	must(t, err)
	must(t, second.Chown("/b", "mysql", "mysql"))
	must(t, release())
	must(t, first.Close())
	must(t, second.Close())
	h, err := New(first.Root(), nil)
	must(t, err)
	ownersAre(t, h, map[string]string{"/a": "app:apps", "/b": "mysql:mysql"})
}
