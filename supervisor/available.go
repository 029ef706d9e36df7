package supervisor

import (
	"context"
	"errors"
	"io/fs"

	"fate-installer/supervisor/account"
	"fate-installer/supervisor/config"
	"fate-installer/supervisor/logfile"
	"fate-installer/supervisor/process"
)

// Available is a program of the configuration last read.
type Available struct {
	Program config.Program
	InUse   bool // its group is in force
}

// Available lists the programs of the configuration last read, sorted by name.
func (sup *Supervisor) Available() []Available {
	inUse := groupsOf(sup.active())
	var out []Available
	for _, p := range sup.pending.Load().Programs {
		out = append(out, Available{p.Clone(), len(inUse[p.Group]) > 0})
	}
	return out
}

// CheckExecutable looks for the file a program would execute, so that a caller can tell a missing file from a program
// that fails.
func (sup *Supervisor) CheckExecutable(name string) error {
	s := sup.service(name)
	if s == nil {
		return &UnknownError{name}
	}
	s.mu.Lock()
	p := s.prog
	s.mu.Unlock()
	acct, err := account.Lookup(p.User)
	if err != nil {
		return nil // the start itself will say so
	}
	_, _, err = process.FindExecutable(p.Command[0], envValue(sup.environment(&p, acct), "PATH"), p.Directory)
	return err
}

// Account returns the user that a program runs as and its primary group.
func (sup *Supervisor) Account(name string) (uid, gid int, err error) {
	s := sup.service(name)
	if s == nil {
		return 0, 0, &UnknownError{name}
	}
	s.mu.Lock()
	user := s.prog.User
	s.mu.Unlock()
	acct, err := account.Lookup(user)
	return acct.UID, acct.GID, err
}

// ClearLogs empties a program's log files. They are truncated, not replaced: a running program holds them open.
func (sup *Supervisor) ClearLogs(name string) error {
	s := sup.service(name)
	if s == nil {
		return &UnknownError{name}
	}
	s.mu.Lock()
	p := s.prog
	s.mu.Unlock()
	acct, err := account.Lookup(p.User)
	if err != nil {
		return err
	}
	sup.rotating.Lock()
	defer sup.rotating.Unlock()
	var errs []error
	for _, path := range logfile.PathsOf(&p, sup.config().Daemon.ChildLogDir).Distinct() {
		if err := logfile.Empty(path, acct); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Stopping reports whether the supervisor is ending.
func (sup *Supervisor) Stopping() bool { return sup.stopping.Load() }

// Events returns the events after a number, waiting for one until the context ends, and the number to go on from.
func (sup *Supervisor) Events(ctx context.Context, after uint64) ([]Event, uint64) {
	events := sup.events.after(ctx, after)
	if len(events) > 0 {
		return events, events[len(events)-1].Seq
	}
	return nil, sup.events.last()
}
