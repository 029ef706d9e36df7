package step

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"fate-installer/installer/engine"
)

const eggrollTree = "/data/projects/fate/eggroll/"

// operated is a tree in which an operator has added, edited, changed and removed something.
func operated(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, tempDir(t), false, baseTree)
	w.payload.components["eggroll 1"]["conf/ssh.properties"] = "shipped"
	w.payload.components["eggroll 1"]["plugins/README"] = "shipped"
	w.payload.components["eggroll 2"]["conf/ssh.properties"] = "shipped 2"
	w.payload.components["eggroll 2"]["plugins/taken.py"] = "of version 2"
	w.run(t, eggroll("1"), inTree("conf/eggroll.properties", "rendered=1\n"))
	for name, text := range map[string]string{
		"plugins/mine.py": "mine", "examples/data/mine.csv": "rows", "conf/whitelist.json": "{}", // added
		"plugins/taken.py":    "mine, too",
		"conf/ssh.properties": "edited",
		"bin/run":             "a fix of the operator",
		"models/m1":           "trained",
	} {
		w.write(eggrollTree+name, text)
	}
	must(t, os.Remove(filepath.Join(w.dir, eggrollTree, "lib/a.jar")))
	must(t, os.Chmod(filepath.Join(w.dir, eggrollTree, "conf/whitelist.json"), 0o640))
	return w
}

func (w *world) inode(name string) uint64 {
	w.t.Helper()
	fi, err := os.Lstat(filepath.Join(w.dir, name))
	must(w.t, err)
	return fi.Sys().(*syscall.Stat_t).Ino
}

func (w *world) hasFiles(t *testing.T, when string, want map[string]string) {
	t.Helper()
	for name, text := range want {
		found, err := filepath.Glob(filepath.Join(w.dir, eggrollTree, name))
		if err != nil || len(found) != 1 {
			t.Errorf("%s: %s: %v, %v", when, name, found, err)
			continue
		}
		if got, err := os.ReadFile(found[0]); err != nil || string(got) != text {
			t.Errorf("%s: %s is %q, want %q: %v", when, name, got, text, err)
		}
	}
}

// TestRepairTouchesNothingElse: one missing file and one that was changed come back, each in its place. What the
// component did not bring and what an operator edited stays, and is named.
func TestRepairTouchesNothingElse(t *testing.T) {
	w := operated(t)
	inodes := map[string]uint64{}
	for _, name := range []string{"plugins", "plugins/mine.py", "examples", "conf/whitelist.json",
		"conf/ssh.properties", "plugins/README", "models/m1"} {
		inodes[name] = w.inode(eggrollTree + name)
	}
	f, err := eggroll("1").Check(t.Context(), w.env())
	if want := "files of it are missing: lib/a.jar; files of it were changed: bin/run"; err != nil || f.Done ||
		f.Why != want {
		t.Fatalf("%+v, %v, want %q", f, err, want)
	}
	o := w.run(t, eggroll("1"))[eggroll("1").ID()]
	want := "kept, not from the appliance: conf/whitelist.json, examples/, plugins/mine.py, plugins/taken.py; kept " +
		"as edited: conf/ssh.properties"
	if o.Note != want || !o.Drift {
		t.Errorf("note %q, want %q: %+v", o.Note, want, o)
	}
	w.hasFiles(t, "after the repair", map[string]string{
		"lib/a.jar": "a", "bin/run": "one", "plugins/mine.py": "mine", "examples/data/mine.csv": "rows",
		"conf/whitelist.json": "{}",
		"conf/ssh.properties": "edited", "models/m1": "trained", ".fate-replaced/*/bin/run": "a fix of the operator",
	})
	for name, inode := range inodes {
		if w.inode(eggrollTree+name) != inode {
			t.Errorf("%s was replaced", name)
		}
	}
	state, err := eggroll("1").Look(w.env())
	if err != nil || len(state.Foreign) != 4 || state.Edited[0] != "conf/ssh.properties" {
		t.Errorf("%+v, %v", state, err)
	}
}

// TestRepairAfterAFault makes each change of a repair fail; the next run ends it, and nothing of the operator's is
// lost.
func TestRepairAfterAFault(t *testing.T) {
	for n := 1; ; n++ {
		w := operated(t)
		reached := failNth(w, n)
		_, _ = w.apply(t.Context(), eggroll("1"))
		failed := reached()
		noFaults(w)
		w.reopenJournal()
		w.run(t, eggroll("1"))
		w.hasFiles(t, "after the second run", map[string]string{
			"lib/a.jar": "a", "bin/run": "one", "plugins/mine.py": "mine",
			".fate-replaced/*/bin/run": "a fix of the operator",
		})
		if !failed {
			return
		}
	}
}

// TestRepairWithoutItsList: when the list of files was removed, the component's files are compared one by one.
func TestRepairWithoutItsList(t *testing.T) {
	w := operated(t)
	must(t, os.Remove(filepath.Join(w.dir, eggrollTree, listName)))
	w.run(t, eggroll("1"))
	w.hasFiles(t, "after the repair", map[string]string{
		"lib/a.jar": "a", "bin/run": "one", "plugins/mine.py": "mine", "conf/ssh.properties": "edited",
		"conf/eggroll.properties":  "rendered=1\n",
		".fate-replaced/*/bin/run": "a fix of the operator",
	})
}

// TestTouchedFileIsNoChange: only its time differs, so that nothing is replaced.
func TestTouchedFileIsNoChange(t *testing.T) {
	w := newWorld(t, tempDir(t), false, baseTree)
	w.run(t, eggroll("1"))
	file := filepath.Join(w.dir, eggrollTree, "bin/run")
	later := payloadTime.AddDate(1, 0, 0)
	must(t, os.Chtimes(file, later, later))
	inode := w.inode(eggrollTree + "bin/run")
	w.run(t, eggroll("1"))
	if w.inode(eggrollTree+"bin/run") != inode || w.exists(eggrollTree+ReplacedFiles) {
		t.Error("a file with the right content was replaced")
	}
	if f, err := eggroll("1").Check(t.Context(), w.env()); err != nil || !f.Done {
		t.Errorf("%+v, %v", f, err)
	}
}

// TestDirectoryInThePlaceOfAFile is refused by name: what is in it is not the component's.
func TestDirectoryInThePlaceOfAFile(t *testing.T) {
	w := newWorld(t, tempDir(t), false, baseTree)
	w.run(t, eggroll("1"))
	must(t, os.Remove(filepath.Join(w.dir, eggrollTree, "bin/run")))
	w.write(eggrollTree+"bin/run/mine", "mine")
	_, err := w.apply(t.Context(), eggroll("1"))
	if !strings.Contains(beforeRepeat(err), "mv /data/projects/fate/eggroll/bin/run") {
		t.Errorf("%v", err)
	}
	w.hasFiles(t, "after the refusal", map[string]string{"bin/run/mine": "mine"})
}

// TestLinkedDirectoryIsLeft: a directory of the component that an operator moved to another disk is not looked into.
func TestLinkedDirectoryIsLeft(t *testing.T) {
	w := newWorld(t, tempDir(t), false, with("/disk2/", ""))
	w.run(t, eggroll("1"))
	must(t, os.Rename(filepath.Join(w.dir, eggrollTree, "lib"), filepath.Join(w.dir, "disk2/lib")))
	must(t, os.Symlink("/disk2/lib", filepath.Join(w.dir, eggrollTree, "lib")))
	must(t, os.Remove(filepath.Join(w.dir, eggrollTree, "bin/run")))
	o := w.run(t, eggroll("1"))[eggroll("1").ID()]
	if target, err := os.Readlink(filepath.Join(w.dir, eggrollTree, "lib")); err != nil || target != "/disk2/lib" ||
		!strings.Contains(o.Note, "a link: lib") {
		t.Errorf("%q, %v, note %q", target, err, o.Note)
	}
	w.hasFiles(t, "after the repair", map[string]string{"bin/run": "one"})
}

// TestUpgradeCarriesForeign: what the component did not bring is in the new tree, with owner and mode; where the new
// version has a file of that name, the operator's is kept aside, as is what was changed in the former version.
func TestUpgradeCarriesForeign(t *testing.T) {
	w := operated(t)
	inode := w.inode(eggrollTree + "examples/data/mine.csv")
	w.run(t, eggroll("2"))
	w.hasFiles(t, "after the upgrade", map[string]string{
		"bin/run": "two", "plugins/mine.py": "mine", "examples/data/mine.csv": "rows", "conf/whitelist.json": "{}",
		"conf/ssh.properties": "edited", "conf/ssh.properties.fate-new": "shipped 2",
		"plugins/taken.py":                          "of version 2",
		".fate-replaced/version-1/plugins/taken.py": "mine, too",
		".fate-replaced/version-1/bin/run":          "a fix of the operator",
		"models/m1":                                 "trained",
	})
	fi, err := os.Stat(filepath.Join(w.dir, eggrollTree, "conf/whitelist.json"))
	if err != nil || fi.Mode().Perm() != 0o640 || w.inode(eggrollTree+"examples/data/mine.csv") != inode {
		t.Errorf("%v, %v, or the file is another one", fi, err)
	}
	if w.exists("/data/projects/fate/.eggroll.fate-old") || w.exists(eggrollTree+"plugins/README") {
		t.Error("the former version is still there")
	}
}

// TestUninstallKeepsForeign: without a purge what was added stays, and the next installation takes it up; a purge
// removes it.
func TestUninstallKeepsForeign(t *testing.T) {
	w := operated(t)
	w.run(t, eggroll("1"))
	for range 2 {
		r, err := w.undo(t.Context(), engine.Everything)
		must(t, err)
		if r.Count(engine.Left) == 0 || w.exists(eggrollTree+"lib") {
			t.Errorf("%+v", r.Steps)
		}
		w.hasFiles(t, "after the uninstall", map[string]string{"plugins/mine.py": "mine",
			"examples/data/mine.csv": "rows", "models/m1": "trained", "conf/ssh.properties": "edited"})
		w.reopenJournal()
	}
	w.run(t, eggroll("2"))
	w.hasFiles(t, "after a new install", map[string]string{"bin/run": "two", "plugins/mine.py": "mine",
		"examples/data/mine.csv": "rows", "models/m1": "trained",
		"conf/ssh.properties": "edited", "conf/ssh.properties.fate-new": "shipped 2",
		".fate-replaced/*/plugins/taken.py": "mine, too"})
	env := w.env()
	env.Purge = true
	_, err := engine.Undo(t.Context(), env, w.journal, engine.Everything, Undoer, nil)
	must(t, err)
	if w.exists(strings.TrimSuffix(eggrollTree, "/")) {
		t.Error("after a purge something is left")
	}
}

// TestUninstallKeepsForeignAfterAFault makes each change of an uninstall fail.
func TestUninstallKeepsForeignAfterAFault(t *testing.T) {
	for n := 1; ; n++ {
		w := operated(t)
		w.run(t, eggroll("1"))
		reached := failNth(w, n)
		_, _ = w.undo(t.Context(), engine.Everything)
		failed := reached()
		noFaults(w)
		w.reopenJournal()
		_, err := w.undo(t.Context(), engine.Everything)
		must(t, err)
		w.hasFiles(t, "after the second uninstall", map[string]string{"plugins/mine.py": "mine",
			"examples/data/mine.csv": "rows", "models/m1": "trained"})
		if w.exists(eggrollTree + "lib") {
			t.Fatal("the component is still there")
		}
		w.run(t, eggroll("2"))
		w.hasFiles(t, "after a new install", map[string]string{"plugins/mine.py": "mine", "bin/run": "two"})
		if !failed {
			return
		}
	}
}

// TestInstallAfterACutOffUninstall: an uninstall that was cut off at any change, and an install instead of its
// repetition. Data and what an operator added are in the tree again.
func TestInstallAfterACutOffUninstall(t *testing.T) {
	for n := 1; ; n++ {
		w := operated(t)
		w.run(t, eggroll("1"))
		reached := failNth(w, n)
		_, _ = w.undo(t.Context(), engine.Everything)
		failed := reached()
		noFaults(w)
		w.reopenJournal()
		w.run(t, eggroll("1"))
		w.hasFiles(t, "after the install", map[string]string{
			"bin/run": "one", "lib/a.jar": "a", "plugins/mine.py": "mine", "examples/data/mine.csv": "rows",
			"models/m1":           "trained",
			"conf/ssh.properties": "edited",
		})
		if !failed || t.Failed() {
			return
		}
	}
}

// TestOtherVersionAfterACutOffUpgrade: an upgrade that was cut off at any change, and another version instead of its
// repetition. Nothing of the operator's is lost with the version before.
func TestOtherVersionAfterACutOffUpgrade(t *testing.T) {
	for n := 1; ; n++ {
		w := operated(t)
		w.payload.components["eggroll 3"] = map[string]string{"bin/run": "three",
			"conf/eggroll.properties": "default=3\n"}
		reached := failNth(w, n)
		_, _ = w.apply(t.Context(), eggroll("2"))
		failed := reached()
		noFaults(w)
		w.reopenJournal()
		w.run(t, eggroll("3"))
		w.hasFiles(t, "after the other version", map[string]string{
			"bin/run": "three", "plugins/mine.py": "mine", "models/m1": "trained",
			".fate-replaced/version-1/bin/run": "a fix of the operator",
			"conf/ssh.properties":              "edited",
		})
		if !failed || t.Failed() {
			return
		}
	}
}

// TestFailedInstallOverKeptFiles: what an uninstall kept and has no place in the new tree is there after the undo.
func TestFailedInstallOverKeptFiles(t *testing.T) {
	w := operated(t)
	w.run(t, eggroll("1"))
	_, err := w.undo(t.Context(), engine.Everything)
	must(t, err)
	w.reopenJournal()
	_, err = w.apply(t.Context(), eggroll("2"), File{Path: "/etc/passwd/x", Content: []byte("cannot be written")})
	if err == nil {
		t.Fatal("the run did not fail")
	}
	_, err = w.undo(t.Context(), engine.LastAttempt)
	must(t, err)
	w.hasFiles(t, "after the undo", map[string]string{
		"plugins/mine.py": "mine", "models/m1": "trained",
		".fate-replaced/kept-by-uninstall/plugins/taken.py": "mine, too",
	})
}
