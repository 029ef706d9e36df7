// Package engine carries out a plan on a host: it checks each step, writes down what it is about to change, changes it,
// and checks again. It knows nothing of what the steps are for.
//
//	Plan ── Validate ── for each step, when the steps it comes after are done, several at once:
//
//	   Check ── done ─────────────────────────────────────────────> unchanged
//	     └───── not done ── journal begin ── Apply ── Check ── done ── journal done ─> changed
//	                                           └────────┴── not done, or an error ───> failed
//
// The rules, each with its reason:
//
//  1. The host is the truth, the journal is the memory. A run checks every step again, so what was changed since is
//     repaired, and a run that was killed is continued by running again.
//  2. "begin" is on disk before anything changes, with what Undo needs. A power cut at any moment can be undone.
//  3. Check again after Apply. A step that "worked" but is not so fails here, by name, not three steps later.
//  4. The first begin of a step wins for an uninstall, this run's begin for a rollback. Later ones hold our own work.
//  5. A torn last line of the journal is cut off when it is opened; it is a change that was never made.
//  6. Undo touches only what is still ours, and says what it left.
//  7. Data is never undone: such a step has no Undo.
//  8. No secret is in the journal. Former contents of files go to files with mode 0600; the journal has their path and hash.
package engine

import (
	"context"
	"encoding/json"
	"io"

	"fate-installer/installer/host"

	"github.com/rs/zerolog"
)

// Step is a desired state of the host. A step is plain data and may be used by several runs.
type Step interface {
	// ID names the step: its kind, a colon and its object, as in "file:/etc/sysctl.d/90-fate.conf". It is the same in
	// every run and in every release, because the journal of an old run is read by a new program.
	ID() string

	// Check looks and never touches. It is called at any time, also when the steps that this one comes after have not
	// been applied (to print a plan), and must then say "not done" rather than fail.
	Check(ctx context.Context, env *Env) (Finding, error)

	// Apply makes it so. It is called after Check said "not done" and the journal has the finding, and it may have
	// been cut off at any point in an earlier run. It returns soon when ctx ends, leaving nothing half-done that a
	// further Apply would not complete.
	Apply(ctx context.Context, env *Env) error
}

// Finding is the result of a Check.
type Finding struct {
	Done bool
	Why  string // not done: one line for the plan, such as "mode is 0600, want 0644"

	// Before has the facts that Undo needs, enough for the Undo of a zero value of the step's type: the plan that made
	// the change may no longer exist when it is undone. It holds no secret.
	Before json.RawMessage

	// Mark identifies what Apply will leave (such as the sha256 of a file). The journal keeps it, so that a later run
	// can tell our work from that of others: see [Ledger.Wrote].
	Mark string

	// Kept says, of a step that is not done, that what is on the host stays as it is: Apply only adds something next to
	// it, which repairs nothing.
	Kept bool

	// Edited says, of a step that is not done, that what is on the host is nothing that a run has left. The engine
	// finds by itself what differs although the step has the same mark as when it was done.
	Edited bool

	// SameContent says, of a step that is not done, that what programs read there stays as it is, such as a file whose
	// mode alone is put right.
	SameContent bool

	// Note is something that the user should know, done or not, such as a configuration file that is kept as edited.
	Note string
}

// Undoer is a Step that can be undone.
type Undoer interface {
	// Undo puts back what was before, from the Before of a Finding, on a zero value of the step's type. What is no
	// longer as we left it is not touched and reported with an error that is a [*LeftError]. It succeeds when there is
	// nothing to do, so that it can be repeated.
	Undo(ctx context.Context, env *Env, before json.RawMessage) error
}

// Merger is a Step whose change can grow from run to run, as a list of open ports does. For other steps the Before of
// the first begin alone is what an uninstall restores.
type Merger interface {
	// Merge adds what a later Before holds to the first one.
	Merge(first, later json.RawMessage) (json.RawMessage, error)
}

// Resumer is an Undoer that stopped something for the time of the undo.
type Resumer interface {
	// Resume is called with the Before given to Undo when all other steps have been undone, in the order of their
	// changes.
	Resume(ctx context.Context, env *Env, before json.RawMessage) error
}

// Committer is a Step that keeps the old state aside until the whole run has succeeded, and then drops it.
type Committer interface {
	// Commit is called for every step at the end of each successful run, so that one cut off before it is made up for.
	Commit(ctx context.Context, env *Env) error
}

// Remainer is an Undoer that can tell what is still there.
type Remainer interface {
	// Remains lists what of the step is still on the host, one line each; empty when it is as before.
	Remains(ctx context.Context, env *Env, before json.RawMessage) ([]string, error)
}

// Reader is a Step whose work depends on what others leave, even when it is done: it has to be done again when another
// has repaired what it reads, see [Ledger.RepairedSince].
type Reader interface {
	// Reads lists the IDs of the other steps.
	Reads() []string
}

// Describer is a Step with more to say in a plan than its title.
type Describer interface {
	// Describe says in one line what Apply does.
	Describe() string
}

// Env has the resources that steps use.
type Env struct {
	Host     *host.Host
	Payload  Payload  // nil: no step unpacks anything
	Services Services // nil: no step starts anything
	Self     Self     // nil: no step installs this program
	StateDir string   // holds the journal and the backups; on the host, absolute
	Force    bool     // overwrite what an operator has edited
	Purge    bool     // an undo also removes data that programs made at run time
	Log      zerolog.Logger

	// Parallel is how many steps run at once; 0 means 4.
	Parallel int

	// Progress, when set, is called during long steps, by several goroutines at once.
	Progress func(stepID string, done, total int64)

	// UndoBegins, when set, is called before each step that an undo of total steps puts back.
	UndoBegins func(stepID, title string, total int)

	// Ledger has the steps that the journal records. The engine sets it.
	Ledger *Ledger
}

// Payload gives the components that steps unpack.
type Payload interface {
	// Extract writes a component to target, a path of this process that does not exist, and creates it, durably, by one
	// rename. Files belong to uid and gid; -1 keeps the owner of the process.
	Extract(ctx context.Context, component, target string, uid, gid int, progress func(done, total int64)) error
}

// PartPayload is a Payload that can give some entries of a component without the others.
type PartPayload interface {
	// ExtractFiles is Extract of some entries, given by their paths in the component's tree, with the directories that
	// they are in. It is an error when the component lacks one.
	ExtractFiles(ctx context.Context, component, target string, names []string, uid, gid int,
		progress func(done, total int64)) error
}

// EmptyPayload is a Payload that may have no components at all.
type EmptyPayload interface {
	// IsEmpty reports whether every Extract fails.
	IsEmpty() bool
}

// Self gives the running program without its payload.
type Self interface {
	CopyStub(w io.Writer) error
}

// Services is the supervisor.
type Services interface {
	// Update makes it read the files of these programs, start those that are new and restart those that differ.
	Update(ctx context.Context, names []string) error
	// Start starts programs and returns when they serve, see ServiceStatus; onEvent gets a line for each change of
	// state.
	Start(ctx context.Context, names []string, onEvent func(string)) error
	// Restart stops programs that run, then starts all and returns when they serve.
	Restart(ctx context.Context, names []string, onEvent func(string)) error
	// Stop stops programs and returns when they have ended. Programs it does not know are no error.
	Stop(ctx context.Context, names []string) error
	// Status tells about all programs. The error wraps ErrNoSupervisor when it does not run.
	Status(ctx context.Context) ([]ServiceStatus, error)
}

// ServiceStatus is the state of a supervised program.
type ServiceStatus struct {
	Name  string // the program
	State string // as the supervisor prints it, such as RUNNING
	Ready bool   // it does its work
	Why   string // not ready: the reason

	// Serving is whether programs that depend on it can start: it is ready, or becomes ready by what they do.
	Serving bool

	// Elsewhere says what it waits for on another host, when it is started and becomes ready by itself as soon as that
	// is there. Nothing on this host is left to be done for it.
	Elsewhere string

	// Overdue is whether it runs and has not become ready in the time it has for that.
	Overdue bool `json:"-"`
}

// ProgressOf returns the function by which a step reports how far it is.
func (e *Env) ProgressOf(s Step) func(done, total int64) {
	if e.Progress == nil {
		return func(int64, int64) {}
	}
	id := s.ID()
	return func(done, total int64) { e.Progress(id, done, total) }
}
