package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"fate-installer/installer/database"
	"fate-installer/installer/deploy"
	"fate-installer/installer/deploy/programs"
	"fate-installer/installer/engine"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/host"
	"fate-installer/installer/state"
	"fate-installer/installer/step"

	"github.com/spf13/cobra"
)

// uninstallOptions are the flags of uninstall.
type uninstallOptions struct {
	purgeData bool
	verify    bool
	dryRun    bool
}

// newUninstallCommand removes what install brought.
func newUninstallCommand(g *globals) *cobra.Command {
	opts := &uninstallOptions{}
	cmd := &cobra.Command{
		Use:   "uninstall",
		Short: "Stop the party's programs and remove everything that install changed",
		Long: `Stop the party's programs and remove everything that install changed on this host, putting back what was there
before. The journal of the installation says what that is. Things that were changed since are left, each with the reason.

Data is kept: the database, eggroll's stores, trained models, keys, logs, the passwords that open them, and what was added
to or edited in the components' directories. With --purge-data all of it is removed too. The program itself stays with the
data, for that command, which the output names. It may be repeated, and works after an installation that did not finish.

On a terminal it shows what it would do and asks; --yes does not ask. Where there is no terminal it does not ask either, and
--purge-data takes --yes. --dry-run shows it and changes nothing. --verify looks at the journal and at the disk for what is
still there, and ends with 3 when there is anything. The journal stays as long as something is left that it names.

When a file system is mounted in what would be removed, nothing is changed and the mounts are named: unmount them first. A
data or log directory that was a mount point before the installation is emptied by --purge-data, and stays.

On an outside database server nothing is removed. What the side has there is listed, with the statements that remove it.

EXIT STATUS
` + strings.Replace(exitHelp, "refused by the preflight checks", "a file system is mounted in the way; --verify: something remains", 1),
		Example: `  fate-installer uninstall
  fate-installer uninstall --dry-run
  fate-installer uninstall --purge-data --yes
  fate-installer uninstall --verify`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runUninstall(cmd.Context(), g, opts) },
	}
	f := cmd.Flags()
	f.BoolVar(&opts.purgeData, "purge-data", false,
		"also remove the database, stores, models, keys, logs and passwords")
	f.BoolVar(&opts.dryRun, "dry-run", false, "change nothing; list what would be removed and what would be kept")
	f.BoolVar(&opts.verify, "verify", false, "change nothing; list what of the installation is still on this host")
	return cmd
}

func runUninstall(ctx context.Context, g *globals, opts *uninstallOptions) error {
	h, err := g.openHost()
	if err != nil {
		return err
	}
	defer h.Close()
	d := &deployment{g: g, host: h}
	if opts.verify {
		return d.verifyUninstalled(ctx)
	}
	if opts.dryRun {
		return d.printForeseen(opts)
	}
	if err := d.needRoot("uninstall"); err != nil {
		return err
	}
	if !g.Yes && g.Output != outputJSON && canAsk(g) && d.host.Exists(d.journalPath()) {
		if err := d.askUninstall(opts); err != nil {
			return err
		}
	} else if opts.purgeData && !g.Yes {
		return exit.With(exit.Hint(
			errors.New("cannot remove the party's data without consent: the database, trained models and keys would "+
				"be lost for good"),
			"add --yes if that is what you want, or leave --purge-data out"), exit.Usage)
	}
	unlock, err := d.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if err := d.decide(state.Uninstall); err != nil {
		return err
	}
	return d.uninstall(ctx, opts)
}

func (d *deployment) uninstall(ctx context.Context, opts *uninstallOptions) error {
	if !d.host.Exists(d.journalPath()) {
		if err := engine.SweepDestroyed(d.host, d.journalPath()); err != nil {
			return exit.With(err, exit.Step)
		}
		if d.g.Output == outputJSON {
			return d.g.printJSON(uninstallReport{UndoReport: engine.UndoReport{Steps: []engine.UndoOutcome{}}})
		}
		d.g.printf("nothing is installed below %s\n", d.g.Base)
		return nil
	}
	journal, err := engine.OpenJournal(d.host, d.journalPath())
	if err != nil {
		return err
	}
	defer journal.Close()
	resolve := keepData(d.layout())
	if opts.purgeData {
		resolve = purgeData(d.layout())
	}
	if err := d.mountsInTheWay(journal, opts.purgeData); err != nil {
		return err
	}
	if err := d.guardsInTheWay(journal, resolve); err != nil {
		return err
	}
	if err := d.settleDatabase(); err != nil { // before what was interrupted is forgotten
		return exit.With(fmt.Errorf("cannot put the database back: %w", err), exit.Step)
	}
	if err := d.enter(state.Uninstall, state.Change{To: d.state.InUse()}); err != nil {
		return err
	}
	outside := d.leftOutside()
	inTemp, err := d.leftInTemp()
	if err != nil {
		return exit.With(err, exit.Step)
	}
	if !opts.purgeData {
		if err := d.keepProgram(); err != nil {
			return exit.With(err, exit.Step)
		}
	}
	env := d.undoEnv()
	env.Purge = opts.purgeData
	// A way back to another version leads nowhere without this one. The databases that it kept are among the data.
	if err := d.host.RemoveAll(deploy.SlotsDir(d.layout())); err != nil {
		return exit.With(err, exit.Step)
	}
	if opts.purgeData {
		for _, file := range []string{d.layout().SecretRecords(), d.layout().SecretHandover(),
			laterProgram(d.layout())} {
			if err := d.host.Remove(file); err != nil {
				return exit.With(err, exit.Step)
			}
		}
	}
	if err := d.clearRun(ctx, journal); err != nil {
		return exit.With(err, exit.Step)
	}
	report, err := engine.Undo(ctx, env, journal, engine.Everything, resolve, d.printUndo)
	if err != nil {
		return exit.With(exit.DefaultHint(err,
			"put the cause right and run the same command again; it goes on with what is left"), exit.Step)
	}
	// Programs have ended now, and the supervisor has written its last state.
	if err := errors.Join(d.clearTemp(inTemp), d.clearRun(ctx, journal)); err != nil {
		return exit.With(err, exit.Step)
	}
	return d.endUninstall(journal, report, outside, opts)
}

// undoEnv is env for an installation whose Spec need not be known any more.
func (d *deployment) undoEnv() *engine.Env {
	env := &engine.Env{Host: d.host, StateDir: d.layout().State(), Log: d.g.logger()}
	if client, err := newClient(d.g, d.host, d.layout().SupervisorSocket()); err == nil { // not of a tree
		env.Services = programs.NewServices(client, nil, nil, nil)
	}
	return env
}

// printUndo shows one step of an uninstall. Directories that data and logs are in are left because they are not empty,
// which is what an uninstall without --purge-data is asked for.
func (d *deployment) printUndo(o engine.UndoOutcome) {
	switch {
	case o.Status == engine.Undone:
		d.g.printf("  removed   %s\n", o.Title)
	case o.Status == engine.Kept, d.holdsData(o):
		d.g.printf("  kept      %s\n", o.Title)
	default:
		d.g.printf("  %-9s %s: %s\n", strings.ToUpper(string(o.Status)), o.Title, o.Why)
	}
}

// tally counts what an undo did. Directories that are left for the data in them are kept like it; left is what could
// not be removed for another reason.
func (d *deployment) tally(report engine.UndoReport) (undone, kept, left int) {
	for _, o := range report.Steps {
		switch {
		case o.Status == engine.Undone:
			undone++
		case o.Status == engine.Kept, d.holdsData(o):
			kept++
		case o.Status == engine.Left:
			left++
		}
	}
	return undone, kept, left
}

func (d *deployment) holdsData(o engine.UndoOutcome) bool {
	if o.Data {
		return true
	}
	path, isDir := strings.CutPrefix(o.ID, step.Dir{}.ID())
	if !isDir || o.Status != engine.Left {
		return false
	}
	for _, root := range []string{d.layout().Data(), d.layout().Logs(), d.layout().State()} {
		if path == root || strings.HasPrefix(path, root+"/") || strings.HasPrefix(root, path+"/") {
			return true
		}
	}
	return false
}

// uninstallReport is the JSON document of uninstall.
type uninstallReport struct {
	engine.UndoReport
	Outside *outsideLeft `json:"outside_database,omitempty"` // what is left on a database server that is not ours
}

// endUninstall removes the installer's own traces when nothing needs them any more.
func (d *deployment) endUninstall(
	journal *engine.Journal, report engine.UndoReport, outside *outsideLeft, opts *uninstallOptions,
) error {
	if err := d.saveGone(opts.purgeData); err != nil {
		return err
	}
	named := d.stillNamed(report)
	if opts.purgeData && len(named) == 0 {
		if err := d.host.RemoveAll(historyDir(d.layout())); err != nil {
			return exit.With(err, exit.Step)
		}
		if err := journal.Destroy(); err != nil {
			return exit.With(err, exit.Step)
		}
	}
	if d.g.Output == outputJSON {
		return d.g.printJSON(uninstallReport{report, outside})
	}
	defer d.printOutside(outside)
	removed, kept, left := d.tally(report)
	d.g.printf("%d removed, %d kept, %d left for the reasons given\n", removed, kept, left)
	if !opts.purgeData {
		d.g.printf("data, logs and passwords are kept in %s, %s and %s: a new install takes them up again; this "+
			"removes them:\n  %s\n",
			d.layout().Data(), d.layout().Logs(), d.layout().State(), d.purgeCommand())
	} else if len(named) > 0 {
		d.g.printf("the journal %s stays, since it names what is left; remove that, then run the same command again\n",
			d.journalPath())
	}
	return nil
}

// stillNamed lists what an undo left and that is there, but for directories that the installer's own state is in, which
// goes last.
func (d *deployment) stillNamed(report engine.UndoReport) []string {
	var out []string
	for _, o := range report.Steps {
		path, isDir := strings.CutPrefix(o.ID, step.Dir{}.ID())
		state := d.layout().State()
		if o.Status != engine.Left || isDir && (path == state || strings.HasPrefix(state, path+"/")) {
			continue
		}
		if _, at, _ := strings.Cut(o.ID, ":"); strings.HasPrefix(at, "/") && !d.host.Exists(at) {
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
		if deploy.NeededByData(layout, id) {
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
