package deploy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"time"

	"fate-installer/installer/backup"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/host"
)

// Where the host keeps what it knows of its backups, root's alone. Success and failure are two files, each written
// whole: a run that fails because another one is at work does not overwrite what that one writes.
func schedulePath(l cluster.Layout) string      { return path.Join(l.State(), "backup-schedule.json") }
func backupSuccessPath(l cluster.Layout) string { return path.Join(l.State(), "backup-success.json") }
func backupFailurePath(l cluster.Layout) string { return path.Join(l.State(), "backup-failure.json") }

// LoadBackupRecord reads what a host knows of its backups. With an error the rest is valid.
func LoadBackupRecord(h *host.Host, l cluster.Layout) (backup.Record, error) {
	var r backup.Record
	_, err := h.ReadDir(l.State()) // closed to others than root: without that nothing is known
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return r, fmt.Errorf("cannot read what is known of backups: %w", err)
	}
	var unscheduled, unknown, unfailed error
	r.Schedule, unscheduled = loadSchedule(h, l)
	r.Success, unknown = loadRecord(h, backupSuccessPath(l), decodeJSON[backup.Success])
	r.Failure, unfailed = loadRecord(h, backupFailurePath(l), decodeJSON[backup.Failure])
	return r, errors.Join(unscheduled, unknown, unfailed)
}

// loadSchedule reads the schedule; nil: there is none.
func loadSchedule(h *host.Host, l cluster.Layout) (*backup.Schedule, error) {
	return loadRecord(h, schedulePath(l), backup.DecodeSchedule)
}

// loadRecord reads one of the records; nil: there is none.
func loadRecord[T any](h *host.Host, file string, decode func(data []byte) (*T, error)) (*T, error) {
	data, err := h.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var r *T
	if err == nil {
		r, err = decode(data)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot use %s: %w", file, err)
	}
	return r, nil
}

func decodeJSON[T any](data []byte) (*T, error) {
	var r T
	err := json.Unmarshal(data, &r)
	return &r, err
}

// saveRecord writes one of the records. A host whose installation is gone has none.
func saveRecord(h *host.Host, l cluster.Layout, file string, record any) error {
	if !h.Exists(l.State()) {
		return nil
	}
	data, err := json.Marshal(record)
	if err == nil {
		err = h.WriteFile(file, append(data, '\n'), rootOnly)
	}
	if err != nil {
		return fmt.Errorf("cannot record how the backup ended: %w", err)
	}
	return nil
}

// noteBackup records how a backup ended that was made. One that lacks files is none to rely on. What cannot be recorded
// fails no backup.
func (b *backupRun) noteBackup(now time.Time) {
	h, l := b.d.host, b.d.Layout()
	var err error
	if n := b.done.Manifest.Missing(); n > 0 {
		err = saveRecord(h, l, backupFailurePath(l), backup.Failure{Time: now,
			Reason: fmt.Sprintf("%s lacks files, which it names: fate-installer backup inspect", b.done.File)})
	} else {
		err = saveRecord(h, l, backupSuccessPath(l), backup.Success{Time: now, File: b.done.File, Bytes: b.done.Size,
			Digest: b.done.Digest})
	}
	if err != nil {
		b.d.report.Warning(err.Error())
	}
}

// longestReason bounds what is kept of an error, in bytes.
const longestReason = 1000

// NoteBackupFailure records why no backup was made.
func NoteBackupFailure(h *host.Host, l cluster.Layout, now time.Time, reason string) error {
	if len(reason) > longestReason {
		reason = reason[:longestReason]
	}
	return saveRecord(h, l, backupFailurePath(l), backup.Failure{Time: now.UTC().Truncate(time.Second), Reason: reason})
}
