package deploy

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"fate-installer/installer/exit"
	"fate-installer/installer/fate"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/problem"
	"fate-installer/installer/state"
)

// contradictionError says that the cluster file would turn what is installed into something else.
type contradictionError struct{ problems problem.Problems }

func (e *contradictionError) Error() string {
	return "the cluster file contradicts what is installed on this host:\n" + e.problems.Error()
}

// Hint says how to go on, either way.
func (e *contradictionError) Hint() string {
	return "use the file that this host was installed with, or one that only adds to it; or say that the change is " +
		"meant: --change-cluster, which also changes passwords"
}

// contradictions holds what is asked for against what is installed; without an installation there are none.
func (d *Deployment) contradictions() (problem.Problems, error) {
	if d.stored == nil {
		return nil, nil
	}
	was, err := d.specOf(d.stored)
	if err != nil {
		// It was understood when it was installed, by an older program perhaps: nothing to compare with.
		return nil, fmt.Errorf("cannot read what this host was installed with: %w", err)
	}
	return fate.Contradictions(was, d.spec), nil
}

// refuseContradictions stops an install that would contradict the installed cluster file, unless the change is meant.
func (d *Deployment) refuseContradictions(meant bool) error {
	problems, err := d.contradictions()
	if meant {
		for _, p := range problems {
			d.remarks = append(d.remarks, problem.Problem{Pos: p.Pos, Message: p.Message + "; it is changed"})
		}
		return nil
	}
	if err != nil {
		return exit.With(exit.Hint(err,
			"to install as the cluster file says, whatever was installed before: --change-cluster"), exit.Usage)
	}
	if len(problems) > 0 {
		return exit.With(&contradictionError{problems}, exit.Usage)
	}
	return nil
}

// refuseOtherCluster stops an upgrade with a cluster file that contradicts the installed one: an upgrade is undone as a
// whole, and the move of a module or a new password has steps of its own. What a file adds is carried out.
func (d *Deployment) refuseOtherCluster() error {
	if !d.cmd.OwnCluster {
		return nil
	}
	problems, err := d.contradictions()
	switch {
	case err != nil:
		return exit.With(exit.Hint(err, "upgrade without --config: the installed cluster file is kept"), exit.Usage)
	case len(problems) > 0:
		return exit.With(exit.Hint(fmt.Errorf("cannot upgrade: %w", &contradictionError{problems}),
			"upgrade without --config, which keeps the installed file; to change it, run afterwards: "+
				"fate-installer install --config FILE --change-cluster"), exit.Usage)
	case !slices.Equal(d.site.Sources, d.stored.Sources):
		d.remarks = append(d.remarks, problem.Problem{
			Message: "the cluster file is another one than the installed one, and contradicts it in nothing: it " +
				"replaces it"})
	}
	return nil
}

// refuseReplacement stops an install that would replace what another appliance has installed here: only upgrade keeps
// the way back and a copy of the database. What upgrade refuses is refused with its reason.
func (d *Deployment) refuseReplacement(t *transition) error {
	if d.payload == nil {
		return nil
	}
	switch {
	case t.state.Phase == state.Absent:
		return d.refuseKeptData(t)
	case t.firstInstall():
		return d.refuseOtherInstallation(t)
	}
	replaced := d.replaces()
	if len(replaced) == 0 {
		return nil
	}
	if err := d.upgradeRefusal(); err != nil {
		return exit.With(err, exit.Usage)
	}
	return exit.With(exit.Hint(fmt.Errorf("cannot install: this appliance would replace what is installed: %s",
		changesText(replaced)),
		"replace it with a way back: "+d.cmd.Program+" upgrade"), exit.Usage)
}

// replaces lists the installed components of this host that the appliance has with another content.
func (d *Deployment) replaces() []ComponentChange {
	if d.stored == nil {
		return nil
	}
	var out []ComponentChange
	for _, c := range d.changes() {
		if c.From != "" {
			out = append(out, c)
		}
	}
	return out
}

// Replaces says which components are replaced.
func (v Verdict) Replaces() string { return changesText(v.Changes) }

func changesText(changes []ComponentChange) string {
	words := make([]string, len(changes))
	for i, c := range changes {
		words[i] = c.String()
	}
	return strings.Join(words, ", ")
}

// upgradeRefusal says why upgrade, too, would not replace what is installed by this appliance.
func (d *Deployment) upgradeRefusal() error {
	return errors.Join(d.refuseDowngrade(), d.refuseCarryOver())
}

// refuseKeptData refuses an appliance that cannot use the database which an uninstall has kept.
func (d *Deployment) refuseKeptData(t *transition) error {
	if len(t.state.Data.Components) == 0 || !d.spec.Runs(cluster.MySQL) || !d.host.Exists(d.Layout().DatabaseData()) {
		return nil
	}
	from := *d
	from.stored = d.site.withRelease(t.state.Data)
	if err := from.upgradeRefusal(); err != nil {
		return exit.With(exit.Hint(fmt.Errorf("cannot install over the data kept in %s: %w", d.Layout().Data(), err),
			"install "+t.state.Data.String()+
				" or a later release; or give the data up: fate-installer uninstall --purge-data --yes"), exit.Usage)
	}
	return nil
}

// refuseOtherInstallation refuses to complete an interrupted first installation with another appliance, or as another
// side: half of each would be installed.
func (d *Deployment) refuseOtherInstallation(t *transition) error {
	s := t.state
	other := s.Role != string(d.spec.Role) || s.Party != d.spec.PartyID
	wanted := d.wanted()
	for name, c := range s.Change.To.Components {
		if now, ok := wanted.Components[name]; ok && now != c {
			other = true
		}
	}
	if !other {
		return nil
	}
	return exit.With(exit.Hint(fmt.Errorf("cannot install: %s as %s was interrupted, and this would be %s as %s",
		s.Doing(), sideName(s.Role, s.Party),
		wanted, sideName(string(d.spec.Role), d.spec.PartyID)),
		s.Remedy()+"\nor remove what it has installed: fate-installer uninstall"), exit.Usage)
}

func sideName(role string, party int) string {
	if party == 0 {
		return role
	}
	return fmt.Sprintf("%s of party %d", role, party)
}

// Verdict is which command would carry out a plan.
type Verdict struct {
	Command     string            `json:"command"`               // the command that carries it out: install or upgrade
	Changes     []ComponentChange `json:"changes,omitempty"`     // of upgrade: components that are replaced
	Refused     string            `json:"refused,omitempty"`     // why neither does
	Interrupted string            `json:"interrupted,omitempty"` // the change that has to be completed first
}

// verdict says whether install would carry out the plan, or upgrade, or neither.
func (d *Deployment) verdict() (Verdict, error) {
	v := Verdict{Command: string(state.Install), Interrupted: stateNote(d.host, d.Layout())}
	if d.payload == nil {
		return v, nil
	}
	t, err := d.decide(state.Install)
	if t == nil {
		return v, err
	}
	if v.Changes = d.replaces(); len(v.Changes) > 0 && len(t.state.Release.Components) > 0 {
		v.Command = string(state.Upgrade)
	}
	if err := d.refuseReplacement(t); err != nil && (v.Command == string(state.Install) || d.upgradeRefusal() != nil) {
		v.Refused = err.Error()
	}
	return v, nil
}
