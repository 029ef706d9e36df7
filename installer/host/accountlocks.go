package host

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"syscall"
)

// accountLocks are the locks that useradd, groupadd and their kind hold while they run: lckpwdf of the C library has a
// file of its own, which no end of a process leaves locked.
var accountLocks = []string{"/etc/passwd.lock", "/etc/group.lock", "/etc/shadow.lock", "/etc/gshadow.lock",
	"/etc/subuid.lock", "/etc/subgid.lock"}

// ClearAccountLocks removes the locks of the account files whose owner is gone, and the files by which it was taking
// them, and what it had written: a useradd that is killed leaves both, and every later one would wait for it. It
// returns what it removed.
func ClearAccountLocks(h *Host) ([]string, error) {
	var removed []string
	for _, lock := range accountLocks {
		data, err := h.ReadFile(lock)
		if errors.Is(err, fs.ErrNotExist) {
			data, err = nil, nil
		}
		if err != nil {
			return removed, fmt.Errorf("cannot read lock %s: %w", lock, err)
		}
		files := []string{}
		if pid, ok := lockOwner(data); ok && !h.alive(pid) {
			files = append(files, lock)
			// the content that it was about to rename
			if begun := strings.TrimSuffix(lock, ".lock") + "+"; h.Exists(begun) {
				files = append(files, begun)
			}
		}
		stale, err := h.halfTaken(lock)
		if err != nil {
			return removed, err
		}
		for _, file := range append(files, stale...) {
			if err := h.Remove(file); err != nil {
				return removed, fmt.Errorf("cannot remove lock %s: %w", file, err)
			}
			removed = append(removed, file)
		}
	}
	return removed, nil
}

// lockOwner reads the process that a lock belongs to: its number, with a zero at the end as shadow writes it.
func lockOwner(data []byte) (pid int, ok bool) {
	pid, err := strconv.Atoi(strings.TrimRight(string(data), "\x00\n "))
	return pid, err == nil && pid > 0
}

// halfTaken lists the files FILE.PID of processes that are gone, which shadow makes and links to FILE.lock.
func (h *Host) halfTaken(lock string) ([]string, error) {
	entries, err := h.ReadDir(path.Dir(lock))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot look for locks: %w", err)
	}
	var out []string
	base := strings.TrimSuffix(path.Base(lock), "lock")
	for _, e := range entries {
		number, ok := strings.CutPrefix(e.Name(), base)
		if pid, isPID := lockOwner([]byte(number)); ok && isPID && strconv.Itoa(pid) == number && !h.alive(pid) {
			file := path.Join(path.Dir(lock), e.Name())
			data, err := h.ReadFile(file)
			if owner, named := lockOwner(data); err == nil && (len(data) == 0 || named && owner == pid) {
				out = append(out, file)
			}
		}
	}
	return out, nil
}

// alive reports whether a process exists. In a tree none does but those that it lists.
func (h *Host) alive(pid int) bool {
	if !h.IsSystem() {
		return h.Exists(path.Join("/proc", strconv.Itoa(pid)))
	}
	return !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}
