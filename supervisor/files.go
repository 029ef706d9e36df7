package supervisor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"fate-installer/installer/host/beneath"
	"fate-installer/supervisor/account"
)

// The daemon is root's in most installations, and the directories of many of its files belong to the user of the
// programs. So no file is reached by its path alone: see package beneath.

// machine is the file system for what this process does with its own rights.
var machine = sync.OnceValues(beneath.System)

// everyone is the file system for what is done with the rights of a program's user, where the kernel decides what a
// link may lead to.
var everyone = sync.OnceValues(func() (*beneath.Root, error) { return beneath.Open("/", beneath.Anyone) })

// atPlace finds the place of a file and does something there. A link at the last element is not followed.
func atPlace(path string, do func(p *beneath.Place) error) error {
	root, err := machine()
	if err != nil {
		return err
	}
	p, err := root.Exact("open", path)
	if err != nil {
		return err
	}
	defer p.Close()
	return do(p)
}

func makeDirs(path string, perm fs.FileMode) error {
	root, err := machine()
	if err != nil {
		return err
	}
	return root.MkdirAll(path, perm)
}

// removeFile removes a file of the daemon, if it is there.
func removeFile(path string) {
	_ = atPlace(path, (*beneath.Place).Remove)
}

// logPlace finds the place of a program's log with the rights of the account, which the caller has taken. The place is
// to be closed.
func logPlace(path string, a account.User, follow bool) (*beneath.Place, error) {
	find := everyone
	if a.Self {
		find = machine
	}
	root, err := find()
	if err != nil {
		return nil, err
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if follow {
		return root.Follow("open", abs)
	}
	return root.Exact("open", abs)
}

// openLogFile opens a program's log; it is called with the rights of the account. Where it is root that opens the log,
// and the directory may be written by others, the file must be root's and have no other name.
func openLogFile(path string, a account.User, flag int) (*os.File, error) {
	if fd, own := ownOutput(path); own && flag&os.O_WRONLY != 0 {
		return openOwnOutput(fd, path)
	}
	if isDevice(path) { // /dev/null, or a terminal
		return os.OpenFile(path, flag|syscall.O_NONBLOCK|syscall.O_NOCTTY|syscall.O_CLOEXEC, 0o640)
	}
	p, err := logPlace(path, a, true)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	return openLogPlace(p, a, flag)
}

func isDevice(path string) bool { return strings.HasPrefix(filepath.Clean(path), "/dev/") }

// errForeignLog is the cause when root would write or read as a log what another user has put there.
var errForeignLog = errors.New("it does not belong to root, and others may write to its directory")

func openLogPlace(p *beneath.Place, a account.User, flag int) (*os.File, error) {
	f, err := p.Open(flag, 0o640)
	if errors.Is(err, beneath.ErrNotFile) {
		return nil, fmt.Errorf("it is not a regular file: %w", err)
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = beneath.ErrNotFile
	case a.Self && p.Writer() != "" && ownerOf(info) != os.Geteuid():
		err = errForeignLog
	case a.Self && p.Writer() != "" && hasOtherNames(info):
		err = beneath.ErrHardLink
	}
	if err != nil {
		f.Close()
		return nil, &fs.PathError{Op: "open", Path: p.Path(), Err: err}
	}
	return f, nil
}

func hasOtherNames(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return !ok || st.Nlink != 1
}

func ownerOf(info fs.FileInfo) int {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(st.Uid)
	}
	return -1
}

// withoutPath drops the path from a file error whose text names the file already.
func withoutPath(err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
