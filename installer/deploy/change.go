package deploy

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"fate-installer/installer/engine"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/host"
	"fate-installer/installer/state"
	"fate-installer/payload/count"
)

// wanted is the release that a run leads to, as far as this host has its components.
func (d *Deployment) wanted() state.Release { return d.site.Release(d.spec.Components()) }

// Decide refuses a command that contradicts what another one has begun and not completed.
func (d *Installation) Decide(c state.Command) error {
	s, err := LoadState(d.host, d.Layout())
	if err != nil {
		return err
	}
	d.state = s
	d.move, err = s.Decide(c)
	return exit.With(err, exit.Contradicts)
}

// enter stores that the host is being changed from now on, into that of spec where one is given. The caller holds the
// lock. The journal comes first: it knows which directories were made for both files.
func (d *Installation) enter(c state.Command, change state.Change, spec *cluster.Spec) error {
	now, err := LoadState(d.host, d.Layout())
	if err != nil {
		return err
	}
	if !reflect.DeepEqual(now, d.state) {
		return exit.With(exit.Repeat(errors.New("cannot start: another run has changed the host in this moment"),
			"", ""), exit.Locked)
	}
	journal, err := engine.OpenJournal(d.host, d.JournalPath())
	if err != nil {
		return err
	}
	if err := journal.Close(); err != nil {
		return err
	}
	change.Command, change.Since = d.cmd.Line, time.Now().UTC().Truncate(time.Second)
	if spec != nil {
		d.state.Role, d.state.Party = string(spec.Role), spec.PartyID
	}
	return d.saveState(d.state.Begin(c, d.move, change))
}

// saveState stores the state of the host, durably.
func (d *Installation) saveState(s state.State) error {
	data, err := s.Encode()
	if err != nil {
		return err
	}
	if err := d.host.WriteFile(statePath(d.Layout()), data, rootOnly); err != nil {
		return exit.With(exit.Repeat(fmt.Errorf("cannot store the state of the host: %w", err),
			"put the cause right and", ""), exit.Step)
	}
	s.Schema = state.Schema
	d.state = s
	return nil
}

// done stores that the change is complete.
func (d *Deployment) done() error { return d.saveState(d.state.Done(d.wanted(), d.state.Slot)) }

// finished stores that a change which replaced no component is complete.
func (d *Installation) finished() error { return d.settle(d.state.Done(d.state.Release, d.state.Slot)) }

// settle stores the state after a change, and removes what it does not name any more.
func (d *Installation) settle(s state.State) error {
	if err := d.saveState(s); err != nil {
		return err
	}
	d.warn(d.sweep())
	return nil
}

// saveGone stores that nothing is installed, or, with the data, removes what is stored.
func (d *Installation) saveGone(purged bool) error {
	if purged {
		return exit.With(d.host.Remove(statePath(d.Layout())), exit.Step)
	}
	return d.settle(d.state.Gone(true))
}

// takenBack stores that a failed change was taken back.
func (d *Installation) takenBack() error { return d.settle(d.state.Undone()) }

// stateNote says which change was interrupted, how far it had come, and what completes it; blank: none was.
func stateNote(h *host.Host, l cluster.Layout) string {
	_, note := Interruption(h, l)
	return note
}

// Interruption is the change that was interrupted, with a note that says how far it had come and what completes it;
// both are blank when none was.
func Interruption(h *host.Host, l cluster.Layout) (phase state.Phase, note string) {
	s, err := LoadState(h, l)
	if err != nil || !s.Interrupted() {
		return "", "" // who may not read it, or a damaged one, which every command that changes something reports
	}
	text := s.Doing() + " was interrupted"
	if journal, err := engine.ReadJournal(h, journalPath(l)); err == nil {
		if last := journal.Ledger().LastRun(); last.Changes > 0 && !last.Ended {
			text += fmt.Sprintf(" after %s, in %q", count.Of(last.Changes, "change"), last.Step)
		}
	}
	return s.Phase, text + "; " + strings.ReplaceAll(s.Remedy(), "\n", ", ")
}
