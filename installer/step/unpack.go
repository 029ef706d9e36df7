package step

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"fate-installer/installer/engine"
	"fate-installer/installer/host"
)

// markerName is a file in the root of every unpacked tree. It comes into being with the tree, by the same rename,
// so that the two never disagree.
const markerName = ".fate-component.json"

// Unpack is a component of the payload as a directory. The directory appears complete, by one rename; a newer version
// replaces it the same way, and the old one is dropped when the whole run has succeeded. What the component did not
// bring moves along, and an undo leaves it. What is missing of the installed version, or was changed in it, is put back
// in its place, and nothing else is touched.
//
//	.name.fate-new   the tree that is being unpacked
//	.name.fate-old   the version before, until Commit
//	.name.fate-gone  what is being removed
type Unpack struct {
	Component string // name in the payload
	Version   string
	Digest    string // identifies the content; the installed component is right when its marker has the same
	Target    string
	Owner     string
	Group     string

	// Keep lists paths inside the tree that hold data made at run time, such as trained models. They move along to a
	// newer version, and Undo leaves them.
	Keep []string

	purge   bool // an undo keeps nothing
	removes bool // the tree goes, and not to another version: edits of the component's files stay like foreign files
}

// marker is the content of markerName.
type marker struct {
	Component string `json:"component"`
	Version   string `json:"version"`
	Digest    string `json:"digest"`
}

// unpackBefore is the state before Unpack.
type unpackBefore struct {
	Target  string     `json:"target"`
	Keep    []string   `json:"keep,omitempty"`
	Old     *marker    `json:"old,omitempty"` // the version that was installed
	Dir     *dirBefore `json:"dir,omitempty"` // the directory, when it existed, empty or with data only
	Parents []string   `json:"parents,omitempty"`
}

// ID implements [engine.Step].
func (u Unpack) ID() string { return kindUnpack + ":" + u.Target }

// Describe implements [engine.Describer].
func (u Unpack) Describe() string {
	return fmt.Sprintf("unpack %s %s into %s%s", u.Component, u.Version, u.Target, ownedBy(u.Owner, u.Group))
}

func aside(target, suffix string) string {
	return path.Join(path.Dir(target), "."+path.Base(target)+".fate-"+suffix)
}

func (u Unpack) staging() string { return aside(u.Target, "new") }
func (u Unpack) old() string     { return aside(u.Target, "old") }
func (u Unpack) gone() string    { return aside(u.Target, "gone") }

// Check implements [engine.Step].
func (u Unpack) Check(ctx context.Context, env *engine.Env) (engine.Finding, error) {
	before := unpackBefore{Target: u.Target, Keep: u.Keep}
	have, err := readMarker(env, u.Target)
	if err != nil {
		return engine.Finding{}, err
	}
	switch {
	case have == nil && env.Host.Exists(u.Target):
		if !u.onlyKept(env) {
			return engine.Finding{}, foreignError{u.Component, u.Target}
		}
		before.Dir, err = dirNow(env, u.Target)
		return todo("it is not installed, only its directory exists", before, u.Digest), err
	case have == nil:
		before.Parents, err = env.Host.MissingParents(path.Dir(u.Target))
		if err != nil {
			return engine.Finding{}, err
		}
		// A replacement that was cut off between its two renames: the version before is the one set aside.
		before.Old, err = readMarker(env, u.old())
		return todo("it is not installed", before, u.Digest), err
	case have.Digest != u.Digest:
		before.Old = have
		return todo(fmt.Sprintf("version %s is installed", have.Version), before, u.Digest), env.Host.NoMounts(u.Target)
	}
	left, err := u.leftBehind(env)
	if err != nil {
		return engine.Finding{}, err
	}
	if left != "" {
		before.Old, err = readMarker(env, u.old())
		return todo(left+" is still in the version before", before, u.Digest), err
	}
	before.Old = have
	return u.checkFiles(ctx, env, before)
}

// checkFiles looks at the files of the right version.
func (u Unpack) checkFiles(ctx context.Context, env *engine.Env, before unpackBefore) (engine.Finding, error) {
	inv, err := readInventory(env, u.Target)
	if err != nil {
		return engine.Finding{}, err
	}
	if inv == nil {
		return todo("its list of files is missing", before, u.Digest), nil
	}
	state, err := u.look(env, u.Target, inv)
	if err != nil {
		return engine.Finding{}, err
	}
	if len(state.Missing) == 0 && len(state.Changed) > 0 && hasNothing(env.Payload) {
		// The program works, and this program has nothing to put in the place of what was changed.
		note := "changed, and put back by the appliance's own file: " + names(state.Changed, 10)
		return engine.Finding{Done: true, Note: strings.TrimPrefix(state.note()+"; "+note, "; ")}, ctx.Err()
	}
	if state.damage() == "" {
		return engine.Finding{Done: true, Note: state.note()}, ctx.Err()
	}
	f := todo(state.damage(), before, u.Digest)
	f.Note = state.note()
	return f, ctx.Err()
}

// hasNothing reports whether a payload says that it has no components.
func hasNothing(p engine.Payload) bool {
	e, ok := p.(engine.EmptyPayload)
	return ok && e.IsEmpty()
}

// onlyKept reports whether the target holds nothing but what an uninstall leaves: data, files that an operator
// edited, and directories for them.
func (u Unpack) onlyKept(env *engine.Env) bool {
	left, err := readKept(env, u.Target)
	return err == nil && u.only(env, u.Target, slices.Concat(u.Keep, []string{ReplacedFiles, keptName},
		u.files(env), left))
}

func (u Unpack) only(env *engine.Env, dir string, keep []string) bool {
	entries, err := env.Host.ReadDir(dir)
	if err != nil {
		return false
	}
	for _, e := range entries {
		at := path.Join(dir, e.Name())
		rel := strings.TrimPrefix(at, u.Target+"/")
		if !slices.Contains(keep, rel) && (!e.IsDir() || !u.only(env, at, keep)) {
			return false
		}
	}
	return true
}

// TakesUp reports whether installing the component would take up what is in its directory: an unpacked component of
// ours, or nothing but what an uninstall leaves there.
func (u Unpack) TakesUp(env *engine.Env) bool {
	have, err := readMarker(env, u.Target)
	return err == nil && (have != nil || u.onlyKept(env))
}

// leftBehind returns a path of data, or of what the component did not bring, that has not been moved along yet.
func (u Unpack) leftBehind(env *engine.Env) (string, error) {
	for _, k := range u.kept() {
		if hasData(env, path.Join(u.old(), k)) {
			return k, nil
		}
	}
	moves, _, err := u.foreignMoves(env, u.old(), u.Target)
	if err != nil || len(moves) == 0 {
		return "", err
	}
	return moves[0], nil
}

// foreignError means that a directory of others is in the way.
type foreignError struct{ component, target string }

func (e foreignError) Error() string {
	return fmt.Sprintf("cannot install %s: %s exists and is not from this installer", e.component, e.target)
}

// Repeat says what to do before the command is run again.
func (e foreignError) Repeat() (before, after string) {
	return fmt.Sprintf("if it is not needed any more, rename it (mv %s %s.old), then", e.target, e.target), ""
}

// readMarker returns the marker of a tree, or nil when there is none.
func readMarker(env *engine.Env, dir string) (*marker, error) {
	data, err := env.Host.ReadFile(path.Join(dir, markerName))
	if notExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var m marker
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, fmt.Errorf("cannot tell which component is in %s: %w", dir, err)
	}
	return &m, nil
}

// Apply implements [engine.Step].
func (u Unpack) Apply(ctx context.Context, env *engine.Env) error {
	if err := u.resume(env); err != nil {
		return err
	}
	have, err := readMarker(env, u.Target)
	if err != nil {
		return err
	}
	if have != nil && have.Digest == u.Digest {
		err = u.mend(ctx, env)
	} else if err = u.stage(ctx, env); err != nil {
		err = errors.Join(err, env.Host.RemoveAll(u.staging()))
	} else {
		err = u.swap(env)
	}
	if err != nil {
		return err
	}
	if err := moveKept(env, u.kept(), u.old(), u.Target); err != nil {
		return err
	}
	return u.moveForeign(env, u.old(), u.Target)
}

// mend repairs the right version where it is damaged.
func (u Unpack) mend(ctx context.Context, env *engine.Env) error {
	inv, err := readInventory(env, u.Target)
	if err != nil {
		return err
	}
	if inv == nil {
		return u.repair(ctx, env, nil, TreeState{})
	}
	state, err := u.look(env, u.Target, inv)
	if err != nil || state.damage() == "" {
		return err
	}
	return u.repair(ctx, env, inv, state)
}

// resume finishes or reverts a replacement that was cut off, and clears what an unpacking that was cut off left.
func (u Unpack) resume(env *engine.Env) error {
	if !env.Host.Exists(u.Target) && env.Host.Exists(u.old()) {
		if err := env.Host.Rename(u.old(), u.Target); err != nil {
			return err
		}
	}
	if env.Host.Exists(u.gone()) { // of an undo that was cut off
		have, err := readMarker(env, u.Target)
		if err != nil {
			return err
		}
		u.removes = have == nil
		if err := u.undoGone(env); err != nil {
			return err
		}
	}
	return dropAside(env, u.Target, "new", "gone")
}

// dropAside removes what was made next to target with a suffix. An unpacking that was cut off may have left its own
// temporary names; they begin with the name it was given, but for dots.
func dropAside(env *engine.Env, target string, suffixes ...string) error {
	dir := path.Dir(target)
	entries, err := env.Host.ReadDir(dir)
	if notExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		ours := slices.ContainsFunc(suffixes, func(s string) bool {
			return strings.HasPrefix(strings.TrimLeft(e.Name(), "."), path.Base(target)+".fate-"+s)
		})
		if !ours {
			continue
		}
		if err := env.Host.RemoveAll(path.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// stage makes the complete new tree next to the target.
func (u Unpack) stage(ctx context.Context, env *engine.Env) error {
	if err := u.extract(ctx, env, nil); err != nil {
		return err
	}
	if err := u.dropForeign(env, u.staging()); err != nil {
		return err
	}
	inv, err := u.takeInventory(env, u.staging())
	if err != nil {
		return err
	}
	if err := writeInventory(env, u.staging(), inv); err != nil {
		return err
	}
	if err := u.carryEdits(env); err != nil {
		return err
	}
	if err := u.carryFiles(env); err != nil {
		return err
	}
	if err := u.clearForKept(env); err != nil {
		return err
	}
	// The marker says "complete". Everything before it is on disk: Extract has seen to that, and each file written
	// here.
	data, err := json.Marshal(marker{u.Component, u.Version, u.Digest})
	if err != nil {
		return err
	}
	return env.Host.WriteFile(path.Join(u.staging(), markerName), append(data, '\n'), host.FileMode{Perm: 0o644})
}

// files lists the files in the tree that File steps wrote and that are not undone, relative to the tree.
func (u Unpack) files(env *engine.Env) []string {
	var out []string
	for _, e := range env.Ledger.Entries() {
		if rel, ok := strings.CutPrefix(e.Step, kindFile+":"+u.Target+"/"); ok {
			out = append(out, rel)
		}
	}
	return out
}

// clearForKept removes from the new tree what the data of the old one will replace. After that, data in the new tree
// is data that was moved there, and nothing needs to be overwritten to move it either way.
func (u Unpack) clearForKept(env *engine.Env) error {
	for _, k := range u.kept() {
		if hasData(env, path.Join(u.Target, k)) {
			if err := env.Host.RemoveAll(path.Join(u.staging(), k)); err != nil {
				return err
			}
		}
	}
	return nil
}

// swap puts the staged tree in the place of the target.
func (u Unpack) swap(env *engine.Env) error {
	old, err := readMarker(env, u.Target)
	if err != nil {
		return err
	}
	if env.Host.Exists(u.Target) {
		if old == nil && !u.onlyKept(env) {
			return foreignError{u.Component, u.Target}
		}
		if err := u.dropOld(env); err != nil {
			return err
		}
		if err := env.Host.Rename(u.Target, u.old()); err != nil {
			return err
		}
	}
	return env.Host.Rename(u.staging(), u.Target)
}

// Commit implements [engine.Committer]: it drops the version before, and one that was cut off while it was unpacked.
func (u Unpack) Commit(_ context.Context, env *engine.Env) error {
	return errors.Join(u.dropOld(env), env.Host.RemoveAll(u.staging()))
}

// dropOld removes the version before, when all that is not its component's has been moved out of it.
func (u Unpack) dropOld(env *engine.Env) error {
	if !env.Host.Exists(u.old()) {
		return nil
	}
	if err := u.moveAll(env, u.old(), u.Target); err != nil {
		return err
	}
	if err := u.keepReplaced(env); err != nil {
		return err
	}
	return env.Host.RemoveAll(u.old())
}
