package step

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"

	"fate-installer/installer/engine"
	"fate-installer/installer/host"
)

// Self is the running program, without its payload, as a command of the host.
type Self struct {
	Path   string
	Digest string // sha256 of the program, in hexadecimal
}

// ID implements [engine.Step].
func (s Self) ID() string { return kindSelf + ":" + s.Path }

// Describe implements [engine.Describer].
func (s Self) Describe() string { return "this program, without its payload, as " + s.Path }

// Check implements [engine.Step].
func (s Self) Check(_ context.Context, env *engine.Env) (engine.Finding, error) {
	now, err := hashState(env, s.Path)
	if err != nil {
		return engine.Finding{}, err
	}
	switch {
	case now.Kind == absent:
		return todo("it does not exist", now, s.Digest), nil
	case now.Kind == isLink:
		return todo("it is a link to "+now.Target, now, s.Digest), nil
	case now.Hash != s.Digest:
		return todo("it is another version", now, s.Digest), nil
	case parseOctal(now.Perm) != 0o755:
		return todo("mode is "+now.Perm+", want 0755", now, s.Digest), nil
	}
	return engine.Finding{Done: true}, nil
}

// Apply implements [engine.Step].
func (s Self) Apply(_ context.Context, env *engine.Env) error {
	if env.Self == nil {
		return fmt.Errorf("cannot install %s: the program is not at hand", s.Path)
	}
	if err := save(env, s.Path); err != nil {
		return err
	}
	if err := makeParents(env, s.Path); err != nil {
		return err
	}
	return env.Host.WriteFrom(s.Path, host.FileMode{Perm: 0o755}, func(w io.Writer) error {
		sum := sha256.New()
		if err := env.Self.CopyStub(io.MultiWriter(w, sum)); err != nil {
			return err
		}
		if got := hex.EncodeToString(sum.Sum(nil)); got != s.Digest {
			return fmt.Errorf("the program has sha256 %s, want %s", got, s.Digest)
		}
		return nil
	})
}

// Undo implements [engine.Undoer].
func (Self) Undo(_ context.Context, env *engine.Env, raw json.RawMessage) error {
	before, err := decode[prior](raw)
	if err != nil {
		return err
	}
	return before.putBack(env, env.Ledger.Wrote(Self{Path: before.Path}.ID()))
}

// Remains implements [engine.Remainer].
func (Self) Remains(_ context.Context, env *engine.Env, raw json.RawMessage) ([]string, error) {
	before, err := decode[prior](raw)
	if err != nil {
		return nil, err
	}
	return before.remains(env, env.Ledger.Wrote(Self{Path: before.Path}.ID()))
}
