// Command attacker is a program of the service user that has turned against root: below some directories it puts links,
// pipes, sockets, devices, hard links and huge files in the place of what root opens, creates, renames or removes
// there, and puts things back some milliseconds later. In a user namespace of its own it mounts file systems there. It
// ends when a file exists, and prints as JSON how often it did what.
//
//	attacker -stop FILE -pause FILE -pace FILE -targets DIR DIRECTORY...
//
// While the file of -pause exists there are no attacks: what was moved is back, what was planted is removed, and a file
// with the same name and ".done" says so. The file of -pace has the duration that each worker rests after an attack.
//
// Links lead to what is in the directory of targets, to files of the system, and to directories above them.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// mark is in the names of everything that is moved aside or made for a moment.
const mark = ".attacker-"

// hugeSize is the length of files that use no space: root would read for an hour.
const hugeSize = 1 << 40

// systemTargets are targets of links besides the directory of targets.
var systemTargets = []string{
	"/etc", "/etc/shadow", "/etc/cron.d", "/etc/cron.d/attack", "/root", "/usr/local/bin", "/var/lib",
}

// errSpared is the cause when an attack was not made, since what it would have hit is gone or another's.
var errSpared = errors.New("spared")

type attacker struct {
	roots   []string
	targets string
	rand    *rand.Rand

	mu     *sync.Mutex
	counts map[string]int

	calm *sync.RWMutex // held for reading during an attack, and for writing during a pause
	pace *atomic.Int64 // the rest after an attack, in nanoseconds
}

func main() {
	stop := flag.String("stop", "", "end when this `file` exists")
	pause := flag.String("pause", "", "make no attacks while this `file` exists")
	pace := flag.String("pace", "", "read from this `file` how long each worker rests after an attack")
	targets := flag.String("targets", "", "`directory` that links lead to")
	workers := flag.Int("workers", 3, "attack at that many places at once")
	mounts := flag.Bool("mounts", false,
		"mount file systems until standard input ends; for the process in a user namespace")
	flag.Parse()
	if *mounts {
		mountUntilEnd(flag.Args())
		return
	}
	counts := map[string]int{}
	var wg sync.WaitGroup
	mu := &sync.Mutex{}
	done := make(chan struct{})
	first := attacker{roots: flag.Args(), targets: *targets, mu: mu, counts: counts, calm: &sync.RWMutex{},
		pace: &atomic.Int64{}}
	first.rest(*pace)
	first.calm.Lock() // the attacker starts with a pause
	paused := true
	if err := os.WriteFile(*pause+".done", nil, 0o644); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	wg.Go(func() { first.mountInNamespace(done) })
	for i := range *workers {
		a := first
		a.rand = rand.New(rand.NewPCG(uint64(os.Getpid()), uint64(i)))
		wg.Go(func() { a.loop(done) })
	}
	for !exists(*stop) {
		switch {
		case !paused && exists(*pause):
			first.calm.Lock()
			paused = true
			first.cleanUp()
			if err := os.WriteFile(*pause+".done", nil, 0o644); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		case paused && !exists(*pause):
			first.rest(*pace)
			_ = os.Remove(*pause + ".done")
			paused = false
			first.calm.Unlock()
		}
		time.Sleep(10 * time.Millisecond)
	}
	close(done)
	if paused {
		first.calm.Unlock()
	}
	wg.Wait()
	first.cleanUp()
	if err := json.NewEncoder(os.Stdout).Encode(counts); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func (a *attacker) loop(done <-chan struct{}) {
	kinds := []struct {
		name string
		do   func(dir, name string) error
	}{
		{"exchange", a.exchange}, {"exchange", a.exchange}, // the strongest comes up more often
		{"link", a.swap(a.makeLink)},
		{"pipe", a.swap(func(path string) error { return unix.Mkfifo(path, 0o666) })},
		{"socket", a.swap(makeSocket)},
		{"device", a.swap(makeDevice)},
		{"huge", a.swap(makeHuge)},
		{"hardlink", a.swap(a.hardLink)},
		{"planted", a.plantHard},
		{"temporary", a.temporary},
		{"rotated", a.rotated},
	}
	for {
		select {
		case <-done:
			return
		default:
		}
		a.calm.RLock()
		dir, name := a.choose()
		if name == "" {
			a.calm.RUnlock()
			time.Sleep(time.Millisecond)
			continue
		}
		kind := kinds[a.rand.IntN(len(kinds))]
		err := kind.do(dir, name)
		a.calm.RUnlock()
		key := kind.name
		if err != nil {
			key += ": refused"
		}
		if errors.Is(err, errSpared) || errors.Is(err, fs.ErrNotExist) {
			key = "too late"
		}
		a.mu.Lock()
		a.counts[key]++
		a.mu.Unlock()
		if pace := a.pace.Load(); pace > 0 {
			select {
			case <-done:
			case <-time.After(time.Duration(pace/2 + a.rand.Int64N(pace))):
			}
		}
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// rest reads how long workers rest after an attack: not at all when the file says nothing.
func (a *attacker) rest(file string) {
	text, _ := os.ReadFile(file)
	pace, _ := time.ParseDuration(strings.TrimSpace(string(text)))
	a.pace.Store(int64(pace))
}

// cleanUp removes what the attacker planted and is still there, and moves back what it had moved aside. It runs while
// no attack is made.
func (a *attacker) cleanUp() {
	for range 3 { // what is moved back may hold more
		a.cleanUpOnce()
	}
}

func (a *attacker) cleanUpOnce() {
	for _, root := range a.roots {
		_ = filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
			if err != nil || strings.HasPrefix(e.Name(), "hard"+mark) {
				return nil
			}
			name, _, aside := strings.Cut(e.Name(), mark)
			switch {
			case a.planted(path):
				_ = os.Remove(path)
			case aside:
				_ = a.back(path, filepath.Join(filepath.Dir(path), name))
				if e.IsDir() {
					return fs.SkipDir
				}
			}
			return nil
		})
	}
}

// planted reports whether an entry is one that only the attacker makes.
func (a *attacker) planted(path string) bool {
	info, err := os.Lstat(path)
	if err != nil {
		return false
	}
	switch info.Mode().Type() {
	case fs.ModeSymlink:
		to, err := os.Readlink(path)
		return err == nil && (strings.HasPrefix(to, a.targets) || slices.Contains(systemTargets, to))
	case fs.ModeNamedPipe, fs.ModeDevice | fs.ModeCharDevice:
		return true
	case fs.ModeSocket:
		c, err := net.Dial("unix", path)
		if err == nil {
			_ = c.Close()
		}
		return errors.Is(err, unix.ECONNREFUSED)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	hard := ok && st.Uid == 0 && st.Nlink > 1 // root makes no hard links of root's files below these directories
	return info.Mode().IsRegular() && (info.Size() == hugeSize || hard)
}

// choose descends from one of the roots at random, to a name in a directory that this user may change.
func (a *attacker) choose() (dir, name string) {
	dir = a.roots[a.rand.IntN(len(a.roots))]
	for range 8 {
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) == 0 {
			return "", ""
		}
		e := entries[a.rand.IntN(len(entries))]
		if strings.Contains(e.Name(), mark) || a.planted(filepath.Join(dir, e.Name())) {
			return "", "" // what another worker has moved or planted
		}
		if unix.Access(dir, unix.W_OK) == nil && (!e.IsDir() || a.rand.IntN(3) == 0) {
			return dir, e.Name()
		}
		if !e.IsDir() {
			return "", ""
		}
		dir = filepath.Join(dir, e.Name())
	}
	return "", ""
}

// pause is how long a thing stays in the place of another: most often as long as a system call or two of root take.
func (a *attacker) pause() {
	time.Sleep(time.Duration(a.rand.Int64N(int64(3 * time.Millisecond))))
	if a.rand.IntN(20) == 0 {
		time.Sleep(time.Duration(a.rand.Int64N(int64(20 * time.Millisecond))))
	}
}

func (a *attacker) aside(dir, name string) string {
	return filepath.Join(dir, fmt.Sprintf("%s%s%x", name, mark, a.rand.Uint32()))
}

// target returns a target of a link: a file or a directory of root's.
func (a *attacker) target(name string) string {
	all := append([]string{
		filepath.Join(a.targets, name), filepath.Join(a.targets, name), a.targets, filepath.Join(a.targets, "canary"),
	}, systemTargets...)
	return all[a.rand.IntN(len(all))]
}

func (a *attacker) makeLink(path string) error {
	name, _, _ := strings.Cut(filepath.Base(path), mark)
	return os.Symlink(a.target(name), path)
}

func makeSocket(path string) error {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return err
	}
	l.SetUnlinkOnClose(false)
	return l.Close()
}

// makeDevice makes the only device that the kernel lets a user make, since Linux 5.8: a whiteout, number 0:0.
func makeDevice(path string) error { return unix.Mknod(path, unix.S_IFCHR|0o666, 0) }

func makeHuge(path string) error {
	return errors.Join(os.WriteFile(path, nil, 0o644), os.Truncate(path, hugeSize))
}

// hardLink gives a file of root's another name, which the kernel forbids where fs.protected_hardlinks is on.
func (a *attacker) hardLink(path string) error {
	files := []string{filepath.Join(a.targets, "canary"), "/etc/shadow", "/etc/passwd", "/etc/canary"}
	return os.Link(files[a.rand.IntN(len(files))], path)
}

// swap moves an entry aside, makes another in its place for a moment, and moves the entry back. What root has made
// there by then stays.
func (a *attacker) swap(make func(path string) error) func(dir, name string) error {
	return func(dir, name string) error {
		path, away := filepath.Join(dir, name), a.aside(dir, name)
		if err := os.Rename(path, away); err != nil {
			return err
		}
		err := make(path)
		if err == nil {
			a.pause()
			a.drop(path)
		}
		return errors.Join(err, a.back(away, path))
	}
}

// back moves an entry back to where it was. A directory comes back also when another was made in its place, which is
// removed; of files the newer one stays.
func (a *attacker) back(away, path string) error {
	if a.planted(path) {
		_ = os.Remove(path)
	}
	err := unix.Renameat2(unix.AT_FDCWD, away, unix.AT_FDCWD, path, unix.RENAME_NOREPLACE)
	if err == unix.EEXIST {
		if info, err := os.Lstat(away); err == nil && info.IsDir() {
			if err := unix.Renameat2(unix.AT_FDCWD, away, unix.AT_FDCWD, path, unix.RENAME_EXCHANGE); err != nil {
				return err
			}
		}
		return os.RemoveAll(away)
	}
	if err == unix.ENOENT {
		return errSpared // root has removed the directory
	}
	return err
}

// drop removes what this program has made: nothing that root has made in its place.
func (a *attacker) drop(path string) {
	info, err := os.Lstat(path)
	if err != nil {
		return
	}
	if info.IsDir() || info.Mode().IsRegular() && info.Size() != hugeSize {
		return
	}
	_ = os.Remove(path)
}
