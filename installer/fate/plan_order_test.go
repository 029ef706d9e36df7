package fate

import (
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"fate-installer/installer/database"
	"fate-installer/installer/engine"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/fatetest"
	"fate-installer/installer/fate/render"
	"fate-installer/installer/step"
	"fate-installer/payload"
	"fate-installer/supervisor/config"
)

const orderOutside = `
host:
  partyid: 10000
  ip: 192.168.0.1
  mysql: {enable: true, type: outside, ips: [192.168.0.9], dbpasswd: secret}
`

// TestNoProgramStartsBeforeWhatItReads: the supervisor starts a program as soon as it finds the program's file, so
// all that its definition names, all that those files name in turn, and the directories it writes into have to be there
// before that file.
func TestNoProgramStartsBeforeWhatItReads(t *testing.T) {
	for name, s := range orderSpecs(t) {
		for _, modules := range append([][]cluster.Module{nil}, singles(s)...) {
			in := planInput()
			in.Components = append(in.Components, payload.Component{Name: "mysql", Version: "8.0.28"})
			in.Modules = modules
			for _, in.Mode = range []Mode{ModeDeploy, ModeConfig} {
				plan, err := NewPlan(s, in)
				if err != nil {
					t.Fatalf("%s, modules %v: %v", name, modules, err)
				}
				checkOrder(t, name, s, plan)
			}
		}
	}
}

// orderSpecs are hosts of all roles, layouts and databases.
func orderSpecs(t *testing.T) map[string]*cluster.Spec {
	specs := map[string]*cluster.Spec{
		"host":             fatetest.PlanSpec(t, cluster.RoleHost, 10000),
		"guest":            fatetest.PlanSpec(t, cluster.RoleGuest, 9999),
		"exchange":         fatetest.PlanSpec(t, cluster.RoleExchange, 0),
		"outside database": fatetest.HASpec(t, orderOutside, "192.168.0.1"),
	}
	for _, ip := range []string{"192.168.0.1", "192.168.0.2", "192.168.0.3"} {
		specs["high availability "+ip] = fatetest.HASpec(t, fatetest.OrderHA, ip)
	}
	return specs
}

// singles lists each module of a host that is a program as a selection of its own.
func singles(s *cluster.Spec) [][]cluster.Module {
	var out [][]cluster.Module
	for _, m := range s.Modules() {
		out = append(out, []cluster.Module{m})
	}
	return out
}

// checkOrder compares the order of a plan with what each of its programs names.
func checkOrder(t *testing.T, name string, s *cluster.Spec, plan engine.Plan) {
	t.Helper()
	files, err := render.Files(s)
	if err != nil {
		t.Fatal(err)
	}
	steps := map[string]bool{}
	var schemas []string
	for _, n := range plan.Nodes {
		steps[n.ID()] = true
		if d, ok := n.Step.(database.Contents); ok {
			schemas = append(schemas, n.ID())
			checkScripts(t, name, s, plan, d)
		}
	}
	for _, program := range render.Programs(s) {
		start := step.StartPrograms{Names: []string{program.Name}}.ID()
		if !steps[start] {
			continue
		}
		known := step.File{Path: path.Join(s.Layout.SupervisorPrograms(), program.Name+".conf")}.ID()
		before := predecessors(plan, known)
		if !slices.Contains(predecessors(plan, start), known) {
			t.Errorf("%s: %s is started, and its program file need not be written by then", name, program.Name)
		}
		for _, other := range program.DependsOn {
			if id := (step.StartPrograms{Names: []string{other}}).ID(); steps[id] && !slices.Contains(before, id) {
				t.Errorf("%s: %s is made known to the supervisor, and %s need not be ready by then", name,
					program.Name, other)
			}
		}
		needed := makers(s, plan, program, files)
		checkReads(t, name, plan, program.Name, start, files)
		if program.Name == cluster.ClusterManager.Program() || program.Name == cluster.FateFlow.Program() {
			needed = append(needed, schemas...)
		}
		needed = append(needed, upgrades(s, plan, program.Name)...)
		for _, maker := range needed {
			if !slices.Contains(before, maker) {
				t.Errorf("%s: %s is made known to the supervisor, and the step %s need not be done by then", name,
					program.Name, maker)
			}
		}
	}
}

// checkReads: a program's start knows the steps that leave what the program reads, and comes after each.
func checkReads(t *testing.T, name string, plan engine.Plan, program, start string, files []render.File) {
	t.Helper()
	i := slices.IndexFunc(plan.Nodes, func(n engine.Node) bool { return n.ID() == start })
	reads, before := plan.Nodes[i].Step.(step.StartPrograms).ReadFrom, predecessors(plan, start)
	trees := 0
	for _, id := range reads {
		if !slices.Contains(before, id) {
			t.Errorf("%s: %s reads what %s leaves, and starts before it", name, program, id)
		}
		if strings.HasPrefix(id, "unpack:") {
			trees++
		}
	}
	if trees == 0 {
		t.Errorf("%s: %s reads no tree: %v", name, program, reads)
	}
	for _, f := range files {
		id := step.File{Path: f.Path}.ID()
		inPlan := slices.ContainsFunc(plan.Nodes, func(n engine.Node) bool { return n.ID() == id })
		if inPlan && slices.Contains(f.Programs, program) && !strings.HasSuffix(f.Path, "/"+program+".conf") &&
			!slices.Contains(reads, id) {
			t.Errorf("%s: %s does not know that it reads %s", name, program, f.Path)
		}
	}
}

// upgrades lists the steps that bring the tables of the database that a program logs into to the release.
func upgrades(s *cluster.Spec, plan engine.Plan, program string) (ids []string) {
	uses := map[string]string{
		cluster.ClusterManager.Program(): s.Side.Eggroll.DBName, cluster.FateFlow.Program(): s.Side.FateFlow.DBName,
	}
	for _, n := range plan.Nodes {
		if u, ok := n.Step.(database.SchemaUpgrade); ok && u.Schema == uses[program] {
			ids = append(ids, n.ID())
		}
	}
	return ids
}

// TestClusterManagerWaitsForNoPython: the way to a party that computes leads over the clustermanager and the
// nodemanager. The former waits for no python, the latter for all of it, which its workers run.
func TestClusterManagerWaitsForNoPython(t *testing.T) {
	s := fatetest.PlanSpec(t, cluster.RoleHost, 10000)
	plan, err := NewPlan(s, planInput())
	if err != nil {
		t.Fatal(err)
	}
	python := []string{}
	for _, n := range plan.Nodes {
		if u, ok := n.Step.(step.Unpack); ok && inPython(s, u.Target) {
			python = append(python, n.ID())
		}
	}
	if len(python) == 0 {
		t.Fatal("the plan has no python")
	}
	for program, waits := range map[cluster.Module]bool{cluster.ClusterManager: false, cluster.NodeManager: true} {
		before := predecessors(plan, step.StartPrograms{Names: []string{program.Program()}}.ID())
		for _, id := range python {
			if slices.Contains(before, id) != waits {
				t.Errorf("%s waits for %s: %v, want %v", program, id, !waits, waits)
			}
		}
	}
}

// checkScripts: a schema's script is imported when the component that has it is unpacked.
func checkScripts(t *testing.T, name string, s *cluster.Spec, plan engine.Plan, d database.Contents) {
	t.Helper()
	before := predecessors(plan, d.ID())
	for _, schema := range d.Schemas {
		for _, component := range s.Components() {
			unpack := step.Unpack{Target: s.UnpackTarget(component)}.ID()
			inPlan := slices.ContainsFunc(plan.Nodes, func(n engine.Node) bool { return n.ID() == unpack })
			if isBelow(schema.Script, s.UnpackTarget(component)) && inPlan && !slices.Contains(before, unpack) {
				t.Errorf("%s: the schema %s is imported, and %s need not be unpacked by then", name,
					schema.Name, component)
			}
		}
	}
}

// makers lists the steps of a plan that make what a program needs.
func makers(s *cluster.Spec, plan engine.Plan, program config.Program, files []render.File) []string {
	needs := map[string]bool{}
	components := s.ComponentsOf(program.Name)
	for _, f := range files {
		// It reads the files that it is restarted for, and may read the others of its components.
		reads := slices.Contains(f.Programs, program.Name) && path.Dir(f.Path) != s.Layout.SupervisorPrograms()
		if reads || slices.Contains(components, f.Component) {
			needs[f.Path] = true
		}
	}
	for _, p := range namedPaths(program) {
		needs[p] = true
	}
	for _, component := range components {
		for _, d := range render.InsideDirectories(s) {
			needs[d.Path] = needs[d.Path] || isBelow(d.Path, s.UnpackTarget(component))
		}
		for _, l := range render.Links(s) {
			needs[l.Path] = needs[l.Path] || isBelow(l.Path, s.UnpackTarget(component))
		}
	}
	for more := true; more; { // what the files name, and what the files that they name name
		more = false
		for _, f := range files {
			if !needs[f.Path] {
				continue
			}
			for _, p := range paths.FindAllString(string(f.Content), -1) {
				more = more || !needs[p]
				needs[p] = true
			}
		}
	}
	if runsNoPython[program.Name] {
		maps.DeleteFunc(needs, func(p string, _ bool) bool { return inPython(s, p) })
	}
	var out []string
	for _, n := range plan.Nodes {
		for p, needed := range needs {
			if needed && makes(n.Step, p) {
				out = append(out, n.ID())
				break
			}
		}
	}
	for _, component := range components {
		out = append(out, step.Unpack{Component: component, Target: s.UnpackTarget(component)}.ID())
	}
	return out
}

// runsNoPython are the programs whose environment and files name python for the processes of the nodemanager, which
// has the same ones: they read nothing below it and start none.
var runsNoPython = map[string]bool{cluster.ClusterManager.Program(): true, cluster.Rollsite.Program(): true}

// inPython reports whether a path is in a tree of python code that is not eggroll's own.
func inPython(s *cluster.Spec, file string) bool {
	return slices.ContainsFunc([]string{"python", "fate", "fateflow"}, func(component string) bool {
		target := s.UnpackTarget(component)
		return file == target || isBelow(file, target)
	})
}

// paths finds absolute paths in a configuration file.
var paths = regexp.MustCompile(`/(data|usr)/[A-Za-z0-9._/+-]*[A-Za-z0-9]`)

// namedPaths lists the paths in a program's definition.
func namedPaths(p config.Program) []string {
	words := slices.Concat(p.Command, p.ReadyExec, p.LivenessExec, slices.Collect(maps.Values(p.Environment)),
		[]string{p.Directory, p.StdoutLogfile, p.StderrLogfile})
	var out []string
	for _, w := range words {
		out = append(out, paths.FindAllString(w, -1)...)
	}
	return out
}

// makes reports whether a step makes a path or a directory, link or tree that the path is in.
func makes(s engine.Step, file string) bool {
	in := func(made string) bool { return made == file || isBelow(file, made) }
	switch s := s.(type) {
	case step.File:
		return s.Path == file
	case step.Self:
		return s.Path == file
	case database.Init:
		return in(s.Data)
	case step.Dir:
		return in(s.Path)
	case step.Symlink:
		return in(s.Path)
	case step.Unpack:
		return in(s.Target)
	}
	return false
}

// TestOrderSeesWhatADefinitionNames holds the test above to account: it must see paths wherever a definition has them.
func TestOrderSeesWhatADefinitionNames(t *testing.T) {
	s := fatetest.PlanSpec(t, cluster.RoleHost, 10000)
	plan, err := NewPlan(s, planInput())
	if err != nil {
		t.Fatal(err)
	}
	files, err := render.Files(s)
	if err != nil {
		t.Fatal(err)
	}
	wanted := map[string][]string{
		cluster.MySQL.Program(): {
			step.File{Path: render.DatabaseConf(s)}.ID(), step.File{Path: render.ProbeConf(s)}.ID(),
			step.Self{Path: s.Layout.Binary()}.ID(),
			database.Init{Server: database.Server{Data: s.Layout.DatabaseData()}}.ID(),
			step.Dir{Path: s.Layout.ComponentLogs("mysql")}.ID(),
			step.Dir{Path: path.Join(s.DatabaseHome(), "run")}.ID(),
		},
		cluster.Rollsite.Program(): {
			step.File{Path: s.Layout.EggrollProperties()}.ID(), step.File{Path: s.Layout.RouteTable()}.ID(),
			step.Symlink{Path: path.Join(s.Layout.Eggroll(), "logs")}.ID(), step.Dir{Path: s.Layout.EggrollData()}.ID(),
		},
		cluster.FateFlow.Program(): {step.File{Path: s.Layout.ServiceConf()}.ID(),
			step.Unpack{Target: s.Layout.PythonHome()}.ID()},
	}
	for _, program := range render.Programs(s) {
		got := makers(s, plan, program, files)
		for _, id := range wanted[program.Name] {
			if !slices.Contains(got, id) {
				t.Errorf("%s: %s is not among what it needs:\n%s", program.Name, id, strings.Join(got, "\n"))
			}
		}
	}
}

// predecessors lists every step that has to be done before one.
func predecessors(plan engine.Plan, id string) []string {
	var out []string
	for todo := []string{id}; len(todo) > 0; todo = todo[1:] {
		for _, n := range plan.Nodes {
			if n.ID() != todo[0] {
				continue
			}
			for _, a := range n.After {
				if !slices.Contains(out, a) {
					out, todo = append(out, a), append(todo, a)
				}
			}
		}
	}
	return out
}
