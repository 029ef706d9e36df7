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

// transition is what a command does to the state of a host. Only [place.decide] makes one.
type transition struct {
	*place
	command state.Command
	state   state.State // as it is stored
	move    state.Move  // what the command does in it
}

// decide reads the state of the host for a command. The error refuses a command that contradicts what another one has
// begun and not completed; the transition is not nil then.
func (p *place) decide(c state.Command) (*transition, error) {
	s, err := LoadState(p.host, p.Layout())
	if err != nil {
		return nil, err
	}
	move, err := s.Decide(c)
	return &transition{p, c, s, move}, exit.With(err, exit.Contradicts)
}

// Allows returns an error when a command contradicts what another one has begun and not completed.
func (i *Installation) Allows(c state.Command) error {
	_, err := i.decide(c)
	return err
}

// resumes reports whether the command completes one of its kind that was interrupted.
func (t *transition) resumes() bool { return t.move == state.Resume }

// firstInstall reports whether nothing was installed before what the command completes.
func (t *transition) firstInstall() bool { return t.resumes() && len(t.state.Release.Components) == 0 }

// enter stores that the host is being changed from now on, into that of spec where one is given. The caller holds the
// lock. The journal comes first: it knows which directories were made for both files.
func (t *transition) enter(change state.Change, spec *cluster.Spec) error {
	now, err := LoadState(t.host, t.Layout())
	if err != nil {
		return err
	}
	if !reflect.DeepEqual(now, t.state) {
		return exit.With(exit.Repeat(errors.New("cannot start: another run has changed the host in this moment"),
			"", ""), exit.Locked)
	}
	journal, err := engine.OpenJournal(t.host, t.JournalPath())
	if err != nil {
		return err
	}
	if err := journal.Close(); err != nil {
		return err
	}
	change.Command, change.Since = t.cmd.Line, time.Now().UTC().Truncate(time.Second)
	if spec != nil {
		t.state.Role, t.state.Party = string(spec.Role), spec.PartyID
	}
	return t.save(t.state.Begin(t.command, t.move, change))
}

// note adds to what is stored of the change in progress.
func (t *transition) note(edit func(*state.Change)) error {
	change := *t.state.Change
	edit(&change)
	s := t.state
	s.Change = &change
	return t.save(s)
}

// save stores the state of the host, durably.
func (t *transition) save(s state.State) error {
	data, err := s.Encode()
	if err != nil {
		return err
	}
	if err := t.host.WriteFile(statePath(t.Layout()), data, rootOnly); err != nil {
		return exit.With(exit.Repeat(fmt.Errorf("cannot store the state of the host: %w", err),
			"put the cause right and", ""), exit.Step)
	}
	s.Schema = state.Schema
	t.state = s
	return nil
}

// finished stores that a change which replaced no component is complete.
func (t *transition) finished() error { return t.settle(t.state.Done(t.state.Release, t.state.Slot)) }

// takenBack stores that a failed change was taken back.
func (t *transition) takenBack() error { return t.settle(t.state.Undone()) }

// gone stores that nothing is installed, or, with the data, removes what is stored.
func (t *transition) gone(purged bool) error {
	if purged {
		return exit.With(t.host.Remove(statePath(t.Layout())), exit.Step)
	}
	return t.settle(t.state.Gone(true))
}

// settle stores the state after a change, and removes what it does not name any more.
func (t *transition) settle(s state.State) error {
	if err := t.save(s); err != nil {
		return err
	}
	t.warn(t.sweep())
	return nil
}

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
