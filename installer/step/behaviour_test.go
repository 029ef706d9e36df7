package step

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fate-installer/installer/engine"
	"fate-installer/installer/host"
)

var update = flag.Bool("update", false, "rewrite golden files")

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
	}{{first, engine.Changed}, {first, engine.Unchanged}, {conf("a=2\n"), engine.Changed}, {conf("a=2\n"), engine.Unchanged}} {
		o := w.run(t, c.step)[first.ID()]
		if o.Status != c.status || !strings.Contains(o.Note, "is kept as edited") {
			t.Errorf("%s: %s, note %q, want %s", c.step.Content, o.Status, o.Note, c.status)
		}
		if got := w.read(first.Path); got != "a=operator\n" {
			t.Fatalf("the edit is lost: %q", got)
		}
		if got := w.read(first.Path + NewSuffix); got != string(c.step.Content) {
			t.Errorf("beside it: %q", got)
		}
		w.reopenJournal()
	}
	// The operator takes our version: nothing is edited any more, and nothing is left beside it.
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
	if len(left) != 1 || !strings.Contains(left[0].What[0], "changed by somebody else") {
		t.Errorf("Verify: %+v", left)
	}
}

// TestKilledFirstWriteIsNoEdit: a run that was killed between "begin" and the write leaves somebody else's content,
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

// upgrade is a tree with everything that an upgrade has to take care of.
func upgrade(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, tempDir(t), false, baseTree)
	w.run(t, eggroll("1"), inTree("conf/eggroll.properties", "rendered=1\n"), inTree("conf/route_table.json", "{1}"))
	w.write(inTree("conf/route_table.json", "").Path, "{operator}")
	w.write("/data/projects/fate/eggroll/models/m1", "trained")
	w.write("/data/projects/fate/eggroll/logs/jobs/j1", "log")
	return w
}

func inTree(name, content string) File {
	return File{Path: "/data/projects/fate/eggroll/" + name, Content: []byte(content), KeepEdits: true}
}

func TestUpgradeCarriesDataAndEdits(t *testing.T) {
	w := upgrade(t)
	w.run(t, eggroll("2"), inTree("conf/eggroll.properties", "rendered=2\n"), inTree("conf/route_table.json", "{2}"))
	want := map[string]string{
		"bin/run": "two", "lib/b.jar": "b", "conf/eggroll.properties": "rendered=2\n", "conf/route_table.json": "{operator}",
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

// TestDamagedTreeIsRepaired: a part of a component that somebody removed comes back, and data and edits stay.
func TestDamagedTreeIsRepaired(t *testing.T) {
	w := upgrade(t)
	want := w.snapshot()
	must(t, os.Remove(filepath.Join(w.dir, "/data/projects/fate/eggroll/lib/a.jar")))
	f, err := eggroll("1").Check(t.Context(), w.env())
	if err != nil || f.Done || f.Why != "files of it are missing: lib/a.jar" {
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
	var hinted interface{ Hint() string }
	if err == nil || !strings.Contains(err.Error(), "is not from this installer") || !errors.As(err, &hinted) || !strings.Contains(hinted.Hint(), "rename it") {
		t.Errorf("error %v", err)
	}
	sameTree(t, "after the refusal", before, w.snapshot())
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

func TestProgramsRestartOnlyWhenTheirInputsChange(t *testing.T) {
	w := newWorld(t, tempDir(t), true, nil)
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
		{"v1", false, "update restart fate-mysql start fate-mysql"}, // it may run from an install that was cut off
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

func TestSwapAllocation(t *testing.T) {
	const el7, el8, deb12 = "3.10.0-1160.el7.x86_64", "4.18.0-553.el8_10.x86_64", "6.1.0-18-amd64"
	for _, c := range []struct {
		fstype, kernel string
		want           host.Allocation
		err            string
	}{
		{"ext4", el7, host.Allocation{}, ""},
		{"ext3", el7, host.Allocation{Write: true}, ""},
		{"xfs", el7, host.Allocation{Write: true}, ""},
		{"xfs", el8, host.Allocation{}, ""},
		{"xfs", deb12, host.Allocation{}, ""},
		{"btrfs", deb12, host.Allocation{NoCOW: true}, ""},
		{"btrfs", el8, host.Allocation{}, "since Linux 5.0"},
		{"tmpfs", deb12, host.Allocation{}, "a tmpfs file system cannot hold swap files"},
		{"nfs4", deb12, host.Allocation{}, "cannot hold swap files"},
		{"overlay", deb12, host.Allocation{}, "cannot hold swap files"},
	} {
		got, err := swapAllocation(c.fstype, c.kernel, 1<<30)
		c.want.Size = 1 << 30
		if c.err == "" && (err != nil || got != c.want) || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%s on %s: %+v, %v", c.fstype, c.kernel, got, err)
		}
	}
}

func TestSwapHeader(t *testing.T) {
	h, err := swapHeader(1<<20, 4096)
	must(t, err)
	if len(h) != 4096 || string(h[4086:]) != "SWAPSPACE2" || h[1024] != 1 || h[1028] != 255 {
		t.Errorf("%d bytes, version %d, last page %d", len(h), h[1024], h[1028])
	}
	for _, size := range []int64{0, 4096, 1<<20 + 1} {
		if _, err := swapHeader(size, 4096); err == nil {
			t.Errorf("size %d is accepted", size)
		}
	}
}

func TestSwapRefusesAForeignFile(t *testing.T) {
	w := newWorld(t, tempDir(t), false, map[string]string{swap(0).Path: "precious"})
	_, err := w.apply(t.Context(), swap(1<<20))
	if err == nil || w.read(swap(0).Path) != "precious" {
		t.Errorf("error %v", err)
	}
}

// TestSwapCancelled: an interrupted write of a large file leaves nothing.
func TestSwapCancelled(t *testing.T) {
	w := newWorld(t, tempDir(t), true, with("/etc/fstab", "", "/proc/self/mountinfo", strings.ReplaceAll(ext4Mounts, "ext4", "ext3")))
	before := w.snapshot()
	ctx, cancel := context.WithCancel(t.Context())
	env := w.env()
	env.Progress = func(string, int64, int64) { cancel() }
	_, err := engine.Apply(ctx, planOf(swap(64<<20)), env, w.journal, nil)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	delete(before, "/data")
	after := w.snapshot()
	delete(after, "/data")
	sameTree(t, "after the interruption", before, after)
}

func TestFirewallTables(t *testing.T) {
	for entry, want := range map[string]bool{"9370/tcp": true, "9000-9400/tcp": true, "9370/udp": false, "937/tcp": false, "9371-9400/tcp": false, "OpenSSH": false, "": false} {
		if got := covers(entry, 9370); got != want {
			t.Errorf("covers(%q, 9370) = %v", entry, got)
		}
	}
	zone, open := firewalldZone("public (default, active)\n  target: default\n  services: ssh\n  ports: 22/tcp 9000-9100/tcp\n  forward-ports: \n")
	if zone != "public" || !slices.Equal(open, []string{"22/tcp", "9000-9100/tcp"}) {
		t.Errorf("zone %s, open %v", zone, open)
	}
	open = ufwOpen("Status: active\n\nTo   Action   From\n--   ------   ----\n9370/tcp   ALLOW   Anywhere\n9000:9100/tcp ALLOW Anywhere\n22/tcp   DENY   Anywhere\n80/tcp   ALLOW   10.0.0.0/8\n9370/tcp (v6)   ALLOW   Anywhere (v6)\n")
	if !slices.Equal(open, []string{"9370/tcp", "9000-9100/tcp"}) {
		t.Errorf("ufw: %v", open)
	}
}

// TestFirewallGrows: a later release opens more ports, and the uninstall closes them all.
func TestFirewallGrows(t *testing.T) {
	w := newWorld(t, tempDir(t), true, with(runDir+"/active/firewalld", "", portsNow, "22/tcp\n", portsBoot, "22/tcp\n"))
	before := w.snapshot()
	for _, ports := range [][]int{{9370}, {9370, 9360}} {
		w.run(t, Firewall{Ports: ports})
		w.reopenJournal()
	}
	_, err := w.undo(t.Context(), engine.Everything)
	must(t, err)
	sameTree(t, "after the uninstall", before, w.snapshot())
}

func TestBadSudoersIsNotInstalled(t *testing.T) {
	w := newWorld(t, tempDir(t), true, with("/etc/sudoers.d/", ""))
	before := w.snapshot()
	w.machine.fail = map[string]int{"visudo": 1}
	if _, err := w.apply(t.Context(), Sudoers{User: "app"}); err == nil {
		t.Error("no error")
	}
	sameTree(t, "after the refusal", before, w.snapshot())
}

func TestAccountsThatClash(t *testing.T) {
	w := newWorld(t, tempDir(t), true, with("/etc/passwd", "app:x:77:100::/home/app:/bin/sh\n"))
	for want, s := range map[string]engine.Step{"it exists with uid 77": User{Name: "app", UID: 6000}, "it exists with gid 6000": Group{Name: "apps", GID: 7000}} {
		if _, err := w.apply(t.Context(), s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	// An existing user is used with the uid it has.
	f, err := User{Name: "app", Group: "users"}.Check(t.Context(), w.env())
	if err != nil || !f.Done {
		t.Errorf("%+v, %v", f, err)
	}
}

func TestUserWithProcessesOrFilesIsLeft(t *testing.T) {
	w := newWorld(t, tempDir(t), true, baseTree)
	w.run(t, User{Name: "app", Group: "apps"})
	w.machine.fail = map[string]int{"userdel": userdelBusy}
	r, err := w.undo(t.Context(), engine.Everything)
	must(t, err)
	if r.Count(engine.Left) != 1 || !strings.Contains(r.Steps[0].Why, "it has processes") {
		t.Errorf("%+v", r.Steps)
	}
	w.machine.fail = nil
	w.write("/home/app/thesis.tex", "x")
	r, err = w.undo(t.Context(), engine.Everything)
	must(t, err)
	if r.Count(engine.Left) != 1 || !strings.Contains(r.Steps[0].Why, "thesis.tex is in it") || !w.exists("/home/app/thesis.tex") {
		t.Errorf("%+v", r.Steps)
	}
}

// TestSelfChecksWhatItCopied: a program that is not what the plan says is not installed.
func TestSelfChecksWhatItCopied(t *testing.T) {
	w := newWorld(t, tempDir(t), false, nil)
	_, err := w.apply(t.Context(), Self{Path: "/usr/local/bin/fate-installer", Digest: engine.Hash([]byte("other"))})
	if err == nil || w.exists("/usr/local/bin/fate-installer") {
		t.Errorf("error %v", err)
	}
}

func TestBlockRespectsOthers(t *testing.T) {
	w := newWorld(t, tempDir(t), false, with())
	block := Hosts(HostsEntry{"10.0.0.1", []string{"party1"}})
	w.run(t, block)
	w.write("/etc/hosts", w.read("/etc/hosts")+"10.9.9.9 theirs\n")
	_, err := w.undo(t.Context(), engine.Everything)
	must(t, err)
	if got := w.read("/etc/hosts"); got != "127.0.0.1 localhost\n10.9.9.9 theirs\n" {
		t.Errorf("content %q", got)
	}
	w.run(t, block)
	w.write("/etc/hosts", strings.Replace(w.read("/etc/hosts"), "10.0.0.1", "10.0.0.7", 1))
	r, err := w.undo(t.Context(), engine.Everything)
	must(t, err)
	if r.Count(engine.Left) != 1 || !strings.Contains(w.read("/etc/hosts"), "10.0.0.7 party1") {
		t.Errorf("%+v", r.Steps)
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
	golden(t, "testdata/plan.golden", out.String())
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		must(t, os.MkdirAll(filepath.Dir(file), 0o755))
		must(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	must(t, err)
	if got != string(want) {
		t.Errorf("%s differs; got:\n%s", file, got)
	}
}
