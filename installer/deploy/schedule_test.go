package deploy

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"fate-installer/installer/backup"
	"fate-installer/installer/exit"
	"fate-installer/installer/host"
	"fate-installer/installer/state"
)

// units is a systemd of a tree: it knows which units are enabled and active.
type units struct {
	calls           []string
	enabled, active map[string]bool
}

// Run implements [host.Runner].
func (u *units) Run(_ context.Context, c host.Cmd) (host.Result, error) {
	if c.Args[0] != "systemctl" {
		return host.Result{}, host.ErrNotFound
	}
	name := c.Args[len(c.Args)-1]
	known := func(set map[string]bool) (host.Result, error) {
		if set[name] {
			return host.Result{}, nil
		}
		return host.Result{Code: 1}, &host.ExitError{Name: "systemctl", Code: 1}
	}
	switch c.Args[1] {
	case "is-enabled":
		return known(u.enabled)
	case "is-active":
		return known(u.active)
	case "show":
		return host.Result{Stdout: []byte("NeedDaemonReload=no\n")}, nil
	case "enable", "disable":
		u.enabled[name] = c.Args[1] == "enable"
	case "start", "stop":
		u.active[name] = c.Args[1] == "start"
	}
	u.calls = append(u.calls, strings.Join(c.Args[1:], " "))
	return host.Result{}, nil
}

// installedTree is a tree with systemd, in which something is installed.
func installedTree(t *testing.T) (*Installation, *units) {
	t.Helper()
	i, u := openTree(t, t.TempDir()), &units{enabled: map[string]bool{}, active: map[string]bool{}}
	h, err := host.New(i.host.Root(), u)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	i.host = h
	data, err := state.State{Phase: state.Installed}.Encode()
	if err == nil {
		err = h.MkdirAll(i.Layout().State(), host.FileMode{Perm: 0o700})
	}
	if err == nil {
		err = h.WriteFile(statePath(i.Layout()), data, rootOnly)
	}
	for _, dir := range []string{"/run", systemdUnits} {
		if err == nil {
			err = h.MkdirAll(dir, host.FileMode{Perm: 0o755})
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return i, u
}

func nightly() backup.Schedule {
	return backup.Schedule{Every: backup.Daily, At: "02:30", Out: "/var/back ups", Keep: 7,
		PassphraseFile: "/root/100%"}
}

// schedule makes a schedule and returns what was reported.
func schedule(t *testing.T, i *Installation, s backup.Schedule) *Scheduled {
	t.Helper()
	var out *Scheduled
	if err := i.ScheduleBackups(t.Context(), s, func(s *Scheduled) error { out = s; return nil }); err != nil {
		t.Fatal(err)
	}
	return out
}

func unschedule(t *testing.T, i *Installation) (was bool) {
	t.Helper()
	if err := i.UnscheduleBackups(t.Context(), func(w bool) error { was = w; return nil }); err != nil {
		t.Fatal(err)
	}
	return was
}

// TestScheduleBackups makes a schedule, makes it again, changes it, breaks it, and takes it away.
func TestScheduleBackups(t *testing.T) {
	i, u := installedTree(t)
	before := filesIn(t, i.host.Root())
	if unschedule(t, i) {
		t.Error("a schedule is taken away that there was not")
	}
	out := schedule(t, i, nightly())
	if !out.Changed || len(out.Faults) > 0 || !u.enabled[backupTimer] || !u.active[backupTimer] {
		t.Fatalf("%+v %+v", out, u)
	}
	service, err := i.host.ReadFile(systemdUnits + backupService)
	want := "ExecStart=/usr/local/bin/fate-installer --base /data backup create --scheduled " +
		`--out "/var/back ups" --keep 7 ` + "--passphrase-file /root/100%%\n"
	if err != nil || !strings.Contains(string(service), want) {
		t.Errorf("%v\n%s\nwant %s", err, service, want)
	}
	timer, err := i.host.ReadFile(systemdUnits + backupTimer)
	if err != nil || !strings.Contains(string(timer), "OnCalendar=*-*-* 02:30:00\n") {
		t.Errorf("%v\n%s", err, timer)
	}
	if fi, err := i.host.Lstat(schedulePath(i.Layout())); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", fi, err)
	}

	u.calls = nil
	if again := schedule(t, i, nightly()); again.Changed || len(u.calls) > 0 || !reflect.DeepEqual(again.Record,
		out.Record) {
		t.Errorf("the same again changes %v: %+v", u.calls, again)
	}
	later := nightly()
	later.At = "03:00"
	if changed := schedule(t, i, later); !changed.Changed || changed.Record.Schedule.At != "03:00" ||
		!changed.Record.Schedule.Since.Equal(out.Record.Schedule.Since) {
		t.Errorf("%+v", changed.Record.Schedule)
	}

	u.active[backupTimer] = false
	shown, err := i.BackupSchedule(t.Context())
	if err != nil || len(shown.Faults) != 1 || !strings.Contains(shown.Faults[0], "it is not running") {
		t.Errorf("a stopped timer: %+v %v", shown, err)
	}
	if healed := schedule(t, i, later); len(healed.Faults) > 0 || !u.active[backupTimer] {
		t.Errorf("%+v", healed)
	}

	if !unschedule(t, i) || u.enabled[backupTimer] || u.active[backupTimer] ||
		!slices.Contains(u.calls, "reset-failed "+backupService) {
		t.Errorf("%+v", u)
	}
	after := slices.DeleteFunc(filesIn(t, i.host.Root()), func(f string) bool {
		return strings.Contains(f, "/journal") || strings.Contains(f, "/backup/")
	})
	if !slices.Equal(after, before) {
		t.Errorf("there are %v, want %v", after, before)
	}
	if unschedule(t, i) {
		t.Error("it is taken away twice")
	}
	if shown, err := i.BackupSchedule(t.Context()); err != nil || shown.Record.Schedule != nil {
		t.Errorf("%+v %v", shown, err)
	}
	if again := schedule(t, i, nightly()); !again.Changed || !u.active[backupTimer] {
		t.Errorf("%+v", again)
	}
}

// filesIn lists the files of a tree, but for the lock.
func filesIn(t *testing.T, root string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(name string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() && !strings.HasSuffix(name, lockPath) {
			files = append(files, strings.TrimPrefix(name, root))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestUninstallRemovesTheSchedule: with the data it removes what is known of backups, too.
func TestUninstallRemovesTheSchedule(t *testing.T) {
	for purge, kept := range map[bool]bool{false: true, true: false} {
		i, u := installedTree(t)
		schedule(t, i, nightly())
		if err := NoteBackupFailure(i.host, i.Layout(), time.Now(), "no room"); err != nil {
			t.Fatal(err)
		}
		if err := i.Uninstall(t.Context(), purge, func(*Removal) error { return nil }); err != nil {
			t.Fatal(err)
		}
		for _, file := range []string{schedulePath(i.Layout()), systemdUnits + backupTimer,
			systemdUnits + backupService} {
			if i.host.Exists(file) {
				t.Errorf("%s is left", file)
			}
		}
		if got := i.host.Exists(backupFailurePath(i.Layout())); got != kept || u.active[backupTimer] {
			t.Errorf("purge %v: what is known is there: %v; %+v", purge, got, u)
		}
	}
}

// TestScheduleWithFaults: whatever change fails, the same command again makes the schedule, and --off takes it away.
func TestScheduleWithFaults(t *testing.T) {
	for n := 0; ; n++ {
		i, u := installedTree(t)
		left := n
		failing := func(host.Op, string) error {
			if left--; left == -1 {
				return syscall.ENOSPC
			}
			return nil
		}
		i.host.InjectFaults(t, failing)
		err := i.ScheduleBackups(t.Context(), nightly(), func(*Scheduled) error { return nil })
		hit := left < 0
		i.host.InjectFaults(t, nil)
		if hit && err != nil && !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("change %d: %v", n, err)
		}
		if out := schedule(t, i, nightly()); len(out.Faults) > 0 || !u.active[backupTimer] {
			t.Errorf("change %d: %+v", n, out)
		}
		left = n
		i.host.InjectFaults(t, failing)
		_ = i.UnscheduleBackups(t.Context(), func(bool) error { return nil })
		hit = hit || left < 0
		i.host.InjectFaults(t, nil)
		unschedule(t, i)
		if i.host.Exists(systemdUnits+backupTimer) || i.host.Exists(schedulePath(i.Layout())) || u.active[backupTimer] {
			t.Errorf("change %d: the schedule is left", n)
		}
		if !hit {
			return
		}
	}
}

// TestScheduleWithoutSystemd says what cron has to run.
func TestScheduleWithoutSystemd(t *testing.T) {
	i, u := installedTree(t)
	for name, content := range map[string]string{"/proc/1/comm": "init\n", "/etc/inittab": "id:3:initdefault:\n",
		"/etc/init.d/x": ""} {
		if err := errors.Join(i.host.MkdirAll(filepath.Dir(name), host.FileMode{Perm: 0o755}),
			os.WriteFile(filepath.Join(i.host.Root(), name), []byte(content), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	s := nightly()
	s.At = "00:05"
	err := i.ScheduleBackups(t.Context(), s, nil)
	want := `5 0 * * * root /usr/local/bin/fate-installer --base /data backup create --scheduled ` +
		`--out '/var/back ups' --keep 7 --passphrase-file /root/100\%`
	if exit.CodeOf(t.Context(), err) != exit.Preflight || !strings.Contains(exit.HintOf(err), want) {
		t.Errorf("%v\n%s\nwant %s", err, exit.HintOf(err), want)
	}
	if len(u.calls) > 0 || i.host.Exists(schedulePath(i.Layout())) {
		t.Errorf("it changed something: %v", u.calls)
	}
}

// TestBackupRecord: what is written is read, a record is never half, and a damaged one hides nothing of the others.
func TestBackupRecord(t *testing.T) {
	i, _ := installedTree(t)
	l := i.Layout()
	if r, err := LoadBackupRecord(i.host, l); err != nil || !reflect.DeepEqual(r, backup.Record{}) {
		t.Errorf("%+v %v", r, err)
	}
	at := time.Date(2026, 11, 30, 2, 31, 0, 0, time.UTC)
	if err := NoteBackupFailure(i.host, l, at, strings.Repeat("x", 5000)); err != nil {
		t.Fatal(err)
	}
	r, err := LoadBackupRecord(i.host, l)
	if err != nil || !r.Failing(at) || len(r.Failure.Reason) != longestReason || !r.Failure.Time.Equal(at) {
		t.Errorf("%+v %v", r, err)
	}
	i.host.InjectFaults(t, func(op host.Op, _ string) error {
		if op == host.OpWrite {
			return syscall.ENOSPC
		}
		return nil
	})
	if err := NoteBackupFailure(i.host, l, at, "another"); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a full disk: %v", err)
	}
	i.host.InjectFaults(t, nil)
	if r, err := LoadBackupRecord(i.host, l); err != nil || r.Failure.Reason[0] != 'x' {
		t.Errorf("%+v %v", r, err)
	}
	if err := i.host.WriteFile(schedulePath(l), []byte("{"), rootOnly); err != nil {
		t.Fatal(err)
	}
	if r, err := LoadBackupRecord(i.host, l); err == nil || r.Failure == nil {
		t.Errorf("%+v %v", r, err)
	}
	if err := i.host.RemoveAll(l.State()); err != nil {
		t.Fatal(err)
	}
	if err := NoteBackupFailure(i.host, l, at, "x"); err != nil || i.host.Exists(l.State()) {
		t.Errorf("a host without an installation: %v", err)
	}
}
