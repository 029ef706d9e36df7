package main

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"fate-installer/installer/deploy"
	"fate-installer/installer/engine"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/host"
	"fate-installer/installer/state"
	"fate-installer/payload/count"
	"fate-installer/supervisor"
)

// wanted is the release that a run leads to, as far as this host has its components.
func (d *deployment) wanted() state.Release { return d.site.Release(d.spec.Components()) }

// decide refuses a command that contradicts what another one has begun and not completed.
func (d *deployment) decide(c state.Command) error {
	s, err := deploy.LoadState(d.host, d.layout())
	if err != nil {
		return err
	}
	d.state = s
	d.move, err = s.Decide(c)
	return exit.With(err, exit.Contradicts)
}

// decide refuses a command before anything else about the host is looked at: the files that would be looked at may be
// those that an interrupted command was changing.
func (g *globals) decide(c state.Command) error {
	h, err := g.openHost()
	if err != nil {
		return err
	}
	defer h.Close()
	d := &deployment{g: g, host: h}
	return d.decide(c)
}

// enter stores that the host is being changed from now on. The caller holds the lock. The journal comes first: it knows
// which directories were made for both files.
func (d *deployment) enter(c state.Command, change state.Change) error {
	now, err := deploy.LoadState(d.host, d.layout())
	if err != nil {
		return err
	}
	if !reflect.DeepEqual(now, d.state) {
		return exit.With(exit.Hint(errors.New("cannot start: another run has changed the host in this moment"),
			"run the same command again"), exit.Locked)
	}
	journal, err := engine.OpenJournal(d.host, d.journalPath())
	if err != nil {
		return err
	}
	if err := journal.Close(); err != nil {
		return err
	}
	change.Command, change.Since = d.g.commandLine(), time.Now().UTC().Truncate(time.Second)
	if d.spec != nil {
		d.state.Role, d.state.Party = string(d.spec.Role), d.spec.PartyID
	}
	return d.saveState(d.state.Begin(c, d.move, change))
}

// saveState stores the state of the host, durably.
func (d *deployment) saveState(s state.State) error {
	data, err := s.Encode()
	if err != nil {
		return err
	}
	if err := d.host.WriteFile(deploy.StatePath(d.layout()), data, rootOnly); err != nil {
		return exit.With(exit.Hint(fmt.Errorf("cannot store the state of the host: %w", err),
			"put the cause right and run the same command again"), exit.Step)
	}
	s.Schema = state.Schema
	d.state = s
	return nil
}

// done stores that the change is complete.
func (d *deployment) done() error { return d.saveState(d.state.Done(d.wanted(), d.state.Slot)) }

// finished stores that a change which replaced no component is complete.
func (d *deployment) finished() error { return d.settle(d.state.Done(d.state.Release, d.state.Slot)) }

// settle stores the state after a change, and removes what it does not name any more.
func (d *deployment) settle(s state.State) error {
	if err := d.saveState(s); err != nil {
		return err
	}
	d.warn(d.sweep())
	return nil
}

// saveGone stores that nothing is installed, or, with the data, removes what is stored.
func (d *deployment) saveGone(purged bool) error {
	if purged {
		return exit.With(d.host.Remove(deploy.StatePath(d.layout())), exit.Step)
	}
	return d.settle(d.state.Gone(true))
}

// takenBack stores that a failed change was taken back.
func (d *deployment) takenBack() error { return d.settle(d.state.Undone()) }

// stateNote says which change was interrupted, how far it had come, and what completes it; blank: none was.
func stateNote(h *host.Host, l cluster.Layout) string {
	_, note := interruption(h, l)
	return note
}

// interruption is the change that was interrupted, with its note; both are blank when none was.
func interruption(h *host.Host, l cluster.Layout) (phase state.Phase, note string) {
	s, err := deploy.LoadState(h, l)
	if err != nil || !s.Interrupted() {
		return "", "" // who may not read it, or a damaged one, which every command that changes something reports
	}
	text := s.Doing() + " was interrupted"
	if journal, err := engine.ReadJournal(h, path.Join(l.State(), deploy.JournalName)); err == nil {
		if last := journal.Ledger().LastRun(); last.Changes > 0 && !last.Ended {
			text += fmt.Sprintf(" after %s, in %q", count.Of(last.Changes, "change"), last.Step)
		}
	}
	return s.Phase, text + "; " + strings.ReplaceAll(s.Remedy(), "\n", ", ")
}

// warnInterrupted says on the error output, which scripts do not parse, that a change of this host was interrupted. It
// returns which one, and what it has said.
func (g *globals) warnInterrupted() (state.Phase, string) {
	h, err := g.openHost()
	if err != nil {
		return "", "" // the command at hand says so
	}
	defer h.Close()
	phase, note := interruption(h, g.layout())
	if note != "" {
		fmt.Fprintf(g.Stderr, "note: %s\n", note)
	}
	return phase, note
}

// commandLine is the running command as it can be repeated in a shell. No flag has a secret as its value; what looks
// like one, as the password of a URL, is left out.
func (g *globals) commandLine() string {
	words := []string{g.program()}
	for _, word := range supervisor.WithoutSecrets(g.args) {
		words = append(words, supervisor.ShellWord(word))
	}
	return strings.Join(words, " ")
}

// program is this program as a shell finds it.
func (g *globals) program() string {
	program, err := os.Executable()
	if err != nil || filepath.Dir(program) == "/usr/local/bin" {
		return "fate-installer"
	}
	return supervisor.ShellWord(program)
}
