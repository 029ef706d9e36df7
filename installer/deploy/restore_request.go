package deploy

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"

	"fate-installer/installer/backup"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/keys"
	"fate-installer/installer/state"
)

// RestoreRequest is what the flags of a restore ask of the installation; the zero value asks nothing.
type RestoreRequest struct {
	IP      string
	Sources []Source
	Keys    []keys.File
}

// RefuseRequest refuses a restore that asks an installed host for another installation. One that was interrupted after
// it installed the host is repeated with the same flags, and they ask for what is there.
func (d *Deployment) RefuseRequest(q RestoreRequest) error {
	s, err := LoadState(d.host, d.Layout())
	if err != nil || s.Phase == state.Restoring {
		return err
	}
	flag := ""
	switch {
	case q.IP != "" && q.IP != d.spec.IP:
		flag = "--ip"
	case len(q.Sources) > 0 && !slices.EqualFunc(q.Sources, d.site.Sources, sameText):
		flag = "--config"
	case len(q.Keys) > 0 && d.spec.NeedsKeys():
		installed, missing, err := InstalledKeys(d.host, d.spec)
		if err != nil {
			return err
		}
		if len(missing) > 0 || !haveKeys(q.Keys, installed) {
			flag = "--keys"
		}
	}
	if flag == "" {
		return nil
	}
	return exit.With(exit.Hint(fmt.Errorf("cannot use %s here: this host is installed otherwise, and its "+
		"configuration and keys stay as they are", flag), "leave it out, or change the configuration with fate-installer install"),
		exit.Usage)
}

func sameText(a, b Source) bool { return a.Data == b.Data }

// haveKeys reports whether all files of keys that are installed are among those given.
func haveKeys(given, installed []keys.File) bool {
	for _, file := range installed {
		if !slices.ContainsFunc(given, func(g keys.File) bool {
			return path.Base(g.Name) == file.Name && bytes.Equal(g.Content, file.Content)
		}) {
			return false
		}
	}
	return true
}

// RefuseServer refuses a backup whose tables do not fit the database server that is going to be installed.
func (d *Deployment) RefuseServer(m *backup.Manifest) error {
	if !d.spec.Runs(cluster.MySQL) || !d.spec.Side.FateFlow.Enable {
		return nil
	}
	engine := d.spec.DatabaseEngine()
	version, _, _ := strings.Cut(d.spec.Versions[engine], "-")
	if engine == "" || version == "" {
		return nil
	}
	if err := m.FitsServer(engine, version); err != nil {
		return exit.With(fmt.Errorf("cannot restore this backup here: %w", err), exit.Preflight)
	}
	return nil
}
