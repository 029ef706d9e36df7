package deploy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"fate-installer/installer/database"
	"fate-installer/installer/engine"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/host"
	"fate-installer/installer/state"
	"fate-installer/installer/step"
)

// Removal is what an uninstall did.
type Removal struct {
	Nothing bool              // there was nothing to remove
	Undone  engine.UndoReport // what became of each step
	Outside *OutsideLeft      // what is left on a database server that is not ours; nil: nothing
	Named   []string          // IDs of the steps that the journal is kept for, after a purge
	Purge   string            // the command that removes the data that is kept
	Metrics string            // the file that opens a port for metrics, where it is left; a new install opens it again

	Removed, Kept, Left int // number of steps; those kept for their data count as kept
}

// WasBegun reports whether an installation was begun here.
func (i *Installation) WasBegun() bool { return i.host.Exists(i.JournalPath()) }

// Uninstall removes what is installed, or what is left of it; purge also removes the data. tell reports it, while no
// other run can change anything.
func (i *Installation) Uninstall(ctx context.Context, purge bool, tell func(*Removal) error) error {
	unlock, err := i.lock()
	if err != nil {
		return err
	}
	defer unlock()
	t, err := i.decide(state.Uninstall)
	if err != nil {
		return err
	}
	if !i.WasBegun() {
		if err := engine.SweepDestroyed(i.host, i.JournalPath()); err != nil {
			return exit.With(err, exit.Step)
		}
		return tell(&Removal{Nothing: true, Undone: engine.UndoReport{Steps: []engine.UndoOutcome{}}})
	}
	removed, err := i.remove(ctx, t, purge)
	if err != nil {
		return err
	}
	return tell(removed)
}

// remove undoes the steps of the journal, which is there.
func (i *Installation) remove(ctx context.Context, t *transition, purge bool) (*Removal, error) {
	journal, err := engine.OpenJournal(i.host, i.JournalPath())
	if err != nil {
		return nil, err
	}
	defer journal.Close()
	resolve := keepData(i.Layout())
	if purge {
		resolve = purgeData(i.Layout())
	}
	if err := i.mountsInTheWay(journal, purge); err != nil {
		return nil, err
	}
	if err := i.guardsInTheWay(journal, resolve); err != nil {
		return nil, err
	}
	if err := t.settleDatabase(); err != nil { // before what was interrupted is forgotten
		return nil, exit.With(fmt.Errorf("cannot put the database back: %w", err), exit.Step)
	}
	if err := t.enter(state.Change{To: t.state.InUse()}, nil); err != nil {
		return nil, err
	}
	outside := i.leftOutside()
	inTemp, err := i.leftInTemp()
	if err != nil {
		return nil, exit.With(err, exit.Step)
	}
	if err := i.clearFiles(purge); err != nil {
		return nil, exit.With(err, exit.Step)
	}
	if err := i.clearRun(ctx, journal); err != nil {
		return nil, exit.With(err, exit.Step)
	}
	env := i.undoEnv()
	env.Purge = purge
	view := i.report.StepsBegin(0)
	env.UndoBegins = view.UndoBegins
	report, err := engine.Undo(ctx, env, journal, engine.Everything, resolve, func(o engine.UndoOutcome) {
		view.UndoEnds(o.ID)
		i.report.UndoOutcome(o, i.holdsData(o))
	})
	view.StepsEnd()
	if err != nil {
		return nil, exit.With(exit.DefaultRepeat(err, "put the cause right and",
			"; it goes on with what is left"), exit.Step)
	}
	// Programs have ended now, and the supervisor has written its last state.
	if err := errors.Join(i.clearTemp(inTemp), i.clearRun(ctx, journal)); err != nil {
		return nil, exit.With(err, exit.Step)
	}
	if err := t.gone(purge); err != nil {
		return nil, err
	}
	named, err := i.clearTraces(journal, report, purge)
	if err != nil {
		return nil, err
	}
	r := &Removal{Undone: report, Outside: outside, Named: named, Purge: i.purgeCommand()}
	r.Removed, r.Kept, r.Left = i.tally(report)
	if file := i.Layout().MetricsConf(); i.host.Exists(file) {
		r.Metrics = file
	}
	return r, nil
}

// clearFiles removes what no step has made: the ways back to other versions, which lead nowhere without this one and
// whose databases are among the data, and with purge what only the data needs. Without purge the program stays for
// those.
func (i *Installation) clearFiles(purge bool) error {
	l := i.Layout()
	if !purge {
		if err := i.keepProgram(); err != nil {
			return err
		}
		return i.host.RemoveAll(slotsDir(l))
	}
	err := i.host.RemoveAll(slotsDir(l))
	for _, file := range []string{l.SecretRecords(), l.SecretHandover(), laterProgram(l), backupSuccessPath(l),
		backupFailurePath(l), l.MetricsConf()} {
		if err == nil {
			err = i.host.Remove(file)
		}
	}
	return err
}

// clearTraces removes the installer's own traces when nothing needs them any more, and lists the steps that the journal
// still names.
func (i *Installation) clearTraces(journal *engine.Journal, report engine.UndoReport, purge bool) ([]string, error) {
	named := i.stillNamed(report)
	if purge && len(named) == 0 {
		if err := i.host.RemoveAll(HistoryDir(i.Layout())); err != nil {
			return nil, exit.With(err, exit.Step)
		}
		if err := journal.Destroy(); err != nil {
			return nil, exit.With(err, exit.Step)
		}
	}
	return named, nil
}

// tally counts what an undo did. Directories that are left for the data in them are kept like it; left is what could
// not be removed for another reason.
func (p *place) tally(report engine.UndoReport) (undone, kept, left int) {
	for _, o := range report.Steps {
		switch {
		case o.Status == engine.Undone:
			undone++
		case o.Status == engine.Kept, p.holdsData(o):
			kept++
		case o.Status == engine.Left:
			left++
		}
	}
	return undone, kept, left
}

func (p *place) holdsData(o engine.UndoOutcome) bool {
	if o.Data {
		return true
	}
	path, isDir := strings.CutPrefix(o.ID, step.Dir{}.ID())
	if !isDir || o.Status != engine.Left {
		return false
	}
	for _, root := range []string{p.Layout().Data(), p.Layout().Logs(), p.Layout().State()} {
		if path == root || strings.HasPrefix(path, root+"/") || strings.HasPrefix(root, path+"/") {
			return true
		}
	}
	return false
}

// stillNamed lists what an undo left and that is there, but for directories that the installer's own state is in, which
// goes last.
func (i *Installation) stillNamed(report engine.UndoReport) []string {
	var out []string
	for _, o := range report.Steps {
		path, isDir := strings.CutPrefix(o.ID, step.Dir{}.ID())
		state := i.Layout().State()
		if o.Status != engine.Left || isDir && (path == state || strings.HasPrefix(state, path+"/")) {
			continue
		}
		if _, at, _ := strings.Cut(o.ID, ":"); strings.HasPrefix(at, "/") && !i.host.Exists(at) {
			continue
		}
		out = append(out, o.ID)
	}
	return out
}

// keepData resolves steps to their undo, but not those whose result the kept data needs: without the passwords the
// database would be lost, and without the account its files would belong to the next user with that uid.
func keepData(layout cluster.Layout) engine.Resolver {
	inner := emptying(layout.SupervisorRun())
	return func(id string) (engine.Undoer, bool) {
		if neededByData(layout, id) {
			return nil, false
		}
		return inner(id)
	}
}

// purgeData resolves steps to an undo that also empties the directories that data and logs live in. A database of this
// host is removed with its data directory; what is in one outside stays.
func purgeData(layout cluster.Layout) engine.Resolver {
	inner := emptying(append(purgedRoots(layout), layout.SupervisorRun())...)
	return func(id string) (engine.Undoer, bool) {
		if dir, ok := strings.CutPrefix(id, database.Init{}.ID()); ok {
			return removedDatabase{dir}, true
		}
		if database.OnThisHost(id) {
			return removedDatabase{}, true // its schemas, accounts and tables
		}
		return inner(id)
	}
}

// removedDatabase removes what is in a database's data directory, which has a step of its own.
type removedDatabase struct{ dir string }

// Undo implements engine.Undoer.
func (r removedDatabase) Undo(_ context.Context, env *engine.Env, _ json.RawMessage) error {
	if r.dir == "" {
		return nil
	}
	return removeEntries(env.Host, r.dir)
}

func removeEntries(h *host.Host, dir string) error {
	entries, err := h.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot remove data: %w", err)
	}
	for _, entry := range entries {
		if err := h.RemoveAll(dir + "/" + entry.Name()); err != nil {
			return fmt.Errorf("cannot remove data: %w", err)
		}
	}
	return nil
}

// emptying empties the directories at and below the roots before the steps that made them are undone.
func emptying(roots ...string) engine.Resolver {
	return func(id string) (engine.Undoer, bool) {
		undoer, ok := step.Undoer(id)
		path, isDir := strings.CutPrefix(id, step.Dir{}.ID())
		if isDir && isAtOrBelow(path, roots) {
			return emptied{Undoer: undoer, path: path}, true
		}
		return undoer, ok
	}
}

// emptied empties a directory before the step that made it is undone.
type emptied struct {
	engine.Undoer
	path string
	made bool // only when that step made the directory
}

// Undo implements engine.Undoer.
func (e emptied) Undo(ctx context.Context, env *engine.Env, before json.RawMessage) error {
	if _, err := env.Host.ReadDir(e.path); err != nil || e.made && len(madeBy(before)) == 0 {
		return e.Undoer.Undo(ctx, env, before)
	}
	if err := removeEntries(env.Host, e.path); err != nil {
		return err
	}
	return e.Undoer.Undo(ctx, env, before)
}
