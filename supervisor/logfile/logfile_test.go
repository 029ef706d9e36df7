package logfile

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"fate-installer/installer/host/beneath"
	"fate-installer/supervisor/account"
)

func TestDaemonLogRotates(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sub", "d.log")
	w, err := NewWriter(path, 100, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for i := range 30 {
		if _, err := w.Write([]byte(strings.Repeat(strconv.Itoa(i%10), 29) + "\n")); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]bool{path: true, path + ".1": true, path + ".2": true, path + ".3": false} {
		if exists(name) != want || fileSize(name) > 100 {
			t.Errorf("%s: exists %v, %d bytes", name, exists(name), fileSize(name))
		}
	}
	if err := w.Truncate(); err != nil || fileSize(path) != 0 {
		t.Errorf("truncate: %v", err)
	}
	if err := w.Reopen(); err != nil {
		t.Errorf("reopen: %v", err)
	}
	for _, lose := range []func() error{func() error { return os.Remove(path) },
		func() error { return os.Rename(path, path+"-20300101") }} {
		if err := lose(); err != nil {
			t.Fatal(err)
		}
		w.looked = time.Time{} // it looks once a second
		if _, err := w.Write([]byte("after\n")); err != nil || fileSize(path) != 6 {
			t.Errorf("a log that lost its name: %v, %d bytes", err, fileSize(path))
		}
	}
}

func TestPrintable(t *testing.T) {
	if got := Printable("a\x1b[31m\x00\xff\tb\u0085文"); got != "a\ufffd[31m\ufffd\ufffd\tb\ufffd文" {
		t.Errorf("%q", got)
	}
}

func TestLastLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "l")
	var b bytes.Buffer
	for i := range 5000 {
		b.WriteString("line " + strconv.Itoa(i) + "\r\n")
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	self := account.User{Self: true}
	got := LastLines(path, self, Mark{}, 3)
	if strings.Join(got, "|") != "line 4997|line 4998|line 4999" {
		t.Errorf("%q", got)
	}
	info, _ := os.Stat(path)
	if got := LastLines(path, self, Mark{beneath.IDOf(info), info.Size() - 11}, 20); strings.Join(got,
		"|") != "line 4999" {
		t.Errorf("since the mark: %q", got)
	}
	if got := LastLines(filepath.Join(t.TempDir(), "none"), self, Mark{}, 3); got != nil {
		t.Errorf("%q", got)
	}
}

// TestLogToOwnOutput: a program's log can be the supervisor's output, of whatever kind that is.
func TestLogToOwnOutput(t *testing.T) {
	for path, stream := range map[string]*os.File{"/dev/stdout": os.Stdout, "/dev/stderr": os.Stderr} {
		f, err := Open(path, account.User{Self: true})
		if err != nil {
			t.Fatal(err)
		}
		is, err1 := f.Stat()
		want, err2 := stream.Stat()
		must(t, errors.Join(err1, err2, f.Close()))
		if !os.SameFile(is, want) {
			t.Errorf("%s is not that of this process", path)
		}
	}
	w, err := NewWriter("/dev/stdout", 1, 1)
	if !errors.Is(err, ErrNoFile) {
		t.Errorf("the supervisor's own log: %v", err)
	}
	if n, err := w.Write([]byte("x")); n != 1 || err != nil {
		t.Errorf("an entry: %d, %v", n, err)
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func fileSize(path string) int64 {
	info, err := os.Lstat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}
