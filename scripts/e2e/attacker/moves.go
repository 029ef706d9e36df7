package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

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
		_ = os.Remove(path)
		return a.back(link, path)
	}
	return os.Remove(link)
}

// plantHard puts a hard link of root's file, which the test has made for this user as an old kernel would let it make
// one itself, in the place of an entry.
func (a *attacker) plantHard(dir, name string) error {
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
