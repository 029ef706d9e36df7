package fate

import (
	"path"
	"slices"

	"fate-installer/installer/engine"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/render"
	"fate-installer/installer/step"
)

// Mode is how much of an installation a plan does, in upstream's words.
type Mode string

// The modes. A host that is installed and then configured is as one that is deployed.
const (
	ModeDeploy  Mode = "deploy"  // everything
	ModeInstall Mode = "install" // prepare the system, make the directories and unpack the components
	ModeConfig  Mode = "config"  // write the configuration, make the database and start what was unpacked before
)

// Modes lists them, the default first.
var Modes = []Mode{ModeDeploy, ModeInstall, ModeConfig}

// wantsFile reports whether a rendered file is in the part that is planned.
func (p *planner) wantsFile(f render.File) bool {
	switch {
	case path.Dir(f.Path) == p.spec.Layout.SupervisorPrograms():
		return slices.ContainsFunc(p.part.Modules(),
			func(m cluster.Module) bool { return slices.Contains(f.Programs, m.Program()) })
	case f.Component == "supervisor":
		return true
	}
	return slices.Contains(p.part.Components(), f.Component)
}

// runs reports whether a program is in the part that is planned.
func (p *planner) runs(program string) bool {
	m, _ := cluster.ModuleOf(program)
	return slices.Contains(p.part.Modules(), m)
}

// Unpacking is the part of a plan that unpacks components.
func Unpacking(plan engine.Plan) engine.Plan {
	var out engine.Plan
	for _, n := range plan.Nodes {
		if _, ok := n.Step.(step.Unpack); ok {
			n.After = nil
			out.Add(n)
		}
	}
	return out
}
