package deploy

import (
	"strings"

	"fate-installer/installer/engine"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/step"
	"fate-installer/payload/count"
)

// Tree tells what in the tree of a component is not as the component brought it.
type Tree struct {
	Component string `json:"component"` // its name
	Tree      string `json:"tree"`      // its directory
	step.TreeState
}

// lookAtTree looks at the tree of a component. It changes nothing.
func (p *place) lookAtTree(component, tree string) (Tree, error) {
	report := Tree{Component: component, Tree: tree}
	journal, err := engine.ReadJournal(p.host, p.JournalPath())
	if err != nil {
		return report, err
	}
	env := &engine.Env{Host: p.host, Ledger: journal.Ledger(), StateDir: p.Layout().State(), Log: p.cmd.Log}
	unpack := step.Unpack{Component: component, Target: tree, Keep: cluster.KeptPaths(component)}
	report.TreeState, err = unpack.Look(env)
	return report, err
}

// staysInTree lists the paths in a component's tree that do not belong to its version: data, and what the component did
// not bring. They stay in the present tree, whatever its version.
func (p *place) staysInTree(component, tree string) ([]string, error) {
	report, err := p.lookAtTree(component, tree)
	if err != nil {
		return nil, err
	}
	kept := append(cluster.KeptPaths(component), step.ReplacedFiles)
	for _, rel := range report.Foreign {
		kept = append(kept, strings.TrimSuffix(rel, "/"))
	}
	return kept, nil
}

// ForeignFiles lists, for each component of this host, what its tree has that the component did not bring, or not like
// that.
func (d *Deployment) ForeignFiles() ([]Tree, error) {
	out := []Tree{}
	for _, name := range d.spec.Components() {
		report, err := d.lookAtTree(name, d.spec.UnpackTarget(name))
		if err != nil {
			return nil, err
		}
		if len(report.Foreign)+len(report.Edited)+len(report.Changed)+len(report.Passed) > 0 {
			out = append(out, report)
		}
	}
	return out, nil
}

// formerTrees looks at the trees that stay next to those of another version, because the version is in their names.
func (r *Replacement) formerTrees() ([]Tree, error) {
	was, err := r.d.specOf(r.d.stored)
	if err != nil {
		return nil, err
	}
	var out []Tree
	for _, c := range r.changes {
		former := was.UnpackTarget(c.Name)
		if c.From == "" || former == r.d.spec.UnpackTarget(c.Name) {
			continue
		}
		report, err := r.lookAtTree(c.Name, former)
		if err != nil {
			return nil, err
		}
		if len(report.Foreign)+len(report.Edited)+len(report.Changed) > 0 {
			out = append(out, report)
		}
	}
	return out, nil
}

// formerFiles warns of what was added to trees next to which another version stands.
func (r *Replacement) formerFiles() []string {
	former, err := r.formerTrees()
	if err != nil {
		return []string{"cannot look for what was added to the former versions: " + err.Error()}
	}
	var out []string
	for _, t := range former {
		out = append(out, t.warning(r.d.spec.UnpackTarget(t.Component)))
	}
	return out
}

// warning names what was added to or changed in a former tree and is not in the new one.
func (t Tree) warning(now string) string {
	const shown = 10
	all := append(append(append([]string(nil), t.Foreign...), t.Edited...), t.Changed...)
	text := strings.Join(all[:min(shown, len(all))], ", ")
	if more := len(all) - shown; more > 0 {
		text += " and " + count.Of(more, "more file", "more files")
	}
	return t.Tree + " has what its component did not bring, or not like that, and it is not in " + now + ": " + text +
		"; copy from there what is still needed"
}
