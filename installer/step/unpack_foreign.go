package step

import (
	"path"
	"slices"
	"strings"

	"fate-installer/installer/engine"
	"fate-installer/installer/host"
)

// keptName is a file in what an uninstall left of a tree: the entries that the component had not brought, one a line.
// The next installation carries them into its tree.
const keptName = ".fate-component.kept"

// foreignIn lists what is in the tree at root and did not come with a component. A tree without a marker is what an
// uninstall left: then it is everything. A tree without a list cannot tell, and has none.
func (u Unpack) foreignIn(env *engine.Env, root string) ([]string, error) {
	inv, err := readInventory(env, root)
	if err != nil || !env.Host.Exists(root) {
		return nil, err
	}
	if inv == nil {
		marked, err := readMarker(env, root)
		if err != nil || marked != nil {
			return nil, err
		}
		inv = inventory{}
	}
	state, err := u.look(env, root, inv)
	if u.removes {
		ours := u.restored(env, root)
		edited := slices.DeleteFunc(state.Edited, func(rel string) bool { return slices.Contains(ours, rel) })
		return slices.Concat(state.Foreign, edited), err
	}
	return state.Foreign, err
}

// foreignMoves lists what of the foreign entries of one tree can be moved to another, and what cannot because the other
// has something of that name. The names that can be moved are moved whole.
func (u Unpack) foreignMoves(env *engine.Env, from, to string) (moves, conflicts []string, err error) {
	foreign, err := u.foreignIn(env, from)
	if err != nil {
		return nil, nil, err
	}
	var plan func(rel string) error
	plan = func(rel string) error {
		src, err := env.Host.Lstat(path.Join(from, rel))
		if err != nil {
			return err
		}
		dst, err := env.Host.Lstat(path.Join(to, rel))
		switch {
		case notExist(err):
			moves = append(moves, rel)
			return nil
		case err != nil:
			return err
		case !src.IsDir() || !dst.IsDir():
			same := src.Mode().IsRegular() && dst.Mode().IsRegular()
			if same {
				same, err = sameContent(env.Host, path.Join(from, rel), path.Join(to, rel))
			}
			if !same {
				conflicts = append(conflicts, rel)
			}
			return err
		}
		entries, err := env.Host.ReadDir(path.Join(from, rel))
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := plan(path.Join(rel, e.Name())); err != nil {
				return err
			}
		}
		return nil
	}
	for _, rel := range foreign {
		if err := plan(strings.TrimSuffix(rel, "/")); err != nil {
			return nil, nil, err
		}
	}
	return moves, conflicts, nil
}

// moveForeign moves the foreign entries of one tree to another, and leaves those for which there is no place.
func (u Unpack) moveForeign(env *engine.Env, from, to string) error {
	moves, _, err := u.foreignMoves(env, from, to)
	if err != nil {
		return err
	}
	for _, rel := range moves {
		if err := makeDirsLike(env, path.Dir(rel), from, to); err != nil {
			return err
		}
		if err := env.Host.Rename(path.Join(from, rel), path.Join(to, rel)); err != nil {
			return err
		}
	}
	return nil
}

// keepReplaced saves, before the version before is dropped, what an operator had changed in it and what has no place in
// the new one.
func (u Unpack) keepReplaced(env *engine.Env) error {
	old := u.old()
	if !env.Host.Exists(old) {
		return nil
	}
	inv, err := readInventory(env, old)
	if err != nil {
		return err
	}
	var state TreeState
	if inv != nil {
		if state, err = u.look(env, old, inv); err != nil {
			return err
		}
	}
	_, conflicts, err := u.foreignMoves(env, old, u.Target)
	if err != nil {
		return err
	}
	// The version is the name, so that a run that was cut off here goes on in the same directory.
	aside := path.Join(u.Target, ReplacedFiles, "kept-by-uninstall")
	if m, err := readMarker(env, old); err != nil {
		return err
	} else if m != nil {
		aside = path.Join(u.Target, ReplacedFiles, "version-"+m.Version)
	}
	for _, rel := range slices.Concat(state.Changed, conflicts) {
		rel = strings.TrimSuffix(rel, "/")
		if !env.Host.Exists(path.Join(old, rel)) {
			continue
		}
		if err := moveInto(env, u, path.Join(old, rel), path.Join(aside, rel)); err != nil {
			return err
		}
	}
	return nil
}

// writeKept lists what an uninstall leaves in the tree that the component had not brought.
func (u Unpack) writeKept(env *engine.Env, foreign []string) error {
	if len(foreign) == 0 {
		return nil
	}
	var b strings.Builder
	for _, rel := range foreign {
		if rel = strings.TrimSuffix(rel, "/"); !strings.Contains(rel, "\n") {
			b.WriteString(rel + "\n")
		}
	}
	return env.Host.WriteFile(path.Join(u.Target, keptName), []byte(b.String()), host.FileMode{Perm: 0o644})
}

// readKept reads what writeKept wrote.
func readKept(env *engine.Env, dir string) ([]string, error) {
	text, err := env.Host.ReadFile(path.Join(dir, keptName))
	if notExist(err) {
		return nil, nil
	}
	return strings.FieldsFunc(string(text), func(r rune) bool { return r == '\n' }), err
}
