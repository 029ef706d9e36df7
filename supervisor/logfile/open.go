package logfile

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

// everyone is the file system for what is done with the rights of a program's user, where the kernel decides what a
// link may lead to.
var everyone = sync.OnceValues(func() (*beneath.Root, error) { return beneath.Open("/", beneath.Anyone) })

// place finds the place of a program's log with the rights of the account, which the caller has taken. The place is
// to be closed.
func place(path string, a account.User, follow bool) (*beneath.Place, error) {
	find := everyone
	if a.Self {
		find = beneath.Machine
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

// openFile opens a program's log; it is called with the rights of the account. Where it is root that opens the log,
// and the directory may be written by others, the file must be root's and have no other name.
func openFile(path string, a account.User, flag int) (*os.File, error) {
	if fd, own := ownOutput(path); own && flag&os.O_WRONLY != 0 {
		return openOwnOutput(fd, path)
	}
	if IsDevice(path) { // /dev/null, or a terminal
		return os.OpenFile(path, flag|syscall.O_NONBLOCK|syscall.O_NOCTTY|syscall.O_CLOEXEC, 0o640)
	}
	p, err := place(path, a, true)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	return openPlace(p, a, flag)
}

// IsDevice reports whether the name of a log is that of a device, such as /dev/null or /dev/stdout.
func IsDevice(path string) bool { return strings.HasPrefix(filepath.Clean(path), "/dev/") }

// errForeign is the cause when root would write or read as a log what another user has put there.
var errForeign = errors.New("it does not belong to root, and others may write to its directory")

func openPlace(p *beneath.Place, a account.User, flag int) (*os.File, error) {
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
		err = errForeign
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
