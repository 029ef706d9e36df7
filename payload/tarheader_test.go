package payload

import (
	"archive/tar"
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var equateEntries = cmp.AllowUnexported(entry{})

func TestHeaderForms(t *testing.T) {
	for _, e := range []entry{
		{name: "a", kind: kindFile},
		{name: "a", kind: kindFile, mode: 0o7777, size: 1, mtime: 1_600_000_000},
		{name: strings.Repeat("n", 100), kind: kindFile},
		{name: strings.Repeat("n", 101), kind: kindFile},
		{name: strings.Repeat("n", 99), kind: kindDir},
		{name: strings.Repeat("n", 100), kind: kindDir, mode: 0o755},
		{name: "ä", kind: kindDir},
		{name: "big", kind: kindFile, size: ustarSize},
		{name: "bigger", kind: kindFile, size: ustarSize + 1, mtime: ustarSize},
		{name: "l", kind: kindSymlink, mode: 0o777, target: "ä"},
		{name: "l", kind: kindSymlink, mode: 0o777, target: strings.Repeat("t/", 60)},
		{name: "h", kind: kindLink, target: strings.Repeat("t/", 60) + "t"},
		{name: strings.Repeat("very/", 800) + "deep", kind: kindLink, target: strings.Repeat("very/", 800) + "far",
			size: 0},
	} {
		b := appendHeader(nil, &e)
		if len(b)%tarBlock != 0 {
			t.Fatalf("%+v: %d bytes", e, len(b))
		}
		got, n, err := parseHeader(append(b, "rest"...))
		if err != nil || n != len(b) {
			t.Fatalf("%+v: read %d of %d bytes, error %v", e, n, len(b), err)
		}
		if diff := cmp.Diff(e, got, equateEntries); diff != "" {
			t.Error(diff)
		}
		sameAsStock(t, e, b)
	}
}

// sameAsStock compares what this package reads from header blocks with what archive/tar reads.
func sameAsStock(t interface {
	Helper()
	Fatalf(string, ...any)
}, e entry, blocks []byte) {
	t.Helper()
	h, err := tar.NewReader(bytes.NewReader(blocks)).Next()
	if err != nil {
		t.Fatalf("archive/tar cannot read %+v: %v", e, err)
	}
	stock, err := newEntry(h)
	if err != nil {
		t.Fatalf("archive/tar reads %+v as %+v: %v", e, h, err)
	}
	if diff := cmp.Diff(e, stock, equateEntries); diff != "" {
		t.Fatalf("archive/tar reads something else: %s", diff)
	}
}

func FuzzTarFrame(f *testing.F) {
	f.Add(stream(entry{name: "d", kind: kindDir}, entry{name: "d/f", kind: kindFile, size: 3}), true)
	f.Add(partStream(entry{name: strings.Repeat("long/", 30), kind: kindSymlink, mode: 0o777, target: "../ä"}), false)
	f.Add(append(paxBlocks("path=x"), zeros[:]...), true)
	f.Add(partStream(entry{name: "f", kind: kindFile, size: 5000})[:1024], false)
	f.Fuzz(func(t *testing.T, raw []byte, last bool) {
		raw = raw[:len(raw)/tarBlock*tarBlock]
		var again []byte
		err := readEntries(raw, last, func(e entry, data []byte) error {
			head := appendHeader(nil, &e)
			sameAsStock(t, e, head)
			again = append(append(again, head...), data...)
			again = append(again, make([]byte, padded(int64(len(data)))-int64(len(data)))...)
			return nil
		})
		if err != nil {
			return
		}
		if last {
			again = append(again, zeros[:]...)
		}
		if !bytes.Equal(again, raw) {
			t.Fatalf("read %q, which is written as %q", raw, again)
		}
	})
}

// Whatever archive/tar can write and the policy allows, the canonical form says the same.
func TestCanonicalForm(t *testing.T) {
	name := rapid.StringMatching(`[a-zä.]{1,60}(/[a-z0-9 ]{1,40}){0,4}`)
	rapid.Check(t, func(t *rapid.T) {
		h := &tar.Header{
			Typeflag: rapid.SampledFrom([]byte{tar.TypeReg, tar.TypeDir, tar.TypeSymlink, tar.TypeLink}).Draw(t,
				"type"),
			Name: name.Draw(t, "name"),
			Mode: int64(rapid.Uint16Range(0, 0o7777).Draw(t, "mode")),
		}
		switch h.Typeflag {
		case tar.TypeReg:
			h.Size = rapid.Int64Range(0, 1<<40).Draw(t, "size")
		case tar.TypeSymlink, tar.TypeLink:
			h.Linkname = name.Draw(t, "target")
		}
		var b bytes.Buffer
		if err := tar.NewWriter(&b).WriteHeader(h); err != nil {
			t.Skip(err)
		}
		read, err := tar.NewReader(&b).Next()
		if err != nil && err != io.EOF {
			t.Fatalf("%v", err)
		}
		e, err := newEntry(read)
		if err != nil || e.name == "" {
			return // refused, or the root, which is not stored
		}
		blocks := appendHeader(nil, &e)
		got, n, err := parseHeader(blocks)
		if err != nil || n != len(blocks) {
			t.Fatalf("%+v is written as %q, which cannot be read: %v", e, blocks, err)
		}
		if diff := cmp.Diff(e, got, equateEntries); diff != "" {
			t.Fatal(diff)
		}
		sameAsStock(t, e, blocks)
	})
}
