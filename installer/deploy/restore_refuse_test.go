package deploy

import (
	"context"
	"errors"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"fate-installer/installer/backup"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/fatetest"
	"fate-installer/installer/host"
	"fate-installer/installer/state"

	"filippo.io/age"
)

// restoreInTree is a restore of a file of a job on a host in a tree, where FATE is installed.
func restoreInTree(t *testing.T) *restoring {
	t.Helper()
	d := &Deployment{place: openTree(t, t.TempDir()).place, spec: fatetest.PlanSpec(t, cluster.RoleHost, 10000)}
	trees := d.flowTrees()
	if err := d.host.MkdirAll(path.Join(trees.Home, "jobs"), host.FileMode{Perm: 0o755}); err != nil {
		t.Fatal(err)
	}
	if err := d.host.WriteFile(path.Join(trees.Home, "jobs/1"), []byte("{}"), host.FileMode{Perm: 0o644}); err != nil {
		t.Fatal(err)
	}
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "b")
	out, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	m := &backup.Manifest{Schema: backup.Schema, ID: "20261130T120000Z-0001", Made: time.Now().UTC(), Program: "test",
		Host: "h1", Role: "host", Party: 10000, IP: "192.168.0.1", FATE: "1.11.4",
		Components: map[string]string{"fate": "1.11.4"}, Encryption: backup.ByRecipient, Trees: []backup.Tree{},
		Unread: []string{}, NotBacked: []string{}}
	if err := backup.Create(t.Context(), out, m, &backup.Sealed{Site: []byte("{}")}, backup.Content{
		Files: func(ctx context.Context, m *backup.Manifest, w *backup.RecordWriter) error {
			return trees.Write(ctx, m, w, func(int64) {})
		}}, []age.Recipient{key.Recipient()}); err != nil {
		t.Fatal(err)
	}
	a, err := backup.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	sealed, err := a.Unlock(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	installed := state.State{Schema: state.Schema, Phase: state.Installed, Role: "host", Party: 10000,
		Release: state.Release{FATE: "1.11.4", Components: map[string]state.Component{"fate": {Version: "1.11.4"}}}}
	if err := errors.Join(d.host.MkdirAll(path.Dir(statePath(d.Layout())), host.FileMode{Perm: 0o755}),
		(&transition{place: d.place}).save(installed)); err != nil {
		t.Fatal(err)
	}
	r := &restoring{d: d, opts: RestoreOptions{Archive: a, Sealed: sealed, CancelJobs: true}}
	r.restore = backup.Restore{Archive: a, Sealed: sealed, Trees: trees}
	r.decided(t)
	return r
}

// decided reads the state again, as another run does.
func (r *restoring) decided(t *testing.T) {
	t.Helper()
	var err error
	if r.transition, err = r.d.decide(state.Restore); err != nil {
		t.Fatal(err)
	}
}

// stagedJobs is where the tree of jobs is loaded.
func (r *restoring) stagedJobs() string { return path.Join(r.restore.Trees.Home, ".jobs.fate-restore") }

// TestFailedLoadIsTakenBack: a restore that fails while it loads leaves the host installed, so that it stands in the
// way of no other command, and nothing of what it has loaded.
func TestFailedLoadIsTakenBack(t *testing.T) {
	r := restoreInTree(t)
	full := func(op host.Op, abs string) error {
		if op == host.OpWrite && abs == r.stagedJobs()+"/1" {
			return syscall.ENOSPC
		}
		return nil
	}
	r.host.InjectFaults(t, full)
	if err := r.run(t.Context()); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the error is %v", err)
	}
	r.decided(t)
	if r.state.Phase != state.Installed || r.resumes() || r.host.Exists(r.stagedJobs()) {
		t.Errorf("the host is %+v, and what was loaded is there: %v", r.state, r.host.Exists(r.stagedJobs()))
	}
	ctx, cancel := context.WithCancel(t.Context())
	r.host.InjectFaults(t, func(op host.Op, abs string) error {
		if op == host.OpCreate && strings.HasPrefix(abs, r.stagedJobs()) {
			cancel()
		}
		return nil
	})
	if err := r.run(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("the error is %v", err)
	}
	if r.decided(t); r.state.Phase != state.Installed || r.host.Exists(r.stagedJobs()) {
		t.Errorf("after an interruption the host is %+v", r.state)
	}
}

// TestKilledLoadIsTakenBack: after a kill while it was loaded any backup may be restored, and what was loaded is
// removed before room is asked for. Once it may be in use, only the same backup completes it.
func TestKilledLoadIsTakenBack(t *testing.T) {
	r := restoreInTree(t)
	if err := r.enter(state.Change{Backup: "another"}, nil); err != nil {
		t.Fatal(err)
	}
	if err := r.host.MkdirAll(r.stagedJobs(), host.FileMode{Perm: 0o755}); err != nil {
		t.Fatal(err)
	}
	r.decided(t)
	if !r.resumes() {
		t.Fatal("nothing is resumed")
	}
	if err := errors.Join(r.refuseOther(), r.beginAgain(t.Context())); err != nil {
		t.Fatal(err)
	}
	if r.resumes() || r.state.Phase != state.Installed || r.host.Exists(r.stagedJobs()) {
		t.Errorf("the host is %+v", r.state)
	}
	if err := r.enter(state.Change{Backup: "another", Restored: state.Staged}, nil); err != nil {
		t.Fatal(err)
	}
	if err := r.host.MkdirAll(r.stagedJobs(), host.FileMode{Perm: 0o755}); err != nil {
		t.Fatal(err)
	}
	r.decided(t)
	if r.refuseOther() == nil {
		t.Error("another backup was accepted")
	}
	if err := r.beginAgain(t.Context()); err != nil || !r.resumes() || !r.host.Exists(r.stagedJobs()) {
		t.Errorf("what was loaded is gone, %v", err)
	}
}

// TestRoomIsSummed adds up what is loaded on one file system.
func TestRoomIsSummed(t *testing.T) {
	h := openTree(t, t.TempDir()).host
	for _, dir := range []string{"/a", "/b"} {
		if err := h.MkdirAll(dir, host.FileMode{Perm: 0o755}); err != nil {
			t.Fatal(err)
		}
	}
	h.InjectSpace(t, func(_ string, s host.Space) host.Space {
		s.Size, s.Free = 1<<40, backupReserve+100
		return s
	})
	if err := refuseFull(h, []need{{"/a", 60}, {"/b", 60}}); err == nil || !strings.Contains(err.Error(), "/a and /b") {
		t.Errorf("the error is %v", err)
	}
	if err := refuseFull(h, []need{{"/a", 60}, {"/b", 40}}); err != nil {
		t.Error(err)
	}
}

// TestJobsThatCannotBeKnown: tables are not taken from a FATE-Flow that may have jobs, and that cannot be asked.
func TestJobsThatCannotBeKnown(t *testing.T) {
	away := errors.New("no answer")
	here := &Deployment{spec: fatetest.PlanSpec(t, cluster.RoleHost, 10000)}
	for name, c := range map[string]struct {
		d          *Deployment
		away       error
		unfinished int64
		want       string
		warnings   int
	}{
		"here, none recorded":      {here, away, 0, "", 1},
		"here, recorded":           {here, away, 2, "recorded as running", 0},
		"here, unknown":            {here, away, -1, "does not answer", 0},
		"elsewhere, none recorded": {&Deployment{spec: &cluster.Spec{}}, nil, 0, "", 0},
		"elsewhere, recorded":      {&Deployment{spec: &cluster.Spec{}}, nil, 1, "another host", 0},
		"elsewhere, no answer":     {&Deployment{spec: &cluster.Spec{}}, away, 1, "another host", 0},
	} {
		r := &restoring{d: c.d}
		err := r.judgeJobs(c.away, c.unfinished)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) ||
			len(r.done.Warnings) != c.warnings {
			t.Errorf("%s: %v with %v", name, err, r.done.Warnings)
		}
	}
}
