package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"fate-installer/installer/exit"
	"fate-installer/installer/fate/keys"
	"fate-installer/installer/fate/render"
	"fate-installer/installer/problem"
)

// useKeys gives the plan the TLS keys of this side: those of an archive or directory, or, when no name is given, the
// ones installed here, which is how a re-run remembers them. A host that needs keys and has none is refused before
// anything is done: its rollsite could not start.
func (d *deployment) useKeys(name string) error {
	if !d.spec.NeedsKeys() {
		if name != "" {
			d.remarks = append(d.remarks, problem.Problem{Message: "the keys in " + name +
				" are not installed: no rollsite that uses TLS runs on this host"})
		}
		return nil
	}
	names, err := d.spec.Cluster.KeyNames(d.spec.Role)
	if err != nil {
		return err
	}
	if name == "" {
		return d.keepKeys(names)
	}
	files, err := input(d.g, func() ([]keys.File, error) { return readKeyFiles(name) })
	if err != nil {
		return exit.With(err, exit.Usage)
	}
	problems, remarks := keys.Check(string(d.spec.Role), names, files, time.Now())
	if len(problems) > 0 {
		return exit.With(exit.Hint(fmt.Errorf("cannot use the keys in %s:\n%w", name, problems),
			"fate-installer keys makes keys that fit the cluster file"), exit.Usage)
	}
	d.spec.Keys, d.remarks = files, remarks
	return nil
}

// keepKeys takes the keys that are installed. What is wrong with them by now is only noted: a re-run may be there to
// repair something else.
func (d *deployment) keepKeys(names []string) error {
	files, missing, err := d.installedKeys()
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

// noteMissingKeys tells ahead that install will want keys.
func (d *deployment) noteMissingKeys() error {
	if !d.spec.NeedsKeys() {
		return nil
	}
	_, missing, err := d.installedKeys()
	if len(missing) > 0 {
		d.remarks = append(d.remarks, problem.Problem{
			Message: fmt.Sprintf("the %s uses TLS, and its keys are not in %s", d.spec.Role, d.spec.Layout.Keys()),
			Fix: "give install the archive that fate-installer keys made: --keys " + string(d.spec.Role) +
				".tar.gz",
		})
	}
	return err
}

// installedKeys reads the key files of this host, and lists the ones that are not there.
func (d *deployment) installedKeys() (files []keys.File, missing []string, err error) {
	for _, file := range d.spec.KeyFiles().Paths() {
		content, err := d.host.ReadFile(file)
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

// notes are remarks about the configuration that stop nothing.
func (d *deployment) notes() problem.Problems {
	return slices.Concat(d.spec.Warnings(), d.remarks, render.ReplacedSecrets(d.spec))
}
