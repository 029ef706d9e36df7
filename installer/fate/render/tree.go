package render

import (
	"io/fs"
	"path"
	"slices"

	"fate-installer/installer/fate/cluster"
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
	PermHidden  = fs.FileMode(0o700)
)

// Directories lists what has to exist on this host before its files are written and its programs start, parents
// first. Directories that a component's tree becomes are not among them: see UnpackTarget.
func Directories(s *cluster.Spec) []Directory {
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
	root(PermHidden, l.State())
	if CallsTools(s) {
		root(permPublic, l.Tools(), l.ToolsFirst())
	}
	own(permPrivate, l.ProjectBin(), l.ProjectConf())
	own(permPublic, path.Dir(l.Data()), l.Data(), path.Join(l.Logs(), "fate"))
	if s.Runs(cluster.MySQL) {
		own(permPublic, path.Dir(s.DatabaseHome()))
		own(permPublic, l.ComponentLogs("mysql"))
		own(PermHidden, l.DatabaseTemp())
	}
	if RunsJava(s) {
		own(PermHidden, l.JavaTemp())
	}
	if s.HasEggroll() || s.Runs(cluster.FateFlow) {
		own(PermHidden, l.ProgramTemp())
	}
	if s.HasEggroll() {
		// rollsite's JVM does not start when the directory of its log is missing.
		own(permPrivate, l.ComponentLogs("eggroll"), path.Join(l.ComponentLogs("eggroll"), "eggroll"), l.EggrollData())
		own(permPrivate, path.Dir(l.Backups()), l.Backups(), path.Join(l.Backups(), "eggroll"),
			path.Join(l.Backups(), "eggroll", "conf"))
	}
	if s.NeedsKeys() {
		own(permPrivate, l.Keys())
	}
	if s.Runs(cluster.FateFlow) {
		own(permPrivate, l.ComponentLogs("fateflow"))
	}
	if s.Runs(cluster.FateBoard) {
		own(permPrivate, l.ComponentLogs("fateboard"))
	}
	if s.Runs(cluster.ZooKeeper) {
		own(permPrivate, l.ComponentLogs("zookeeper"))
	}
	if s.Runs(cluster.Nginx) {
		own(permPrivate, l.ComponentLogs("nginx"))
	}
	return out
}

// InsideDirectories lists directories that have to be made inside unpacked components.
func InsideDirectories(s *cluster.Spec) []Directory {
	var out []Directory
	own := func(perm fs.FileMode, paths ...string) {
		for _, p := range paths {
			out = append(out, Directory{Path: p, Perm: perm})
		}
	}
	if s.Runs(cluster.MySQL) {
		own(permPublic, path.Join(s.DatabaseHome(), "conf"), path.Join(s.DatabaseHome(), "run"))
	}
	if s.Runs(cluster.ZooKeeper) {
		own(permPrivate, path.Dir(s.Layout.ZooKeeperData()), s.Layout.ZooKeeperData(), s.Layout.ZooKeeperLogs())
	}
	if s.Runs(cluster.Nginx) {
		own(permPrivate, path.Join(s.Layout.Nginx(), "run"))
	}
	return out
}

// Links lists the symbolic links: the logs of each component lead to the log directory, as upstream has it, and
// FATE-Flow looks for fate.env in the project base.
func Links(s *cluster.Spec) []Link {
	l := s.Layout
	var out []Link
	if s.HasEggroll() {
		out = append(out, Link{path.Join(l.Eggroll(), "logs"), l.ComponentLogs("eggroll")})
	}
	if s.Runs(cluster.FateFlow) {
		if l.Flat {
			out = append(out, Link{path.Join(l.Project(), "logs"), l.ComponentLogs("fateflow")})
		} else {
			out = append(out, Link{path.Join(l.Flow(), "logs"), l.ComponentLogs("fateflow")})
		}
	}
	if hasFlowConf(s) && !l.Flat {
		for _, name := range []string{"fate.env", "RELEASE.md", "examples"} {
			out = append(out, Link{path.Join(l.Project(), name), path.Join("fate", name)})
		}
	}
	if s.Runs(cluster.FateBoard) {
		out = append(out, Link{path.Join(l.Board(), "logs"), l.ComponentLogs("fateboard")})
	}
	return out
}

// RunsJava reports whether a program of this host is a JVM.
func RunsJava(s *cluster.Spec) bool {
	return slices.ContainsFunc(s.Modules(), cluster.Module.IsJVM)
}

// CallsTools reports whether a program of this host starts or stops workers by eggroll's scripts.
func CallsTools(s *cluster.Spec) bool { return s.Runs(cluster.NodeManager) || s.Runs(cluster.FateFlow) }
