package supervisor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// An operator, or the distribution's logrotate, may remove or rename a log. The program goes on writing to the file that
// it holds, which has no name then, or another one: its lines are not seen, and nothing bounds it. The supervisor finds the
// file through the program's descriptors, gives the path a file again, and moves what the program writes there, until the
// program is started again and opens the path itself.

// holds opens the file that the program writes to as its log, when the path leads to another file or to none. nil: the
// path leads to it, or the program does not hold it any more.
func (l managedLog) holds() (*os.File, error) {
	if l.pid == 0 || l.held == (fileID{}) || isDevice(l.path) {
		return nil, nil
	}
	if info, err := os.Stat(l.path); err == nil && idOf(info) == l.held {
		return nil, nil
	}
	for _, fd := range []int{unix.Stdout, unix.Stderr} {
		name := "/proc/" + strconv.Itoa(l.pid) + "/fd/" + strconv.Itoa(fd)
		f, err := openHeld(name, l.held)
		if f == nil && err == nil {
			continue
		}
		return f, err
	}
	return nil, nil
}

// openHeld opens a regular file by the descriptor of a program, when it is the one of this identity; nil when it is another.
// A program can put anything in the place of its descriptor at any time, also a device that it may not open (O_PATH). So the
// descriptor is copied first, which opens nothing, and what is opened is what was looked at.
func openHeld(name string, held fileID) (*os.File, error) {
	fd, err := unix.Open(name, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, nil // it is closed
	}
	handle := os.NewFile(uintptr(fd), name)
	defer handle.Close()
	info, err := handle.Stat()
	if err != nil || idOf(info) != held || !info.Mode().IsRegular() {
		return nil, err
	}
	return os.OpenFile("/proc/self/fd/"+strconv.Itoa(fd), os.O_RDWR, 0)
}

// displaced moves what a program has written to a log that lost its name to the file at its path. kept is how long the
// file was when that was noticed: what a renamed file had then stays in it. The note is blank when the log is in its place.
func (l managedLog) displaced(kept int64) (note string, keeps int64, err error) {
	f, err := l.holds()
	if f == nil {
		if err != nil {
			return l.path + " was removed or replaced, and what the program writes cannot be read: " + err.Error(), kept, nil
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
	note = fmt.Sprintf("%s was %s while the program writes to it: its lines are copied there until it is restarted", l.path, what)
	to, err := openLog(l.path, l.acct)
	if err != nil {
		note = fmt.Sprintf("%s was %s while the program writes to it, and cannot be made again: %v", l.path, what, withoutPath(err))
		if limit := l.limits.threshold(); limit > 0 && info.Size() > limit+kept {
			err = openedLog{managedLog: l}.keepTail(f, info.Size())
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

// followDisplaced looks after the logs of a program whose paths lead to other files, and notes them in its status.
func (sup *Supervisor) followDisplaced(s *service, logs []managedLog) {
	var notes []string
	var errs []error
	for _, l := range logs {
		note, kept, err := func() (string, int64, error) {
			sup.rotating.Lock()
			defer sup.rotating.Unlock()
			kept, known := s.keptOf[l.held]
			if !known {
				kept = -1
			}
			return l.displaced(kept)
		}()
		if note == "" {
			delete(s.keptOf, l.held)
			continue
		}
		if s.keptOf == nil {
			s.keptOf = map[fileID]int64{}
		}
		s.keptOf[l.held] = kept
		notes, errs = append(notes, note), append(errs, err)
	}
	if s.looks++; s.looks%ownLogsEvery == 1 {
		s.ownGone = s.ownLogsRemoved()
	}
	notes = append(notes, s.ownGone...)
	if slices.Equal(notes, s.logNotes) {
		return
	}
	s.event(func() { s.logNotes = notes })
	for _, note := range notes {
		sup.log.Warn().Str("program", s.status.Load().Name).AnErr("error", errors.Join(errs...)).Msg(note)
	}
}

// ownLogsEvery is how many looks at the logs there are for one at the descriptors of a program, of which it may have
// thousands.
const ownLogsEvery = 5

// ownLogsRemoved says which logs that the program opens by itself were removed while it holds them: nothing but the
// program can open them again.
func (s *service) ownLogsRemoved() []string {
	s.mu.Lock()
	patterns, pid := s.prog.LogFiles, s.runningPID()
	s.mu.Unlock()
	if pid == 0 || len(patterns) == 0 {
		return nil
	}
	dir := "/proc/" + strconv.Itoa(pid) + "/fd"
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		target, err := os.Readlink(filepath.Join(dir, e.Name()))
		name, gone := strings.CutSuffix(target, " (deleted)")
		if err != nil || !gone || !slices.ContainsFunc(patterns, func(p string) bool { m, _ := filepath.Match(p, name); return m }) {
			continue
		}
		note := fmt.Sprintf("%s was removed while the program holds it, and takes room without a name until the program is restarted", name)
		if !slices.Contains(out, note) {
			out = append(out, note)
		}
	}
	return out
}
