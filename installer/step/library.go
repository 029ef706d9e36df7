package step

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"fate-installer/installer/engine"
)

// CompatLibrary is a second name for a shared library: programs built on one distribution ask for libssl.so.10, and
// another has the same code as libssl.so.1.0.0. A library that is there under the name is left alone.
type CompatLibrary struct {
	Path       string   // the name that is asked for, with its directory
	Candidates []string // names in the same directory, best first
}

// ID implements [engine.Step].
func (c CompatLibrary) ID() string { return kindLibrary + ":" + c.Path }

// Describe implements [engine.Describer].
func (c CompatLibrary) Describe() string {
	return fmt.Sprintf("library %s as a link to %s", c.Path, strings.Join(c.Candidates, " or "))
}

// candidate returns the first candidate that is there, or "".
func (c CompatLibrary) candidate(env *engine.Env) string {
	for _, name := range c.Candidates {
		if _, err := env.Host.Stat(path.Join(path.Dir(c.Path), name)); err == nil {
			return name
		}
	}
	return ""
}

// Check implements [engine.Step].
func (c CompatLibrary) Check(ctx context.Context, env *engine.Env) (engine.Finding, error) {
	if _, err := env.Host.Stat(c.Path); err == nil {
		return engine.Finding{Done: true}, nil
	}
	target := c.candidate(env)
	if target == "" {
		return engine.Finding{Done: true, Note: fmt.Sprintf("there is no library for %s: none of %s is installed",
			c.Path, strings.Join(c.Candidates, ", "))}, nil
	}
	return c.link(target).Check(ctx, env)
}

func (c CompatLibrary) link(target string) Symlink { return Symlink{Path: c.Path, Target: target} }

// Apply implements [engine.Step].
func (c CompatLibrary) Apply(ctx context.Context, env *engine.Env) error {
	target := c.candidate(env)
	if target == "" {
		return fmt.Errorf("cannot link %s: none of %s is installed", c.Path, strings.Join(c.Candidates, ", "))
	}
	return c.link(target).Apply(ctx, env)
}

// Undo implements [engine.Undoer].
func (CompatLibrary) Undo(_ context.Context, env *engine.Env, raw json.RawMessage) error {
	before, err := decode[prior](raw)
	if err != nil {
		return err
	}
	return before.putBack(env, env.Ledger.Wrote(CompatLibrary{Path: before.Path}.ID()))
}

// Remains implements [engine.Remainer].
func (CompatLibrary) Remains(_ context.Context, env *engine.Env, raw json.RawMessage) ([]string, error) {
	before, err := decode[prior](raw)
	if err != nil {
		return nil, err
	}
	return before.remains(env, env.Ledger.Wrote(CompatLibrary{Path: before.Path}.ID()))
}
