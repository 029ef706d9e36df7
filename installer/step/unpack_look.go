package step

import (
	"io/fs"
	"iter"
	"maps"
	"path"
	"slices"
	"strings"

	"fate-installer/installer/engine"
)

// TreeState lists the differences of a component's tree from the component. Paths are relative to the tree and sorted;
// a directory ends with a slash. Data, files that other steps write, and Python's caches are not in it.
type TreeState struct {
	Missing []string `json:"missing,omitempty"` // paths that the component brought and that are gone
	Changed []string `json:"changed,omitempty"` // programs, libraries and code
	Edited  []string `json:"edited,omitempty"`  // configuration, which stays as an operator edited it
	Foreign []string `json:"foreign,omitempty"` // what the component did not bring
	// mount points, and links to directories: what is in them is not looked at
	Passed []string `json:"passed,omitempty"`
}

// looker is a look at one tree.
type looker struct {
	u      Unpack
	env    *engine.Env
	root   string
	inv    inventory
	steps  map[string]bool // paths that other steps see to
	dirs   map[string]bool // directories that the component or another step has
	mounts []string
	there  map[string]bool
	later  []string // directories that are not looked into yet
	state  TreeState
}

// look compares a tree at root, which is u.Target or the tree of another version of it, with its list.
func (u Unpack) look(env *engine.Env, root string, inv inventory) (TreeState, error) {
	l := looker{
		u: u, env: env, root: root, inv: inv, there: map[string]bool{}, steps: u.stepPaths(env),
		dirs: map[string]bool{},
	}
	mounts, err := env.Host.Mounts(root)
	if err != nil {
		return TreeState{}, err
	}
	for _, m := range mounts {
		if rel, ok := strings.CutPrefix(m, root+"/"); ok {
			l.mounts = append(l.mounts, rel)
		}
	}
	for _, paths := range []iter.Seq[string]{maps.Keys(inv), maps.Keys(l.steps), slices.Values(u.Keep)} {
		for name := range paths {
			for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
				l.dirs[dir] = true
			}
			if inv[name].kind == 'd' {
				l.dirs[name] = true
			}
		}
	}
	for l.later = []string{""}; len(l.later) > 0; {
		dir := l.later[len(l.later)-1]
		l.later = l.later[:len(l.later)-1]
		if err := l.list(dir); err != nil {
			return TreeState{}, err
		}
	}
	l.findMissing()
	for _, list := range [][]string{l.state.Missing, l.state.Changed, l.state.Edited, l.state.Foreign, l.state.Passed} {
		slices.Sort(list)
	}
	return l.state, nil
}

// stepPaths are the paths in the tree that other steps have made and that are not undone.
func (u Unpack) stepPaths(env *engine.Env) map[string]bool {
	out := map[string]bool{}
	for _, e := range env.Ledger.Entries() {
		if _, at, ok := strings.Cut(e.Step, ":"); ok {
			if rel, ok := strings.CutPrefix(at, u.Target+"/"); ok {
				out[rel] = true
			}
		}
	}
	return out
}

// list looks at the entries of a directory. Those in it are looked into later, so that no more than one is open.
func (l *looker) list(dir string) error {
	err := l.env.Host.EachEntry(path.Join(l.root, dir), func(e fs.DirEntry) error {
		at := path.Join(dir, e.Name())
		if l.u.isOwn(at) || isTemporary(e.Name()) || e.IsDir() && e.Name() == pythonCache {
			return nil
		}
		return l.entry(at, e)
	})
	if dir != "" && notExist(err) { // removed since its parent was read
		delete(l.there, dir)
		return nil
	}
	return err
}

// isTemporary reports whether a name is one that a write or a copy of ours has before it is complete.
func isTemporary(name string) bool {
	return strings.HasPrefix(name, ".") && strings.HasSuffix(name, ".fate-tmp")
}

func (l *looker) entry(at string, e fs.DirEntry) error {
	want, known := l.inv[at]
	l.there[at] = true
	switch {
	case slices.Contains(l.mounts, at):
		l.state.Passed = append(l.state.Passed, at)
	case e.IsDir() && l.dirs[at]:
		l.later = append(l.later, at)
	case e.IsDir() && known:
		l.state.Changed = append(l.state.Changed, at+"/")
	case e.IsDir() && l.steps[at]:
		l.later = append(l.later, at)
	case e.IsDir():
		l.state.Foreign = append(l.state.Foreign, at+"/")
	case l.steps[at]:
		l.state.hide(l, at)
	case l.dirs[at] && l.leadsToDirectory(at, e):
		l.state.Passed = append(l.state.Passed, at)
	case l.dirs[at]:
		l.state.Changed = append(l.state.Changed, at)
	case known:
		return l.compare(at, e, want)
	case l.isNewVersion(at), e.Type()&(fs.ModeSocket|fs.ModeNamedPipe) != 0: // programs make sockets and pipes
	default:
		l.state.Foreign = append(l.state.Foreign, at)
	}
	return nil
}

// hide is for a link that a step made in the place of a directory of the component.
func (s *TreeState) hide(l *looker, at string) {
	if l.dirs[at] {
		l.mounts = append(l.mounts, at)
	}
}

func (l *looker) leadsToDirectory(at string, e fs.DirEntry) bool {
	if e.Type()&fs.ModeSymlink == 0 {
		return false
	}
	fi, err := l.env.Host.Stat(path.Join(l.root, at))
	return err == nil && fi.IsDir()
}

// isNewVersion reports whether a file is the version of ours next to an edited one.
func (l *looker) isNewVersion(at string) bool {
	original, ok := strings.CutSuffix(at, NewSuffix)
	_, known := l.inv[original]
	return ok && (known || l.steps[original])
}

func (l *looker) compare(at string, e fs.DirEntry, want listed) error {
	if want.kind == 0 {
		return nil
	}
	have, err := listEntry(l.env, path.Join(l.root, at), e)
	if notExist(err) { // removed since the directory was read
		delete(l.there, at)
		return nil
	}
	if err != nil {
		return err
	}
	same := have.kind == want.kind && have.size == want.size && have.mtime == want.mtime && have.target == want.target
	switch {
	case same && (want.perm&0o100 == 0 || have.perm&0o100 != 0):
	case !same && have.kind == 'f' && isConfiguration(at):
		l.state.Edited = append(l.state.Edited, at)
	default:
		l.state.Changed = append(l.state.Changed, at)
	}
	return nil
}

// configurationSuffixes end the names of files that operators and FATE's own tools edit in a component's tree, such as
// an ssh.properties and the client's settings.yaml.
var configurationSuffixes = []string{".properties", ".yaml", ".yml", ".json", ".conf", ".cnf", ".cfg", ".ini",
	".toml", ".xml", ".env"}

func isConfiguration(name string) bool { return slices.Contains(configurationSuffixes, path.Ext(name)) }

// findMissing lists what the component brought and is not there. What another step sees to is not looked for, nor what
// is in a mounted file system or behind a link.
func (l *looker) findMissing() {
	for name, what := range l.inv {
		if l.there[name] || l.steps[name] || l.isHidden(name) {
			continue
		}
		if what.kind == 'd' {
			name += "/"
		}
		l.state.Missing = append(l.state.Missing, name)
	}
}

func (l *looker) isHidden(name string) bool {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if slices.Contains(l.state.Passed, dir) || slices.Contains(l.mounts, dir) {
			return true
		}
	}
	return false
}

// Look tells what of the installed tree is not as the component brought it. It changes nothing. Without a list of what
// the component brought, as before the first installation, nothing is reported.
func (u Unpack) Look(env *engine.Env) (TreeState, error) {
	inv, err := readInventory(env, u.Target)
	if inv == nil || err != nil {
		return TreeState{}, err
	}
	return u.look(env, u.Target, inv)
}

// note says what stays although the component did not bring it, or not like that; empty when there is nothing.
func (s TreeState) note() string {
	const shown = 10
	var parts []string
	if len(s.Foreign) > 0 {
		parts = append(parts, "kept, not from the appliance: "+names(s.Foreign, shown))
	}
	if len(s.Edited) > 0 {
		parts = append(parts, "kept as edited: "+names(s.Edited, shown))
	}
	if len(s.Passed) > 0 {
		parts = append(parts, "not looked into, a mount point or a link: "+names(s.Passed, shown))
	}
	return strings.Join(parts, "; ")
}

// damage says why the tree has to be repaired; empty when it need not be.
func (s TreeState) damage() string {
	const shown = 3
	var parts []string
	if len(s.Missing) > 0 {
		parts = append(parts, "files of it are missing: "+names(s.Missing, shown))
	}
	if len(s.Changed) > 0 {
		parts = append(parts, "files of it were changed: "+names(s.Changed, shown))
	}
	return strings.Join(parts, "; ")
}
