package fate

import (
	"io/fs"
	"path"
	"slices"

	"fate-installer/installer/host"
	"fate-installer/installer/tools"
)

// Directory is one directory of an installation that no component brings.
type Directory struct {
	Path  string
	Perm  fs.FileMode
	Owner string // user, or blank when the service user and group own it
	Group string
}

// Link is a symbolic link.
type Link struct{ Path, Target string }

const (
	permPublic  = fs.FileMode(0o755)
	permPrivate = fs.FileMode(0o750)
	permHidden  = fs.FileMode(0o700)
)

// Directories lists what has to exist on this host before its files are written and its programs start, parents
// first. Directories that a component's tree becomes are not among them: see UnpackTarget.
func (s *Spec) Directories() []Directory {
	l := s.Layout
	var out []Directory
	own := func(perm fs.FileMode, paths ...string) {
		for _, p := range paths {
			out = append(out, Directory{Path: p, Perm: perm})
		}
	}
	root := func(perm fs.FileMode, paths ...string) {
		for _, p := range paths {
			out = append(out, Directory{p, perm, "root", "root"})
		}
	}
	// Upstream gives all of the tree to the service user. Here the way to what root's supervisor runs is root's: who
	// owns a directory on it could put another one in its place and have any command run as root.
	root(permPublic, l.Projects(), l.Common(), l.Logs()) // the log of root's supervisor is below it
	own(permPublic, l.Temp(), l.Project(), l.ProjectCommon())
	root(permPublic, l.Supervisor(), l.SupervisorPrograms(), l.SupervisorRun(), path.Dir(l.SupervisorLog()))
	root(permHidden, l.State())
	if s.callsTools() {
		root(permPublic, l.Tools(), l.ToolsFirst())
	}
	own(permPrivate, l.ProjectBin(), l.ProjectConf())
	own(permPublic, path.Dir(l.Data()), l.Data(), path.Join(l.Logs(), "fate"))
	if s.Runs(MySQL) {
		own(permPublic, path.Dir(s.DatabaseHome()))
		own(permPublic, l.ComponentLogs("mysql"))
		own(permHidden, l.DatabaseTemp())
	}
	if s.runsJava() {
		own(permHidden, l.JavaTemp())
	}
	if s.hasEggroll() || s.Runs(FateFlow) {
		own(permHidden, l.ProgramTemp())
	}
	if s.hasEggroll() {
		// rollsite's JVM does not start when the directory of its log is missing.
		own(permPrivate, l.ComponentLogs("eggroll"), path.Join(l.ComponentLogs("eggroll"), "eggroll"), l.EggrollData())
		own(permPrivate, path.Dir(l.Backups()), l.Backups(), path.Join(l.Backups(), "eggroll"),
			path.Join(l.Backups(), "eggroll", "conf"))
	}
	if s.NeedsKeys() {
		own(permPrivate, l.Keys())
	}
	if s.Runs(FateFlow) {
		own(permPrivate, l.ComponentLogs("fateflow"))
	}
	if s.Runs(FateBoard) {
		own(permPrivate, l.ComponentLogs("fateboard"))
	}
	if s.Runs(ZooKeeper) {
		own(permPrivate, l.ComponentLogs("zookeeper"))
	}
	if s.Runs(Nginx) {
		own(permPrivate, l.ComponentLogs("nginx"))
	}
	return out
}

// InsideDirectories lists directories that have to be made inside unpacked components.
func (s *Spec) InsideDirectories() []Directory {
	var out []Directory
	own := func(perm fs.FileMode, paths ...string) {
		for _, p := range paths {
			out = append(out, Directory{Path: p, Perm: perm})
		}
	}
	if s.Runs(MySQL) {
		own(permPublic, path.Join(s.DatabaseHome(), "conf"), path.Join(s.DatabaseHome(), "run"))
	}
	if s.Runs(ZooKeeper) {
		own(permPrivate, path.Dir(s.Layout.ZooKeeperData()), s.Layout.ZooKeeperData(), s.Layout.ZooKeeperLogs())
	}
	if s.Runs(Nginx) {
		own(permPrivate, path.Join(s.Layout.Nginx(), "run"))
	}
	return out
}

// Links lists the symbolic links: the logs of each component lead to the log directory, as upstream has it, and
// FATE-Flow looks for fate.env in the project base.
func (s *Spec) Links() []Link {
	l := s.Layout
	var out []Link
	if s.hasEggroll() {
		out = append(out, Link{path.Join(l.Eggroll(), "logs"), l.ComponentLogs("eggroll")})
	}
	if s.Runs(FateFlow) {
		if l.Flat {
			out = append(out, Link{path.Join(l.Project(), "logs"), l.ComponentLogs("fateflow")})
		} else {
			out = append(out, Link{path.Join(l.Flow(), "logs"), l.ComponentLogs("fateflow")})
		}
	}
	if s.hasFlowConf() && !l.Flat {
		for _, name := range []string{"fate.env", "RELEASE.md", "examples"} {
			out = append(out, Link{path.Join(l.Project(), name), path.Join("fate", name)})
		}
	}
	if s.Runs(FateBoard) {
		out = append(out, Link{path.Join(l.Board(), "logs"), l.ComponentLogs("fateboard")})
	}
	return out
}

// runsJava reports whether a program of this host is a JVM.
func (s *Spec) runsJava() bool {
	return slices.ContainsFunc(s.Modules(), Module.isJVM)
}

// callsTools reports whether a program of this host starts or stops workers by eggroll's scripts.
func (s *Spec) callsTools() bool { return s.Runs(NodeManager) || s.Runs(FateFlow) }

// ToolLinks lists the links by which the installed program is called as a tool on a host.
func (s *Spec) ToolLinks(f *host.Facts) []Link {
	if !s.callsTools() {
		return nil
	}
	var out []Link
	for _, name := range tools.Names() {
		out = append(out, Link{path.Join(s.Layout.Tools(), name), s.Layout.Binary()})
	}
	for _, name := range s.OverriddenTools(f) {
		out = append(out, Link{path.Join(s.Layout.ToolsFirst(), name), s.Layout.Binary()})
	}
	return out
}
