package main

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
		files, err := unpackKeys(name)
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
		if len(files) > keyArchiveEntries || total > keyArchiveLimit {
			t.Errorf("%d files with %d bytes", len(files), total)
		}
	})
}

// FuzzMetaDatabase reads the file from which a probe takes eggroll's database.
func FuzzMetaDatabase(f *testing.F) {
	f.Add([]byte("eggroll.resourcemanager.clustermanager.jdbc.url=jdbc:mysql://192.168.0.1:3306/eggroll_meta?useSSL=false\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := metaDatabase(data); err == nil && c.Net != "tcp" {
			t.Errorf("a database that is not reached by TCP: %+v", c)
		}
	})
}
