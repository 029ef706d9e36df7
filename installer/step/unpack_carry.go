package step

import (
	"bytes"
	"path"
	"slices"
	"strings"

	"fate-installer/installer/engine"
)

// dropForeign removes from a tree that was kept, as the slot of an earlier version, what did not come with its
// component: the present tree has the present state of that.
func (u Unpack) dropForeign(env *engine.Env, root string) error {
	inv, err := readInventory(env, root)
	if inv == nil || err != nil {
		return err
	}
	state, err := u.look(env, root, inv)
	if err != nil {
		return err
	}
	for _, rel := range state.Foreign {
		if err := env.Host.RemoveAll(path.Join(root, strings.TrimSuffix(rel, "/"))); err != nil {
			return err
		}
	}
	return nil
}

// carryEdits makes the new tree have the configuration files of the component that an operator edited, as they are now.
// The version of the new component is put next to each that it has.
func (u Unpack) carryEdits(env *engine.Env) error {
	edits, err := u.edits(env)
	if err != nil {
		return err
	}
	for _, rel := range edits {
		from, to := path.Join(u.Target, rel), path.Join(u.staging(), rel)
		_, edited, err := readState(env, from)
		if err != nil {
			return err
		}
		ours, content, err := readState(env, to)
		if err != nil {
			return err
		}
		if ours.Kind == isFile && !bytes.Equal(content, edited) {
			if err := env.Host.WriteFile(to+NewSuffix, content, ours.mode()); err != nil {
				return err
			}
		}
		if err := makeDirsLike(env, path.Dir(rel), u.Target, u.staging()); err != nil {
			return err
		}
		if err := carryFile(env, from, to); err != nil {
			return err
		}
	}
	return nil
}

// edits lists the configuration files of the component that an operator edited, in its tree or in what an uninstall
// left.
func (u Unpack) edits(env *engine.Env) ([]string, error) {
	inv, err := readInventory(env, u.Target)
	if err != nil {
		return nil, err
	}
	if inv != nil {
		state, err := u.look(env, u.Target, inv)
		return state.Edited, err
	}
	left, err := readKept(env, u.Target)
	return slices.DeleteFunc(left, func(rel string) bool {
		fi, err := env.Host.Lstat(path.Join(u.Target, rel))
		return err != nil || !fi.Mode().IsRegular() || !isConfiguration(rel) ||
			!env.Host.Exists(path.Join(u.staging(), rel))
	}), err
}

// carryFiles makes the new tree have, of the files that File steps wrote into it, the version that was there: an
// operator's edit survives, and the File step sees its own work and updates it. What the component brings under such
// a name would otherwise look like an edit.
func (u Unpack) carryFiles(env *engine.Env) error {
	for _, rel := range u.files(env) {
		file := path.Join(u.Target, rel)
		if !env.Ledger.Completed(File{Path: file}.ID()) {
			continue
		}
		if err := carryFile(env, file, path.Join(u.staging(), rel)); err != nil {
			return err
		}
	}
	return nil
}

func carryFile(env *engine.Env, from, to string) error {
	now, content, err := readState(env, from)
	if err != nil {
		return err
	}
	if now.Kind != isFile {
		return env.Host.Remove(to)
	}
	if err := makeParents(env, to); err != nil {
		return err
	}
	return env.Host.WriteFile(to, content, now.mode())
}
