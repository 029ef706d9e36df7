package deploy

import (
	"path/filepath"

	"fate-installer/installer/deploy/programs"
	"fate-installer/installer/engine"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/preflight"
	"fate-installer/installer/host"
	"fate-installer/installer/problem"
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

// Installation is what a host keeps of what is installed below a base directory: its records, its journal, and the
// state that changes of it go through.
type Installation struct{ *place }

// NewInstallation gives the installation on a host, which need not have one yet. It reads nothing.
func NewInstallation(h *host.Host, cmd Command) *Installation { return &Installation{&place{cmd, h}} }

// HistoryDir is where the record of who changed what on a host is.
func HistoryDir(l cluster.Layout) string { return filepath.Join(l.State(), "history") }
