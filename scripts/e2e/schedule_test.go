//go:build e2e

package e2e

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// scheduled is what the test reads of a schedule.
type scheduled struct {
	Scheduled, Changed, Failing bool
	Faults                      []string
	Success                     *struct {
		Time time.Time
		File string
	} `json:"last_success"`
	Failure *struct{ Reason string } `json:"last_failure"`
}

// TestBackupSchedule has a host make backups by systemd's timer: one is made, one fails and is reported, and an
// uninstall leaves nothing of it.
func TestBackupSchedule(t *testing.T) {
	t.Parallel()
	b := newBench(t, "main=192.168.0.1")
	b.install("main", "--role", "host", "--party", "10000")
	b.write("main", "/root/passphrase", "correct horse battery\n")
	b.run("main", "chmod", "600", "/root/passphrase")
	schedule := func(args ...string) (s scheduled) {
		t.Helper()
		out := b.run("main", append([]string{"fate-installer", "backup", "schedule", "-o", "json"}, args...)...)
		if err := json.Unmarshal([]byte(out), &s); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return s
	}
	daily := []string{"--daily", "--out", "/var/backups/fate", "--passphrase-file", "/root/passphrase"}
	out, code, err := b.try("main", append([]string{"fate-installer", "backup", "schedule"}, daily...)...)
	if err != nil || code != 2 || !strings.Contains(out, "mkdir -p -m 700 /var/backups/fate") {
		t.Errorf("without the directory: exit status %d (%v)\n%s", code, err, out)
	}
	b.run("main", "mkdir", "-p", "-m", "700", "/var/backups/fate")
	if s := schedule(daily...); !s.Scheduled || !s.Changed || len(s.Faults) > 0 {
		t.Fatalf("%+v", s)
	}
	if s := schedule(daily...); s.Changed {
		t.Errorf("the same again: %+v", s)
	}
	if s := schedule(append(daily, "--at", "03:15")...); !s.Changed || len(s.Faults) > 0 {
		t.Errorf("at another time: %+v", s)
	}
	timers := b.run("main", "systemctl", "list-timers", "--all", "fate-backup.timer")
	if !strings.Contains(timers, "03:15:00") {
		t.Errorf("systemd has the timer as\n%s", timers)
	}
	t.Logf("%s%s", timers, b.run("main", "systemctl", "cat", "fate-backup.service"))

	b.run("main", "systemctl", "start", "fate-backup")
	b.await("the backup is made", func() bool { return schedule().Success != nil })
	t.Logf("%s", b.run("main", "fate-installer", "backup", "schedule"))
	t.Logf("%s", b.run("main", "fate-installer", "svc", "status"))
	made := schedule().Success.File
	b.run("main", "fate-installer", "backup", "verify", made, "--passphrase-file", "/root/passphrase")
	b.run("main", "mv", "/root/passphrase", "/root/passphrase.away")
	b.run("main", "systemctl", "start", "fate-backup")
	b.await("the failure is recorded", func() bool { return schedule().Failing })
	if s := schedule(); !strings.Contains(s.Failure.Reason, "passphrase") || s.Success.File != made {
		t.Errorf("%+v", s)
	}
	status := b.run("main", "fate-installer", "svc", "status")
	if !strings.Contains(status, "failed at") || !strings.Contains(status, "passphrase") {
		t.Errorf("svc status says\n%s", status)
	}
	t.Logf("%s", status)
	if metrics := b.run("main", "fate-installer", "svc", "metrics"); !strings.Contains(metrics,
		"fate_backup_last_failure_timestamp_seconds 1") {
		t.Errorf("svc metrics has\n%s", metrics)
	}

	if s := schedule("--off"); s.Scheduled || !s.Changed {
		t.Errorf("%+v", s)
	}
	if left := b.run("main", "systemctl", "list-units", "--all", "--no-legend", "fate-backup.*"); strings.TrimSpace(
		left) != "" {
		t.Errorf("systemd still has %s", left)
	}
	schedule(append(daily[:3:3], "--recipient", "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p")...)
	b.run("main", "fate-installer", "uninstall", "--purge-data", "--yes")
	left, _, err := b.try("main", "sh", "-c", "ls -d /data /etc/systemd/system/fate* 2>/dev/null; "+
		"systemctl list-units --all --no-legend 'fate-*'")
	if err != nil || strings.TrimSpace(left) != "" {
		t.Errorf("the uninstall leaves %s (%v)", left, err)
	}
}
