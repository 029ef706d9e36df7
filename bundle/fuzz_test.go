package bundle

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"
)

// corpus gives a fuzz target small archives of every kind to start from.
func corpus(f1 *testing.F) {
	entries := []*tar.Header{d("d/"), f("d/f", "x"), l("d/l", "f"), h("h", "d/f"),
		f(strings.Repeat("long/", 30)+"n", "y")}
	tarball := makeTar(f1, entries...)
	for _, codec := range []string{"", "gz", "xz", "zst"} {
		f1.Add(compress(f1, codec, tarball))
		f1.Add(makeDeb(f1, "all", codec, entries...))
	}
	f1.Add(makeZip(f1, zipMember{"d/", "", fs.ModeDir | 0o755}, zipMember{"d/f", "x", 0o644},
		zipMember{"l", "d/f", fs.ModeSymlink | 0o777}))
	for _, name := range []string{"testdata/sparse.tar", "testdata/hello.tar.bz2"} {
		data, err := os.ReadFile(name)
		if err != nil {
			f1.Fatal(err)
		}
		f1.Add(data)
	}
}

// fuzzVisit holds what a reader hands on to the promises the tree relies on.
func fuzzVisit(t *testing.T) visit {
	return func(e entry, body io.Reader) error {
		if clean, err := cleanPath(e.path); err != nil || clean != e.path {
			t.Errorf("path %q: %v", e.path, err)
		}
		switch e.kind {
		case kindFile:
			n, err := io.Copy(io.Discard, io.LimitReader(body, 1<<20))
			if n > e.size {
				t.Errorf("%s has %d bytes, said %d", e.path, n, e.size)
			}
			return err
		case kindSymlink:
			if linkTarget(e.target) != "" {
				t.Errorf("link target %q", e.target)
			}
		case kindHardlink:
			if clean, err := cleanPath(e.target); err != nil || clean != e.target {
				t.Errorf("hard link target %q: %v", e.target, err)
			}
		}
		return nil
	}
}

func FuzzReadSource(f1 *testing.F) {
	corpus(f1)
	f1.Fuzz(func(t *testing.T, data []byte) {
		found, err := identify("x", FormatAuto, bufio.NewReader(bytes.NewReader(data)))
		if err != nil {
			return
		}
		defer found.archived.Close()
		v := fuzzVisit(t)
		switch found.format { // the errors are the point: there must be one, not a panic
		case FormatTar:
			_ = readTar("x", found.archived, v)
		case FormatDeb:
			_ = readDeb("x", found.archived, func(debInfo) error { return nil }, v)
		case FormatZip:
			_ = readZip("x", bytes.NewReader(data), int64(len(data)), v)
		}
	})
}

func FuzzReadDeb(f1 *testing.F) {
	corpus(f1)
	f1.Fuzz(func(t *testing.T, data []byte) {
		_ = readDeb("x", bytes.NewReader(data), func(debInfo) error { return nil }, fuzzVisit(t))
	})
}

func FuzzReadZip(f1 *testing.F) {
	corpus(f1)
	f1.Fuzz(func(t *testing.T, data []byte) {
		if r, err := zip.NewReader(bytes.NewReader(data), int64(len(data))); err == nil && len(r.File) > 1000 {
			return // slow, and nothing new
		}
		_ = readZip("x", bytes.NewReader(data), int64(len(data)), fuzzVisit(t))
	})
}

// FuzzTree feeds a tree with whatever a tar says: what comes out must be acceptable to a reader of appliances.
func FuzzTree(f1 *testing.F) {
	corpus(f1)
	f1.Add(makeTar(f1, f("a/f", ""), l("a/up", ".."), l("l", "a/up/../x"), l("m", "a/../a/f")))
	f1.Fuzz(func(t *testing.T, data []byte) {
		s, err := newSpool(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		defer s.close()
		tr := newTree(s)
		o := tr.merge(&Source{Path: "x", Setuid: SetuidDrop}, true)
		err = readTar("x", bytes.NewReader(data), func(e entry, body io.Reader) error {
			if e.size > 1<<20 {
				return errors.New("too large for a test")
			}
			return tr.add(o, e, body)
		})
		if err != nil || tr.finish(&Component{}) != nil {
			return
		}
		for _, n := range tr.sorted() {
			if n.kind == kindSymlink {
				if _, err := tr.follow(n); errors.Is(err, errEscapes) || !climbsFirst(n.target) ||
					strings.HasPrefix(n.target, "/") {
					t.Errorf("link %s to %q: %v", n.path, n.target, err)
				}
			}
			if up := n.path[:max(0, strings.LastIndex(n.path, "/"))]; up != "" && tr.nodes[up].kind != kindDir {
				t.Errorf("%s lies below a %s", n.path, tr.nodes[up].kind)
			}
		}
	})
}

// FuzzFateEnv reads the settings of an official package: each has a name, and no line break.
func FuzzFateEnv(f1 *testing.F) {
	f1.Add("FATE=1.11.4\n# x\nEGGROLL = 2.5.3\nEMPTY=\n=x\n")
	f1.Fuzz(func(t *testing.T, text string) {
		for name, value := range parseFateEnv(text) {
			if name == "" || strings.Contains(name+value, "\n") {
				t.Errorf("%q = %q", name, value)
			}
		}
	})
}
