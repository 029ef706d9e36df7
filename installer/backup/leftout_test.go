package backup

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"fate-installer/installer/host"
)

// dump writes the trees to a stream.
func (t Trees) dump(tb testing.TB) ([]byte, *Manifest, error) {
	tb.Helper()
	var b bytes.Buffer
	m, w := newManifest(), testWriter(&b)
	err := errors.Join(t.Write(tb.Context(), m, w, func(int64) {}), w.put(recordEnd, nil), w.w.Flush())
	return b.Bytes(), m, err
}

// TestWhatCannotBePutBack: what a restore cannot put back is named, and everything else is restored.
func TestWhatCannotBePutBack(t *testing.T) {
	trees := newTree(t)
	long, deep := strings.Repeat("n", 246), strings.Repeat(strings.Repeat("d", 240)+"/", 15)
	trees.put(t, "jobs/j/conf", "{}")
	trees.put(t, "jobs/j/"+marker, "not the mark of this tree")
	trees.put(t, "jobs/"+strings.Repeat("f", 245), "a long name that fits")
	trees.put(t, "jobs/"+marker, "")
	trees.put(t, "jobs/.j.fate-tmp/in", "of a restore that was cut off")
	root := filepath.Join(trees.Host.Root(), trees.Home, "jobs")
	if err := errors.Join(os.Mkdir(filepath.Join(root, long), 0o755),
		os.WriteFile(filepath.Join(root, long, "in"), nil, 0o600),
		os.WriteFile(filepath.Join(root, strings.Repeat("g", 255)), []byte("fits"), 0o600),
		os.WriteFile(filepath.Join(root, "sparse"), nil, 0o600),
		os.Truncate(filepath.Join(root, "sparse"), 1<<40)); err != nil {
		t.Fatal(err)
	}
	if err := trees.Host.MkdirAll(path.Join(trees.Home, "jobs", deep), host.FileMode{Perm: 0o755}); err != nil {
		t.Fatal(err)
	}
	if size, err := trees.Size(t.Context()); err != nil || size > 1000 {
		t.Errorf("the size is %d, %v", size, err)
	}
	to, with := passphrase(t, "x")
	a, sealed := opened(t, create(t, nil, &trees, to), with)
	if err := a.Prove(t.Context(), sealed); err != nil {
		t.Fatal(err)
	}
	if n := a.Manifest().Missing(); n != 4 {
		t.Errorf("%d are missing by what is in the file", n)
	}
	named := strings.Join(a.Manifest().Unread, "\n")
	for _, want := range []string{"jobs/" + marker + ": ", "jobs/.j.fate-tmp: ", long + ": ", "jobs/sparse: ",
		strings.TrimSuffix(deep, "/") + ": "} {
		if !strings.Contains(named, want) {
			t.Errorf("%.80s is not named in\n%s", want, named)
		}
	}
	if _, m, err := trees.dump(t); err != nil || len(m.Unread) != 5 || m.Missing() != 4 {
		t.Errorf("%d are named, %d are missing, %v", len(m.Unread), m.Missing(), err)
	}
	restored := newTree(t)
	r := &Restore{Archive: a, Sealed: sealed, Trees: &restored}
	if _, err := resume(t.Context(), r, 0); err != nil {
		t.Fatal(err)
	}
	sameContent(t, restored.content(t, "jobs"), map[string]string{"j/conf": "{}",
		"j/" + marker: "not the mark of this tree", strings.Repeat("f", 245): "a long name that fits",
		strings.Repeat("g", 255): "fits"})
}

// TestProveAsRestore: a backup with an entry that a restore refuses is not whole.
func TestProveAsRestore(t *testing.T) {
	for name, kind := range map[string]string{marker: "f", ".x.fate-tmp": "f", strings.Repeat("n", 246): "d",
		strings.Repeat("p/", 2000) + "p": "f"} {
		stream := records(t, "T"+kind+"wz", `{"name":"jobs"}`, `{"path":"`+name+`","mode":420}`, "", "")
		err := readTrees(newRecordReader(bytes.NewReader(stream)), &treeCount{})
		if err == nil || !strings.Contains(err.Error(), "restore") && !strings.Contains(err.Error(), "temporary") {
			t.Errorf("%.20s: the error is %v", name, err)
		}
	}
}

// TestForeignHardLinks: a file of another user that has a second name is left out, and one of the service user is not.
func TestForeignHardLinks(t *testing.T) {
	trees := newTree(t)
	trees.put(t, "jobs/j", "{}")
	root := filepath.Join(trees.Host.Root(), trees.Home, "jobs")
	if err := os.Link(filepath.Join(root, "j"), filepath.Join(root, "second")); err != nil {
		t.Fatal(err)
	}
	if _, m, err := trees.dump(t); err != nil || m.Trees[0].Files != 2 || m.Missing() != 0 {
		t.Errorf("%+v, %v, %v", m.Trees, m.Unread, err)
	}
	if err := trees.Host.MkdirAll("/etc", host.FileMode{Perm: 0o755}); err != nil {
		t.Fatal(err)
	}
	if err := trees.Host.WriteFile("/etc/passwd", []byte("app:x:47110:47110::/:/bin/sh\n"),
		host.FileMode{Perm: 0o644}); err != nil {
		t.Fatal(err)
	}
	data, m, err := trees.dump(t)
	if err != nil || m.Trees[0].Files != 0 || m.Missing() != 2 || bytes.Contains(data, []byte("{}")) {
		t.Errorf("%+v, %v, %v", m.Trees, m.Unread, err)
	}
	if size, err := trees.Size(t.Context()); err != nil || size != 0 {
		t.Errorf("the size is %d, %v", size, err)
	}
}

// TestNoSilentCut: a directory that is not listed to its end, and a tree that cannot be looked at, are errors.
func TestNoSilentCut(t *testing.T) {
	trees := newTree(t)
	trees.put(t, "jobs/a", "1")
	trees.put(t, "jobs/b", "2")
	trees.limit = 3
	if _, m, err := trees.dump(t); err != nil || m.Trees[0].Files != 2 {
		t.Errorf("below the limit: %+v, %v", m.Trees, err)
	}
	trees.limit = 2
	if _, _, err := trees.dump(t); err == nil || !strings.Contains(err.Error(), "entries") {
		t.Errorf("at the limit: %v", err)
	}
	trees.limit, trees.Home = 0, path.Join(trees.Home, "jobs/a")
	if _, _, err := trees.dump(t); err == nil {
		t.Error("a file in the place of a directory was passed over")
	}
}

// TestSum does not go beyond the largest number.
func TestSum(t *testing.T) {
	for _, c := range [][3]int64{{1, 2, 3}, {math.MaxInt64, 1, math.MaxInt64}, {math.MaxInt64 - 1, 1, math.MaxInt64},
		{math.MaxInt64, math.MaxInt64, math.MaxInt64}} {
		if got := Sum(c[0], c[1]); got != c[2] {
			t.Errorf("%d and %d are %d", c[0], c[1], got)
		}
	}
}
