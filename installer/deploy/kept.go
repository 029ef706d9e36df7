package deploy

import (
	"strings"

	"fate-installer/installer/engine"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/step"
)

// keptByUninstall lists the trees of components and the files that an earlier installation of ours left on this host,
// and that installing takes up: data, and files that were edited. Without a journal that can be read there are none.
func (d *Deployment) keptByUninstall() map[string]bool {
	journal, err := engine.ReadJournal(d.host, d.JournalPath())
	if err != nil {
		return nil // installing stops at the journal, and says why
	}
	kept := map[string]bool{}
	env := &engine.Env{Host: d.host, Ledger: journal.Ledger(), StateDir: d.Layout().State(), Log: d.cmd.Log}
	for _, e := range journal.Ledger().History() {
		if target, ok := strings.CutPrefix(e.Step, step.Unpack{}.ID()); ok {
			component := d.componentAt(target)
			kept[target] = component != "" && (step.Unpack{Target: target, Keep: cluster.KeptPaths(component)}).TakesUp(
				env)
		}
		if file, ok := strings.CutPrefix(e.Step, step.File{}.ID()); ok && e.Left {
			kept[file] = true
		}
	}
	return kept
}

// componentAt is the component of this host that is unpacked into a directory.
func (d *Deployment) componentAt(target string) string {
	for _, name := range d.spec.Components() {
		if d.spec.UnpackTarget(name) == target {
			return name
		}
	}
	return ""
}
