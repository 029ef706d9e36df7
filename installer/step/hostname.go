package step

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"fate-installer/installer/engine"
	"fate-installer/installer/host"
)

// Hostname is the name of the host, now and at each boot.
type Hostname struct {
	Name string
}

// hostnameBefore is the state before Hostname.
type hostnameBefore struct {
	File    prior  `json:"file"`
	Running string `json:"running,omitempty"` // the name that was in use, when it is changed
	Set     string `json:"set,omitempty"`
}

const (
	hostnameFile   = "/etc/hostname"
	hostnameKernel = "/proc/sys/kernel/hostname"
)

// ID implements [engine.Step].
func (Hostname) ID() string { return kindHostname + ":" + hostnameFile }

// Describe implements [engine.Describer].
func (n Hostname) Describe() string { return "host name " + n.Name }

// Check implements [engine.Step].
func (n Hostname) Check(_ context.Context, env *engine.Env) (engine.Finding, error) {
	now, content, err := readState(env, hostnameFile)
	if err != nil {
		return engine.Finding{}, err
	}
	before := hostnameBefore{File: now}
	var why []string
	if configured := strings.TrimSpace(string(content)); configured != n.Name {
		why = append(why, fmt.Sprintf("%s says %q", hostnameFile, configured))
	}
	running, known, err := runningName(env)
	if err != nil {
		return engine.Finding{}, err
	}
	note := ""
	if known && running != n.Name {
		if beyond := env.Host.OutOfReach(hostnameKernel); beyond != "" {
			note = fmt.Sprintf("the host is called %q until its next boot: %s", running, beyond)
		} else {
			before.Running, before.Set = running, n.Name
			why = append(why, fmt.Sprintf("it is %q now", running))
		}
	}
	if len(why) == 0 {
		return engine.Finding{Done: true, Note: note}, nil
	}
	f := todo(strings.Join(why, ", "), before, engine.Hash(n.content()))
	f.Note = note
	return f, nil
}

func (n Hostname) content() []byte { return []byte(n.Name + "\n") }

// runningName returns the name in use. known is false in a tree.
func runningName(env *engine.Env) (name string, known bool, err error) {
	if !env.Host.Live() {
		return "", false, nil
	}
	data, err := env.Host.ReadFile(hostnameKernel)
	if notExist(err) {
		return "", false, nil
	}
	return strings.TrimSpace(string(data)), err == nil, err
}

// Apply implements [engine.Step].
func (n Hostname) Apply(_ context.Context, env *engine.Env) error {
	if err := replace(env, hostnameFile, n.content(), host.FileMode{}); err != nil {
		return err
	}
	if running, known, err := runningName(env); err != nil || !known || running == n.Name ||
		env.Host.OutOfReach(hostnameKernel) != "" {
		return err
	}
	return env.Host.WriteFile(hostnameKernel, n.content(), host.FileMode{})
}

// Undo implements [engine.Undoer].
func (Hostname) Undo(_ context.Context, env *engine.Env, raw json.RawMessage) error {
	before, err := decode[hostnameBefore](raw)
	if err != nil {
		return err
	}
	running, known, err := runningName(env)
	if err != nil {
		return err
	}
	if known && before.Running != "" && running == before.Set {
		if err := env.Host.WriteFile(hostnameKernel, []byte(before.Running+"\n"), host.FileMode{}); err != nil {
			return err
		}
	}
	return before.File.putBack(env, env.Ledger.Wrote(Hostname{}.ID()))
}

// Remains implements [engine.Remainer].
func (Hostname) Remains(_ context.Context, env *engine.Env, raw json.RawMessage) ([]string, error) {
	before, err := decode[hostnameBefore](raw)
	if err != nil {
		return nil, err
	}
	return before.File.remains(env, env.Ledger.Wrote(Hostname{}.ID()))
}
