package deploy

import (
	"errors"
	"path"

	"fate-installer/installer/fate/render"
	"fate-installer/supervisor/config"
)

// supervisorFaults says why the supervisor could not use its configuration as it will be: what install writes, and
// the files of others that are in its directory. It is nil when there are none of others.
func (d *Deployment) supervisorFaults() ([]string, error) {
	programs := d.Layout().SupervisorPrograms()
	entries, err := d.host.ReadDir(programs)
	if err != nil {
		return nil, nil // it does not exist, or the checks of directories say why not
	}
	files, err := render.Files(d.spec)
	if err != nil {
		return nil, err
	}
	content := map[string][]byte{}
	for _, f := range files {
		if f.Path == d.Layout().SupervisorConf() || path.Dir(f.Path) == programs {
			content[f.Path] = f.Content
		}
	}
	foreign := false
	for _, e := range entries {
		file := path.Join(programs, e.Name())
		if _, ours := content[file]; ours || path.Ext(file) != ".conf" {
			continue
		}
		foreign = true
		if content[file], err = d.host.ReadFile(file); err != nil {
			return nil, err
		}
	}
	if !foreign {
		return nil, nil
	}
	_, _, err = config.LoadFiles(d.Layout().SupervisorConf(), content)
	var problems config.Problems
	if !errors.As(err, &problems) {
		return nil, err
	}
	var faults []string
	for _, p := range problems {
		faults = append(faults, p.String())
	}
	return faults, nil
}
