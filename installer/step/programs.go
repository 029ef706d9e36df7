package step

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"syscall"

	"fate-installer/installer/engine"
)

// StartPrograms makes supervised programs run with what is installed now, ready or as far as their dependants need
// them.
type StartPrograms struct {
	Names []string

	// Inputs identifies everything that the programs read when they start: their versions and configuration. When it
	// is not what they were last started with, they are restarted. A hash is best; "" never restarts.
	Inputs string

	// ReadFrom are the IDs of the steps that leave what the programs read when they start. When one of them repairs
	// what others had changed, the programs are restarted: they may have been started with it.
	ReadFrom []string

	// PythonTrees are directories with Python code that the programs run. Python, at least up to 3.13, takes what a
	// full disk left of a compiled file for the whole, and fails over it for ever. So what is compiled there is dropped
	// before programs that have failed are started again; Python compiles again.
	PythonTrees []string
}

// programsBefore is the state before StartPrograms.
type programsBefore struct {
	Names   []string `json:"names"`
	Running []string `json:"running,omitempty"` // of these, what ran
}

// ID implements [engine.Step].
func (s StartPrograms) ID() string { return kindPrograms + ":" + strings.Join(s.Names, ",") }

// Describe implements [engine.Describer].
func (s StartPrograms) Describe() string {
	return "start " + strings.Join(s.Names, ", ") + " and wait until ready"
}

// Check implements [engine.Step].
func (s StartPrograms) Check(ctx context.Context, env *engine.Env) (engine.Finding, error) {
	if env.Services == nil {
		if !env.Host.Live() {
			return engine.Finding{Done: true, Note: "programs are not started in a directory tree"}, nil
		}
		return engine.Finding{}, fmt.Errorf("cannot start %s: there is no supervisor", strings.Join(s.Names, ", "))
	}
	before := programsBefore{Names: s.Names}
	status, err := env.Services.Status(ctx)
	if errors.Is(err, engine.ErrNoSupervisor) {
		return todo("the supervisor is not running", before, s.Inputs), nil
	}
	if err != nil {
		return engine.Finding{}, err
	}
	var why, elsewhere []string
	for _, name := range s.Names {
		st, reason := judge(status, name)
		switch {
		case reason != "" && st.Elsewhere != "":
			elsewhere = append(elsewhere, name+" "+st.Elsewhere)
		case reason != "":
			why = append(why, reason)
		}
		if st.Ready || st.Serving {
			before.Running = append(before.Running, name)
		}
	}
	if len(why) == 0 && len(elsewhere) > 0 {
		return engine.Finding{Done: true, Note: strings.Join(elsewhere, "; ")}, nil
	}
	if reason := s.outdated(env); len(why) == 0 && reason != "" {
		why = append(why, reason)
	}
	if len(why) == 0 {
		return engine.Finding{Done: true}, nil
	}
	return todo(strings.Join(why, "; "), before, s.Inputs), nil
}

// judge returns the status of a program, and why it is not as it should be.
func judge(all []engine.ServiceStatus, name string) (engine.ServiceStatus, string) {
	i := slices.IndexFunc(all, func(s engine.ServiceStatus) bool { return s.Name == name })
	switch {
	case i < 0:
		return engine.ServiceStatus{}, name + " is not known to the supervisor"
	case all[i].Ready || all[i].Serving:
		return all[i], ""
	case all[i].Why != "":
		return all[i], fmt.Sprintf("%s is %s: %s", name, all[i].State, all[i].Why)
	}
	return all[i], fmt.Sprintf("%s is %s", name, all[i].State)
}

// Reads implements [engine.Reader].
func (s StartPrograms) Reads() []string { return s.ReadFrom }

// outdated says why the programs may run with something else than what is there now; blank when they do not. Only a
// completed start counts: one that was cut off may have left the old processes.
func (s StartPrograms) outdated(env *engine.Env) string {
	if s.Inputs == "" {
		return ""
	}
	if mark, done := env.Ledger.Current(s.ID()); !done || mark != s.Inputs {
		return "what it reads has changed since it was started"
	}
	if id := env.Ledger.RepairedSince(s.ID(), s.ReadFrom); id != "" {
		_, what, _ := strings.Cut(id, ":")
		return what + ", which it reads, was repaired since it was started"
	}
	return ""
}

// Apply implements [engine.Step].
func (s StartPrograms) Apply(ctx context.Context, env *engine.Env) error {
	// Only what ran before the update can run with something old: what the update makes known, it starts. It is asked
	// for these programs alone, since others that are new are about to be started by steps of their own.
	ran, failed, err := s.look(ctx, env)
	if err != nil {
		return err
	}
	if failed {
		if err := s.dropCompiled(env); err != nil {
			return err
		}
	}
	if err := env.Services.Update(ctx, s.Names); err != nil {
		return err
	}
	onEvent := func(line string) { env.Log.Info().Str("step", s.ID()).Msg(line) }
	if ran && s.outdated(env) != "" {
		return s.notReady(ctx, false, env.Services.Restart(ctx, s.Names, onEvent))
	}
	err = env.Services.Start(ctx, s.Names, onEvent)
	if err == nil || !ran || ctx.Err() != nil {
		return s.notReady(ctx, false, err)
	}
	// A start does nothing for a program that runs and hangs: what it met when it was started may be repaired by now.
	hanging, err2 := s.overdue(ctx, env)
	if err2 != nil || len(hanging) == 0 {
		return s.notReady(ctx, false, errors.Join(err, err2))
	}
	onEvent("restarting " + strings.Join(hanging, ", ") + ", which runs and does not become ready")
	if err = env.Services.Restart(ctx, hanging, onEvent); err == nil && len(hanging) < len(s.Names) {
		err = env.Services.Start(ctx, s.Names, onEvent)
	}
	return s.notReady(ctx, true, err)
}

// notReady makes an error of starting the programs a [*NotReadyError], unless the run is being ended.
func (s StartPrograms) notReady(ctx context.Context, restarted bool, err error) error {
	if err == nil || ctx.Err() != nil {
		return err
	}
	return &NotReadyError{Names: s.Names, Restarted: restarted, Err: err}
}

// overdue lists the programs that run and have not become ready in their time.
func (s StartPrograms) overdue(ctx context.Context, env *engine.Env) ([]string, error) {
	status, err := env.Services.Status(ctx)
	var out []string
	for _, st := range status {
		if st.Overdue && !st.Serving && slices.Contains(s.Names, st.Name) {
			out = append(out, st.Name)
		}
	}
	return out, err
}

// look reports whether one of the programs runs, or is meant to, and whether one of those has failed: it is neither
// ready nor waiting for another.
func (s StartPrograms) look(ctx context.Context, env *engine.Env) (ran, failed bool, err error) {
	status, err := env.Services.Status(ctx)
	if errors.Is(err, engine.ErrNoSupervisor) {
		return false, false, nil
	}
	for _, st := range status {
		if slices.Contains(s.Names, st.Name) && st.State != "STOPPED" {
			ran = true
			failed = failed || !st.Ready && !st.Serving && st.State != "WAITING"
		}
	}
	return ran, failed, err
}

// dropCompiled removes what Python has compiled on this host.
func (s StartPrograms) dropCompiled(env *engine.Env) error {
	for _, dir := range s.PythonTrees {
		if err := dropCompiledBelow(env, dir); err != nil {
			return err
		}
	}
	return nil
}

func dropCompiledBelow(env *engine.Env, dir string) error {
	entries, err := env.Host.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		at := path.Join(dir, e.Name())
		switch {
		case !e.IsDir():
		case e.Name() == pythonCache:
			err = dropCache(env, at)
		default:
			err = dropCompiledBelow(env, at)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// dropCache removes the compiled code in one directory. What came with the component stays: it was checked when it was
// unpacked, and without it each process compiles until the caches are written again. It has the time of its source, and
// what Python writes is later.
func dropCache(env *engine.Env, dir string) error {
	entries, err := env.Host.ReadDir(dir)
	if err != nil {
		return err
	}
	drop := slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return cameWithSource(env, dir, e) })
	if len(drop) == len(entries) {
		err := env.Host.RemoveAll(dir)
		if errors.Is(err, syscall.ENOTEMPTY) { // what has come is of a program that runs
			return nil
		}
		return err
	}
	for _, e := range drop {
		if err := env.Host.RemoveAll(path.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// cameWithSource reports whether an entry of a directory of caches is compiled code with the time of its source.
func cameWithSource(env *engine.Env, dir string, e fs.DirEntry) bool {
	module, _, ok := strings.Cut(e.Name(), ".")
	if !ok || !e.Type().IsRegular() {
		return false
	}
	compiled, err := e.Info()
	if err != nil {
		return false
	}
	source, err := env.Host.Lstat(path.Join(path.Dir(dir), module+".py"))
	return err == nil && source.Mode().IsRegular() && source.ModTime().Equal(compiled.ModTime())
}

// NotReadyError means that everything is in place for a program and yet it does not get ready.
type NotReadyError struct {
	Names     []string
	Restarted bool // it ran before, and was restarted once
	Err       error
}

func (e *NotReadyError) Error() string {
	after := ""
	if e.Restarted {
		after = " after a restart"
	}
	return fmt.Sprintf("%s did not get ready%s: %v", strings.Join(e.Names, ", "), after, e.Err)
}

func (e *NotReadyError) Unwrap() error { return e.Err }

// Undo implements [engine.Undoer]: it stops the programs, also those that ran before, because what they read is about
// to become what it was.
func (StartPrograms) Undo(ctx context.Context, env *engine.Env, raw json.RawMessage) error {
	before, err := decode[programsBefore](raw)
	if err != nil || env.Services == nil {
		return err
	}
	err = env.Services.Stop(ctx, before.Names)
	if errors.Is(err, engine.ErrNoSupervisor) {
		return nil
	}
	return err
}

// Resume implements [engine.Resumer]: it starts what ran before.
func (StartPrograms) Resume(ctx context.Context, env *engine.Env, raw json.RawMessage) error {
	before, err := decode[programsBefore](raw)
	if err != nil || env.Services == nil || len(before.Running) == 0 {
		return err
	}
	if err := env.Services.Update(ctx, before.Running); err != nil {
		return err
	}
	return env.Services.Start(ctx, before.Running, func(string) {})
}

// Remains implements [engine.Remainer].
func (StartPrograms) Remains(ctx context.Context, env *engine.Env, raw json.RawMessage) ([]string, error) {
	before, err := decode[programsBefore](raw)
	if err != nil || env.Services == nil {
		return nil, err
	}
	status, err := env.Services.Status(ctx)
	if errors.Is(err, engine.ErrNoSupervisor) {
		return nil, nil
	}
	var out []string
	for _, st := range status {
		if slices.Contains(before.Names, st.Name) {
			out = append(out, "program "+st.Name+" ("+st.State+")")
		}
	}
	return out, err
}
