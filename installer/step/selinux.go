package step

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"fate-installer/installer/engine"
	"fate-installer/installer/host"
)

// SELinux makes an enforcing SELinux permissive, now and at each boot. A host without SELinux, or with it switched
// off, needs nothing.
type SELinux struct{}

// selinuxBefore is the state before SELinux.
type selinuxBefore struct {
	Config  string `json:"config,omitempty"`  // the mode in selinuxConfig, when it is changed
	Enforce string `json:"enforce,omitempty"` // content of selinuxEnforce, when it is changed
}

const (
	selinuxConfig  = "/etc/selinux/config"
	selinuxEnforce = "/sys/fs/selinux/enforce" // what setenforce(8) writes; absent when SELinux is off
	permissive     = "permissive"
	enforcing      = "enforcing"
)

// ID implements [engine.Step].
func (SELinux) ID() string { return kindSELinux + ":" + permissive }

// Describe implements [engine.Describer].
func (SELinux) Describe() string { return "SELinux permissive, now and at boot" }

// Check implements [engine.Step].
func (SELinux) Check(_ context.Context, env *engine.Env) (engine.Finding, error) {
	var before selinuxBefore
	var why []string
	mode, err := configuredMode(env)
	if err != nil {
		return engine.Finding{}, err
	}
	if mode == enforcing {
		before.Config = mode
		why = append(why, selinuxConfig+" says "+mode)
	}
	now, err := enforceNow(env)
	if err != nil {
		return engine.Finding{}, err
	}
	note := ""
	if now == "1" {
		if beyond := env.Host.OutOfReach(selinuxEnforce); beyond != "" {
			note = "SELinux stays enforcing: " + beyond
		} else {
			before.Enforce = "1"
			why = append(why, "it is enforcing")
		}
	}
	if len(why) == 0 {
		return engine.Finding{Done: true, Note: note}, nil
	}
	f := todo(strings.Join(why, ", "), before, permissive)
	f.Note = note
	return f, nil
}

// configuredMode returns the mode for the next boot; "" when SELinux is not installed.
func configuredMode(env *engine.Env) (string, error) {
	data, err := env.Host.ReadFile(selinuxConfig)
	if notExist(err) {
		return "", nil
	}
	for line := range strings.Lines(string(data)) {
		if mode, ok := strings.CutPrefix(strings.TrimSpace(line), "SELINUX="); ok {
			return strings.TrimSpace(mode), err
		}
	}
	return "", err
}

// Apply implements [engine.Step].
func (SELinux) Apply(_ context.Context, env *engine.Env) error {
	if err := setConfiguredMode(env, enforcing, permissive); err != nil {
		return err
	}
	return setEnforce(env, "1", "0")
}

// setConfiguredMode replaces one mode by another; any other stays.
func setConfiguredMode(env *engine.Env, from, to string) error {
	mode, err := configuredMode(env)
	if err != nil || mode != from {
		return err
	}
	return env.Host.EditFile(selinuxConfig, host.FileMode{}, func(old []byte) ([]byte, error) {
		var out strings.Builder
		for line := range strings.Lines(string(old)) {
			if strings.HasPrefix(strings.TrimSpace(line), "SELINUX=") {
				line = strings.Replace(line, from, to, 1)
			}
			out.WriteString(line)
		}
		return []byte(out.String()), nil
	})
}

// enforceNow returns "1" when the kernel enforces, "0" when it is permissive, "" when it has no SELinux or there is
// no kernel.
func enforceNow(env *engine.Env) (string, error) {
	if !env.Host.Live() {
		return "", nil
	}
	now, err := env.Host.ReadFile(selinuxEnforce)
	if notExist(err) {
		return "", nil
	}
	return strings.TrimSpace(string(now)), err
}

func setEnforce(env *engine.Env, from, to string) error {
	now, err := enforceNow(env)
	if err != nil || now != from || env.Host.OutOfReach(selinuxEnforce) != "" {
		return err
	}
	return env.Host.WriteFile(selinuxEnforce, []byte(to), host.FileMode{})
}

// Undo implements [engine.Undoer].
func (SELinux) Undo(_ context.Context, env *engine.Env, raw json.RawMessage) error {
	before, err := decode[selinuxBefore](raw)
	if err != nil {
		return err
	}
	if before.Config != "" {
		if err := env.Host.Remove(host.TempName(selinuxConfig)); err != nil {
			return err
		}
		if err := setConfiguredMode(env, permissive, before.Config); err != nil {
			return err
		}
	}
	if before.Enforce != "" {
		return setEnforce(env, "0", before.Enforce)
	}
	return nil
}

// Remains implements [engine.Remainer].
func (SELinux) Remains(_ context.Context, env *engine.Env, raw json.RawMessage) ([]string, error) {
	before, err := decode[selinuxBefore](raw)
	if err != nil {
		return nil, err
	}
	var out []string
	mode, err := configuredMode(env)
	if err != nil {
		return nil, err
	}
	if before.Config != "" && mode == permissive {
		out = append(out, fmt.Sprintf("SELINUX=%s in %s (was %s)", mode, selinuxConfig, before.Config))
	}
	now, err := enforceNow(env)
	if before.Enforce != "" && now == "0" {
		out = append(out, "SELinux is permissive")
	}
	return out, err
}
