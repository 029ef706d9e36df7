package diagnosis

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// packed is a tar.gz.
func packed(t testing.TB, fill func(*tar.Writer) error) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	w := tar.NewWriter(z)
	if err := errors.Join(fill(w), w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestHostileBundlesAreRefused: a bundle comes from another machine.
func TestHostileBundlesAreRefused(t *testing.T) {
	file := func(name string, kind byte, size int64) func(*tar.Writer) error {
		return func(w *tar.Writer) error {
			h := &tar.Header{Name: name, Typeflag: kind, Size: size, Mode: 0o600}
			if kind == tar.TypeSymlink || kind == tar.TypeLink {
				h.Linkname = "/etc/shadow"
			}
			if err := w.WriteHeader(h); err != nil {
				return err
			}
			_, err := io.CopyN(w, zeros{}, size)
			return err
		}
	}
	both := func(fills ...func(*tar.Writer) error) func(*tar.Writer) error {
		return func(w *tar.Writer) error {
			for _, fill := range fills {
				if err := fill(w); err != nil {
					return err
				}
			}
			return nil
		}
	}
	for _, tt := range []struct {
		name, want string
		fill       func(*tar.Writer) error
	}{
		{"a link", "no plain file", file("d/x", tar.TypeSymlink, 0)},
		{"a hard link", "no plain file", file("d/x", tar.TypeLink, 0)},
		{"a device", "no plain file", file("d/x", tar.TypeChar, 0)},
		{"a directory", "no plain file", file("d/x/", tar.TypeDir, 0)},
		{"a way up", "it has a file named", file("d/../../etc/x", tar.TypeReg, 1)},
		{"an absolute name", "it has a file named", file("/etc/x", tar.TypeReg, 1)},
		{"no directory", "it has a file named", file("x", tar.TypeReg, 1)},
		{"two directories", "it has files below", both(file("a/x", tar.TypeReg, 1), file("b/x", tar.TypeReg, 1))},
		{"a name twice", "twice", both(file("a/x", tar.TypeReg, 1), file("a/x", tar.TypeReg, 1))},
		{"a long name", "a name in it has", file("a/"+strings.Repeat("x", 2000), tar.TypeReg, 1)},
		{"a large file", "64 MiB", file("a/x", tar.TypeReg, mostOfOne+1<<20)},
		{"nothing", "it is empty", both()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := tt.want
			if want == "64 MiB" {
				want = "MiB"
			}
			name := filepath.Join(t.TempDir(), "b.tar.gz")
			if err := os.WriteFile(name, packed(t, tt.fill), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Read(name)
			var bad *NotABundleError
			if !errors.As(err, &bad) || bad.File != name || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q", err, want)
			}
		})
	}
}

// TestBombsEnd: what unpacks to more than a bundle has is not read to its end.
func TestBombsEnd(t *testing.T) {
	out, in := io.Pipe()
	go func() {
		w := tar.NewWriter(in)
		for i := range mostBytes/mostOfOne + 1 {
			h := &tar.Header{Name: fmt.Sprintf("a/%d", i), Typeflag: tar.TypeReg, Size: mostOfOne, Mode: 0o600}
			if err := w.WriteHeader(h); err != nil {
				return // the reader has had enough
			}
			if _, err := io.CopyN(w, zeros{}, mostOfOne); err != nil {
				return
			}
		}
		_ = in.CloseWithError(errors.New("it was read to its end"))
	}()
	_, err := readTar(out)
	_ = out.Close() // ends the writer
	if !errors.Is(err, errTooLarge) {
		t.Errorf("got %v", err)
	}
}

// TestNoFileOfDiagnose: what is no bundle is said, and nothing is waited for.
func TestNoFileOfDiagnose(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"text": "hello\n", "empty": "", "zip": "PK\x03\x04",
		"gzip": string(packed(t, func(w *tar.Writer) error { return nil }))[:20]} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		var bad *NotABundleError
		if _, err := Read(file); !errors.As(err, &bad) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{pipe, dir, "/dev/zero"} {
		if _, err := Read(name); err == nil {
			t.Errorf("%s was read", name)
		}
	}
}

// FuzzRead reads and analyses any bytes: what is reported is bounded and safe for a terminal.
func FuzzRead(f *testing.F) {
	b := &Bundle{Name: "fate-diagnose-a-20261129T142233Z", Made: time.Date(2026, 11, 29, 14, 22, 33, 0, time.UTC)}
	for name, text := range documentsOfAFailingHost {
		b.Add(name, text, time.Time{})
	}
	var whole bytes.Buffer
	if err := b.Write(&whole); err != nil {
		f.Fatal(err)
	}
	f.Add(whole.Bytes())
	f.Add(whole.Bytes()[:whole.Len()/2])
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<20 {
			return
		}
		b, err := readTar(bytes.NewReader(data))
		if err != nil {
			return
		}
		checkReport(t, analyzed(t, b))
	})
}

// FuzzAnalyze analyses any content of the files that the rules read.
func FuzzAnalyze(f *testing.F) {
	for name, text := range documentsOfAFailingHost {
		f.Add(name, text)
	}
	f.Fuzz(func(t *testing.T, name, text string) {
		b := &Bundle{Name: "fate-diagnose-a-1", Made: time.Date(2026, 11, 29, 14, 22, 33, 0, time.UTC)}
		for other, content := range documentsOfAFailingHost {
			if other != name {
				b.Add(other, content, time.Time{})
			}
		}
		b.Add(name, text, time.Time{})
		checkReport(t, analyzed(t, b))
	})
}

func checkReport(t *testing.T, r *Report) {
	t.Helper()
	if len(r.Findings) > mostFindings {
		t.Errorf("%d findings", len(r.Findings))
	}
	for _, f := range r.Findings {
		texts := []string{f.Title, f.Explanation, f.Remedy}
		if len(f.Evidence) > mostEvidence {
			t.Errorf("%s quotes %d places", f.ID, len(f.Evidence))
		}
		for _, e := range f.Evidence {
			if len(e.Text) > longestEvidence+3+8 {
				t.Errorf("%s quotes %d bytes", f.ID, len(e.Text))
			}
			texts = append(texts, e.File, e.Text)
		}
		for _, text := range texts {
			if strings.ContainsAny(text, "\x1b\x00\n\r\x7f") {
				t.Errorf("%s: %q", f.ID, text)
			}
		}
	}
}
