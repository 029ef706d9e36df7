package main

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"fate-installer/installer/backup"
	"fate-installer/installer/deploy"
	"fate-installer/installer/exit"
)

// TestScheduleFlags: flags that do not go together are refused before anything is looked at.
func TestScheduleFlags(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"--daily --off", "name one of"},
		{"--keep 3", "without --daily"},
		{"--off --out /x", "without --daily"},
		{"--daily --recipient age1x", "--out does not say where"},
		{"--daily --out /x", "no terminal to ask"},
		{"--daily --out /x --recipient age1x --keep 0", "from 1"},
		{"--daily --out /x --recipient age1x --at 7", "hours and minutes"},
	} {
		var out, errs strings.Builder
		g := &globals{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs}
		args := append([]string{"--base", t.TempDir(), "backup", "schedule"}, strings.Fields(c.args)...)
		code := execute(context.Background(), g, args)
		if code != exit.Usage || !strings.Contains(errs.String(), c.want) {
			t.Errorf("%s: exit code %d\n%s", c.args, code, errs.String())
		}
	}
}

func TestBackupGauges(t *testing.T) {
	text := func(r backup.Record) string {
		var b strings.Builder
		for _, g := range backupGaugesOf(r, exampleTime.AddDate(0, 0, 3)) {
			fmt.Fprintf(&b, "%s %.0f\n", g.Name, g.Samples[0].Value)
		}
		return b.String()
	}
	if got := text(backup.Record{}); got != "" {
		t.Errorf("a host without backups has %s", got)
	}
	got := text(backup.Record{Schedule: exampleBackups.Schedule, Success: exampleBackups.Success,
		Failure: exampleBackups.Failure})
	want := fmt.Sprintf(`fate_backup_last_success_timestamp_seconds %d
fate_backup_last_success_size_bytes 73400320
fate_backup_last_failure_timestamp_seconds %d
fate_backup_schedule_interval_seconds 86400
fate_backup_overdue 1
`, exampleTime.Unix(), exampleTime.AddDate(0, 0, -1).Unix())
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// TestBackupsOfAClockAhead: a last backup that is dated later than now has no metrics, with which its age would be
// negative for years, and the schedule's text says so.
func TestBackupsOfAClockAhead(t *testing.T) {
	s := *exampleBackups.Schedule
	s.Since = exampleTime.AddDate(10, 0, 0)
	r := backup.Record{Schedule: &s, Success: &backup.Success{Time: exampleTime.AddDate(10, 0, 0)},
		Failure: exampleBackups.Failure}
	for _, g := range backupGaugesOf(r, exampleTime) {
		if strings.Contains(g.Name, "success") || g.Name == "fate_backup_overdue" && g.Samples[0].Value != 1 {
			t.Errorf("%+v", g)
		}
	}
	var schedule, status strings.Builder
	if err := printSchedule(&globals{Stdout: &schedule}, &deploy.Scheduled{Record: r}, exampleTime); err != nil {
		t.Fatal(err)
	}
	b := reportOfBackups(r, exampleTime)
	g := &globals{Stdout: &status}
	if err := g.writeBackups(svcStatusReport{Backups: &b, now: exampleTime}); err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{"schedule": schedule.String(), "status": status.String()} {
		text = strings.Join(strings.Fields(text), " ")
		if strings.Count(text, "later than now") != 2 || strings.Contains(text, " ago") ||
			!strings.Contains(text, exampleBackups.Failure.Reason) {
			t.Errorf("%s:\n%s", what, text)
		}
	}
}

// TestScheduleDocument: with and without a schedule the document is as described.
func TestScheduleDocument(t *testing.T) {
	for _, s := range []*deploy.Scheduled{
		{Faults: []string{}},
		{Record: backup.Record{Schedule: exampleBackups.Schedule, Success: exampleBackups.Success,
			Failure: exampleBackups.Failure}, Faults: []string{"timer fate-backup.timer: it is not running"}},
	} {
		var out strings.Builder
		g := &globals{Output: outputJSON, Stdout: &out}
		if err := printSchedule(g, s, exampleTime); err != nil {
			t.Fatal(err)
		}
		checkDocument(t, []string{"backup", "schedule"}, out.String())
	}
}
