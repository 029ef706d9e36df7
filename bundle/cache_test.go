package bundle

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fate-installer/payload"
)

func TestCacheTrim(t *testing.T) {
	c := &Cache{Dir: t.TempDir(), Max: 250}
	now := time.Now()
	for i, name := range []string{"oldest", "older", "newest"} {
		file := writeFile(t, c.path(name), make([]byte, 100))
		if err := os.Chtimes(file, now, now.Add(time.Duration(i-9)*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	if _, ok := c.lookup(payload.Blob{SHA256: "oldest", Size: 100}); !ok {
		t.Error("the oldest file is not found")
	}
	f, err := c.partial("key")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := io.WriteString(f, strings.Repeat("x", 100)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.keep(f, "added"); err != nil {
		t.Fatal(err)
	}
	items, err := os.ReadDir(filepath.Join(c.Dir, "sha256"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, item := range items {
		names = append(names, item.Name())
	}
	// "oldest" was used by this process and "added" is needed now, although both together with any other are too much.
	if diff := cmp.Diff([]string{"added", "oldest"}, names); diff != "" {
		t.Errorf("cache (-want +got):\n%s", diff)
	}
}

// A build whose cached file has rotted must say so, and the next one must fetch it again.
func TestBuildFromCache(t *testing.T) {
	data := makeTar(t, f("a", "content"))
	s := serve(t, data)
	dir := t.TempDir()
	file := lockFile(t, dir, "  - {name: a, version: 1, sources: [{url: [\""+s.URL+"/x.tar\"]}]}\n")
	d := downloader(t)
	if _, err := Fill(context.Background(), FillOptions{File: file, Fetch: d}); err != nil {
		t.Fatal(err)
	}
	useCache := func(o *BuildOptions) { o.Fetch = d }
	_, out, err := build(t, file, useCache)
	if err != nil {
		t.Fatal(err)
	}
	if got := contentOf(t, out, "a"); got != "-0644 a content\n" {
		t.Errorf("content %q", got)
	}
	if len(s.requests) != 1 {
		t.Errorf("requests %q, want only that of the lock", s.requests)
	}
	cached := d.Cache.path(blobOf(data).SHA256)
	rotten := bytes.Clone(data)
	rotten[600] ^= 0x40
	writeFile(t, cached, rotten)
	var mismatch *MismatchError
	if _, _, err = build(t, file, useCache); !errors.As(err, &mismatch) {
		t.Fatalf("error %v, want a MismatchError", err)
	}
	if _, _, err = build(t, file, useCache); err != nil {
		t.Errorf("the rotten file is still in use: %v", err)
	}
}
