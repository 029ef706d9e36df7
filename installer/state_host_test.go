package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"fate-installer/installer/host"
	"fate-installer/installer/step"
)

// fastDir is a directory in memory where there is one with room: histories make many small durable writes.
func fastDir(t *testing.T) string {
	t.Helper()
	const memory, room = "/dev/shm", 256 << 20
	var s syscall.Statfs_t
	if err := syscall.Statfs(memory, &s); err != nil || s.Bavail*uint64(s.Bsize) < room || s.Ffree < 10000 {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp(memory, "fate-model-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// modelHost is a host in a directory tree.
type modelHost struct {
	t          *testing.T
	root       string
	appliances map[string]string
	history    []string
	changes    []string // of the last run, each with its path
	secrets    []string // all that were ever in force, each before its replacement
	wrong      []string

	refuse host.Fault // of changes, besides the trouble of a run; nil refuses none
}

// host makes a host on which nothing is installed.
func (m *model) host() *modelHost {
	m.t.Helper()
	root, err := os.MkdirTemp(m.dir, "host-")
	if err != nil {
		m.t.Fatal(err)
	}
	makeMachine(m.t, root)
	return &modelHost{t: m.t, root: root, appliances: m.appliances}
}

// copyOf makes a host that is as another one.
func (m *model) copyOf(w *modelHost) *modelHost {
	m.t.Helper()
	root, err := os.MkdirTemp(m.dir, "host-")
	if err == nil {
		err = copyTree(w.root, root)
	}
	if err != nil {
		m.t.Fatal(err)
	}
	return &modelHost{t: m.t, root: root, appliances: m.appliances, history: slices.Clone(w.history),
		secrets: slices.Clone(w.secrets)}
}

func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(to, strings.TrimPrefix(path, from))
		info, err := d.Info()
		if err != nil {
			return err
		}
		switch {
		case d.Type() == fs.ModeSymlink:
			link, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return os.Symlink(link, target)
		case d.IsDir():
			if err := os.MkdirAll(target, 0o700); err != nil {
				return err
			}
		default:
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			if err := os.WriteFile(target, data, 0o600); err != nil {
				return err
			}
			if err := os.Chtimes(target, time.Time{}, info.ModTime()); err != nil { // it tells a file that was edited
				return err
			}
		}
		return os.Chmod(target, info.Mode())
	})
}

func (w *modelHost) remove() {
	if err := os.RemoveAll(w.root); err != nil {
		w.t.Fatal(err)
	}
}

// wrongf adds to what is wrong.
func (w *modelHost) wrongf(format string, args ...any) {
	w.wrong = append(w.wrong, fmt.Sprintf(format, args...))
}

// scope is a host.TestingT that ends with one command.
type scope struct {
	*testing.T
	ends []func()
}

func (s *scope) Cleanup(end func()) { s.ends = append(s.ends, end) }

func (s *scope) end() {
	for _, end := range slices.Backward(s.ends) {
		end()
	}
}

// program is the program that an operator runs: the installed one, or that of an appliance when there is none.
func (w *modelHost) program() string {
	data, err := os.ReadFile(filepath.Join(w.root, "usr/local/bin/fate-installer"))
	if err != nil {
		data = programOf(newerVersions)
	}
	file := w.root + ".program"
	if err := os.WriteFile(file, data, 0o700); err != nil {
		w.t.Fatal(err)
	}
	return file
}

// docsOfAny are the pages of the program with a digest.
func docsOfAny(digest string) []step.Doc {
	return []step.Doc{{Path: step.ManDir + "/fate-installer.1", Content: "page of " + digest}}
}

// run runs a command whose changes are listed, and cut off from a change on; below zero they are not.
func (w *modelHost) run(a act, what trouble, from int) (code int, output string) {
	var mu sync.Mutex
	var out bytes.Buffer
	w.changes = nil
	s := &scope{T: w.t}
	defer s.end()
	g := &globals{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out, executable: w.program(), parallel: 1,
		docs: docsOfAny}
	defer os.Remove(g.executable)
	at := "after its end"
	g.opened = func(h *host.Host) {
		h.InjectFaults(s, func(op host.Op, path string) error {
			mu.Lock()
			defer mu.Unlock()
			w.changes = append(w.changes, string(op)+" "+path)
			changes := len(w.changes)
			if w.refuse != nil {
				if err := w.refuse(op, path); err != nil {
					return err
				}
			}
			if changes == from+1 {
				at = w.changes[from]
			}
			switch {
			case from < 0 || changes <= from:
				return nil
			case what == killed || what == powerCut:
				return errors.New("killed")
			case what == failed && changes == from+1:
				return syscall.EIO
			case what == diskFull && op != host.OpRemove:
				return syscall.ENOSPC
			}
			return nil
		})
	}
	w.secretHider() // learns those that the command may replace
	code = execute(context.Background(), g, append([]string{"--root", w.root}, a.args(w)...))
	text := fmt.Sprintf("%s: exit code %d", a.name, code)
	if from >= 0 {
		text = fmt.Sprintf("%s, %s from change %d (%s): exit code %d", a.name, what, from, at, code)
	}
	w.history = append(w.history, text)
	return code, out.String()
}

// tearJournal takes a part of the last record from the journal, as a power cut does while it is written. Every other
// file appears by a rename after its bytes are on disk, so that a power cut leaves of it what a kill does. Only the end
// of a step is lost here: nothing depends on it yet.
func (w *modelHost) tearJournal(bytesLost int) {
	w.t.Helper()
	file := filepath.Join(w.root, stateDir, "journal")
	data, err := os.ReadFile(file)
	if err != nil {
		return // there is none yet
	}
	lines := bytes.SplitAfter(data, []byte("\n"))
	if len(lines) < 3 || !bytes.Contains(lines[len(lines)-2], []byte(`"op":"done"`)) {
		return
	}
	last := len(lines[len(lines)-2])
	if err := os.Truncate(file, int64(len(data)-min(bytesLost, last))); err != nil {
		w.t.Fatal(err)
	}
}

// volatile matches text that differs from run to run: times, and IDs of slots, which are times. It begins with two
// digits, so that a search passes over most bytes at once.
var volatile = regexp.MustCompile(`20\d{6}T\d{6}\.\d{3}Z|20\d{2}-\d{2}-\d{2}T[0-9:.]+Z`)

// notCompared are the lock of all runs, the owners, which are compared by themselves, and the backups: which former
// contents they have depends on the way to a state.
var notCompared = []string{"/run", "/.fate-installer", "/" + stateDir + "/backup"}
