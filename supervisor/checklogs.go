package supervisor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"fate-installer/installer/host/beneath"
	"fate-installer/supervisor/account"
	"fate-installer/supervisor/config"
)

// ownOutput tells which of the supervisor's own output streams a log's name means. Its name leads to a terminal, a file,
// a pipe or the journal's socket, of which only some can be opened by it; so the open stream is used.
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

// CheckLogs says of which programs the log could not be opened by their start, and whether the supervisor's could. It
// makes nothing: a log that is not there yet is made by the start.
func CheckLogs(c *config.Settings) error {
	var problems config.Problems
	add := func(err error, format string, args ...any) {
		if err != nil {
			problems = append(problems, config.Problem{File: c.Path, Text: fmt.Sprintf(format, args...) + ": " + err.Error()})
		}
	}
	if path := c.Daemon.LogFile; !isDevice(path) {
		add(checkOwnLog(path), "[supervisord] logfile=%s cannot be opened", path)
	}
	for i := range c.Programs {
		p := &c.Programs[i]
		acct, err := account.Lookup(p.User)
		if err != nil {
			continue // another check's matter, and not known to a user who may not become that one
		}
		for _, path := range logPathsOf(p, c.Daemon.ChildLogDir).distinct() {
			if err := checkLog(path, acct); !madeLater(c, path, err) {
				add(err, "program %s", p.Name)
			}
		}
	}
	if problems == nil {
		return nil
	}
	return problems
}

// checkOwnLog opens the supervisor's log, if it is there.
func checkOwnLog(path string) error {
	err := atPlace(path, func(p *beneath.Place) error {
		f, _, err := openOwnLog(p, 0)
		if err != nil {
			return err
		}
		return f.Close()
	})
	if errors.Is(err, fs.ErrNotExist) { // its directory is made, too
		return nil
	}
	return withoutPath(err)
}

// checkLog opens a program's log, if it is there, as the start of the program does.
func checkLog(path string, a account.User) error {
	f, err := openLogWith(path, a, os.O_WRONLY|os.O_APPEND)
	if err == nil {
		return f.Close()
	}
	if _, missing := os.Stat(filepath.Dir(path)); errors.Is(err, fs.ErrNotExist) && missing == nil {
		return nil
	}
	return err
}

// madeLater reports whether a log cannot be opened only because its directory is not there yet: the supervisor makes that
// of its own log.
func madeLater(c *config.Settings, path string, err error) bool {
	return errors.Is(err, fs.ErrNotExist) && filepath.Dir(path) == filepath.Dir(c.Daemon.LogFile)
}
