package step

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fate-installer/installer/engine"
)

// upgrade is a tree with everything that an upgrade has to take care of.
func upgrade(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, tempDir(t), false, baseTree)
	w.run(t, eggroll("1"), inTree("conf/eggroll.properties", "rendered=1\n"), inTree("conf/route_table.json", "{1}"))
	w.write(inTree("conf/route_table.json", "").Path, "{operator}")
	w.write("/data/projects/fate/eggroll/models/m1", "trained")
	w.write("/data/projects/fate/eggroll/logs/jobs/j1", "log")
	w.write("/data/projects/fate/eggroll/plugins/mine/plugin.py", "mine")
	w.write("/data/projects/fate/eggroll/mine.jar", "mine")
	return w
}

func inTree(name, content string) File {
	return File{Path: "/data/projects/fate/eggroll/" + name, Content: []byte(content), KeepEdits: true}
}

func TestUpgradeCarriesDataAndEdits(t *testing.T) {
	w := upgrade(t)
	w.run(t, eggroll("2"), inTree("conf/eggroll.properties", "rendered=2\n"), inTree("conf/route_table.json", "{2}"))
	want := map[string]string{
		"bin/run": "two", "lib/b.jar": "b", "conf/eggroll.properties": "rendered=2\n",
		"conf/route_table.json":          "{operator}",
		"conf/route_table.json.fate-new": "{2}", "models/m1": "trained", "logs/jobs/j1": "log",
	}
	for name, content := range want {
		if got := w.read("/data/projects/fate/eggroll/" + name); got != content {
			t.Errorf("%s: %q, want %q", name, got, content)
		}
	}
	if w.exists("/data/projects/fate/eggroll/lib/a.jar") || w.exists("/data/projects/fate/.eggroll.fate-old") {
		t.Error("the old version is still there")
	}
}

// TestFailedUpgradeIsRolledBack makes each single change of an upgrade fail and expects the old version with its data
// and edits back.
func TestFailedUpgradeIsRolledBack(t *testing.T) {
	for n := 1; ; n++ {
		w := upgrade(t)
		before := w.snapshot()
		reached := failNth(w, n)
		_, err := w.apply(t.Context(), eggroll("2"), inTree("conf/eggroll.properties", "rendered=2\n"))
		failed := reached()
		noFaults(w)
		if !failed {
			must(t, err)
			return
		}
		w.reopenJournal()
		if err == nil { // it was over when the fault came: the old version is dropped
			continue
		}
		if _, err := w.undo(t.Context(), engine.LastAttempt); err != nil {
			// When the journal's last record failed, everything had succeeded and the old version is gone.
			if !w.exists("/data/projects/fate/.eggroll.fate-old") && strings.Contains(err.Error(), "it was removed") {
				continue
			}
			t.Fatalf("rollback after fault %d: %v", n, err)
		}
		sameTree(t, "after the rollback", before, w.snapshot())
	}
}

// TestUpgradeAfterAFault makes each single change fail and expects that the next run completes the upgrade.
func TestUpgradeAfterAFault(t *testing.T) {
	good := upgrade(t)
	good.run(t, eggroll("2"))
	want := good.snapshot()
	for n := 1; ; n++ {
		w := upgrade(t)
		reached := failNth(w, n)
		_, _ = w.apply(t.Context(), eggroll("2"))
		failed := reached()
		noFaults(w)
		w.reopenJournal()
		w.run(t, eggroll("2"))
		sameTree(t, "after the second run", want, w.snapshot())
		if !failed {
			return
		}
	}
}

func TestLostTreeIsRepaired(t *testing.T) {
	w := newWorld(t, tempDir(t), false, baseTree)
	file := inTree("conf/eggroll.properties", "rendered=1\n")
	w.run(t, eggroll("1"), file)
	want := w.snapshot()
	must(t, os.RemoveAll(filepath.Join(w.dir, "/data/projects/fate/eggroll")))
	out := w.run(t, eggroll("1"), file)
	sameTree(t, "after the repair", want, w.snapshot())
	if !out[eggroll("1").ID()].Drift || out[file.ID()].Drift {
		t.Errorf("the tree drifted, the file in it was replaced with it: %+v", out)
	}
}

// TestDamagedTreeIsRepaired: a removed part of a component comes back, and data and edits stay.
func TestDamagedTreeIsRepaired(t *testing.T) {
	w := upgrade(t)
	want := w.snapshot()
	must(t, os.RemoveAll(filepath.Join(w.dir, "/data/projects/fate/eggroll/lib")))
	f, err := eggroll("1").Check(t.Context(), w.env())
	if err != nil || f.Done || f.Why != "files of it are missing: lib/, lib/a.jar" {
		t.Fatalf("%+v, %v", f, err)
	}
	if o := w.run(t, eggroll("1"))[eggroll("1").ID()]; !o.Drift {
		t.Errorf("%+v", o)
	}
	sameTree(t, "after the repair", want, w.snapshot())
	// What a program makes or removes of its own is none of our business.
	w.write("/data/projects/fate/eggroll/bin/__pycache__/x.pyc", "x")
	must(t, os.RemoveAll(filepath.Join(w.dir, "/data/projects/fate/eggroll/models")))
	if f, err := eggroll("1").Check(t.Context(), w.env()); err != nil || !f.Done {
		t.Errorf("%+v, %v", f, err)
	}
}

func TestForeignDirectoryIsRefused(t *testing.T) {
	w := newWorld(t, tempDir(t), false, with("/data/projects/fate/eggroll/bin/run", "theirs"))
	before := w.snapshot()
	_, err := w.apply(t.Context(), eggroll("1"))
	if err == nil || !strings.Contains(err.Error(), "is not from this installer") ||
		!strings.Contains(beforeRepeat(err), "rename it") {
		t.Errorf("error %v", err)
	}
	sameTree(t, "after the refusal", before, w.snapshot())
}

// beforeRepeat is what an error says to do before the command is run again; blank when it does not say that.
func beforeRepeat(err error) string {
	var repeated interface{ Repeat() (before, after string) }
	if !errors.As(err, &repeated) {
		return ""
	}
	before, _ := repeated.Repeat()
	return before
}

func TestUninstallKeepsModelsUnlessPurged(t *testing.T) {
	w := upgrade(t)
	for _, purge := range []bool{false, false, true} {
		env := w.env()
		env.Purge = purge
		_, err := engine.Undo(t.Context(), env, w.journal, engine.Everything, Undoer, nil)
		must(t, err)
		if got := w.exists("/data/projects/fate/eggroll/models/m1"); got == purge {
			t.Errorf("purge %v: the models exist: %v", purge, got)
		}
		if w.exists("/data/projects/fate/eggroll/bin") {
			t.Error("the program is still there")
		}
		w.reopenJournal()
	}
	if w.exists("/data/projects/fate/eggroll") {
		t.Error("something is left")
	}
	// What an uninstall kept is taken up by the next install.
	w = upgrade(t)
	_, err := w.undo(t.Context(), engine.Everything)
	must(t, err)
	w.run(t, eggroll("2"))
	if got := w.read("/data/projects/fate/eggroll/models/m1"); got != "trained" {
		t.Errorf("after a new install: %q", got)
	}
}

// TestUninstallLeavesEdits: an operator's edit stays, also in a tree that goes, and the next install takes it up.
func TestUninstallLeavesEdits(t *testing.T) {
	w := upgrade(t)
	route := inTree("conf/route_table.json", "{1}")
	for range 2 {
		r, err := w.undo(t.Context(), engine.Everything)
		must(t, err)
		if got := w.read(route.Path); got != "{operator}" || r.Count(engine.Left) == 0 {
			t.Fatalf("%q, %+v", got, r.Steps)
		}
		w.reopenJournal()
	}
	if w.exists("/data/projects/fate/eggroll/bin") || w.exists(inTree("conf/eggroll.properties", "").Path) {
		t.Error("more than the edit is left")
	}
	out := w.run(t, eggroll("2"), route)
	if got := w.read(route.Path); got != "{operator}" || !strings.Contains(out[route.ID()].Note, "kept as edited") {
		t.Errorf("after a new install: %q, %+v", got, out[route.ID()])
	}
	env := w.env()
	env.Purge = true
	_, err := engine.Undo(t.Context(), env, w.journal, engine.Everything, Undoer, nil)
	must(t, err)
	if w.exists("/data/projects/fate/eggroll") {
		t.Error("after a purge something is left")
	}
}
