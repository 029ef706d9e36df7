package step

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"

	"fate-installer/installer/engine"
	"fate-installer/installer/host"
)

// Sudoers lets a user run everything as root without a password, as the upstream documents ask. Nothing that the
// installer sets up needs it, so it is in a plan only when the operator wants it.
type Sudoers struct {
	User string
}

// ID implements [engine.Step].
func (s Sudoers) ID() string { return kindSudoers + ":" + s.User }

// Describe implements [engine.Describer].
func (s Sudoers) Describe() string { return "sudo without a password for user " + s.User }

func (s Sudoers) file() File {
	content := fmt.Sprintf("# From fate-installer, on request.\n%[1]s ALL=(ALL) NOPASSWD: ALL\nDefaults:%[1]s "+
		"!env_reset\n", s.User)
	return File{Path: sudoersPath(s.User), Content: []byte(content), Perm: 0o440, Owner: "root", Group: "root"}
}

func sudoersPath(user string) string { return path.Join("/etc/sudoers.d", "90-fate-"+user) }

// Check implements [engine.Step].
func (s Sudoers) Check(ctx context.Context, env *engine.Env) (engine.Finding, error) {
	return s.file().Check(ctx, env)
}

// Apply implements [engine.Step]. A mistake in any of its files makes sudo refuse to work at all, so visudo judges
// the file under a name that sudo does not read, because there is a dot in it.
func (s Sudoers) Apply(ctx context.Context, env *engine.Env) error {
	if env.Host.Live() {
		candidate := s.file()
		candidate.Path += ".check"
		if err := makeParents(env, candidate.Path); err != nil {
			return err
		}
		if err := env.Host.WriteFile(candidate.Path, candidate.Content, candidate.mode()); err != nil {
			return err
		}
		_, err := env.Host.Run(ctx, host.Cmd{Args: []string{"visudo", "-c", "-f", candidate.Path}})
		if errors.Is(err, host.ErrNotFound) {
			err = nil // without sudo nothing reads the file
		}
		if err := errors.Join(err, env.Host.Remove(candidate.Path)); err != nil {
			return err
		}
	}
	return s.file().Apply(ctx, env)
}

// Undo implements [engine.Undoer].
func (Sudoers) Undo(_ context.Context, env *engine.Env, raw json.RawMessage) error {
	before, err := decode[prior](raw)
	if err != nil {
		return err
	}
	if err := env.Host.Remove(before.Path + ".check"); err != nil {
		return err
	}
	return before.putBack(env, sudoersMarks(env, before))
}

// Remains implements [engine.Remainer].
func (Sudoers) Remains(_ context.Context, env *engine.Env, raw json.RawMessage) ([]string, error) {
	before, err := decode[prior](raw)
	if err != nil {
		return nil, err
	}
	return before.remains(env, sudoersMarks(env, before))
}

func sudoersMarks(env *engine.Env, before prior) []string {
	user := before.Path[len(sudoersPath("")):]
	return env.Ledger.Wrote(Sudoers{User: user}.ID())
}
