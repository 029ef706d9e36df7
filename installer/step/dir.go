package step

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"fate-installer/installer/engine"
	"fate-installer/installer/host"
)

// Dir is a directory with its mode. An administrator may have made it a link to a directory elsewhere.
type Dir struct {
	Path  string
	Perm  fs.FileMode // 0: 0755
	Owner string
	Group string
}

// dirBefore is the state before Dir.
type dirBefore struct {
	Path  string   `json:"path"`
	Made  []string `json:"made,omitempty"` // directories that did not exist, outermost first; the last is Path
	Perm  string   `json:"perm,omitempty"`
	Owner string   `json:"owner,omitempty"`
	Group string   `json:"group,omitempty"`
}

// ID implements [engine.Step].
func (d Dir) ID() string { return kindDir + ":" + d.Path }

// Describe implements [engine.Describer].
func (d Dir) Describe() string {
	return fmt.Sprintf("directory %s, mode %s%s", d.Path, octal(d.mode().Perm), ownedBy(d.Owner, d.Group))
}

func (d Dir) mode() host.FileMode {
	perm := d.Perm
	if perm == 0 {
		perm = 0o755
	}
	return host.FileMode{Perm: perm, Owner: d.Owner, Group: d.Group}
}

// Check implements [engine.Step].
func (d Dir) Check(_ context.Context, env *engine.Env) (engine.Finding, error) {
	fi, err := env.Host.Stat(d.Path)
	if errors.Is(err, fs.ErrNotExist) {
		if env.Host.Exists(d.Path) {
			return engine.Finding{}, fmt.Errorf("cannot make directory %s: it is a link to nowhere", d.Path)
		}
		made, err := env.Host.MissingParents(d.Path)
		return todo("it does not exist", dirBefore{Path: d.Path, Made: made}, ""), err
	}
	if err != nil {
		return engine.Finding{}, err
	}
	if !fi.IsDir() {
		return engine.Finding{}, fmt.Errorf("cannot make directory %s: a file is in its place", d.Path)
	}
	real, err := env.Host.Resolve(d.Path)
	if err != nil {
		return engine.Finding{}, err
	}
	owner, group, err := env.Host.Owner(real)
	if err != nil {
		return engine.Finding{}, err
	}
	why := modeDiffers(env.Host, fi.Mode(), owner, group, d.mode())
	if why == "" {
		return engine.Finding{Done: true}, nil
	}
	before := dirBefore{Path: d.Path, Perm: octal(fi.Mode()), Owner: owner, Group: group}
	return todo(why, before, d.mark(owner, group)), nil
}

// mark is the mode that the directory will have, by which Undo recognises it. An owner that is not wanted to change
// stays as it is.
func (d Dir) mark(owner, group string) string {
	return modeMark(d.mode().Perm, cmp.Or(d.Owner, owner), cmp.Or(d.Group, group))
}

func modeMark(perm fs.FileMode, owner, group string) string {
	return octal(perm) + " " + owner + ":" + group
}

// Apply implements [engine.Step].
func (d Dir) Apply(_ context.Context, env *engine.Env) error {
	if err := env.Host.MkdirAll(d.Path, host.FileMode{Perm: 0o755}); err != nil {
		return err
	}
	real, err := env.Host.Resolve(d.Path)
	if err != nil {
		return err
	}
	return env.Host.SetMode(real, d.mode())
}

// Undo implements [engine.Undoer]. A directory that is not empty is left: what is in it is not ours.
func (Dir) Undo(_ context.Context, env *engine.Env, raw json.RawMessage) error {
	before, err := decode[dirBefore](raw)
	if err != nil {
		return err
	}
	if len(before.Made) == 0 {
		return undoDirMode(env, before)
	}
	if entries, err := env.Host.ReadDir(before.Path); err == nil && len(entries) > 0 {
		return &engine.LeftError{What: before.Path, Why: "it is not empty"}
	}
	return dropParents(env, before.Made)
}

func undoDirMode(env *engine.Env, before dirBefore) error {
	real, err := env.Host.Resolve(before.Path)
	if err != nil {
		return err
	}
	fi, err := env.Host.Lstat(real)
	if notExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	owner, group, err := env.Host.Owner(real)
	if err != nil {
		return err
	}
	now := modeMark(fi.Mode(), owner, group)
	if now == modeMark(parseOctal(before.Perm), before.Owner, before.Group) {
		return nil
	}
	if !slices.Contains(env.Ledger.Wrote(Dir{Path: before.Path}.ID()), now) {
		return &engine.LeftError{What: before.Path, Why: "its mode or owner was changed after it was installed"}
	}
	return env.Host.SetMode(real, host.FileMode{Perm: parseOctal(before.Perm), Owner: before.Owner, Group: before.Group})
}

// Remains implements [engine.Remainer].
func (Dir) Remains(_ context.Context, env *engine.Env, raw json.RawMessage) ([]string, error) {
	before, err := decode[dirBefore](raw)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, dir := range before.Made {
		if env.Host.Exists(dir) {
			out = append(out, dir)
		}
	}
	return out, nil
}

func ownedBy(owner, group string) string {
	if owner == "" && group == "" {
		return ""
	}
	return fmt.Sprintf(", owner %s:%s", owner, group)
}
