package fate

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"fate-installer/installer/engine"
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

// moduleGroups are the names that stand for modules: upstream's, which its setup.conf uses, and those of single
// modules.
var moduleGroups = map[string][]Module{
	"eggroll":   {ClusterManager, NodeManager, Rollsite},
	"fate_flow": {FateFlow},
}

// ParseModules reads names of modules, upstream's groups among them, and gives the modules in start order.
func ParseModules(names []string) ([]Module, error) {
	wanted := map[Module]bool{}
	for _, name := range names {
		group := moduleGroups[name]
		if group == nil && slices.Contains(Modules, Module(name)) {
			group = []Module{Module(name)}
		}
		if group == nil {
			return nil, fmt.Errorf("cannot use module %q: there are %s", name, strings.Join(ModuleNames(), ", "))
		}
		for _, m := range group {
			wanted[m] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(Modules), func(m Module) bool { return !wanted[m] }), nil
}

// ModuleWords lists every word that ParseModules accepts.
func ModuleWords() []string {
	words := ModuleNames()
	for _, m := range Modules {
		if !slices.Contains(words, string(m)) {
			words = append(words, string(m))
		}
	}
	return words
}

// ModuleNames lists what ParseModules understands, upstream's names first.
func ModuleNames() []string {
	names := slices.Clone(setupModules)
	for _, m := range Modules {
		if m != FateFlow && !slices.Contains(names, string(m)) {
			names = append(names, string(m))
		}
	}
	return names
}

// restrictTo is the Spec as if only these modules ran on this host. What it lists is planned; what is written into a
// file or handed to the supervisor comes from the whole Spec, so that a part is the same as when it is installed with
// all.
func (s *Spec) restrictTo(modules []Module) (*Spec, error) {
	if len(modules) == 0 {
		return s, nil
	}
	part := *s
	part.modules = slices.DeleteFunc(slices.Clone(s.modules),
		func(m Module) bool { return !slices.Contains(modules, m) })
	if len(part.modules) == 0 {
		return nil, fmt.Errorf("none of the modules %v runs on this host, which has %v", modules, s.modules)
	}
	return &part, nil
}

// wantsFile reports whether a rendered file is in the part that is planned.
func (p *planner) wantsFile(f File) bool {
	switch {
	case path.Dir(f.Path) == p.spec.Layout.SupervisorPrograms():
		return slices.ContainsFunc(p.part.Modules(),
			func(m Module) bool { return slices.Contains(f.Programs, m.Program()) })
	case f.Component == "supervisor":
		return true
	}
	return slices.Contains(p.part.Components(), f.Component)
}

// runs reports whether a program is in the part that is planned.
func (p *planner) runs(program string) bool {
	return slices.ContainsFunc(p.part.Modules(), func(m Module) bool { return m.Program() == program })
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
