package step

import (
	"bytes"
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

// Limits are the resource limits of login sessions: a drop-in file for pam_limits, and the distribution's own lines
// that would set the number of processes lower again.
//
// pam_limits lets an entry for a user win over one for "*" wherever it stands, so entries for a user work with any
// distribution file. Entries for "*" do not: CentOS ships 20-nproc.conf with "* soft nproc 4096". Such lines are turned
// into comments.
type Limits struct {
	Path    string // of the drop-in, in /etc/security/limits.d
	Entries []Limit
}

// Limit is a line of limits.conf(5).
type Limit struct {
	Domain string // a user, @group or *
	Type   string // soft, hard or -
	Item   string // nofile, nproc, ...
	Value  string
}

func (l Limit) line() string { return strings.Join([]string{l.Domain, l.Type, l.Item, l.Value}, " ") }

// offPrefix turns a distribution's line into a comment that Undo recognises.
const offPrefix = "#fate-installer# "

// limitsBefore is the state before Limits.
type limitsBefore struct {
	DropIn prior    `json:"drop_in"`
	Files  []string `json:"files,omitempty"` // of the distribution, with lines to turn off
}

// ID implements [engine.Step].
func (l Limits) ID() string { return kindLimits + ":" + l.Path }

// Describe implements [engine.Describer].
func (l Limits) Describe() string {
	lines := make([]string, len(l.Entries))
	for i, e := range l.Entries {
		lines[i] = e.line()
	}
	return fmt.Sprintf("in %s: %s", l.Path, strings.Join(lines, "; "))
}

func (l Limits) content() []byte {
	var b bytes.Buffer
	b.WriteString("# Limits of FATE's user, from fate-installer.\n")
	for _, e := range l.Entries {
		b.WriteString(e.line() + "\n")
	}
	return b.Bytes()
}

// Check implements [engine.Step].
func (l Limits) Check(_ context.Context, env *engine.Env) (engine.Finding, error) {
	now, content, err := readState(env, l.Path)
	if err != nil {
		return engine.Finding{}, err
	}
	files, err := l.conflicts(env)
	if err != nil {
		return engine.Finding{}, err
	}
	before := limitsBefore{DropIn: now, Files: files}
	mark := engine.Hash(l.content())
	switch {
	case now.Kind != isFile:
		return todo("it does not exist", before, mark), nil
	case !bytes.Equal(content, l.content()):
		return todo("its content differs", before, mark), nil
	case parseOctal(now.Perm) != 0o644:
		return todo("mode is "+now.Perm+", want 0644", before, mark), nil
	case len(files) > 0:
		return todo(strings.Join(files, ", ")+" sets lower limits", before, mark), nil
	}
	return engine.Finding{Done: true}, nil
}

// conflicts lists the files next to ours with lines that set one of our limits for all users.
func (l Limits) conflicts(env *engine.Env) ([]string, error) {
	dir := path.Dir(l.Path)
	entries, err := env.Host.ReadDir(dir)
	if notExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		file := path.Join(dir, e.Name())
		if file == l.Path || !e.Type().IsRegular() || path.Ext(file) != ".conf" {
			continue
		}
		content, err := env.Host.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if !bytes.Equal(l.turnOff(content), content) {
			out = append(out, file)
		}
	}
	return out, nil
}

// turnOff makes comments of the lines that contradict one of our entries.
func (l Limits) turnOff(content []byte) []byte {
	var out []byte
	for line := range bytes.Lines(content) {
		if l.contradicts(string(line)) {
			out = append(out, offPrefix...)
		}
		out = append(out, line...)
	}
	return out
}

func (l Limits) contradicts(line string) bool {
	line, _, _ = strings.Cut(line, "#")
	f := strings.Fields(line)
	if len(f) != 4 || f[0] != "*" {
		return false
	}
	return slices.ContainsFunc(l.Entries, func(e Limit) bool {
		sameType := f[1] == e.Type || f[1] == "-" || e.Type == "-"
		return e.Domain == "*" && sameType && f[2] == e.Item && f[3] != e.Value
	})
}

// turnOn undoes turnOff.
func turnOn(content []byte) []byte {
	var out []byte
	for line := range bytes.Lines(content) {
		out = append(out, bytes.TrimPrefix(line, []byte(offPrefix))...)
	}
	return out
}

// Apply implements [engine.Step].
func (l Limits) Apply(_ context.Context, env *engine.Env) error {
	files, err := l.conflicts(env)
	if err != nil {
		return err
	}
	for _, file := range files {
		err := env.Host.EditFile(file, host.FileMode{}, func(old []byte) ([]byte, error) { return l.turnOff(old), nil })
		if err != nil {
			return err
		}
	}
	return replace(env, l.Path, l.content(), host.FileMode{Perm: 0o644})
}

// Merge implements [engine.Merger].
func (Limits) Merge(first, later json.RawMessage) (json.RawMessage, error) {
	a, err1 := decode[limitsBefore](first)
	b, err2 := decode[limitsBefore](later)
	a.Files = union(a.Files, b.Files)
	return pack(a), errors.Join(err1, err2)
}

// Undo implements [engine.Undoer].
func (Limits) Undo(_ context.Context, env *engine.Env, raw json.RawMessage) error {
	before, err := decode[limitsBefore](raw)
	if err != nil {
		return err
	}
	var errs []error
	for _, file := range before.Files {
		errs = append(errs, env.Host.Remove(host.TempName(file)))
		if env.Host.Exists(file) {
			errs = append(errs, env.Host.EditFile(file, host.FileMode{},
				func(old []byte) ([]byte, error) { return turnOn(old), nil }))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return before.DropIn.putBack(env, env.Ledger.Wrote(Limits{Path: before.DropIn.Path}.ID()))
}

// Remains implements [engine.Remainer].
func (Limits) Remains(_ context.Context, env *engine.Env, raw json.RawMessage) ([]string, error) {
	before, err := decode[limitsBefore](raw)
	if err != nil {
		return nil, err
	}
	out, err := before.DropIn.remains(env, env.Ledger.Wrote(Limits{Path: before.DropIn.Path}.ID()))
	for _, file := range before.Files {
		if content, err := env.Host.ReadFile(file); err == nil && bytes.Contains(content, []byte(offPrefix)) {
			out = append(out, "lines turned off in "+file)
		}
	}
	return out, err
}
