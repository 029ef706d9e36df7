package deploy

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/keys"
	"fate-installer/installer/fate/render"
	"fate-installer/installer/host"
	"fate-installer/installer/problem"
	"fate-installer/installer/state"
)

// Keys are the TLS keys that a side gets. The zero value is those that are installed, which is how a re-run remembers
// them.
type Keys struct {
	Name string                      // what they are read from, for messages; blank: the installed ones
	Read func() ([]keys.File, error) // not called without a name, or where no rollsite uses TLS
}

// useKeys gives the plan the TLS keys of this side. A host that needs keys and has none is refused before anything is
// done: its rollsite could not start.
func (d *Deployment) useKeys(k Keys) error {
	if !d.spec.NeedsKeys() {
		if k.Name != "" {
			d.remarks = append(d.remarks, problem.Problem{Message: "the keys in " + k.Name +
				" are not installed: no rollsite that uses TLS runs on this host"})
		}
		return nil
	}
	names, err := d.spec.Cluster.KeyNames(d.spec.Role)
	if err != nil {
		return err
	}
	if k.Name == "" {
		return d.keepKeys(names)
	}
	files, err := k.Read()
	if err != nil {
		return exit.With(err, exit.Usage)
	}
	problems, remarks := keys.Check(string(d.spec.Role), names, files, time.Now())
	if len(problems) > 0 {
		return exit.With(exit.Hint(fmt.Errorf("cannot use the keys in %s:\n%w", k.Name, problems),
			"fate-installer keys makes keys that fit the cluster file"), exit.Usage)
	}
	d.spec.Keys, d.remarks = files, remarks
	return nil
}

// keepKeys takes the keys that are installed. What is wrong with them by now is only noted: a re-run may be there to
// repair something else.
func (d *Deployment) keepKeys(names []string) error {
	files, missing, err := InstalledKeys(d.host, d.spec)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		where := "in " + d.spec.Layout.Keys()
		if len(files) > 0 {
			where += ": it lacks " + strings.Join(missing, ", ")
		}
		return exit.With(exit.Hint(fmt.Errorf("cannot install: the %s uses TLS, and its keys are not %s",
			d.spec.Role, where),
			fmt.Sprintf("make them once for all sides: fate-installer keys --config cluster.yaml --out keys\nthen on "+
				"this host: --keys keys/%s.tar.gz", d.spec.Role)), exit.Usage)
	}
	problems, remarks := keys.Check(string(d.spec.Role), names, files, time.Now())
	d.spec.Keys, d.remarks = files, append(problems, remarks...)
	return nil
}

// Notes are remarks about the configuration that stop nothing.
func (d *Deployment) Notes() problem.Problems { return d.notesWith(nil) }

// NotesAhead are Notes with what install will want: keys, and the end of a change that was interrupted.
func (d *Deployment) NotesAhead() (problem.Problems, error) {
	ahead, err := d.missingKeys()
	if err != nil {
		return nil, err
	}
	if note := stateNote(d.host, d.Layout()); note != "" {
		ahead = append(ahead, problem.Problem{Message: note})
	}
	return d.notesWith(ahead), nil
}

func (d *Deployment) notesWith(more problem.Problems) problem.Problems {
	return slices.Concat(d.spec.Warnings(), d.remarks, more, render.ReplacedSecrets(d.spec))
}

// missingKeys is a remark when this host needs TLS keys and does not have all of them.
func (d *Deployment) missingKeys() (problem.Problems, error) {
	if !d.spec.NeedsKeys() {
		return nil, nil
	}
	_, missing, err := InstalledKeys(d.host, d.spec)
	if err != nil || len(missing) == 0 {
		return nil, err
	}
	return problem.Problems{{
		Message: fmt.Sprintf("the %s uses TLS, and its keys are not in %s", d.spec.Role, d.spec.Layout.Keys()),
		Fix:     "give install the archive that fate-installer keys made: --keys " + string(d.spec.Role) + ".tar.gz",
	}}, nil
}

// InstalledKeys reads the key files of a host, and lists the ones that are not there.
func InstalledKeys(h *host.Host, spec *cluster.Spec) (files []keys.File, missing []string, err error) {
	for _, file := range spec.KeyFiles().Paths() {
		content, err := h.ReadFile(file)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			missing = append(missing, filepath.Base(file))
		case err != nil:
			return nil, nil, fmt.Errorf("cannot read the installed keys: %w", err)
		default:
			files = append(files, keys.File{Name: filepath.Base(file), Content: content})
		}
	}
	return files, missing, nil
}

// InstallKeys writes the keys of this side, which are checked, on a host that is installed or is going to be.
func (i *Installation) InstallKeys(spec *cluster.Spec, files []keys.File) error {
	t, err := i.decide(state.Keys)
	if err != nil {
		return err
	}
	unlock, err := i.begin("install keys")
	if err != nil {
		return err
	}
	defer unlock()
	if t.move != state.Nothing {
		if err := t.enter(state.Change{}, spec); err != nil {
			return err
		}
	}
	if err := i.host.MkdirAll(spec.Layout.Keys(), host.FileMode{Perm: 0o750, Owner: spec.User,
		Group: spec.Group}); err != nil {
		return exit.Hint(err, "install first, which makes the user "+spec.User)
	}
	for _, f := range render.InstalledKeys(spec, files) {
		if err := i.host.WriteFile(f.Path, f.Content, host.FileMode{Perm: f.Perm, Owner: spec.User,
			Group: spec.Group}); err != nil {
			return err
		}
		i.report.Printf("%s\n", f.Path)
	}
	i.report.Advisef("fate-installer svc restart fate-rollsite makes rollsite read them\n")
	if t.move == state.Nothing {
		return nil
	}
	return t.finished()
}
