package engine

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"fate-installer/installer/host"
)

func TestTornLineIsCut(t *testing.T) {
	b := newBench(t)
	if _, err := b.apply(t.Context(), node(deed{name: "a", mark: "1"}),
		node(deed{name: "b", mark: "1"}, "a")); err != nil {
		t.Fatal(err)
	}
	path := b.env.Host.Path("/state/journal")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(whole, []byte("\n"))
	// A cut at every byte: the records before it are all there, and the next record is readable.
	// The first record appears with the file, by a rename: no power cut tears it.
	for cut := len(lines[0]); cut < len(whole); cut++ {
		if err := os.WriteFile(path, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		b.reopen()
		if err := b.journal.write(record{Op: opEnd, Run: "r", OK: true}); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		kept := bytes.Join(lines[:bytes.Count(whole[:cut], []byte("\n"))], nil)
		if !bytes.HasPrefix(got, kept) || bytes.Count(got[len(kept):], []byte("\n")) != 1 {
			t.Fatalf("cut at %d:\n%s", cut, got)
		}
		if err := b.journal.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDamagedJournalIsRefused(t *testing.T) {
	for _, c := range []struct{ name, content, want string }{
		{"middle", "{\"v\":1}\nxx\n{\"v\":1}\n", "line 2"},
		{"newer", "{\"v\":99}\n", "line 1: it was written by a newer program"},
		{"emptied", "", "it is empty"},
		{"torn first record", "{\"v\":1,\"op\":", "it is empty"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			if err := b.env.Host.WriteFile("/state/journal", []byte(c.content), host.FileMode{}); err != nil {
				t.Fatal(err)
			}
			_, err := OpenJournal(b.env.Host, "/state/journal")
			var je *JournalError
			if !errors.As(err, &je) || !strings.Contains(err.Error(), c.want) || je.Hint() == "" {
				t.Errorf("error %v, want %s", err, c.want)
			}
		})
	}
}

// TestRemovedJournalIsNotTakenForANewOne: a journal that is gone while its backups are there was removed. Where there
// are none, as after an uninstall that kept the passwords, it is a new one, and never an empty file.
func TestRemovedJournalIsNotTakenForANewOne(t *testing.T) {
	b := newBench(t)
	h := b.env.Host
	if err := h.WriteFile("/state/"+backupDir+"/x", []byte("a"), host.FileMode{Perm: 0o600}); err == nil {
		t.Fatal("the directory of the backups was there")
	}
	j, err := OpenJournal(h, "/state/fresh")
	if err != nil {
		t.Fatal(err)
	}
	if data, err := h.ReadFile("/state/fresh"); err != nil || !bytes.HasSuffix(data, []byte("\n")) {
		t.Errorf("a new journal holds %q, %v", data, err)
	}
	if err := errors.Join(j.Close(), h.Remove("/state/fresh"),
		h.Mkdir("/state/"+backupDir, host.FileMode{Perm: 0o700})); err != nil {
		t.Fatal(err)
	}
	for name, open := range map[string]func(*host.Host, string) (*Journal, error){"open": OpenJournal,
		"read": ReadJournal} {
		var lost *JournalError
		if _, err := open(h, "/state/fresh"); !errors.As(err, &lost) ||
			!strings.Contains(err.Error(), "it was removed") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if h.Exists("/state/fresh") {
		t.Error("a new journal was made")
	}
}

// TestHalfARecordOnAFullDisk: after a write that failed the journal goes on with whole lines.
func TestHalfARecordOnAFullDisk(t *testing.T) {
	b := newBench(t)
	b.env.Host.InjectFaults(t, func(op host.Op, abs string) error {
		if op == host.OpWrite && abs == "/state/journal" {
			return errors.New("disk full")
		}
		return nil
	})
	if err := b.journal.write(record{Op: opRun, Run: "r"}); err == nil {
		t.Fatal("no error")
	}
	b.env.Host.InjectFaults(t, nil)
	if err := b.journal.write(record{Op: opRun, Run: "r"}); err != nil {
		t.Fatal(err)
	}
	b.reopen()
}

func TestJournalIsPrivateAndLeavesNothing(t *testing.T) {
	h, err := host.New(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	const path = "/data/projects/common/fate-installer/journal"
	j, err := OpenJournal(h, path)
	if err != nil {
		t.Fatal(err)
	}
	for p, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700 | os.ModeDir,
		"/data": 0o755 | os.ModeDir} {
		if fi, err := h.Lstat(p); err != nil || fi.Mode() != want {
			t.Errorf("%s has mode %v, want %v (%v)", p, fi.Mode(), want, err)
		}
	}
	env := &Env{Host: h, StateDir: filepath.Dir(path)}
	hash, err := env.Backup([]byte("before"))
	if err != nil {
		t.Fatal(err)
	}
	if fi, err := h.Lstat(env.backupPath(hash)); err != nil || fi.Mode() != 0o600 {
		t.Errorf("backup: %v %v", fi, err)
	}
	if got, err := env.Restore(hash); err != nil || string(got) != "before" {
		t.Errorf("restore: %q %v", got, err)
	}
	// A second process knows as well what the first had to make.
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if j, err = OpenJournal(h, path); err != nil {
		t.Fatal(err)
	}
	if err := j.Destroy(); err != nil {
		t.Fatal(err)
	}
	if h.Exists("/data") {
		t.Error("/data remains")
	}
}

func TestDestroyLeavesWhatOthersUse(t *testing.T) {
	h, err := host.New(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	j, err := OpenJournal(h, "/data/common/fate-installer/journal")
	if err != nil {
		t.Fatal(err)
	}
	if err := h.WriteFile("/data/theirs", nil, host.FileMode{}); err != nil {
		t.Fatal(err)
	}
	if err := j.Destroy(); err != nil {
		t.Fatal(err)
	}
	if h.Exists("/data/common") || !h.Exists("/data/theirs") {
		t.Error("wrong things are left")
	}
}

func TestReadJournalChangesNothing(t *testing.T) {
	h, err := host.New(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	j, err := ReadJournal(h, "/state/journal")
	if err != nil || len(j.Ledger().Entries()) != 0 || h.Exists("/state") {
		t.Errorf("%v %v", j, err)
	}
	if err := j.write(record{Op: opRun}); err == nil {
		t.Error("a record was taken")
	}
}

// FuzzJournal feeds damaged journals: they are read or refused, and what is kept can be read again.
func FuzzJournal(f *testing.F) {
	f.Add([]byte("{\"v\":1,\"op\":\"begin\",\"step\":\"a\",\"before\":{}}\n{\"v\":1,\"op\":\"done\",\"step\":\"a\"}\n"))
	f.Add([]byte("{\"v\":1,\"op\":\"undone\",\"step\":\"a\",\"all\":true}\n{"))
	f.Fuzz(func(t *testing.T, data []byte) {
		j := &Journal{ledger: newLedger()}
		good, err := j.load(data)
		if err != nil {
			return
		}
		again := &Journal{ledger: newLedger()}
		if n, err := again.load(data[:good]); err != nil || n != good {
			t.Fatalf("the part that is whole (%d bytes) is not: %d, %v", good, n, err)
		}
		if a, b := len(j.ledger.History()), len(again.ledger.History()); a != b {
			t.Fatalf("%d entries, then %d", a, b)
		}
	})
}

const lockChild = "ENGINE_TEST_HOLD_LOCK"

func TestMain(m *testing.M) {
	if root := os.Getenv(lockChild); root != "" {
		holdLock(root)
	}
	os.Exit(m.Run())
}

// holdLock is a process that takes the lock, says so, and keeps it until its input ends.
func holdLock(root string) {
	h, err := host.New(root, nil)
	if err == nil {
		_, err = Lock(h, "/run/lock")
	}
	if err != nil {
		os.Exit(1)
	}
	os.Stdout.WriteString("x")
	_, _ = os.Stdin.Read(make([]byte, 1))
	os.Exit(0)
}

func TestOneRunAtATime(t *testing.T) {
	root := t.TempDir()
	h, err := host.New(root, nil)
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), lockChild+"="+root)
	out, err1 := child.StdoutPipe()
	in, err2 := child.StdinPipe()
	if err := errors.Join(err1, err2, child.Start()); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	_, err = Lock(h, "/run/lock")
	var locked *LockedError
	if !errors.As(err, &locked) || locked.PID != child.Process.Pid {
		t.Errorf("error %v, want one that names process %d", err, child.Process.Pid)
	}
	if before, _ := locked.Repeat(); !strings.Contains(before, fmt.Sprintf("ps -fp %d", child.Process.Pid)) {
		t.Errorf("before the repetition: %s", before)
	}
	// The lock ends with its process, however that ends.
	if err := errors.Join(child.Process.Kill(), in.Close()); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	unlock, err := Lock(h, "/run/lock")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Lock(h, "/run/lock"); !errors.As(err, &locked) {
		t.Errorf("taken twice: %v", err)
	}
	if err := unlock(); err != nil {
		t.Error(err)
	}
	if h.Exists("/run/lock") {
		t.Error("the lock file is left")
	}
}
