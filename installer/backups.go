package main

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"fate-installer/installer/backup"
	"fate-installer/installer/deploy"
	"fate-installer/installer/output"
	"fate-installer/installer/redact"
	"fate-installer/supervisor/rpc"
)

// backupRecord is what this host knows of its backups.
func (g *globals) backupRecord() (backup.Record, error) {
	h, err := g.openHost()
	if err != nil {
		return backup.Record{}, err
	}
	defer h.Close()
	return deploy.LoadBackupRecord(h, g.layout())
}

// backupGauges are read by the supervisor each time its metrics are asked for. Times are those of the events, so that a
// rule compares them with the time of the scrape.
func (g *globals) backupGauges(now time.Time) []rpc.Gauge {
	r, _ := g.backupRecord() // what cannot be read has no value, and svc status says why
	return backupGaugesOf(r, now)
}

func backupGaugesOf(r backup.Record, now time.Time) []rpc.Gauge {
	one := func(name, help string, value float64) rpc.Gauge {
		return rpc.Gauge{Name: name, Help: help, Samples: []rpc.Sample{{Value: value}}}
	}
	var out []rpc.Gauge
	if last := r.LastSuccess(now); last != nil {
		out = append(out,
			one("fate_backup_last_success_timestamp_seconds", "When the last complete backup of this host was made.",
				float64(last.Time.Unix())),
			one("fate_backup_last_success_size_bytes", "Size of the last complete backup.", float64(last.Bytes)))
	}
	if r.Failure != nil {
		out = append(out, one("fate_backup_last_failure_timestamp_seconds",
			"When a backup of this host was last not made, or lacked files.", float64(r.Failure.Time.Unix())))
	}
	if r.Schedule != nil {
		overdue := 0.0
		if r.Overdue(now) {
			overdue = 1
		}
		out = append(out,
			one("fate_backup_schedule_interval_seconds", "Time between two scheduled backups.",
				r.Schedule.Period().Seconds()),
			one("fate_backup_overdue", "1 if the last complete backup is older than two intervals of the schedule.",
				overdue))
	}
	return out
}

// lookAtBackups fills in how the backups are, or why that is not known, unless programs were named.
func (r *svcStatusReport) lookAtBackups(g *globals, names []string, now time.Time) {
	if len(names) > 0 {
		return
	}
	record, err := g.backupRecord()
	if errors.Is(err, fs.ErrPermission) {
		return // it is root's, as members of the group know
	}
	if err != nil {
		r.BackupsProblem = redact.Printable(err.Error())
	}
	if record.Schedule == nil && record.Success == nil && record.Failure == nil {
		return
	}
	report := reportOfBackups(record, now)
	r.Backups = &report
}

// aBackup is before a line about backups.
//
//language:labels
const aBackup = "backup"

// writeBackups writes a line about backups where some are made, and why they are not as they should be.
func (g *globals) writeBackups(r svcStatusReport) error {
	var lines []string
	at := func(t time.Time) string { return t.In(r.now.Location()).Format(minuteFormat) }
	if b := r.Backups; b != nil {
		switch {
		case b.Failing:
			lines = append(lines, fmt.Sprintf("failed at %s: %s", at(b.Failure.Time),
				g.text(b.Failure.Reason)))
		case b.Success == nil:
			lines = append(lines, "none was made yet")
		}
		if b.Success != nil && !backup.Ahead(b.Success.Time, r.now) {
			lines = append(lines, fmt.Sprintf("the last complete one was made at %s, %s ago",
				at(b.Success.Time), shortDuration(r.now.Sub(b.Success.Time))))
		}
		lines = append(lines, b.ahead(r.now, at)...)
		if b.Schedule != nil {
			lines = append(lines, fmt.Sprintf("the next one is made at %s",
				at(b.Schedule.Next(r.now))))
		}
		if b.Overdue {
			lines = append(lines, "OVERDUE: no complete one was made in the last two days")
		}
	}
	if r.BackupsProblem != "" {
		lines = append(lines, "not looked at: "+r.BackupsProblem)
	}
	w := g.Stdout
	for _, line := range lines {
		if _, err := fmt.Fprintln(w, output.Indented(g.language.Label(aBackup)+" ", g.text(line),
			deviceOf(w).Columns)); err != nil {
			return err
		}
	}
	if r.Backups == nil || !r.Backups.Failing && !r.Backups.Overdue {
		return nil
	}
	advice := "fate-installer backup create makes one now"
	if r.Backups.Schedule != nil {
		advice = "fate-installer backup schedule shows the schedule, and journalctl -u fate-backup what its runs wrote"
	}
	_, err := fmt.Fprintln(w, output.Indented("-> ", g.advice(advice), deviceOf(w).Columns))
	return err
}
