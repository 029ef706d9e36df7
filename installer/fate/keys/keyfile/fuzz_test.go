package keyfile

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// FuzzUnpackKeys reads an archive of keys: what comes of it has names without directories, and is bounded.
func FuzzUnpackKeys(f *testing.F) {
	var archive bytes.Buffer
	z := gzip.NewWriter(&archive)
	w := tar.NewWriter(z)
	text := []byte("-----BEGIN CERTIFICATE-----\n")
	err := w.WriteHeader(&tar.Header{Name: "../keys/host.pem", Typeflag: tar.TypeReg, Mode: 0o600,
		Size: int64(len(text))})
	if err == nil {
		_, err = w.Write(text)
	}
	if err := errors.Join(err, w.Close(), z.Close()); err != nil {
		f.Fatal(err)
	}
	f.Add(archive.Bytes())
	f.Add(archive.Bytes()[:archive.Len()/2])
	name := filepath.Join(f.TempDir(), "keys.tar.gz")
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
		files, err := unpack(name)
		if err != nil {
			return
		}
		total := 0
		for _, file := range files {
			if file.Name != filepath.Base(file.Name) {
				t.Errorf("a file is named %q", file.Name)
			}
			total += len(file.Content)
		}
		if len(files) > archiveEntries || total > archiveLimit {
			t.Errorf("%d files with %d bytes", len(files), total)
		}
	})
}
