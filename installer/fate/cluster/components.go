package cluster

import "slices"

// component is a piece of software that a payload carries.
type component struct {
	name   string
	envKey string                                // what its version is called in fate.env; blank: it is not there
	home   func(l Layout, version string) string // the directory that its tree becomes
	kept   []string                              // what its own programs write into its tree, which outlives the tree
}

// eggroll is one component for its three processes.
var eggroll = component{name: "eggroll", envKey: "EGGROLL",
	home: func(l Layout, _ string) string { return l.Eggroll() }}

// shared are the components that several modules are made of.
var shared = []component{
	{name: "mysql", home: databaseHome("mysql")},
	{name: "mariadb", home: databaseHome("mariadb")},
	{name: "jdk", home: Layout.JavaHome},
	{name: "python", envKey: "PYTHON", home: func(l Layout, _ string) string { return l.PythonHome() }},
	eggroll,
	{name: "fate", envKey: "FATE", home: func(l Layout, _ string) string {
		if l.Flat {
			return l.FatePython()
		}
		return l.Fate()
	}},
}

func databaseHome(engine string) func(Layout, string) string {
	return func(l Layout, version string) string { return l.DatabaseHome(engine, version) }
}

// allComponents has the shared components, and then those of single modules.
func allComponents() []component {
	out := slices.Clone(shared)
	for _, e := range inFileOrder() {
		if e.main != nil && e.main != &eggroll {
			out = append(out, *e.main)
		}
	}
	return out
}

// made is for a module that has the same components on every host.
func made(names ...string) func(*Spec) []string { return func(*Spec) []string { return names } }

// pythonComponents are those of FATE's python code.
func (s *Spec) pythonComponents() []string {
	if s.Layout.Flat {
		return []string{"python", "fate"}
	}
	return []string{"python", "fate", "fateflow"}
}

// Components lists the payload components to unpack on this host, by their names in the manifest.
func (s *Spec) Components() []string {
	needed := map[string]bool{}
	for _, m := range s.modules {
		e := m.entry()
		for _, of := range []func(*Spec) []string{e.components, e.unpacks} {
			if of == nil {
				continue
			}
			for _, name := range of(s) {
				needed[name] = true
			}
		}
	}
	var out []string
	for _, c := range allComponents() {
		if needed[c.name] {
			out = append(out, c.name)
		}
	}
	return out
}

// ComponentsOf lists the components a program is made of.
func (s *Spec) ComponentsOf(program string) []string {
	m, _ := ModuleOf(program)
	if components := m.entry().components; components != nil {
		return components(s)
	}
	return nil
}

// MainComponent is the component that makes a module what it is.
func (s *Spec) MainComponent(m Module) string {
	e := m.entry()
	if e.main != nil {
		return e.main.name
	}
	if e.components == nil {
		return ""
	}
	return e.components(s)[0]
}

// KeptPaths are the paths inside a component's tree that hold data: what its own programs write into it. They stay
// where they are when the component is replaced, and survive an uninstall.
func KeptPaths(name string) []string {
	for _, c := range allComponents() {
		if c.name == name {
			return slices.Clone(c.kept)
		}
	}
	return nil
}

// UnpackTarget is the directory that a component's tree becomes.
func (s *Spec) UnpackTarget(name string) string {
	for _, c := range allComponents() {
		if c.name == name {
			return c.home(s.Layout, s.Versions[name])
		}
	}
	return ""
}
