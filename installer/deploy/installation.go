package deploy

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"fate-installer/installer/deploy/programs"
	"fate-installer/installer/engine"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/preflight"
	"fate-installer/installer/host"
	"fate-installer/installer/problem"
	"fate-installer/installer/state"
	"fate-installer/supervisor/rpc"

	"github.com/rs/zerolog"
)

// Command is the command that runs an operation, as far as the operation depends on it.
type Command struct {
	Base       string // base directory
	User       string // of the service; blank: not said
	Line       string // the whole command, as a shell takes it, without secrets
	Program    string // this program, as a shell finds it
	Sudo       string // the whole command with sudo
	OwnCluster bool   // it names a cluster file
	Payload    string // file of the appliance; blank: the running program
	Executable string // file of this program; blank: the running one
	Parallel   int    // how many steps run at once; 0: as many as the engine likes
	Log        zerolog.Logger
	Reporter

	// Client returns a client of the supervisor at a socket of a host, which fails for a tree. It takes secrets out of
	// what it shows of logs: the given ones, and those of the installation on this host.
	Client func(h *host.Host, socket string, secrets ...cluster.Secret) (*rpc.Client, error)
}

// Reporter shows people what an operation does.
type Reporter interface {
	// Printf shows a line of the result.
	Printf(format string, args ...any)
	// Progressf shows a line about what is being done, which is no result.
	Progressf(format string, args ...any)
	// Advisef is as Printf, for a text with commands of this program.
	Advisef(format string, args ...any)
	// Warn shows what scripts do not parse.
	Warn(text string)
	// Notes shows remarks about the configuration.
	Notes(problem.Problems)
	// Checks shows what checks of the host have found.
	Checks([]preflight.CheckResult)
	// Undo shows what became of a step that was undone; data: it is kept for the data in it.
	Undo(o engine.UndoOutcome, data bool)
	// Run shows a run of the engine that unpacks a number of bytes.
	Run(unpacks int64) View
	// Bar shows how far a long piece of work of total bytes is.
	Bar(title string, total int64) Bar
}

// View shows a run of the engine. Its methods may be called from several goroutines.
type View interface {
	// Plan says what the run is about to do. With countSmall, steps that take no time are only counted.
	Plan(plan engine.Plan, countSmall bool)
	Event(engine.Event)
	// Service shows what happens to a program.
	Service(programs.Event)
	Progress(stepID string, done, total int64)
	// Close ends the display. A view without an event need not be closed.
	Close()
}

// Bar shows how far a long piece of work is.
type Bar interface {
	Set(done int64)
	Finish()
}

// StandardBase is the base directory where none is named.
const StandardBase = "/data"

// lockPath is held by the command that changes the installation. It is in /run, which a reboot empties.
const lockPath = "/run/fate-installer.lock"

// rootOnly is the mode of a file with passwords.
var rootOnly = host.FileMode{Perm: 0o600, Owner: "root", Group: "root"}

// Installation is what a host keeps of what is installed below a base directory: its records, its journal, and the
// state that changes of it go through.
type Installation struct {
	cmd   Command
	host  *host.Host
	state state.State // as stored, once a command was decided
	move  state.Move  // what the command does in it
}

// NewInstallation gives the installation on a host, which need not have one yet. It reads nothing.
func NewInstallation(h *host.Host, cmd Command) *Installation {
	return &Installation{cmd: cmd, host: h}
}

// Close closes the host.
func (d *Installation) Close() error { return d.host.Close() }

// Layout is where the files of the installation are.
func (d *Installation) Layout() cluster.Layout { return cluster.Layout{Base: d.cmd.Base} }

// Live reports whether this is the running machine, and no tree.
func (d *Installation) Live() bool { return d.host.Live() }

// SiteFile is where the stored request is.
func (d *Installation) SiteFile() string { return filepath.Join(d.Layout().State(), SiteName) }

// JournalPath is where the engine keeps what it did.
func (d *Installation) JournalPath() string { return journalPath(d.Layout()) }

// begin takes the lock for a command that changes the host; verb is what it cannot do without root.
func (d *Installation) begin(verb string) (unlock func() error, err error) {
	if err := d.NeedRoot(verb); err != nil {
		return nil, err
	}
	if unlock, err = d.lock(); err != nil {
		return nil, err
	}
	// Without its directory a database that was being exchanged would be taken for one that is yet to be made.
	if err := d.host.MendExchange(d.Layout().DatabaseData()); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot put the database back: %w", err), unlock())
	}
	return unlock, nil
}

// NeedRoot refuses to do what verb says on the running machine without root.
func (d *Installation) NeedRoot(verb string) error {
	if d.host.IsSystem() && os.Geteuid() != 0 {
		return exit.With(exit.Hint(fmt.Errorf("cannot %s: this needs root", verb), d.cmd.Sudo), exit.Usage)
	}
	return nil
}

// lock makes this the only run on the host, and removes the locks of the account files that an earlier run left: one
// that was killed while useradd ran may have made the account, so that no step runs useradd again.
func (d *Installation) lock() (unlock func() error, err error) {
	surviveHangup()
	unlock, err = engine.Lock(d.host, lockPath)
	var locked *engine.LockedError
	if errors.As(err, &locked) {
		return nil, exit.With(err, exit.Locked)
	}
	if err != nil || !d.host.Live() {
		return unlock, err
	}
	if _, err := host.ClearAccountLocks(d.host); err != nil {
		return nil, errors.Join(err, unlock())
	}
	return unlock, nil
}

// surviveHangup lets a command that changes the host go on when its terminal is closed; what it did is in the journal.
func surviveHangup() { signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP) }

// undoEnv gives an undo what it works with; the Spec of the installation need not be known any more.
func (d *Installation) undoEnv() *engine.Env {
	env := &engine.Env{Host: d.host, StateDir: d.Layout().State(), Log: d.cmd.Log}
	if client, err := d.cmd.Client(d.host, d.Layout().SupervisorSocket()); err == nil { // not of a tree
		env.Services = programs.NewServices(client, nil, nil, nil)
	}
	return env
}

// HistoryDir is where the record of who changed what on a host is.
func HistoryDir(l cluster.Layout) string { return filepath.Join(l.State(), "history") }
