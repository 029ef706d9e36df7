package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"fate-installer/installer/deploy"
	"fate-installer/installer/engine"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/state"
	"fate-installer/payload"

	"github.com/spf13/cobra"
)

// newRollbackCommand brings back what an upgrade replaced.
func newRollbackCommand(g *globals) *cobra.Command {
	opts := &replaceOptions{}
	cmd := &cobra.Command{
		Use:   "rollback",
		Short: "Bring back what the last upgrade replaced",
		Long: `Bring back the components, settings and, when its server was replaced or its tables were changed, the database of before
the last upgrade. What changes is stopped, put back, configured, started and proved by the toy test. The state that is left
is kept in turn, so that a second rollback returns to it. The program itself stays the new one. A rollback that was cut off
is completed by running it again; one that was complete and had only not said so says so then, and does not go forward.
Former states that cannot be removed are named in a warning; the next command that changes this host tries again.

When the database goes back, too, what was written since the upgrade is not in it any more. The jobs that are lost are
listed, and it takes --yes. Models in files stay.

In a party with several hosts, roll the database's host back last: before eggroll 2.5 nodes do not register themselves, and
their rows in the database are set right there.

EXIT STATUS
` + replaceExitHelp,
		Example: `  fate-installer rollback
  fate-installer rollback --yes`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runRollback(cmd.Context(), g, opts) },
	}
	opts.addFlags(cmd.Flags())
	return cmd
}

func runRollback(ctx context.Context, g *globals, opts *replaceOptions) error {
	if len(g.Config) > 0 {
		return exit.With(exit.Hint(
			errors.New("cannot roll back to a cluster file: what was installed before comes back, with its own"),
			"run it without --config"), exit.Usage)
	}
	if taken, err := takeBackUnbegun(ctx, g); taken || err != nil {
		return err
	}
	d, err := openSlot(ctx, g)
	if err != nil {
		return err
	}
	defer d.close()
	if err := d.useKeys(""); err != nil {
		return err
	}
	r := &replacement{deployment: d, opts: opts, verb: verbRollBack}
	if d.unreported() {
		return r.reportAgain(ctx)
	}
	if err := r.takeUp(); err != nil {
		return err
	}
	if r.database = d.slot.Database; r.database != "" && !(r.resumes() && d.state.Change.Consented) {
		if err := r.consent(ctx); err != nil {
			return err
		}
	}
	return r.run(ctx)
}

// consent says what a rollback of the database takes away, before it does, and wants --yes.
func (r *replacement) consent(ctx context.Context) error {
	what := "what was written since cannot be listed, because the database does not answer"
	if lost, err := r.lost(ctx); err == nil {
		what = lost.String()
	} else if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	since := r.slot.ID
	if t, err := time.Parse(deploy.SlotTime, since); err == nil {
		since = t.UTC().Format(time.DateTime) + " UTC"
	}
	if !r.g.Yes {
		return exit.With(exit.Hint(fmt.Errorf("cannot roll back without consent: the database goes back to %s, and %s",
			since, what),
			"add --yes to lose them; a second rollback would bring them back"), exit.Usage)
	}
	r.g.printf("the database goes back to %s; %s\n", since, what)
	return nil
}

// takeBackUnbegun takes back an upgrade that was interrupted before it had replaced anything: it starts the programs
// that the upgrade had stopped.
func takeBackUnbegun(ctx context.Context, g *globals) (taken bool, err error) {
	h, err := g.openHost()
	if err != nil {
		return false, err
	}
	defer h.Close()
	d := &deployment{g: g, host: h}
	if err := d.decide(state.Rollback); err != nil || d.move != state.Abandon || d.state.Change.Kept != "" {
		return false, err
	}
	if err := d.needRoot(verbRollBack); err != nil {
		return false, err
	}
	unlock, err := d.lock()
	if err != nil {
		return false, err
	}
	defer unlock()
	change := *d.state.Change
	if env := d.undoEnv(); env.Services != nil && len(change.Programs) > 0 {
		g.printf("starting %s again\n", strings.Join(change.Programs, ", "))
		if err := env.Services.Start(ctx, change.Programs, func(string) {}); err != nil {
			return false, exit.With(exit.DefaultHint(err, "fate-installer svc status says which program is not ready"),
				exit.NotReady)
		}
	}
	text := d.state.Doing() + " had not replaced anything; it is taken back"
	g.printf("%s\n", text)
	s := d.state.Undone()
	s.Unreported = state.Rollback // again it would go back further
	if err := errors.Join(d.settle(s), d.sweepCopies()); err != nil {
		return true, err
	}
	if d.g.Output == outputJSON {
		if err := d.printUnbegun(text); err != nil {
			return true, err
		}
	}
	d.reported()
	return true, nil
}

// printUnbegun prints the document of a rollback that had nothing to bring back.
func (d *deployment) printUnbegun(text string) error {
	stored, err := deploy.LoadSite(d.host, d.layout())
	if err != nil {
		return err
	}
	return d.g.printJSON(endReport{
		Role: cluster.Role(d.state.Role), Party: d.state.Party, IP: stored.IP, Logs: d.layout().Logs(),
		Journal: d.journalPath(),
		Next:    d.g.runnable("fate-installer svc status"), Notes: []string{text},
		Trees: []treeReport{}, Steps: []engine.Outcome{}, Critical: []string{},
	})
}

// wayBack finds the slot that a rollback brings back: that of the last upgrade, of the rollback that was interrupted,
// or of the upgrade that is abandoned.
func (d *deployment) wayBack() (*deploy.Slot, error) {
	id := d.state.Slot
	switch {
	case d.move == state.Resume:
		id = d.state.Change.Slot
	case d.move == state.Abandon:
		id = d.state.Change.Kept
	}
	s, err := d.findSlot(id)
	if err == nil && s == nil {
		err = exit.With(exit.Hint(errors.New("cannot roll back: there is no upgrade to roll back"),
			"to install an older appliance, uninstall first with --purge-data: it cannot use the data of a newer one"),
			exit.Usage)
	}
	return s, err
}

// openSlot is openDeployment for a slot: the desired state is that of the slot.
func openSlot(ctx context.Context, g *globals) (*deployment, error) {
	h, err := g.openHost()
	if err != nil {
		return nil, err
	}
	d := &deployment{g: g, host: h}
	fail := func(err error) (*deployment, error) { return nil, errors.Join(err, d.close()) }
	if d.stored, err = deploy.LoadSite(h, d.layout()); err != nil {
		return fail(exit.With(fmt.Errorf("cannot roll back: %w", err), exit.Usage))
	}
	if err := d.decide(state.Rollback); err != nil {
		return fail(err)
	}
	if d.unreported() {
		d.site = *d.stored
		d.site.Components = maps.Clone(d.stored.Components)
		if err := d.resolve(ctx); err != nil {
			return fail(err)
		}
		return d, nil
	}
	if d.slot, err = d.wayBack(); err != nil {
		return fail(err)
	}
	if d.payload, err = openPayload(g); err != nil && !errors.Is(err, payload.ErrNoPayload) { // for the program itself
		return fail(exit.With(err, exit.Payload))
	}
	d.site = d.slot.Site
	d.site.Components = maps.Clone(d.slot.Site.Components)
	if err := d.resolve(ctx); err != nil {
		return fail(err)
	}
	return d, nil
}
