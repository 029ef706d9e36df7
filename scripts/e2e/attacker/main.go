// Command attacker is a program of the service user that has turned against root: below some directories it puts links,
// pipes, sockets, hard links and huge files in the place of what root opens, creates, renames or removes there, and puts
// things back a moment later, as often as it can. It ends when a file exists, and prints as JSON how often it did what.
//
//	attacker -stop FILE -targets DIR DIRECTORY...
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
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// mark is in the names of everything that is moved aside or made for a moment.
const mark = ".attacker-"

// hugeSize is the length of files that use no space.
const hugeSize = 8 << 30

// errSpared is the cause when an attack was not made, since what it would have hit is gone or another's.
var errSpared = errors.New("spared")

type attacker struct {
	roots   []string
	targets string
	rand    *rand.Rand

	mu     *sync.Mutex
	counts map[string]int
}

func main() {
	stop := flag.String("stop", "", "end when this `file` exists")
	targets := flag.String("targets", "", "`directory` that links lead to")
	workers := flag.Int("workers", 3, "attack at that many places at once")
	flag.Parse()
	counts := map[string]int{}
	var wg sync.WaitGroup
	mu := &sync.Mutex{}
	done := make(chan struct{})
	for i := range *workers {
		a := &attacker{roots: flag.Args(), targets: *targets, rand: rand.New(rand.NewPCG(uint64(os.Getpid()), uint64(i))), mu: mu, counts: counts}
		wg.Go(func() { a.loop(done) })
	}
	for {
		if _, err := os.Lstat(*stop); err == nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	close(done)
	wg.Wait()
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
		{"huge", a.swap(makeHuge)},
		{"hardlink", a.swap(a.hardLink)},
		{"planted", a.planted},
		{"temporary", a.temporary},
		{"rotated", a.rotated},
	}
	for {
		select {
		case <-done:
			return
		default:
		}
		dir, name := a.choose()
		if name == "" {
			time.Sleep(time.Millisecond)
			continue
		}
		kind := kinds[a.rand.IntN(len(kinds))]
		err := kind.do(dir, name)
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
	}
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
		if strings.Contains(e.Name(), mark) {
			return "", ""
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
		time.Sleep(time.Duration(a.rand.Int64N(int64(100 * time.Millisecond))))
	}
}

func (a *attacker) aside(dir, name string) string {
	return filepath.Join(dir, fmt.Sprintf("%s%s%x", name, mark, a.rand.Uint32()))
}

// target is what a link leads to: a file or a directory of root's.
func (a *attacker) target(name string) string {
	all := []string{
		filepath.Join(a.targets, name), filepath.Join(a.targets, name), a.targets, filepath.Join(a.targets, "canary"),
		"/etc", "/etc/shadow", "/etc/cron.d", "/etc/cron.d/attack", "/root", "/usr/local/bin", "/var/lib",
	}
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

func makeHuge(path string) error {
	return errors.Join(os.WriteFile(path, nil, 0o644), os.Truncate(path, hugeSize))
}

// hardLink gives a file of root's another name, which the kernel forbids where fs.protected_hardlinks is on.
func (a *attacker) hardLink(path string) error {
	files := []string{filepath.Join(a.targets, "canary"), "/etc/shadow", "/etc/passwd", "/etc/canary"}
	return os.Link(files[a.rand.IntN(len(files))], path)
}

// swap moves an entry aside, makes another in its place for a moment, and moves the entry back. What root has made there
// by then stays.
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

// back moves an entry back to where it was, unless root has put another there.
func (a *attacker) back(away, path string) error {
	err := unix.Renameat2(unix.AT_FDCWD, away, unix.AT_FDCWD, path, unix.RENAME_NOREPLACE)
	if err == unix.EEXIST {
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

// exchange lets an entry and a link change places in one step, and back.
func (a *attacker) exchange(dir, name string) error {
	path, link := filepath.Join(dir, name), a.aside(dir, name)
	if err := a.makeLink(link); err != nil {
		return err
	}
	change := func() error { return unix.Renameat2(unix.AT_FDCWD, link, unix.AT_FDCWD, path, unix.RENAME_EXCHANGE) }
	if err := change(); err != nil {
		return errors.Join(err, os.Remove(link))
	}
	a.pause()
	if err := change(); err != nil { // root has removed the link, or everything
		if err := os.Remove(path); err == nil || errors.Is(err, fs.ErrNotExist) {
			return a.back(link, path)
		}
		return os.RemoveAll(link)
	}
	return os.Remove(link)
}

// planted puts a hard link of root's file, which the test has made for this user as an old kernel would let it make one
// itself, in the place of an entry.
func (a *attacker) planted(dir, name string) error {
	hard, err := filepath.Glob(filepath.Join("/data/logs/fate", "hard"+mark+"*"))
	if err != nil || len(hard) == 0 {
		return errSpared
	}
	from := hard[a.rand.IntN(len(hard))]
	return a.swap(func(path string) error {
		if err := os.Rename(from, path); err != nil {
			return err
		}
		a.pause()
		return os.Rename(path, from)
	})(dir, name)
}

// temporary makes what root would make while it replaces an entry.
func (a *attacker) temporary(dir, name string) error {
	path := filepath.Join(dir, "."+name+".fate-tmp")
	if err := a.makeLink(path); err != nil {
		return err
	}
	a.pause()
	a.drop(path)
	return nil
}

// rotated makes what a log is renamed to.
func (a *attacker) rotated(dir, name string) error {
	if !strings.Contains(dir, "/logs") {
		return errSpared
	}
	path := filepath.Join(dir, name+[]string{".1", ".1.gz", ".2.gz"}[a.rand.IntN(3)])
	if err := a.makeLink(path); err != nil {
		return err
	}
	a.pause()
	a.drop(path)
	return nil
}
