package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"time"

	"fate-installer/installer/engine"
	"fate-installer/installer/host"
)

// Init makes the data directory of a new database server, with the administrator's password and the accounts
// that must exist before the server may be reached.
//
// All work is done in a staging directory next to the data directory, which then becomes it by one rename. So at any
// moment there is either nothing or a finished data directory, whatever is killed or loses power; what a dead run left
// in the staging directory is thrown away by the next. It begins with a copy of the one that the component carries
// ([TemplateFile]), or the server makes it.
//
// A data directory of ours that is there already is used again. When the mark in it says that the administrator or an
// account has another password than the wanted one, the passwords are set: through the server that runs on it, or else
// by way of a temporary server that needs no password. So they are right before anything logs in.
//
// The step has no Undo: a data directory is the user's data.
type Init struct {
	Server
	RootPassword Password
	Accounts     []Account // may have rights on schemas that a Database step makes later

	// Socket is where the server listens when it runs. FormerRootPasswords are tried there when RootPassword is
	// refused. With a blank Socket the passwords of a server that runs are left alone.
	Socket              string
	FormerRootPasswords []Password

	Log     string        // file that gets the output of the server's programs; blank for none
	Timeout time.Duration // for a start or a shutdown; 0 means 5 minutes
}

const kindInit = "database-init"

// Names next to and inside the data directory.
const (
	stagingSuffix = ".initialising"       // of the staging directory
	stagingData   = "data"                // in the staging directory: what becomes the data directory
	datadirMark   = "fate-installer.json" // in a data directory or a staging directory of ours
)

// datadirMode lets only the server's user in; the files are the database.
const datadirMode fs.FileMode = 0o700

// DatadirError is a data directory that is not ours to use.
type DatadirError struct {
	Path string
	Why  string
}

func (e *DatadirError) Error() string {
	return fmt.Sprintf("cannot use %s as data directory: %s", e.Path, e.Why)
}

// Repeat tells how to go on without losing anything.
func (e *DatadirError) Repeat() (before, after string) {
	return fmt.Sprintf("keep it and move it away: mv %s %s.old; then", e.Path, e.Path), ""
}

// ID implements [engine.Step].
func (d Init) ID() string { return kindInit + ":" + d.Data }

// Describe implements [engine.Describer].
func (d Init) Describe() string {
	return fmt.Sprintf("new %s data directory %s%s, administrator's password set", d.Flavour, d.Data, d.owner())
}

// Check implements [engine.Step].
func (d Init) Check(_ context.Context, env *engine.Env) (engine.Finding, error) {
	if !env.Host.Live() {
		return engine.Finding{Done: true, Note: d.Data + " is initialised on the running machine"}, nil
	}
	data, err := d.datadir(env.Host)
	if err != nil {
		return engine.Finding{}, err
	}
	why, err := d.missing(env.Host, data)
	if err == nil && why == "" {
		why, err = d.stalePasswords(env.Host, data)
	}
	if err != nil || why != "" {
		return engine.Finding{Why: why}, err
	}
	if env.Host.Exists(data + stagingSuffix) {
		return engine.Finding{Why: "an interrupted run left " + data + stagingSuffix}, nil
	}
	return engine.Finding{Done: true}, nil
}

// datadir follows links that an administrator made: the rename must replace the directory and not the link.
func (d Init) datadir(h *host.Host) (string, error) {
	if !h.Exists(d.Data) {
		return path.Clean(d.Data), nil
	}
	return h.Resolve(d.Data)
}

// missing says why the data directory has to be made; empty when it is there and ours.
func (d Init) missing(h *host.Host, data string) (string, error) {
	entries, err := h.ReadDir(data)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "it does not exist", nil
	case err != nil:
		return "", fmt.Errorf("cannot look into %s: %w", data, err)
	case len(entries) == 0:
		return "it is empty", nil
	case len(entries) == 1 && entries[0].Name() == "lost+found":
		return "", engine.WithHint(&DatadirError{data,
			"it is the root of a filesystem, which cannot be replaced by a finished directory"},
			"mount the filesystem on its parent directory")
	}
	mark, err := readMark(h, path.Join(data, datadirMark))
	if errors.Is(err, fs.ErrNotExist) {
		return "", &DatadirError{data, "it is not empty and was not made by this installer"}
	}
	if err != nil {
		return "", err
	}
	if mark.Flavour != d.Flavour {
		return "", &DatadirError{data, fmt.Sprintf("it belongs to %s, and %s cannot read it", mark.Flavour, d.Flavour)}
	}
	for _, name := range []string{"ibdata1", "mysql"} { // both flavours have both
		if !h.Exists(path.Join(data, name)) {
			return "", &DatadirError{data, "it is damaged: " + name + " is missing"}
		}
	}
	return "", nil
}

// Apply implements [engine.Step].
func (d Init) Apply(ctx context.Context, env *engine.Env) error {
	h := env.Host
	data, err := d.datadir(h)
	if err != nil {
		return err
	}
	staging := data + stagingSuffix
	if err := d.dropStaging(h, staging); err != nil {
		return err
	}
	switch why, err := d.missing(h, data); {
	case err != nil:
		return err
	case why == "":
		return d.renewPasswords(ctx, h, data)
	}
	if err := d.prepare(h, staging); err != nil {
		return fmt.Errorf("cannot prepare %s: %w", staging, err)
	}
	// A failed attempt is not kept: the reasons are in the error and in the log, and a disk that is full stays full.
	if err := d.fill(ctx, h, path.Join(staging, stagingData)); err != nil {
		return errors.Join(err, removeStaging(h, staging))
	}
	return d.commit(h, staging, data)
}

// dropStaging removes what a dead run left, after making sure that it is a staging directory of ours.
func (d Init) dropStaging(h *host.Host, staging string) error {
	entries, err := h.ReadDir(staging)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	// Ours has the mark, or died before it was written and holds nothing but that file's temporary.
	if len(entries) > 0 && !h.Exists(path.Join(staging, datadirMark)) &&
		entries[0].Name() != path.Base(host.TempName(path.Join(staging, datadirMark))) {
		return &DatadirError{staging, "it is in the way and was not made by this installer"}
	}
	return removeStaging(h, staging)
}

// removeStaging removes a staging directory, and the mark last: a run that dies before must leave what the next one
// knows again.
func removeStaging(h *host.Host, staging string) error {
	if err := h.RemoveAll(path.Join(staging, stagingData)); err != nil {
		return err
	}
	return h.RemoveAll(staging)
}

// prepare makes the staging directory. The mark comes first, so that dropStaging knows it again.
func (d Init) prepare(h *host.Host, staging string) error {
	if err := h.MkdirAll(path.Dir(staging), host.FileMode{Perm: 0o755, Owner: d.User, Group: d.Group}); err != nil {
		return err
	}
	mode := host.FileMode{Perm: datadirMode, Owner: d.User, Group: d.Group}
	if err := h.Mkdir(staging, mode); err != nil {
		return err
	}
	if err := d.writeMark(h, staging, mark{Flavour: d.Flavour}); err != nil {
		return err
	}
	return h.Mkdir(path.Join(staging, stagingData), mode)
}

// fill makes the directory a complete data directory.
func (d Init) fill(ctx context.Context, h *host.Host, data string) error {
	log, closeLog, err := d.openLog(h)
	if err != nil {
		return err
	}
	m, err := d.fillLogged(ctx, h, data, log)
	if err := errors.Join(err, closeLog()); err != nil {
		return err
	}
	if err := d.writeMark(h, data, m); err != nil {
		return err
	}
	return h.SyncAll(data)
}

// openLog opens the log for appending. The server's user owns it, as all logs of the server.
func (d Init) openLog(h *host.Host) (io.Writer, func() error, error) {
	if d.Log == "" {
		return nil, func() error { return nil }, nil
	}
	if err := h.MkdirAll(path.Dir(d.Log), host.FileMode{Perm: 0o755, Owner: d.User, Group: d.Group}); err != nil {
		return nil, nil, err
	}
	f, err := h.Append(d.Log, 0o640)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot open the log of the initialisation: %w", err)
	}
	if err := h.Chown(d.Log, d.User, d.Group); err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, f.Close, nil
}

func (d Init) fillLogged(ctx context.Context, h *host.Host, data string, log io.Writer) (mark, error) {
	m := mark{Flavour: d.Flavour}
	m.remember(d.RootPassword, d.Accounts)
	copied, err := d.copyOrInitialise(ctx, h, data, log)
	if err != nil {
		return m, err
	}
	var full *FullError
	if err := d.start(ctx, h, data, log, &m); err == nil || !copied || ctx.Err() != nil || errors.As(err, &full) {
		return m, err
	}
	// The reason is in the log. Where the server makes its own database it may run all the same.
	if err := d.initialiseAgain(ctx, h, data, log); err != nil {
		return m, err
	}
	return m, d.start(ctx, h, data, log, &m)
}

// copyOrInitialise makes a database whose administrator has no password, from the one that the component carries if
// that can be used.
func (d Init) copyOrInitialise(ctx context.Context, h *host.Host, data string, log io.Writer) (copied bool, err error) {
	err = d.copyTemplate(ctx, h, data)
	switch {
	case err == nil:
		note(log, "copied the data directory that the component carries")
		return true, nil
	case errors.Is(err, errNoTemplate):
		return false, d.initialise(ctx, h, data, log)
	case ctx.Err() != nil:
		return false, fmt.Errorf("cannot initialise the database: %w", context.Cause(ctx))
	}
	note(log, "%v", err)
	return false, d.initialiseAgain(ctx, h, data, log)
}

// initialiseAgain throws away what was tried.
func (d Init) initialiseAgain(ctx context.Context, h *host.Host, data string, log io.Writer) error {
	note(log, "the server makes a database of its own")
	if err := h.RemoveAll(data); err != nil {
		return err
	}
	if err := h.Mkdir(data, host.FileMode{Perm: datadirMode, Owner: d.User, Group: d.Group}); err != nil {
		return err
	}
	return d.initialise(ctx, h, data, log)
}

// note writes a line of ours to the log, which has the output of the server.
func note(log io.Writer, format string, args ...any) {
	if log != nil {
		fmt.Fprintf(log, "fate-installer: "+format+"\n", args...)
	}
}

// start runs a server on the new database that no other process can reach, and gives the database its passwords.
func (d Init) start(ctx context.Context, h *host.Host, data string, log io.Writer, m *mark) error {
	return d.withServer(ctx, h, data, log, d.timeout(), func(ctx context.Context, db *sql.DB) error {
		if err := db.QueryRowContext(ctx, "SELECT VERSION()").Scan(&m.Version); err != nil {
			return fmt.Errorf("cannot ask the database server for its version: %w", err)
		}
		return d.secure(ctx, db)
	})
}

func (d Init) timeout() time.Duration {
	if d.Timeout > 0 {
		return d.Timeout
	}
	return 5 * time.Minute
}

// secure removes every way in but the administrator's on the machine itself, and gives that a password.
func (d Init) secure(ctx context.Context, db *sql.DB) error {
	s, err := inspectServer(ctx, db)
	if err != nil {
		return err
	}
	if err := s.dropDefaultAccounts(ctx); err != nil {
		return err
	}
	if err := s.exec(ctx, "remove the test database", "DROP DATABASE IF EXISTS test"); err != nil {
		return err
	}
	return s.setPasswords(ctx, d.RootPassword, d.Accounts)
}

// commit puts the finished directory in its place. An empty directory that is there already gives way; should something
// have appeared in it, its removal fails and nothing is lost.
func (d Init) commit(h *host.Host, staging, data string) error {
	if err := h.Remove(data); err != nil {
		return fmt.Errorf("cannot put the new data directory in place: %w", err)
	}
	if err := h.Rename(path.Join(staging, stagingData), data); err != nil {
		return fmt.Errorf("cannot put the new data directory in place: %w", err)
	}
	return h.RemoveAll(staging)
}
