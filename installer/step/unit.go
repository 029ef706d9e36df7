package step

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"fate-installer/installer/engine"
	"fate-installer/installer/host"
)

// BootUnit is a systemd unit that is installed, enabled at boot and running. In a tree without commands it is the
// file only.
type BootUnit struct {
	Name    string // with its suffix: fate-supervisor.service
	Path    string // "": /etc/systemd/system/NAME
	Content []byte `json:"-"`
	Log     string `json:"-"` // that its process writes by itself; "": none

	// Reads names units whose files other steps write, and which systemd must have read as they are now, too.
	Reads []string `json:"-"`
}

// unitBefore is the state before BootUnit.
type unitBefore struct {
	Name    string `json:"name"`
	File    prior  `json:"file"`
	Enabled bool   `json:"enabled,omitempty"`
	Active  bool   `json:"active,omitempty"`
}

// ID implements [engine.Step].
func (u BootUnit) ID() string { return kindBootUnit + ":" + u.Name }

// Describe implements [engine.Describer].
func (u BootUnit) Describe() string {
	return fmt.Sprintf("unit %s, enabled and started", u.path())
}

func (u BootUnit) path() string {
	if u.Path != "" {
		return u.Path
	}
	return path.Join("/etc/systemd/system", u.Name)
}

// Check implements [engine.Step].
func (u BootUnit) Check(ctx context.Context, env *engine.Env) (engine.Finding, error) {
	now, content, err := readState(env, u.path())
	if err != nil {
		return engine.Finding{}, err
	}
	before := unitBefore{Name: u.Name, File: now}
	var why []string
	if now.Kind != isFile || !bytes.Equal(content, u.Content) {
		why = append(why, "its file is not up to date")
	}
	if env.Host.Live() {
		before.Enabled, before.Active = is(ctx, env, "is-enabled", u.Name), is(ctx, env, "is-active", u.Name)
		if !before.Enabled {
			why = append(why, "it is not enabled")
		}
		if !before.Active {
			why = append(why, "it is not running")
		}
		if len(why) == 0 {
			why = u.unread(ctx, env)
		}
	}
	if err := ctx.Err(); err != nil { // a cut-off command says nothing about the unit
		return engine.Finding{}, err
	}
	if len(why) == 0 {
		return engine.Finding{Done: true}, nil
	}
	return todo(strings.Join(why, ", "), before, engine.Hash(u.Content)), nil
}

// unread lists the files that systemd has not read since they were changed: a run may have been cut off in between.
func (u BootUnit) unread(ctx context.Context, env *engine.Env) (why []string) {
	for _, name := range append([]string{u.Name}, u.Reads...) {
		out, err := systemctl(ctx, env, "show", "--property=NeedDaemonReload", name)
		if err == nil && strings.TrimSpace(string(out.Stdout)) == "NeedDaemonReload=yes" {
			why = append(why, "systemd has not read the file of "+name+" since it was changed")
		}
	}
	return why
}

// is asks systemctl a question that it answers with its status.
func is(ctx context.Context, env *engine.Env, question, unit string) bool {
	_, err := systemctl(ctx, env, question, "--quiet", unit)
	return err == nil
}

func systemctl(ctx context.Context, env *engine.Env, args ...string) (host.Result, error) {
	return env.Host.Run(ctx, host.Cmd{Args: append([]string{"systemctl"}, args...)})
}

// Apply implements [engine.Step]. A running unit is not restarted: what it supervises keeps running, and the program
// it runs decides itself when to become the new one.
func (u BootUnit) Apply(ctx context.Context, env *engine.Env) error {
	if err := replace(env, u.path(), u.Content, host.FileMode{Perm: 0o644}); err != nil {
		return err
	}
	if !env.Host.Live() {
		return nil
	}
	for _, args := range [][]string{{"daemon-reload"}, {"enable", u.Name}} {
		if _, err := systemctl(ctx, env, args...); err != nil {
			return err
		}
	}
	began := time.Now().Truncate(time.Second) // the journal is asked for whole seconds
	if _, err := systemctl(ctx, env, "start", u.Name); err != nil {
		return UnitFailure(ctx, env.Host, u.Name, u.Log, began, err)
	}
	return nil
}

// Undo implements [engine.Undoer].
func (u BootUnit) Undo(ctx context.Context, env *engine.Env, raw json.RawMessage) error {
	before, err := decode[unitBefore](raw)
	if err != nil {
		return err
	}
	marks := env.Ledger.Wrote(BootUnit{Name: before.Name}.ID())
	if !env.Host.Live() {
		return before.File.putBack(env, marks)
	}
	if !before.Active && is(ctx, env, "is-active", before.Name) {
		if _, err := systemctl(ctx, env, "stop", before.Name); err != nil {
			return err
		}
	}
	if !before.Enabled && is(ctx, env, "is-enabled", before.Name) {
		if _, err := systemctl(ctx, env, "disable", before.Name); err != nil {
			return err
		}
	}
	left := before.File.putBack(env, marks)
	_, err = systemctl(ctx, env, "daemon-reload")
	if timed, ok := strings.CutSuffix(before.Name, ".timer"); ok {
		// What the timer started waits to be started again, or has failed, in systemd's memory, also without its file.
		_, _ = systemctl(ctx, env, "stop", timed+".service")
		_, _ = systemctl(ctx, env, "reset-failed", timed+".service")
	}
	return errors.Join(left, err)
}

// Remains implements [engine.Remainer].
func (u BootUnit) Remains(_ context.Context, env *engine.Env, raw json.RawMessage) ([]string, error) {
	before, err := decode[unitBefore](raw)
	if err != nil {
		return nil, err
	}
	return before.File.remains(env, env.Ledger.Wrote(BootUnit{Name: before.Name}.ID()))
}
