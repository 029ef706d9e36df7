package pyenv

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"fate-installer/installer/exit"
	"fate-installer/installer/host"
	"fate-installer/payload"
)

// fakeConda is a machine on which Miniconda's installer and pip do what matters of their work.
type fakeConda struct {
	calls   [][]string
	failPip bool
	fails   int            // what compileall ends with
	waits   func(call int) // for what is reported while a command runs
}

func (f *fakeConda) Run(_ context.Context, c host.Cmd) (host.Result, error) {
	f.calls = append(f.calls, c.Args)
	prefix := filepath.Dir(filepath.Dir(c.Args[0]))
	program := "flow"
	if c.Args[0] == "bash" {
		prefix, program = c.Args[len(c.Args)-1], "pip"
	} else if f.failPip {
		return host.Result{Stdout: []byte("Processing a.whl\nNo matching distribution found for b")},
			&host.ExitError{Name: "python", Code: 1}
	}
	if slices.Contains(c.Args, "compileall") && f.fails > 0 {
		return host.Result{}, &host.ExitError{Name: "python", Code: f.fails}
	}
	script := "#!" + prefix + "/bin/python\nimport sys\n"
	err := errors.Join(os.MkdirAll(filepath.Join(prefix, "bin"), 0o755),
		os.WriteFile(filepath.Join(prefix, "bin", program), []byte(script), 0o755),
		os.WriteFile(filepath.Join(prefix, "bin", "python"), []byte("\x7fELF"), 0o755))
	if err == nil && f.waits != nil {
		f.waits(len(f.calls))
	}
	return host.Result{}, err
}

// ingredients is a payload of small files.
type ingredients map[string]map[string]string

func (p ingredients) Extract(_ context.Context, component, target string, _, _ int,
	progress func(done, total int64)) error {
	for name, content := range p[component] {
		if err := errors.Join(os.MkdirAll(target, 0o755), os.WriteFile(filepath.Join(target, name),
			[]byte(content), 0o644)); err != nil {
			return err
		}
	}
	progress(1000, 1000)
	return nil
}

func condaManifest() []payload.Component {
	return []payload.Component{{Name: "miniconda", Version: "py38_4.12.0", Digest: "c", Size: 1000},
		{Name: "pypi", Version: "1.11.4", Digest: "w", Size: 1000}, {Name: "eggroll", Version: "2.5.3", Digest: "e"}}
}

func TestPythonIsMadeOfMinicondaAndWheels(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "base"), 0o755); err != nil {
		t.Fatal(err)
	}
	running := make(chan int64) // what is reported while a command runs
	machine := &fakeConda{fails: 1, waits: func(call int) {
		// The two files of each command are small; what is done before is 2000, and 5000 with Miniconda's part.
		before := []int64{2000, 5000, 5000}[call-1]
		for done := range running {
			if done > before && done < before+1000 {
				return
			}
		}
	}}
	h, err := host.New(root, machine)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	made, ok := describe(condaManifest())
	if !ok {
		t.Fatal("nothing is made")
	}
	source := ingredients{
		"miniconda": {"Miniconda3-py38_4.12.0-Linux-x86_64.sh": "#!/bin/sh\n"},
		"pypi":      {"a-1-py3-none-any.whl": "", "b-1-py3-none-any.whl": "", "requirements.txt": "a\nb\n"},
	}
	builder := builder{Payload: source, host: h, made: made, final: "/base/venv", interval: time.Millisecond}
	staging := filepath.Join(root, "base/.venv.fate-new")
	var reports []int64
	progress := func(done, total int64) {
		if total != made.Size || done > total || len(reports) > 0 && done < reports[len(reports)-1] {
			t.Errorf("progress %d of %d after %v", done, total, reports)
		}
		reports = append(reports, done)
		select {
		case running <- done:
		default: // no command runs, or it has seen enough
		}
	}
	if err := builder.Extract(t.Context(), "python", staging, -1, -1, progress); err != nil {
		t.Fatal(err)
	}
	if len(machine.calls) != 3 || !slices.Contains(machine.calls[1], "--no-index") ||
		!slices.Contains(machine.calls[1], "--no-compile") || !slices.Contains(machine.calls[2], "checked-hash") ||
		!slices.Contains(machine.calls[2], filepath.Join(root, "base/venv/lib")) || !slices.Contains(machine.calls[0], "-b") || reports[len(reports)-1] != made.Size {
		t.Errorf("calls %q, progress %v", machine.calls, reports)
	}
	for _, name := range []string{"pip", "flow"} {
		script, err := os.ReadFile(filepath.Join(staging, "bin", name))
		if err != nil || !strings.HasPrefix(string(script), "#!/base/venv/bin/python\n") {
			t.Errorf("%s: %q, %v", name, script, err)
		}
	}
	if left, _ := filepath.Glob(staging + "-*"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}

	machine.fails, machine.waits = 137, nil
	if err := os.RemoveAll(staging); err != nil {
		t.Fatal(err)
	}
	var failed *host.ExitError
	if err := builder.Extract(t.Context(), "python", staging, -1, -1, func(int64, int64) {}); !errors.As(err, &failed) {
		t.Errorf("compiling was killed: %v", err)
	}

	machine.failPip = true
	if err := os.RemoveAll(staging); err != nil {
		t.Fatal(err)
	}
	err = builder.Extract(t.Context(), "python", staging, -1, -1, func(int64, int64) {})
	if err == nil || !strings.Contains(err.Error(), "No matching distribution found for b") {
		t.Errorf("a wheel that is missing: %v", err)
	}
	if left, _ := filepath.Glob(staging + "-*"); len(left) > 0 {
		t.Errorf("left after a failure: %v", left)
	}
}

func TestWhenPythonIsMade(t *testing.T) {
	whole := append(condaManifest(), payload.Component{Name: "python", Version: "3.8.20", Digest: "p"})
	if _, ok := describe(whole); ok {
		t.Error("it is made although the appliance has one")
	}
	if _, ok := describe(condaManifest()[1:]); ok {
		t.Error("it is made without Miniconda")
	}
	first, _ := describe(condaManifest())
	other := condaManifest()
	other[1].Digest = "x"
	if second, _ := describe(other); second.Digest == first.Digest {
		t.Error("other wheels are the same environment")
	}
	h, err := host.New(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if err := (builder{host: h}).Extract(t.Context(), "python", "/x", -1, -1,
		func(int64, int64) {}); exit.HintOf(err) == "" {
		t.Errorf("in a tree: %v", err)
	}
}
