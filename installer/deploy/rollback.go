package deploy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/state"
	"fate-installer/payload"
)

// OpenRollback prepares the return to the state before the last upgrade. With consent the database may go back, too.
// The caller closes it, and with it the installation, which is closed when OpenRollback fails, too.
func OpenRollback(ctx context.Context, i *Installation, opts ReplaceOptions, consent bool) (*Replacement, error) {
	d := &Deployment{place: i.place}
	r, err := d.rollback(ctx, opts, consent)
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return r, nil
}

func (d *Deployment) rollback(ctx context.Context, opts ReplaceOptions, consent bool) (*Replacement, error) {
	t, err := d.readSlot(ctx)
	if err != nil {
		return nil, err
	}
	if err := d.useKeys(Keys{}); err != nil {
		return nil, err
	}
	r := &Replacement{transition: t, d: d, opts: opts, verb: verbRollBack}
	if r.unreported() {
		return r, nil
	}
	if err := r.takeUp(); err != nil {
		return nil, err
	}
	if r.database = d.slot.Database; r.database != "" && !(r.resumes() && r.state.Change.Consented) {
		if err := r.consent(ctx, consent); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// consent says what a rollback of the database takes away, before it does, and wants consent.
func (r *Replacement) consent(ctx context.Context, given bool) error {
	what := "what was written since cannot be listed, because the database does not answer"
	if lost, err := r.lost(ctx); err == nil {
		what = lost.String()
	} else if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	since := r.d.slot.ID
	if t, err := time.Parse(slotTime, since); err == nil {
		since = t.UTC().Format(time.DateTime) + " UTC"
	}
	if !given {
		return exit.With(exit.Hint(fmt.Errorf("cannot roll back without consent: the database goes back to %s, and %s",
			since, what),
			"add --yes to lose them; a second rollback would bring them back"), exit.Usage)
	}
	r.report.Printf("the database goes back to %s; %s\n", since, what)
	return nil
}

// TakeBackUnbegun takes back an upgrade that was interrupted before it had replaced anything: it starts the programs
// that the upgrade had stopped. tell reports it while no other run can change the host.
func (i *Installation) TakeBackUnbegun(ctx context.Context, tell func(text string,
	side func() (UnbegunSide, error)) error) (taken bool, err error) {
	t, err := i.decide(state.Rollback)
	if err != nil || t.move != state.Abandon || t.state.Change.Kept != "" {
		return false, err
	}
	if err := i.NeedRoot(verbRollBack); err != nil {
		return false, err
	}
	unlock, err := i.lock()
	if err != nil {
		return false, err
	}
	defer unlock()
	change := *t.state.Change
	if env := i.undoEnv(); env.Services != nil && len(change.Programs) > 0 {
		i.report.Progressf("starting %s again\n", strings.Join(change.Programs, ", "))
		if err := env.Services.Start(ctx, change.Programs, func(string) {}); err != nil {
			return false, exit.With(exit.DefaultHint(err, "fate-installer svc status says which program is not ready"),
				exit.NotReady)
		}
	}
	text := t.state.Doing() + " had not replaced anything; it is taken back"
	i.report.Printf("%s\n", text)
	s := t.state.Undone()
	s.Unreported = state.Rollback // again it would go back further
	if err := errors.Join(t.settle(s), i.sweepCopies()); err != nil {
		return true, err
	}
	side := func() (UnbegunSide, error) {
		stored, err := LoadSite(i.host, i.Layout())
		if err != nil {
			return UnbegunSide{}, err
		}
		return UnbegunSide{cluster.Role(t.state.Role), t.state.Party, stored.IP}, nil
	}
	if err := tell(text, side); err != nil {
		return true, err
	}
	t.reported()
	return true, nil
}

// UnbegunSide is the host whose upgrade was taken back.
type UnbegunSide struct {
	Role  cluster.Role
	Party int
	IP    string
}

// wayBack finds the slot that a rollback brings back: that of the last upgrade, of the rollback that was interrupted,
// or of the upgrade that is abandoned.
func (t *transition) wayBack() (*slot, error) {
	id := t.state.Slot
	switch t.move {
	case state.Resume:
		id = t.state.Change.Slot
	case state.Abandon:
		id = t.state.Change.Kept
	}
	s, err := t.findSlot(id)
	if err == nil && s == nil {
		err = exit.With(exit.Hint(errors.New("cannot roll back: there is no upgrade to roll back"),
			"to install an older appliance, uninstall first with --purge-data: it cannot use the data of a newer one"),
			exit.Usage)
	}
	return s, err
}

// readSlot is read for a rollback: the desired state is that of the slot. Where the last rollback was not reported, it
// is what is installed.
func (d *Deployment) readSlot(ctx context.Context) (t *transition, err error) {
	if d.stored, err = LoadSite(d.host, d.Layout()); err != nil {
		return nil, exit.With(fmt.Errorf("cannot roll back: %w", err), exit.Usage)
	}
	if t, err = d.decide(state.Rollback); err != nil {
		return nil, err
	}
	d.site = *d.stored
	if !t.unreported() {
		if d.slot, err = t.wayBack(); err != nil {
			return nil, err
		}
		// for the program itself
		if d.payload, err = OpenPayload(d.cmd.Payload); err != nil && !errors.Is(err, payload.ErrNoPayload) {
			return nil, exit.With(err, exit.Payload)
		}
		d.site = d.slot.Site
	}
	d.site.Components = maps.Clone(d.site.Components)
	return t, d.resolve(ctx, false)
}
