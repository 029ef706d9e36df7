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
	for _, logs := range s.LogDirs() {
		if !slices.ContainsFunc(out, func(d Directory) bool { return d.Path == logs }) {
			own(permPrivate, logs)
		}
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
	add := func(place, target string) {
		if link := (Link{place, target}); !slices.Contains(out, link) {
			out = append(out, link)
		}
	}
	if s.HasEggroll() {
		add(path.Join(l.Eggroll(), "logs"), l.ComponentLogs("eggroll"))
	}
	addProject := func() {
		if hasFlowConf(s) && !l.Flat {
			for _, name := range []string{"fate.env", "RELEASE.md", "examples"} {
				add(path.Join(l.Project(), name), path.Join("fate", name))
			}
		}
	}
	for _, link := range s.LogLinks() {
		add(link.Path, link.Logs)
		if link.Module == cluster.FateFlow {
			addProject()
		}
	}
	addProject()
	return out
}

// RunsJava reports whether a program of this host is a JVM.
func RunsJava(s *cluster.Spec) bool {
	return slices.ContainsFunc(s.Modules(), cluster.Module.IsJVM)
}

// CallsTools reports whether a program of this host starts or stops workers by eggroll's scripts.
func CallsTools(s *cluster.Spec) bool { return s.Runs(cluster.NodeManager) || s.Runs(cluster.FateFlow) }
