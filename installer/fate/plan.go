package fate

import (
	"cmp"
	"fmt"
	"path"
	"slices"

	"fate-installer/installer/engine"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/preflight"
	"fate-installer/installer/fate/render"
	"fate-installer/installer/host"
	"fate-installer/installer/step"
	"fate-installer/payload"
)

// PlanInput has the inputs of NewPlan besides the Spec.
type PlanInput struct {
	Components    []payload.Component // name, version, digest and size of what is installed or will be
	Facts         *host.Facts         // about the host, for the preparation of its system
	Modules       []cluster.Module    // only these of the host's; none: all
	Mode          Mode                // blank: deploy
	SiteFile      string              // path of the file that remembers what was asked for
	Site          []byte              // its content, which may hold passwords
	ProgramDigest string              // sha256 of this program without its payload, hexadecimal
	Docs          []step.Doc          // the manual pages and the completion of that program
	DocsKnown     bool                // Docs has them: it is the running program
	UnitPath      string              // the supervisor's boot unit, as the supervisor package writes it
	Unit          []byte
	UnitName      string
	BootScript    *step.BootScript // what runs the supervisor on a host without systemd; nil: the unit does
}

// planner collects the nodes of a plan and remembers which step made what, so that edges can be named by purpose.
type planner struct {
	spec *cluster.Spec
	part *cluster.Spec // spec with the modules that are planned
	in   PlanInput
	plan engine.Plan

	system   []string            // IDs of the steps that prepare the system for our programs
	accounts []string            // ... after which the service user exists
	dirs     []string            // ... after which every directory exists
	dirOf    map[string]string   // directory -> ID of the step that makes it
	trees    map[string]string   // component -> ID of the step that unpacks it
	inside   map[string][]string // component -> IDs of the steps that complete its tree
	files    []string            // ... after which every configuration file is written
	filesOf  map[string][]string // component -> IDs of the steps that write its configuration files
	programs []render.File       // the supervisor's program files, which are written when their programs may start
	boot     []string            // ... after which the supervisor runs
	database []string            // ... after which the database has its schemas and accounts
	schemas  map[string][]string // schema -> IDs of the steps that bring its tables to the release
	rendered []render.File       // every rendered file
	started  map[string]string   // program -> ID of the step that starts it
}

// NewPlan computes everything that has to be so on this host, as steps and the order between them. It is pure: the
// same input gives the same plan, and nothing is looked at or changed. Steps that do not wait for each other run at
// the same time: the JDK is unpacked while the database is initialised.
func NewPlan(s *cluster.Spec, in PlanInput) (engine.Plan, error) {
	p := &planner{spec: s, in: in, trees: map[string]string{}, inside: map[string][]string{},
		filesOf: map[string][]string{}, schemas: map[string][]string{}, started: map[string]string{}}
	phases := []func() error{p.restrict, p.remember, p.addAccounts, p.prepare, p.addDirectories,
		p.addTrees, p.addProgramFile}
	if in.Mode != ModeInstall {
		phases = append(phases, p.addFiles, p.addSupervisor, p.addDatabase, p.addPrograms)
	}
	for _, add := range phases {
		if err := add(); err != nil {
			return engine.Plan{}, fmt.Errorf("cannot plan the installation of %s %s: %w", s.Role, s.IP, err)
		}
	}
	return p.plan, p.plan.Validate()
}

func (p *planner) restrict() (err error) {
	p.part, err = p.spec.RestrictTo(p.in.Modules)
	return err
}

// add appends a step and returns its ID.
func (p *planner) add(component, title string, cost int64, s engine.Step, after ...string) string {
	p.plan.Add(engine.Node{Step: s, After: after, Title: title, Component: component, Cost: cost})
	return s.ID()
}

// remember stores what was asked for and the passwords before anything uses them: a run that is killed after the
// database took a password must find the same one again.
func (p *planner) remember() error {
	encoded, err := p.spec.Secrets.Encode()
	if err != nil {
		return err
	}
	state := p.add("installer", "state directory", 1, step.Dir{Path: p.spec.Layout.State(), Perm: render.PermHidden,
		Owner: "root", Group: "root"})
	p.accounts = append(p.accounts,
		p.add("installer", "passwords", 1, step.File{Path: p.spec.Layout.Secrets(), Content: encoded,
			Perm:  render.PermSecret,
			Owner: "root", Group: "root", Secret: true}, state),
		p.add("installer", "what was asked for", 1, step.File{Path: p.in.SiteFile, Content: p.in.Site,
			Perm:  render.PermSecret,
			Owner: "root", Group: "root", Secret: true}, state))
	return nil
}

func (p *planner) addAccounts() error {
	s := p.spec
	group := p.add("os", "group "+s.Group, 1, step.Group{Name: s.Group}, p.accounts...)
	p.accounts = []string{p.add("os", "user "+s.User, 1, step.User{Name: s.User, Group: s.Group}, group)}
	return nil
}

// prepare sees to the operating system. The programs wait for what they find there when they start; a swap file, which
// may take minutes to write, they do not wait for.
func (p *planner) prepare() error {
	for _, prep := range preflight.Preparations(p.spec, p.in.Facts, p.in.Components) {
		id := p.add("os", prep.Title, 1, prep.Step, p.accounts...)
		if prep.Policy != "swap" {
			p.system = append(p.system, id)
		}
	}
	return nil
}

// addDirectories makes the directories, each after the one it is in.
func (p *planner) addDirectories() error {
	p.dirOf = map[string]string{}
	parents := map[string]bool{}
	for _, d := range render.Directories(p.part) {
		if d.Path == p.spec.Layout.State() { // made by remember
			continue
		}
		after := p.inDirectory(d.Path)
		for _, id := range after {
			parents[id] = true
		}
		p.dirOf[d.Path] = p.add("directories", d.Path, 1, p.directory(d), after...)
		p.dirs = append(p.dirs, p.dirOf[d.Path])
	}
	// they are made when those in them are
	p.dirs = slices.DeleteFunc(p.dirs, func(id string) bool { return parents[id] })
	return nil
}

// inDirectory returns the steps before something is made at a path: the closest directory above it.
func (p *planner) inDirectory(file string) []string {
	for dir := path.Dir(file); dir != "/"; dir = path.Dir(dir) {
		if id := p.dirOf[dir]; id != "" {
			return []string{id}
		}
	}
	return slices.Clone(p.accounts)
}

func (p *planner) directory(d render.Directory) step.Dir {
	owner, group := p.owner(d.Owner, d.Group)
	return step.Dir{Path: d.Path, Perm: d.Perm, Owner: owner, Group: group}
}

// owner fills in the service user, who owns what names no other owner.
func (p *planner) owner(owner, group string) (string, string) {
	if owner == "" {
		return p.spec.User, p.spec.Group
	}
	return owner, group
}

// addTrees unpacks this host's components and completes their trees with directories and links.
func (p *planner) addTrees() error {
	s := p.part
	for _, name := range s.Components() {
		c, err := p.component(name)
		if err != nil {
			return err
		}
		title := fmt.Sprintf("%s %s", c.Name, c.Version)
		if c.StandIn {
			title += " (stand-in)"
		}
		// A mebibyte takes about as long to unpack as a small step takes altogether.
		p.trees[name] = p.add(name, title, 1+c.Size>>20, step.Unpack{
			Component: name, Version: c.Version, Digest: c.Digest, Target: s.UnpackTarget(name),
			Owner: s.User, Group: s.Group, Keep: cluster.KeptPaths(name),
		}, p.inDirectory(s.UnpackTarget(name))...)
	}
	for _, d := range render.InsideDirectories(s) {
		name := p.treeOf(d.Path)
		p.inside[name] = append(p.inside[name], p.add(name, d.Path, 1, p.directory(d), p.afterTree(name)...))
	}
	for _, l := range render.Links(s) {
		name := p.treeOf(l.Path)
		after := p.afterPlace(l.Path)
		if name == "" {
			after = append(after, p.trees["fate"])
		}
		p.inside[name] = append(p.inside[name], p.add(cmp.Or(name, "fate"), l.Path, 1,
			step.Symlink{Path: l.Path, Target: l.Target}, after...))
	}
	return nil
}

func (p *planner) component(name string) (payload.Component, error) {
	i := slices.IndexFunc(p.in.Components, func(c payload.Component) bool { return c.Name == name })
	if i < 0 {
		return payload.Component{}, &MissingComponentError{Component: name}
	}
	return p.in.Components[i], nil
}

// MissingComponentError means that the payload lacks something that this host needs.
type MissingComponentError struct{ Component string }

func (e *MissingComponentError) Error() string {
	return "the payload has no component " + e.Component
}

// Hint tells where the component has to come from.
func (e *MissingComponentError) Hint() string {
	return "fate-installer bundle inspect lists what the appliance carries; add " + e.Component +
		" to its lock file and build it again"
}

// treeOf names the component whose tree contains a path, or nothing.
func (p *planner) treeOf(file string) string {
	owner, longest := "", 0
	for name := range p.trees {
		if target := p.spec.UnpackTarget(name); len(target) > longest && isBelow(file, target) {
			owner, longest = name, len(target)
		}
	}
	return owner
}

func isBelow(file, dir string) bool { return len(file) > len(dir) && file[:len(dir)+1] == dir+"/" }

// afterPlace returns the steps before something is put at a path: in a component's tree, or in a directory.
func (p *planner) afterPlace(file string) []string {
	if name := p.treeOf(file); name != "" {
		return p.afterTree(name)
	}
	return p.inDirectory(file)
}

// afterTree returns the steps before something is put into a component's tree.
func (p *planner) afterTree(name string) []string {
	return append([]string{p.trees[name]}, p.inside[name]...)
}

// addFiles writes every rendered file. One that an operator has edited is kept.
func (p *planner) addFiles() error {
	files, err := render.Files(p.spec)
	if err != nil {
		return err
	}
	p.rendered = files
	var given []string
	for _, f := range files {
		if !p.wantsFile(f) {
			continue
		}
		if f.Given {
			// One after the other: a CA that both sides share is in two of them, whose former content is one backup.
			given = []string{p.addFile(f, slices.Concat(p.afterPlace(f.Path), given)...)}
			p.files = append(p.files, given...)
			continue
		}
		if path.Dir(f.Path) == p.spec.Layout.SupervisorPrograms() {
			p.programs = append(p.programs, f)
			continue
		}
		id := p.addFile(f, slices.Concat(p.afterPlace(f.Path), p.databaseLogin(f))...)
		p.files = append(p.files, id)
		p.filesOf[f.Component] = append(p.filesOf[f.Component], id)
	}
	return nil
}

func (p *planner) addFile(f render.File, after ...string) string {
	owner, group := p.owner(f.Owner, f.Group)
	return p.add(cmp.Or(f.Component, p.treeOf(f.Path), "config"), f.Path, 1, step.File{
		Path: f.Path, Content: f.Content, Perm: f.Perm, Owner: owner, Group: group, Secret: f.Secret,
		KeepEdits: !f.Given,
	}, after...)
}

// addProgramFile installs this program, without its payload, for the commands that come later.
func (p *planner) addProgramFile() error {
	self := p.add("installer", p.spec.Layout.Binary(), 30, step.Self{Path: p.spec.Layout.Binary(),
		Digest: p.in.ProgramDigest}, p.accounts...)
	docs := step.Docs{Program: p.spec.Layout.Binary(), Digest: p.in.ProgramDigest, Files: p.in.Docs,
		Known: p.in.DocsKnown}
	p.add("installer", "manual pages and completion of "+docs.Program, 1, docs, self)
	for _, l := range preflight.ToolLinks(p.part, p.in.Facts) {
		link := step.Symlink{Path: l.Path, Target: l.Target, Owner: "root", Group: "root"}
		p.inside["installer"] = append(p.inside["installer"],
			p.add("installer", l.Path, 1, link, append(p.inDirectory(l.Path), self)...))
	}
	return nil
}

// addSupervisor has the host's init start the supervisor. It starts while the payload is still being unpacked: it has
// no programs yet.
func (p *planner) addSupervisor() error {
	self, conf := step.Self{Path: p.spec.Layout.Binary()}.ID(), step.File{Path: p.spec.Layout.SupervisorConf()}.ID()
	var unit engine.Step = step.BootUnit{Name: p.in.UnitName, Path: p.in.UnitPath, Content: p.in.Unit,
		Log: p.spec.Layout.SupervisorLog()}
	title := "boot unit " + p.in.UnitName
	if script := p.in.BootScript; script != nil {
		unit, title = *script, "boot by "+script.Boot.Title()
		if script.Boot == host.BootNone {
			title = "start of the supervisor"
		}
	}
	p.boot = []string{p.add("supervisor", title, 50, unit, append(slices.Clone(p.system), self, conf)...)}
	return nil
}

// addPrograms starts everything else when all it reads is there, in dependency order, and waits until each is ready.
func (p *planner) addPrograms() error {
	for _, program := range render.Programs(p.spec) {
		if _, started := p.started[program.Name]; started || !p.runs(program.Name) {
			continue
		}
		needs := p.readFirst(program.Name)
		for _, name := range program.DependsOn {
			if p.runs(name) { // the others have been started before, or another host runs them
				needs = append(needs, p.started[name])
			}
		}
		p.addProgram(program.Name, needs)
	}
	return nil
}

// addProgram writes a program's file for the supervisor, which makes the program known, and starts it. A program
// whose configuration or software changed since its last start is restarted, and no other.
func (p *planner) addProgram(name string, after []string) string {
	for _, f := range p.programs {
		if slices.Contains(f.Programs, name) {
			// The supervisor runs by then: one that finds the file when it starts would start the program on its own,
			// before this plan has come that far.
			after = append(slices.Clone(after), p.addFile(f, slices.Concat(after, p.dirs, p.boot)...))
		}
	}
	start := step.StartPrograms{Names: []string{name}, Inputs: p.inputs(name), ReadFrom: p.readBy(name)}
	if name == cluster.FateFlow.Program() {
		start.PythonTrees = append([]string{p.spec.Layout.PythonHome()}, p.spec.Layout.PythonPath()...)
	}
	p.started[name] = p.add("programs", "start "+name, 60, start, slices.Concat(after, p.boot)...)
	return p.started[name]
}
