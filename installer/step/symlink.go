package step

import (
	"context"
	"encoding/json"
	"fmt"

	"fate-installer/installer/engine"
)

// Symlink is a symbolic link. An existing link is replaced in one step, so that Path leads somewhere at every
// moment; a file or directory in its place is an error.
type Symlink struct {
	Path   string
	Target string
	Owner  string
	Group  string
}

// ID implements [engine.Step].
func (s Symlink) ID() string { return kindSymlink + ":" + s.Path }

// Describe implements [engine.Describer].
func (s Symlink) Describe() string { return fmt.Sprintf("link %s -> %s", s.Path, s.Target) }

// Check implements [engine.Step].
func (s Symlink) Check(_ context.Context, env *engine.Env) (engine.Finding, error) {
	now, err := hashState(env, s.Path)
	if err != nil {
		return engine.Finding{}, err
	}
	switch {
	case now.Kind == isFile:
		return engine.Finding{}, fmt.Errorf("cannot make link %s: a file is in its place", s.Path)
	case now.Kind == absent:
		return todo("it does not exist", now, s.Target), nil
	case now.Target != s.Target:
		return todo("it leads to "+now.Target, now, s.Target), nil
	case !sameUser(env.Host, s.Owner, now.Owner) || !sameGroup(env.Host, s.Group, now.Group):
		return todo("its owner is "+now.Owner+":"+now.Group, now, s.Target), nil
	}
	return engine.Finding{Done: true}, nil
}

// Apply implements [engine.Step].
func (s Symlink) Apply(_ context.Context, env *engine.Env) error {
	if err := makeParents(env, s.Path); err != nil {
		return err
	}
	if err := env.Host.Symlink(s.Target, s.Path); err != nil {
		return err
	}
	return env.Host.Chown(s.Path, s.Owner, s.Group)
}

// Undo implements [engine.Undoer].
func (Symlink) Undo(_ context.Context, env *engine.Env, raw json.RawMessage) error {
	before, err := decode[prior](raw)
	if err != nil {
		return err
	}
	return before.putBack(env, env.Ledger.Wrote(Symlink{Path: before.Path}.ID()))
}

// Remains implements [engine.Remainer].
func (Symlink) Remains(_ context.Context, env *engine.Env, raw json.RawMessage) ([]string, error) {
	before, err := decode[prior](raw)
	if err != nil {
		return nil, err
	}
	return before.remains(env, env.Ledger.Wrote(Symlink{Path: before.Path}.ID()))
}
