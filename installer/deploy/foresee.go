package deploy

import (
	"strings"

	"fate-installer/installer/engine"
	"fate-installer/installer/step"
)

// Foreseen lists the changes that an uninstall would make. It is the JSON document of uninstall --dry-run.
type Foreseen struct {
	Steps []engine.UndoOutcome `json:"steps"`           // what would become of each step, in the order of the undo
	Trees []Tree               `json:"component_trees"` // what no component brought, by component
	Temp  []string             `json:"temporary"`       // temporary directories of the JVMs, in /tmp; null for none
}

// Foresee lists what an uninstall would do, and changes nothing.
func (i *Installation) Foresee(purge bool) (Foreseen, error) {
	out := Foreseen{Steps: []engine.UndoOutcome{}, Trees: []Tree{}}
	journal, err := engine.ReadJournal(i.host, i.JournalPath())
	if err != nil {
		return out, err
	}
	if err := i.mountsInTheWay(journal, purge); err != nil {
		return out, err
	}
	resolve := keepData(i.Layout())
	if purge {
		resolve = purgeData(i.Layout())
	}
	out.Steps = append(out.Steps, engine.Foresee(journal, engine.Everything, resolve)...)
	for _, o := range out.Steps {
		tree, ok := strings.CutPrefix(o.ID, step.Unpack{}.ID())
		if !ok {
			continue
		}
		component, _, _ := strings.Cut(o.Title, " ")
		report, err := i.lookAtTree(component, tree)
		if err != nil {
			return out, err
		}
		if len(report.Foreign)+len(report.Edited)+len(report.Changed) > 0 {
			out.Trees = append(out.Trees, report)
		}
	}
	out.Temp, err = i.leftInTemp()
	return out, err
}
