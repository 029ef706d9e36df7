package supervisor

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"fate-installer/supervisor/account"
	"fate-installer/supervisor/config"
	"fate-installer/supervisor/logfile"
)

// readAllLogs joins a log's backups, oldest first, and the log itself.
func readAllLogs(t testing.TB, path string, backups int) string {
	t.Helper()
	var all bytes.Buffer
	for i := backups; i >= 1; i-- {
		if data, err := os.ReadFile(fmt.Sprintf("%s.%d", path, i)); err == nil {
			all.Write(data)
		}
		f, err := os.Open(fmt.Sprintf("%s.%d.gz", path, i))
		if err != nil {
			continue
		}
		z, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(&all, z); err != nil {
			t.Fatalf("%s: %v", f.Name(), err)
		}
		f.Close()
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	all.Write(data)
	return all.String()
}

func wantLines(t testing.TB, text string, n int) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) != n {
		t.Fatalf("%d lines, want %d", len(lines), n)
	}
	for i, line := range lines {
		if want := fmt.Sprintf("line %07d of a log that fills", i); line != want {
			t.Fatalf("line %d is %q", i, line)
		}
	}
}

// TestRotationLosesNothing rotates the log of a program again and again while it writes, from two sides at once, as the
// supervisor and a user may.
func TestRotationLosesNothing(t *testing.T) {
	for _, compress := range []bool{true, false} {
		t.Run(fmt.Sprintf("compress=%v", compress), func(t *testing.T) {
			b := newBench(t)
			const lines, backups = 60_000, 1000
			b.run(b.child("a", fmt.Sprintf("flood %d;say done;sleep", lines), func(p *config.Program) {
				p.StdoutLogfileMaxBytes, p.StdoutLogfileBackups, p.LogCompress = 1000, backups, compress
			}))
			path := filepath.Join(b.dir, "a.log")
			if !collapses(t, b.dir) {
				t.Skip("this file system cannot collapse files")
			}
			b.start("a")
			ended := make(chan struct{})
			var rotations atomic.Int64
			var sides sync.WaitGroup
			for range 2 {
				sides.Go(func() {
					for over := false; !over; {
						select {
						case <-ended:
							over = true
						default:
						}
						// By size and not by time: a slow machine would have more rotations than backups.
						if fileSize(path) < 8<<10 {
							time.Sleep(time.Millisecond)
							continue
						}
						if err := b.sup.RotateLogs("a"); err != nil {
							t.Error(err)
							return
						}
						rotations.Add(1)
					}
				})
			}
			for !strings.Contains(b.log("a"), "done") {
				time.Sleep(5 * time.Millisecond)
			}
			close(ended)
			sides.Wait()
			if n := rotations.Load(); n == 0 || n >= backups {
				t.Fatalf("%d rotations", n)
			}
			b.stop("a")
			wantLines(t, strings.Replace(readAllLogs(t, path, backups), "done\n", "", 1), lines)
		})
	}
}

// collapses reports whether the file system below dir has FALLOC_FL_COLLAPSE_RANGE.
func collapses(t testing.TB, dir string) bool {
	path := filepath.Join(dir, "collapse")
	if err := os.WriteFile(path, make([]byte, 64<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(path)
	l := logfile.File{Path: path, User: account.User{Self: true}, Limits: logfile.Limits{Backups: 1}}
	if err := l.Rotate(); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(path + ".1")
	info, err := os.Stat(path)
	return err == nil && info.Size() > 0
}

func TestRotationKeepsItsLimits(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.log")
	l := logfile.File{Path: path, User: account.User{Self: true},
		Limits: logfile.Limits{Max: 1000, Backups: 3, Compress: false, Total: 20_000}}
	for i := range 12 {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o640)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(f, "%02d%s\n", i, strings.Repeat("x", 8000))
		f.Close()
		if err := l.Rotate(); err != nil {
			t.Fatal(err)
		}
		var n int64
		for _, name := range []string{path, path + ".1", path + ".2", path + ".3"} {
			n += fileSize(name)
		}
		if n > 20_000 {
			t.Errorf("after rotation %d: %d bytes in all", i, n)
		}
	}
	entries, _ := os.ReadDir(dir)
	if len(entries) > 4 {
		t.Errorf("%d files: %v", len(entries), entries)
	}
	if info, err := os.Stat(path + ".1"); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the backup's mode: %v %v", info, err)
	}
}

// TestRotationTakesOverOldBackups continues a series that was made without compression.
func TestRotationTakesOverOldBackups(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.log")
	for name, text := range map[string]string{path: "new\n", path + ".1": "old\n", path + ".2": "older\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l := logfile.File{Path: path, User: account.User{Self: true},
		Limits: logfile.Limits{Max: 1, Backups: 5, Compress: true}}
	if err := l.Rotate(); err != nil {
		t.Fatal(err)
	}
	if got := readAllLogs(t, path, 5); got != "older\nold\nnew\n" {
		t.Errorf("%q", got)
	}
}

// TestRotationDoesNotFollowLinks: the directory belongs to the program's user, who might point the log elsewhere.
func TestRotationDoesNotFollowLinks(t *testing.T) {
	dir := t.TempDir()
	target, path := filepath.Join(dir, "target"), filepath.Join(dir, "x.log")
	if err := os.WriteFile(target, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
	l := logfile.File{Path: path, User: account.User{Self: true}, Limits: logfile.Limits{Max: 1, Backups: 1}}
	if err := l.Rotate(); err == nil || fileSize(target) != 8 {
		t.Errorf("error %v, target has %d bytes", err, fileSize(target))
	}
}

// TestRotationLeavesHolesOut has a program make its log 1 TiB long, which takes no space: only what was written is
// copied.
func TestRotationLeavesHolesOut(t *testing.T) {
	for _, compress := range []bool{true, false} {
		dir := t.TempDir()
		path := filepath.Join(dir, "a.log")
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.WriteString("first\n")
		if err == nil {
			_, err = f.WriteAt([]byte("last\n"), 1<<40)
		}
		if err := errors.Join(err, f.Close()); err != nil {
			t.Skipf("no files of that length here: %v", err)
		}
		l := logfile.File{Path: path, User: account.User{Self: true},
			Limits: logfile.Limits{Max: 1, Backups: 2, Compress: compress}}
		if err := l.Rotate(); err != nil {
			t.Fatal(err)
		}
		if all := strings.ReplaceAll(readAllLogs(t, path, 2), "\x00", ""); all != "first\nlast\n" {
			t.Errorf("compress=%v: the log and its backups have %.100q", compress, all)
		}
		if info, err := os.Stat(path); err != nil || info.Size() > 1<<20 {
			t.Errorf("compress=%v: the log is %d bytes long, %v", compress, info.Size(), err)
		}
	}
}
