package logfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"fate-installer/installer/host/beneath"
	"fate-installer/supervisor/account"
)

// ownOutput tells which of the supervisor's own output streams a log's name means. Its name leads to a terminal, a
// file, a pipe or the journal's socket, of which only some can be opened by it; so the open stream is used.
func ownOutput(path string) (fd int, ok bool) {
	switch filepath.Clean(path) {
	case "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1":
		return unix.Stdout, true
	case "/dev/stderr", "/dev/fd/2", "/proc/self/fd/2":
		return unix.Stderr, true
	}
	return -1, false
}

// openOwnOutput gives another descriptor of an own output stream.
func openOwnOutput(fd int, path string) (*os.File, error) {
	copied, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot use the supervisor's own output %s: %w", path, err)
	}
	return os.NewFile(uintptr(copied), path), nil
}

// CheckOwn opens the supervisor's log, if it is there.
func CheckOwn(path string) error {
	err := beneath.At(path, func(p *beneath.Place) error {
		f, _, err := openOwnLog(p, 0)
		if err != nil {
			return err
		}
		return f.Close()
	})
	if errors.Is(err, fs.ErrNotExist) { // its directory is made, too
		return nil
	}
	return beneath.WithoutPath(err)
}

// Check opens a program's log, if it is there, as the start of the program does.
func Check(path string, a account.User) error {
	f, err := openWith(path, a, os.O_WRONLY|os.O_APPEND)
	if err == nil {
		return f.Close()
	}
	if _, missing := os.Stat(filepath.Dir(path)); errors.Is(err, fs.ErrNotExist) && missing == nil {
		return nil
	}
	return err
}
