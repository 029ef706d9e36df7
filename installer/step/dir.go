package step

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

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

// MadeDir reports whether a Dir step, whose state before is raw, has made the directory.
func MadeDir(raw json.RawMessage) bool {
	before, err := decode[dirBefore](raw)
	return err == nil && len(before.Made) > 0
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
	mounts, err := env.Host.Mounts(before.Path)
	if err != nil {
		return err
	}
	if len(mounts) > 0 {
		return &engine.LeftError{What: before.Path, Why: "a file system is mounted on it"}
	}
	return dropParents(env, before.Made)
}

func undoDirMode(env *engine.Env, before dirBefore) error {
	now, err := dirNow(env, before.Path)
	if err != nil || now == nil || now.same(before) {
		return err
	}
	// A change that was cut off may have got as far as the owner or as the mode.
	known := []dirBefore{before}
	for _, mark := range env.Ledger.Wrote(Dir{Path: before.Path}.ID()) {
		known = append(known, parseMark(mark))
	}
	ours := slices.ContainsFunc(known, func(k dirBefore) bool { return k.Perm == now.Perm }) &&
		slices.ContainsFunc(known, func(k dirBefore) bool { return k.Owner == now.Owner }) &&
		slices.ContainsFunc(known, func(k dirBefore) bool { return k.Group == now.Group })
	if !ours {
		return &engine.LeftError{What: before.Path, Why: "its mode or owner was changed after it was installed"}
	}
	return env.Host.SetMode(now.Path, before.mode())
}

func (b dirBefore) mode() host.FileMode {
	return host.FileMode{Perm: parseOctal(b.Perm), Owner: b.Owner, Group: b.Group}
}

// dirNow describes a directory, under its own name when path is a link. It is nil when there is none.
func dirNow(env *engine.Env, path string) (*dirBefore, error) {
	real, err := env.Host.Resolve(path)
	if err != nil {
		return nil, err
	}
	fi, err := env.Host.Lstat(real)
	if notExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	owner, group, err := env.Host.Owner(real)
	return &dirBefore{Path: real, Perm: octal(fi.Mode()), Owner: owner, Group: group}, err
}

func (b dirBefore) same(o dirBefore) bool {
	return b.Perm == o.Perm && b.Owner == o.Owner && b.Group == o.Group
}

// parseMark is the inverse of modeMark.
func parseMark(mark string) dirBefore {
	perm, owners, _ := strings.Cut(mark, " ")
	owner, group, _ := strings.Cut(owners, ":")
	return dirBefore{Perm: perm, Owner: owner, Group: group}
}

// Remains implements [engine.Remainer].
func (Dir) Remains(_ context.Context, env *engine.Env, raw json.RawMessage) ([]string, error) {
	before, err := decode[dirBefore](raw)
	if err != nil {
		return nil, err
	}
	if len(before.Made) == 0 {
		now, err := dirNow(env, before.Path)
		if err != nil || now == nil || now.same(before) {
			return nil, err
		}
		return []string{"mode or owner of " + before.Path}, nil
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
