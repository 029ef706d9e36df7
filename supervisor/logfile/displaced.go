package logfile

import (
	"fmt"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"fate-installer/installer/host/beneath"
)

// An operator, or the distribution's logrotate, may remove or rename a log. The program goes on writing to the file
// that it holds, which has no name then, or another one: its lines are not seen, and nothing bounds it. The supervisor
// finds the file through the program's descriptors, gives the path a file again, and moves what the program writes
// there, until the program is started again and opens the path itself.

// holds opens the file that the program writes to as its log, when the path leads to another file or to none. nil: the
// path leads to it, or the program does not hold it any more.
func (l File) holds() (*os.File, error) {
	if l.PID == 0 || l.Held == (beneath.FileID{}) || IsDevice(l.Path) {
		return nil, nil
	}
	if info, err := os.Stat(l.Path); err == nil && beneath.IDOf(info) == l.Held {
		return nil, nil
	}
	for _, fd := range []int{unix.Stdout, unix.Stderr} {
		name := "/proc/" + strconv.Itoa(l.PID) + "/fd/" + strconv.Itoa(fd)
		f, err := openHeld(name, l.Held)
		if f == nil && err == nil {
			continue
		}
		return f, err
	}
	return nil, nil
}

// openHeld opens a regular file by the descriptor of a program, when it is the one of this identity; nil when it is
// another. A program can put anything in the place of its descriptor at any time, also a device that it may not open
// (O_PATH). So the descriptor is copied first, which opens nothing, and what is opened is what was looked at.
func openHeld(name string, held beneath.FileID) (*os.File, error) {
	fd, err := unix.Open(name, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, nil // it is closed
	}
	handle := os.NewFile(uintptr(fd), name)
	defer handle.Close()
	info, err := handle.Stat()
	if err != nil || beneath.IDOf(info) != held || !info.Mode().IsRegular() {
		return nil, err
	}
	return os.OpenFile("/proc/self/fd/"+strconv.Itoa(fd), os.O_RDWR, 0)
}

// Displaced moves what a program has written to a log that lost its name to the file at its path. kept is how long the
// file was when that was noticed: what a renamed file had then stays in it. The note is blank when the log is in its
// place.
func (l File) Displaced(kept int64) (note string, keeps int64, err error) {
	f, err := l.holds()
	if f == nil {
		if err != nil {
			return l.Path + " was removed or replaced, and what the program writes cannot be read: " + err.Error(),
				kept, nil
		}
		return "", -1, nil
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", kept, err
	}
	from, what := kept, "renamed or replaced"
	if hasNoName(info) {
		// A log is removed for its room: only its end is kept.
		from, what, kept = max(0, info.Size()-keptTail), "removed", 0
	} else if kept < 0 {
		from, kept = info.Size(), info.Size()
	}
	note = fmt.Sprintf("%s was %s while the program writes to it: its lines are copied there until it is restarted",
		l.Path, what)
	to, err := Open(l.Path, l.User)
	if err != nil {
		note = fmt.Sprintf("%s was %s while the program writes to it, and cannot be made again: %v", l.Path, what,
			beneath.WithoutPath(err))
		if limit := l.Limits.Threshold(); limit > 0 && info.Size() > limit+kept {
			err = opened{File: l}.keepTail(f, info.Size())
		} else {
			err = nil
		}
		return note, kept, err
	}
	defer to.Close()
	for {
		size := info.Size()
		if size > from {
			if from, err = copyWritten(to, f, from, size); err != nil {
				return note, kept, err
			}
		}
		if info, err = f.Stat(); err != nil {
			return note, kept, err
		}
		if info.Size() <= max(from, size) {
			if info.Size() > kept {
				err = f.Truncate(kept)
			}
			return note, kept, err
		}
	}
}

func hasNoName(info os.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && st.Nlink == 0
}
