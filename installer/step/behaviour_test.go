package step

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"fate-installer/installer/engine"
	"fate-installer/installer/golden"
	"fate-installer/installer/host"
)

func conf(content string) File {
	return File{Path: "/data/conf/eggroll.properties", Content: []byte(content), KeepEdits: true}
}

// run applies steps and returns the outcomes by ID.
func (w *world) run(t *testing.T, steps ...engine.Step) map[string]engine.Outcome {
	t.Helper()
	r, err := w.apply(t.Context(), steps...)
	must(t, err)
	out := map[string]engine.Outcome{}
	for _, o := range r.Steps {
		out[o.ID] = o
	}
	return out
}

func TestEditedFileIsKept(t *testing.T) {
	w := newWorld(t, tempDir(t), false, nil)
	first := conf("a=1\n")
	w.run(t, first)
	w.write(first.Path, "a=operator\n")

	for _, c := range []struct {
		step   File
		status engine.EventKind
	}{{first, engine.Changed}, {first, engine.Unchanged}, {conf("a=2\n"), engine.Changed},
		{conf("a=2\n"), engine.Unchanged}} {
		o := w.run(t, c.step)[first.ID()]
		if o.Status != c.status || !strings.Contains(o.Note, "is kept as edited") {
			t.Errorf("%s: %s, note %q, want %s", c.step.Content, o.Status, o.Note, c.status)
		}
		if got := w.read(first.Path); got != "a=operator\n" {
			t.Fatalf("the edit is lost: %q", got)
		}
		if got := w.read(first.Path + NewSuffix); got != string(c.step.Content) {
			t.Errorf("next to it: %q", got)
		}
		w.reopenJournal()
	}
	// The operator takes our version: nothing is edited any more, and nothing is left next to it.
	w.write(first.Path, "a=2\n")
	if o := w.run(t, conf("a=2\n"))[first.ID()]; o.Note != "" || w.exists(first.Path+NewSuffix) {
		t.Errorf("after taking ours: %+v", o)
	}
	// What we once wrote ourselves is no edit.
	w.write(first.Path, "a=1\n")
	if w.run(t, conf("a=2\n")); w.read(first.Path) != "a=2\n" {
		t.Error("our own older version was taken for an edit")
	}
}

func TestForceOverwritesAnEdit(t *testing.T) {
	w := newWorld(t, tempDir(t), false, nil)
	w.run(t, conf("a=1\n"))
	w.write(conf("").Path, "a=operator\n")
	w.run(t, conf("a=1\n"))
	env := w.env()
	env.Force = true
	_, err := engine.Apply(t.Context(), planOf(conf("a=1\n")), env, w.journal, nil)
	must(t, err)
	if got := w.read(conf("").Path); got != "a=1\n" || w.exists(conf("").Path+NewSuffix) {
		t.Errorf("with force: %q", got)
	}
}

func TestEditedFileIsLeftByUninstall(t *testing.T) {
	w := newWorld(t, tempDir(t), false, nil)
	w.run(t, conf("a=1\n"))
	w.write(conf("").Path, "a=operator\n")
	w.run(t, conf("a=2\n"))
	r, err := w.undo(t.Context(), engine.Everything)
	must(t, err)
	if r.Count(engine.Left) != 1 || w.read(conf("").Path) != "a=operator\n" || w.exists(conf("").Path+NewSuffix) {
		t.Errorf("%+v", r.Steps)
	}
	left := w.verify(t)
	if len(left) != 1 || !strings.Contains(left[0].What[0], "changed by others") {
		t.Errorf("Verify: %+v", left)
	}
}

// TestKilledFirstWriteIsNoEdit: a run that was killed between "begin" and the write leaves the content of others,
// which is then replaced and not taken for an operator's edit.
func TestKilledFirstWriteIsNoEdit(t *testing.T) {
	w := newWorld(t, tempDir(t), false, map[string]string{"/data/conf/eggroll.properties": "default\n"})
	w.host.InjectFaults(t, func(op host.Op, abs string) error {
		if abs == conf("").Path {
			return errors.New("killed")
		}
		return nil
	})
	if _, err := w.apply(t.Context(), conf("a=1\n")); err == nil {
		t.Fatal("no error")
	}
	noFaults(w)
	w.reopenJournal()
	w.run(t, conf("a=1\n"))
	if got := w.read(conf("").Path); got != "a=1\n" {
		t.Errorf("content %q", got)
	}
	_, err := w.undo(t.Context(), engine.Everything)
	must(t, err)
	if got := w.read(conf("").Path); got != "default\n" {
		t.Errorf("after uninstall %q", got)
	}
}

func TestFileRefusesToShowASecret(t *testing.T) {
	w := newWorld(t, tempDir(t), false, nil)
	_, err := w.apply(t.Context(), File{Path: "/etc/pw", Content: []byte(secret), Perm: 0o644, Secret: true})
	if err == nil || strings.Contains(err.Error(), secret) {
		t.Errorf("error %v", err)
	}
	w.run(t, File{Path: "/etc/pw", Content: []byte(secret), Secret: true})
	if fi, err := w.host.Lstat("/etc/pw"); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", fi.Mode(), err)
	}
}

func TestProgramsRestartOnlyWhenTheirInputsChange(t *testing.T) {
	w := newWorld(t, tempDir(t), true, nil)
	w.svc.ready["fate-mysql"] = true
	start := func(inputs string) StartPrograms { return StartPrograms{Names: []string{"fate-mysql"}, Inputs: inputs} }
	calls := func(steps ...engine.Step) string {
		t.Helper()
		w.svc.calls = nil
		w.run(t, steps...)
		w.reopenJournal()
		return strings.Join(w.svc.calls, " ")
	}
	for _, c := range []struct {
		inputs string
		crash  bool
		want   string
	}{
		{"v1", false, "update restart fate-mysql start fate-mysql"}, // it runs, from an install that was cut off
		{"v1", false, ""},
		{"v1", true, "update start fate-mysql"},
		{"v2", false, "update restart fate-mysql start fate-mysql"},
		{"v2", false, ""},
	} {
		if c.crash {
			delete(w.svc.ready, "fate-mysql")
		}
		if got := calls(start(c.inputs)); got != c.want {
			t.Errorf("%s: calls %q, want %q", c.inputs, got, c.want)
		}
	}
}

// TestProgramsRestartAfterARepair: a program may have been started with an edit that is overwritten now. It is
// restarted once, also when the run that overwrites the edit is cut off before, and not when only a mode is put right
// or the edit is kept.
func TestProgramsRestartAfterARepair(t *testing.T) {
	const restarted = "update restart p start p"
	spoil := func(w *world) { w.write(conf("").Path, "a=operator\n") }
	for name, c := range map[string]struct {
		spoil   func(w *world)
		keep    bool
		content string
		killed  bool
		want    string
	}{
		"nothing": {spoil: func(*world) {}, content: "a=1\n"},
		"edited":  {spoil: spoil, content: "a=1\n", want: restarted},
		// although what the program reads of it is the same
		"edited, then new": {spoil: spoil, content: "a=2\n", want: restarted},
		"new":              {spoil: func(*world) {}, content: "a=2\n"}, // for another program
		"edited and kept":  {spoil: spoil, content: "a=1\n", keep: true},
		"cut off":          {spoil: spoil, content: "a=1\n", killed: true, want: restarted},
		"mode": {spoil: func(w *world) { must(t, os.Chmod(filepath.Join(w.dir, conf("").Path), 0o600)) },
			content: "a=1\n"},
		"removed by others": {spoil: func(w *world) { must(t, os.Remove(filepath.Join(w.dir, conf("").Path))) },
			content: "a=1\n", want: restarted},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, tempDir(t), true, nil)
			start := StartPrograms{Names: []string{"p"}, Inputs: "v1", ReadFrom: []string{conf("").ID()}}
			w.run(t, conf("a=1\n"), start)
			c.spoil(w)
			for i, want := range []string{c.want, ""} {
				w.reopenJournal()
				env := w.env()
				env.Force = !c.keep
				if c.killed && i == 0 {
					_, err := engine.Apply(t.Context(), planOf(conf(c.content)), env, w.journal, nil)
					must(t, err)
					w.reopenJournal()
				}
				w.svc.calls = nil
				_, err := engine.Apply(t.Context(), planOf(conf(c.content), start), env, w.journal, nil)
				must(t, err)
				if got := strings.Join(w.svc.calls, " "); got != want {
					t.Errorf("run %d: calls %q, want %q", i+1, got, want)
				}
			}
		})
	}
}

// The update that makes a program known starts it; stopping it again would only cost time.
func TestNewProgramIsStartedOnce(t *testing.T) {
	w := newWorld(t, tempDir(t), true, nil)
	w.run(t, StartPrograms{Names: []string{"fate-mysql"}, Inputs: "v1"})
	if got := strings.Join(w.svc.calls, " "); got != "update start fate-mysql" {
		t.Errorf("calls %q", got)
	}
}

// TestCompiledCodeOfARunningProgramMayCome: another program compiles the same code while its cache is being removed.
func TestCompiledCodeOfARunningProgramMayCome(t *testing.T) {
	const cache = "/data/venv/lib/kazoo/__pycache__"
	w := newWorld(t, tempDir(t), true, map[string]string{cache + "/client.cpython-311.pyc": "cut sho"})
	w.svc.unready = map[string]string{"flow": "BACKOFF"}
	met := false
	w.host.InjectFaults(t, func(op host.Op, abs string) error {
		if op == host.OpRemove && abs == cache {
			met = true
			return &fs.PathError{Op: "unlinkat", Path: abs, Err: syscall.ENOTEMPTY}
		}
		return nil
	})
	w.run(t, StartPrograms{Names: []string{"flow"}, PythonTrees: []string{"/data/venv"}})
	if !met || !w.svc.ready["flow"] {
		t.Errorf("cache removed: %v, program ready: %v", met, w.svc.ready["flow"])
	}
}

// TestFailedProgramGetsFreshlyCompiledCode: what Python compiled while the disk was full is dropped before a program
// that has failed over it is started again, and only then.
func TestFailedProgramGetsFreshlyCompiledCode(t *testing.T) {
	const source, compiled = "/data/venv/lib/kazoo/client.py", "/data/venv/lib/kazoo/__pycache__/client.cpython-311.pyc"
	for _, tt := range []struct {
		state string
		drop  bool
	}{
		{"BACKOFF", true}, {"FATAL", true}, {"RUNNING", true}, // up, but not ready
		{"WAITING", false}, {"STOPPED", false}, {"", false}, // not known yet
	} {
		t.Run(tt.state, func(t *testing.T) {
			w := newWorld(t, tempDir(t), true, map[string]string{source: "x = 1\n", compiled: "cut sho"})
			if tt.state != "" {
				w.svc.unready = map[string]string{"flow": tt.state}
			}
			w.run(t, StartPrograms{Names: []string{"flow"}, PythonTrees: []string{"/data/venv", "/data/absent"}})
			if !w.host.Exists(source) || w.host.Exists(compiled) == tt.drop {
				t.Errorf("source there: %v, compiled there: %v", w.host.Exists(source), w.host.Exists(compiled))
			}
		})
	}
}

// TestHangingProgramIsRestartedOnce: a start does nothing for a program that runs and never becomes ready.
func TestHangingProgramIsRestartedOnce(t *testing.T) {
	start := StartPrograms{Names: []string{"rollsite"}}
	hang := func(t *testing.T) *world {
		w := newWorld(t, tempDir(t), true, nil)
		w.svc.unready, w.svc.overdue = map[string]string{"rollsite": "RUNNING"}, map[string]bool{"rollsite": true}
		return w
	}
	w := hang(t)
	w.run(t, start)
	const want = "update, start rollsite, restart rollsite, start rollsite"
	if got := strings.Join(w.svc.calls, ", "); got != want || !w.svc.ready["rollsite"] {
		t.Errorf("calls %s, want %s; ready: %v", got, want, w.svc.ready)
	}

	w = hang(t)
	w.svc.fail = errors.New("rollsite is not ready: dial tcp: connection refused")
	_, err := w.apply(t.Context(), start)
	var notReady *NotReadyError
	if !errors.As(err, &notReady) || !notReady.Restarted || !strings.Contains(err.Error(),
		"did not get ready after a restart: rollsite is not ready: dial tcp") {
		t.Errorf("error %v", err)
	}
	if got := strings.Count(strings.Join(w.svc.calls, ", "), "restart"); got != 1 {
		t.Errorf("calls %v", w.svc.calls)
	}
}

func TestInterruptedRestartIsMadeUpFor(t *testing.T) {
	w := newWorld(t, tempDir(t), true, nil)
	step := func(inputs string) StartPrograms { return StartPrograms{Names: []string{"p"}, Inputs: inputs} }
	w.run(t, step("v1"))
	w.svc.fail = errors.New("port taken")
	_, err := w.apply(t.Context(), step("v2"))
	var notReady *NotReadyError
	if !errors.As(err, &notReady) || !slices.Equal(notReady.Names, []string{"p"}) {
		t.Fatalf("error %v", err)
	}
	w.svc.fail = nil
	w.svc.calls = nil
	w.reopenJournal()
	w.run(t, step("v2")) // the old process may still be ready; it must not be taken for the new one
	if !slices.Contains(w.svc.calls, "restart p") {
		t.Errorf("calls %v", w.svc.calls)
	}
}

func TestRollbackStartsWhatRanBefore(t *testing.T) {
	w := newWorld(t, tempDir(t), true, nil)
	w.run(t, conf("v1"), StartPrograms{Names: []string{"p"}, Inputs: "v1"})
	w.reopenJournal()
	boom := Unpack{Component: "absent", Target: "/data/x", Digest: "d"}
	_, err := w.apply(t.Context(), conf("v2"), StartPrograms{Names: []string{"p"}, Inputs: "v2"}, boom)
	if err == nil {
		t.Fatal("no error")
	}
	w.svc.calls = nil
	_, err = w.undo(t.Context(), engine.LastAttempt)
	must(t, err)
	if got := strings.Join(w.svc.calls, ", "); got != "stop p, update, start p" || w.read(conf("").Path) != "v1" {
		t.Errorf("calls %s", got)
	}
}

func TestSupervisorNotRunning(t *testing.T) {
	w := newWorld(t, tempDir(t), true, nil)
	w.svc.down = true
	f, err := StartPrograms{Names: []string{"p"}}.Check(t.Context(), w.env())
	if err != nil || f.Done || f.Why != "the supervisor is not running" {
		t.Errorf("%+v, %v", f, err)
	}
	must(t, StartPrograms{}.Undo(t.Context(), w.env(), pack(programsBefore{Names: []string{"p"}})))
}

// TestSelfChecksWhatItCopied: a program that is not what the plan says is not installed.
func TestSelfChecksWhatItCopied(t *testing.T) {
	w := newWorld(t, tempDir(t), false, nil)
	_, err := w.apply(t.Context(), Self{Path: "/usr/local/bin/fate-installer", Digest: engine.Hash([]byte("other"))})
	if err == nil || w.exists("/usr/local/bin/fate-installer") {
		t.Errorf("error %v", err)
	}
}

// TestPlanText is the golden of how a plan is printed.
func TestPlanText(t *testing.T) {
	w := newWorld(t, tempDir(t), true, with("/etc/selinux/config", "SELINUX=enforcing\n", "/data/logs/", ""))
	w.run(t, conf("old=1\n"))
	w.write(conf("").Path, "edited\n")
	p := engine.Plan{Nodes: []engine.Node{
		{Step: Group{Name: "apps"}, Title: "group apps", Component: "os"},
		{Step: User{Name: "app", Group: "apps"}, Title: "user app", Component: "os", After: []string{"group:apps"}},
		{Step: SELinux{}, Title: "SELinux", Component: "os"},
		{Step: limits, Title: "limits", Component: "os"},
		{Step: Firewall{Ports: []int{9370}}, Title: "firewall", Component: "os"},
		{Step: Dir{Path: "/data/logs"}, Title: "logs", Component: "directories"},
		{Step: eggroll("1"), Title: "eggroll 1", Component: "eggroll", After: []string{"user:app"}},
		{Step: conf("new=1\n"), Title: "eggroll.properties", Component: "eggroll", After: []string{eggroll("1").ID()}},
		{Step: File{Path: "/data/pw", Content: []byte(secret), Secret: true}, Title: "passwords", Component: "eggroll"},
		{Step: User{Name: "root", UID: 7}, Title: "user that clashes", Component: "eggroll"},
		{Step: StartPrograms{Names: []string{"fate-rollsite"}}, Title: "start rollsite", Component: "eggroll"},
	}}
	survey, err := engine.Look(t.Context(), p, w.env(), w.journal)
	must(t, err)
	var out strings.Builder
	must(t, survey.WriteText(&out, false))
	out.WriteString("\n--- all\n")
	must(t, survey.WriteText(&out, true))
	golden.Compare(t, "testdata/plan.golden", out.String())
}
