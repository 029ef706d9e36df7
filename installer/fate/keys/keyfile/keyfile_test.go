package keyfile

import (
	"archive/tar"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// zeros reads as that many zero bytes.
type zeros struct{ io.Reader }

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestKeyArchiveIsBounded: an archive of keys comes from another organisation.
func TestKeyArchiveIsBounded(t *testing.T) {
	write := func(fill func(*tar.Writer) error) string {
		t.Helper()
		name := filepath.Join(t.TempDir(), "keys.tar.gz")
		f, err := os.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		zw := gzip.NewWriter(f)
		tw := tar.NewWriter(zw)
		if err := fill(tw); err != nil {
			t.Fatal(err)
		}
		for _, c := range []io.Closer{tw, zw, f} {
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
		}
		return name
	}
	member := func(tw *tar.Writer, name string, kind byte, size int64) error {
		h := &tar.Header{Name: name, Typeflag: kind, Size: size, Mode: 0o600}
		if err := tw.WriteHeader(h); err != nil {
			return err
		}
		_, err := io.CopyN(tw, zeros{}, size)
		return err
	}
	for _, c := range []struct {
		name, want string
		fill       func(*tar.Writer) error
	}{
		{"many entries", "more than 256 entries", func(tw *tar.Writer) (err error) {
			for i := 0; i < 1000 && err == nil; i++ {
				err = member(tw, fmt.Sprintf("d%d", i), tar.TypeDir, 0)
			}
			return err
		}},
		{"a long key", "longer than 1048576 bytes", func(tw *tar.Writer) error {
			return member(tw, "client.key", tar.TypeReg, Limit+1)
		}},
		{"a bomb that is skipped", "unexpected EOF", func(tw *tar.Writer) error {
			return member(tw, "bomb", 'V', 64<<20)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			name := write(c.fill)
			if _, err := Read(name); err == nil || !strings.Contains(err.Error(), c.want) ||
				!strings.Contains(err.Error(), name) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	name := write(func(tw *tar.Writer) error { return member(tw, "keys/client.key", tar.TypeReg, 10) })
	if files, err := Read(name); err != nil || len(files) != 1 || files[0].Name != "client.key" ||
		len(files[0].Content) != 10 {
		t.Errorf("an ordinary archive: got %v, %v", files, err)
	}
}
