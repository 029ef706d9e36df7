package supervisor

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"fate-installer/supervisor/account"
	"fate-installer/supervisor/config"
	"fate-installer/supervisor/logfile"
)

// CheckLogs says of which programs the log could not be opened by their start, and whether the supervisor's could. It
// makes nothing: a log that is not there yet is made by the start.
func CheckLogs(c *config.Settings) error {
	var problems config.Problems
	add := func(err error, format string, args ...any) {
		if err != nil {
			problems = append(problems, config.Problem{File: c.Path, Text: fmt.Sprintf(format, args...) +
				": " + err.Error()})
		}
	}
	if path := c.Daemon.LogFile; !logfile.IsDevice(path) {
		add(logfile.CheckOwn(path), "[supervisord] logfile=%s cannot be opened", path)
	}
	for i := range c.Programs {
		p := &c.Programs[i]
		acct, err := account.Lookup(p.User)
		if err != nil {
			continue // another check's matter, and not known to a user who may not become that one
		}
		for _, path := range logfile.PathsOf(p, c.Daemon.ChildLogDir).Distinct() {
			if err := logfile.Check(path, acct); !madeLater(c, path, err) {
				add(err, "program %s", p.Name)
			}
		}
	}
	if problems == nil {
		return nil
	}
	return problems
}

// madeLater reports whether a log cannot be opened only because its directory is not there yet: the supervisor makes
// that of its own log.
func madeLater(c *config.Settings, path string, err error) bool {
	return errors.Is(err, fs.ErrNotExist) && filepath.Dir(path) == filepath.Dir(c.Daemon.LogFile)
}
