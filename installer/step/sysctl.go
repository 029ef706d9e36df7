package step

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"fate-installer/installer/engine"
	"fate-installer/installer/host"
)

// Sysctl sets kernel parameters: now, through /proc/sys, and at each boot, through a drop-in file. A parameter that is
// high enough without us is not in the file, and neither is one that cannot be set from here: a container has those of
// its machine, and its findings say so.
type Sysctl struct {
	Path   string // of the drop-in, in /etc/sysctl.d
	Values []SysctlValue
}

// SysctlValue is a kernel parameter.
type SysctlValue struct {
	Key     string // as in sysctl(8): vm.max_map_count
	Value   string
	AtLeast bool // a higher value, as newer kernels have by default, is right too
	AtMost  bool // a lower value is right too
}

// sysctlBefore is the state before Sysctl.
type sysctlBefore struct {
	DropIn prior             `json:"drop_in"`
	Values map[string]string `json:"values"` // of the parameters that are changed, as they were
	Set    map[string]string `json:"set"`    // and as they will be
}

// ID implements [engine.Step].
func (s Sysctl) ID() string { return kindSysctl + ":" + s.Path }

// Describe implements [engine.Describer].
func (s Sysctl) Describe() string {
	lines := make([]string, len(s.Values))
	for i, v := range s.Values {
		op := "="
		if v.AtLeast {
			op = ">="
		} else if v.AtMost {
			op = "<="
		}
		lines[i] = v.Key + op + v.Value
	}
	return fmt.Sprintf("kernel parameters now and in %s: %s", s.Path, strings.Join(lines, " "))
}

func (v SysctlValue) file() string {
	return path.Join("/proc/sys", strings.ReplaceAll(v.Key, ".", "/"))
}

// satisfied reports whether a current value is right. The kernel separates several numbers by tabs.
func (v SysctlValue) satisfied(now string) bool {
	if slices.Equal(strings.Fields(now), strings.Fields(v.Value)) {
		return true
	}
	have, err1 := strconv.ParseUint(now, 10, 64)
	want, err2 := strconv.ParseUint(v.Value, 10, 64)
	return err1 == nil && err2 == nil && (v.AtLeast && have >= want || v.AtMost && have <= want)
}

// current reads a parameter. ok is false when the kernel does not have it. A tree has no kernel: what may be mounted
// in it is that of the machine that works on the tree.
func (v SysctlValue) current(env *engine.Env) (value string, ok bool, err error) {
	if !env.Host.Live() {
		return "", false, nil
	}
	data, err := env.Host.ReadFile(v.file())
	if notExist(err) {
		return "", false, nil
	}
	return strings.TrimRight(string(data), "\n"), err == nil, err
}

// needed returns the values that the drop-in must have: those in it already, and those that the kernel does not have
// by itself. note tells of values that are wrong and out of reach.
func (s Sysctl) needed(env *engine.Env, dropIn []byte) (out []SysctlValue, note string, err error) {
	var beyond []string
	for _, v := range s.Values {
		now, known, err := v.current(env)
		if err != nil {
			return nil, "", err
		}
		if !known && env.Host.Live() {
			continue // a parameter of other kernels; sysctl would complain at each boot
		}
		if known && !v.satisfied(now) {
			if why := env.Host.OutOfReach(v.file()); why != "" {
				beyond = append(beyond, fmt.Sprintf("%s is %s, want %s: %s", v.Key, now, v.Value, why))
				continue
			}
		}
		if !known || !v.satisfied(now) || bytes.Contains(dropIn, []byte("\n"+v.Key+" = ")) {
			out = append(out, v)
		}
	}
	return out, strings.Join(beyond, "; "), nil
}

func content(values []SysctlValue) []byte {
	var b bytes.Buffer
	b.WriteString("# Kernel parameters for FATE, from fate-installer.\n")
	for _, v := range values {
		fmt.Fprintf(&b, "%s = %s\n", v.Key, v.Value)
	}
	return b.Bytes()
}

// Check implements [engine.Step].
func (s Sysctl) Check(_ context.Context, env *engine.Env) (engine.Finding, error) {
	now, have, err := readState(env, s.Path)
	if err != nil {
		return engine.Finding{}, err
	}
	needed, note, err := s.needed(env, have)
	if err != nil {
		return engine.Finding{}, err
	}
	if len(needed) == 0 && now.Kind == absent {
		return engine.Finding{Done: true, Note: note}, nil
	}
	before := sysctlBefore{DropIn: now, Values: map[string]string{}, Set: map[string]string{}}
	var why []string
	for _, v := range needed {
		value, known, err := v.current(env)
		if err != nil {
			return engine.Finding{}, err
		}
		if known && !v.satisfied(value) {
			before.Values[v.Key], before.Set[v.Key] = value, v.Value
			why = append(why, fmt.Sprintf("%s is %s, want %s", v.Key, value, v.Value))
		}
	}
	want := content(needed)
	if !bytes.Equal(have, want) {
		why = append(why, s.Path+" is not up to date")
	}
	if len(why) == 0 {
		return engine.Finding{Done: true, Note: note}, nil
	}
	f := todo(strings.Join(why, "; "), before, engine.Hash(want))
	f.Note = note
	return f, nil
}

// Apply implements [engine.Step].
func (s Sysctl) Apply(_ context.Context, env *engine.Env) error {
	_, have, err := readState(env, s.Path)
	if err != nil {
		return err
	}
	needed, _, err := s.needed(env, have)
	if err != nil {
		return err
	}
	// The file before the kernel: what is set now must still be known as ours after a cut.
	if err := replace(env, s.Path, content(needed), host.FileMode{Perm: 0o644}); err != nil {
		return err
	}
	for _, v := range needed {
		now, known, err := v.current(env)
		if err != nil {
			return err
		}
		if !known || v.satisfied(now) {
			continue
		}
		if err := env.Host.WriteFile(v.file(), []byte(v.Value+"\n"), host.FileMode{}); err != nil {
			return fmt.Errorf("cannot set %s: %w", v.Key, err)
		}
	}
	return nil
}

// Merge implements [engine.Merger]: the first value of each parameter is the one to go back to, the last is the one
// that is ours.
func (Sysctl) Merge(first, later json.RawMessage) (json.RawMessage, error) {
	a, err1 := decode[sysctlBefore](first)
	b, err2 := decode[sysctlBefore](later)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	b.DropIn = a.DropIn
	maps.Copy(b.Values, a.Values)
	for key, value := range a.Set {
		if _, again := b.Set[key]; !again {
			b.Set[key] = value
		}
	}
	return pack(b), nil
}

// Undo implements [engine.Undoer]. A parameter that was changed again since keeps its value.
func (Sysctl) Undo(_ context.Context, env *engine.Env, raw json.RawMessage) error {
	before, err := decode[sysctlBefore](raw)
	if err != nil {
		return err
	}
	var errs []error
	for key, value := range before.Values {
		v := SysctlValue{Key: key, Value: before.Set[key]}
		now, known, err := v.current(env)
		if err == nil && known && v.satisfied(now) {
			err = env.Host.WriteFile(v.file(), []byte(value+"\n"), host.FileMode{})
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("cannot set %s back to %s: %w", key, value, err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return before.DropIn.putBack(env, env.Ledger.Wrote(Sysctl{Path: before.DropIn.Path}.ID()))
}

// Remains implements [engine.Remainer].
func (Sysctl) Remains(_ context.Context, env *engine.Env, raw json.RawMessage) ([]string, error) {
	before, err := decode[sysctlBefore](raw)
	if err != nil {
		return nil, err
	}
	out, err := before.DropIn.remains(env, env.Ledger.Wrote(Sysctl{Path: before.DropIn.Path}.ID()))
	for key, value := range before.Values {
		now, known, err := SysctlValue{Key: key}.current(env)
		if err == nil && known && now != value {
			out = append(out, fmt.Sprintf("kernel parameter %s = %s (was %s)", key, now, value))
		}
	}
	slices.Sort(out)
	return out, err
}
