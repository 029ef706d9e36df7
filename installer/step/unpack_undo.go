package step

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"fate-installer/installer/engine"
)

// Undo implements [engine.Undoer]. It brings the version before back, or removes the tree but for its data.
func (Unpack) Undo(_ context.Context, env *engine.Env, raw json.RawMessage) error {
	before, err := decode[unpackBefore](raw)
	if err != nil {
		return err
	}
	u := Unpack{Target: before.Target, Keep: before.Keep}
	switch {
	case env.Purge:
		u.Keep, u.purge = nil, true
	case before.Old == nil:
		u.removes = true
		u.Keep = union(u.Keep, u.files(env)) // what the undo of a File left was edited
	}
	if err := u.undoResume(env, before.Old == nil); err != nil {
		return err
	}
	if before.Old != nil {
		return u.undoReplace(env, *before.Old)
	}
	return u.undoInstall(env, before)
}

// undoResume brings the data of all trees that a cut-off Apply or Undo may have left into one.
func (u Unpack) undoResume(env *engine.Env, install bool) error {
	switch {
	case !env.Host.Exists(u.old()):
	case !env.Host.Exists(u.Target):
		if err := env.Host.Rename(u.old(), u.Target); err != nil {
			return err
		}
	case install: // what was set aside was a directory with data only
		drop := u.dropOld
		if u.purge {
			drop = func(env *engine.Env) error { return env.Host.RemoveAll(u.old()) }
		}
		if err := drop(env); err != nil {
			return err
		}
	}
	if err := u.undoGone(env); err != nil {
		return err
	}
	return dropAside(env, u.Target, "new", "gone")
}

func (u Unpack) undoReplace(env *engine.Env, old marker) error {
	have, err := readMarker(env, u.Target)
	if err != nil {
		return err
	}
	if have != nil && have.Digest == old.Digest && !env.Host.Exists(u.old()) {
		return nil
	}
	aside, err := readMarker(env, u.old())
	if err != nil {
		return err
	}
	if aside == nil || aside.Digest != old.Digest {
		return fmt.Errorf("cannot bring back version %s of %s: it was removed", old.Version, u.Target)
	}
	if err := u.moveAll(env, u.Target, u.old()); err != nil {
		return err
	}
	if env.Host.Exists(u.Target) {
		if err := env.Host.Rename(u.Target, u.gone()); err != nil {
			return err
		}
	}
	if err := env.Host.Rename(u.old(), u.Target); err != nil {
		return err
	}
	return env.Host.RemoveAll(u.gone())
}

func (u Unpack) undoInstall(env *engine.Env, before unpackBefore) error {
	have, err := readMarker(env, u.Target)
	if err != nil {
		return err
	}
	if have == nil && before.Dir == nil {
		if err := u.dropRestored(env); err != nil {
			return err
		}
	}
	if have == nil && env.Purge && (Unpack{Target: u.Target, Keep: before.Keep}).onlyKept(env) {
		if err := env.Host.RemoveAll(u.Target); err != nil {
			return err
		}
	}
	if have != nil {
		if !slices.Contains(env.Ledger.Wrote(u.ID()), have.Digest) {
			return &engine.LeftError{What: u.Target, Why: "another version was put there"}
		}
		if err := u.remove(env); err != nil {
			return err
		}
	}
	if before.Dir != nil {
		if err := env.Host.MkdirAll(u.Target, before.Dir.mode()); err != nil {
			return err
		}
		if err := env.Host.SetMode(u.Target, before.Dir.mode()); err != nil {
			return err
		}
	}
	if hasData(env, u.Target) {
		return &engine.LeftError{What: u.Target, Why: "it holds data", Data: true}
	}
	if before.Dir != nil {
		return nil
	}
	if err := env.Host.Remove(u.Target); err != nil {
		return err
	}
	return dropParents(env, before.Parents)
}

// remove removes the tree but for its data and for what the component did not bring.
func (u Unpack) remove(env *engine.Env) error {
	if !u.purge {
		foreign, err := u.foreignIn(env, u.Target)
		if err != nil {
			return err
		}
		if err := u.writeKept(env, foreign); err != nil {
			return err
		}
	}
	if err := env.Host.Rename(u.Target, u.gone()); err != nil {
		return err
	}
	if !u.purge {
		if err := moveKept(env, []string{keptName}, u.gone(), u.Target); err != nil {
			return err
		}
	}
	if err := u.moveAll(env, u.gone(), u.Target); err != nil {
		return err
	}
	return env.Host.RemoveAll(u.gone())
}

// Remains implements [engine.Remainer].
func (Unpack) Remains(_ context.Context, env *engine.Env, raw json.RawMessage) ([]string, error) {
	before, err := decode[unpackBefore](raw)
	if err != nil {
		return nil, err
	}
	u := Unpack{Target: before.Target}
	var out []string
	for _, dir := range []string{u.staging(), u.old(), u.gone()} {
		if env.Host.Exists(dir) {
			out = append(out, dir)
		}
	}
	have, err := readMarker(env, u.Target)
	switch {
	case have != nil && (before.Old == nil || before.Old.Digest != have.Digest):
		out = append(out, fmt.Sprintf("%s (%s %s)", u.Target, have.Component, have.Version))
	case have == nil && before.Dir == nil && env.Host.Exists(u.Target):
		out = append(out, u.Target+" (data)")
	}
	return out, err
}

// moveAll moves data and what no component brought from one tree to another, unless everything goes.
func (u Unpack) moveAll(env *engine.Env, from, to string) error {
	if u.purge {
		return nil
	}
	if err := moveKept(env, u.kept(), from, to); err != nil {
		return err
	}
	return u.moveForeign(env, from, to)
}

// undoGone saves what a tree that is being removed still holds. Without its list its removal has begun, and what the
// component did not bring has been moved before.
func (u Unpack) undoGone(env *engine.Env) error {
	if u.purge || !env.Host.Exists(u.gone()) {
		return nil
	}
	inv, err := readInventory(env, u.gone())
	if err != nil {
		return err
	}
	if err := moveKept(env, union(u.kept(), []string{keptName}), u.gone(), u.Target); err != nil || inv == nil {
		return err
	}
	return u.moveForeign(env, u.gone(), u.Target)
}

// dropRestored removes what the undo of a File step has put back into a tree that is gone: the component's own file.
// That is so after an undo that was cut off.
func (u Unpack) dropRestored(env *engine.Env) error {
	for _, rel := range u.restored(env, u.Target) {
		at := path.Join(u.Target, rel)
		if err := env.Host.Remove(at); err != nil {
			return err
		}
		dir := path.Dir(at)
		for ; dir != path.Dir(u.Target) && !hasData(env, dir); dir = path.Dir(dir) {
			if err := env.Host.Remove(dir); err != nil {
				return err
			}
		}
	}
	return nil
}

// restored lists the files in the tree, which is at root, that are as the undo of a File step has put them back.
func (u Unpack) restored(env *engine.Env, root string) []string {
	var out []string
	for _, e := range env.Ledger.History() {
		at, ok := strings.CutPrefix(e.Step, kindFile+":")
		rel, inTree := strings.CutPrefix(at, u.Target+"/")
		if !ok || !inTree || !e.Undone {
			continue
		}
		before, err := decode[prior](e.Before)
		if err != nil || before.Kind != isFile {
			continue
		}
		now, err := hashState(env, path.Join(root, rel))
		if err == nil && now.Kind == isFile && now.Hash == before.Hash {
			out = append(out, rel)
		}
	}
	return out
}
