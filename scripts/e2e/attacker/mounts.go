package main

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// mountInNamespace mounts file systems over directories until done, in a process with a user namespace and a mount
// namespace of its own: the only one in which this user may mount.
func (a *attacker) mountInNamespace(done <-chan struct{}) {
	counts := map[string]int{"mount: refused": 1}
	defer func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		for kind, n := range counts {
			a.counts[kind] += n
		}
	}()
	c := exec.Command("/proc/self/exe", append([]string{"-mounts"}, a.roots...)...)
	c.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	c.Stderr = os.Stderr
	stdin, err := c.StdinPipe()
	if err != nil {
		return
	}
	stdout, err := c.StdoutPipe()
	if err != nil || c.Start() != nil {
		return
	}
	<-done
	_ = stdin.Close()
	var made map[string]int
	if err := json.NewDecoder(stdout).Decode(&made); err == nil {
		counts = made
	}
	_ = c.Wait()
}

// mountUntilEnd mounts file systems over directories below roots, for some milliseconds each, until standard input
// ends.
func mountUntilEnd(roots []string) {
	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(ended)
	}()
	counts := map[string]int{}
	for {
		select {
		case <-ended:
			if err := json.NewEncoder(os.Stdout).Encode(counts); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
			return
		case <-time.After(time.Duration(rand.Int64N(int64(5 * time.Millisecond)))):
		}
		dir := someDirectory(roots[rand.IntN(len(roots))])
		if err := unix.Mount("none", dir, "tmpfs", 0, ""); err != nil {
			counts["mount: refused"]++
			continue
		}
		counts["mount"]++
		time.Sleep(time.Duration(rand.Int64N(int64(20 * time.Millisecond))))
		_ = unix.Unmount(dir, unix.MNT_DETACH)
	}
}

// someDirectory descends from a directory at random.
func someDirectory(dir string) string {
	for rand.IntN(4) > 0 {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return dir
		}
		var below []fs.DirEntry
		for _, e := range entries {
			if e.IsDir() {
				below = append(below, e)
			}
		}
		if len(below) == 0 {
			return dir
		}
		dir = filepath.Join(dir, below[rand.IntN(len(below))].Name())
	}
	return dir
}
