// Package gc finds the files of ended jobs, old logs, and what else an installation leaves behind and needs no more,
// chooses by age and size what to remove, and removes it.
//
// Most of it is in directories of the service user. An entry counts only when its name has the form that FATE gives to
// it, and it and all directories in it belong to that user. It is measured and removed through directory descriptors,
// follows no link and stays on its file system; what has been exchanged since it was measured is left. A directory is
// renamed before it is removed: a run that is killed leaves it whole, or under a name that the next run removes.
//
// Rows of FATE-Flow's tables are not touched. A job whose files were removed is listed as before, and FATE-Board shows
// its graph, its state and its metrics, which are in the database; it has no logs to show.
package gc

import (
	"context"
	"fmt"
	"slices"
	"time"

	"fate-installer/installer/host"
)

// Kind is a kind of things that can be removed.
type Kind string

// The kinds, in the order in which they are shown.
const (
	Jobs        Kind = "jobs"         // FATE-Flow's directories of jobs
	JobLogs     Kind = "job-logs"     // logs of jobs: FATE-Flow's, and those of eggroll's sessions
	ProgramLogs Kind = "program-logs" // logs of programs that were rotated
	Models      Kind = "models"       // models of jobs that have ended, to which no table refers
	Sessions    Kind = "sessions"     // what sessions of eggroll left of jobs that have ended
	Slots       Kind = "slots"        // earlier versions that no rollback needs
	History     Kind = "history"      // rotated records of what was changed, and what commands have printed
	Backups     Kind = "backups"      // older backups
)

// Kinds lists all kinds.
func Kinds() []Kind {
	return []Kind{Jobs, JobLogs, ProgramLogs, Models, Sessions, Slots, History, Backups}
}

// Item is a file or a directory that can be removed.
type Item struct {
	// jobs, job-logs, program-logs, models, sessions, slots, history or backups
	Kind     Kind      `json:"kind"`
	Path     string    `json:"path"`          // the file, or the directory with all that is in it
	Job      string    `json:"job,omitempty"` // whose it is
	Bytes    int64     `json:"bytes"`         // that its removal frees
	Modified time.Time `json:"modified"`      // when anything in it was written last

	always bool // it is of no use, however young it is
	usage  host.Usage
	aside  string // the name that it gets before it is removed
}

// Left is what is not removed, and why.
type Left struct {
	Kind   Kind     `json:"kind"`   // as that of an item
	Reason string   `json:"reason"` // why they are not removed
	Count  int      `json:"count"`  // 0: not known
	Bytes  int64    `json:"bytes"`  // that these take
	Paths  []string `json:"paths"`  // the first of them
}

// mostPaths is how many paths of one reason are named.
const mostPaths = 3

// Records says which jobs and models are in use.
type Records interface {
	// Busy returns the jobs that run or wait.
	Busy(ctx context.Context) (map[string]bool, error)
	// Any reports whether there is a record of any job.
	Any(ctx context.Context) (bool, error)
	// Over reports whether a job has ended, and whether there is a record of it. Without one it has.
	Over(ctx context.Context, id string) (over, known bool, err error)
	// ModelPaths returns the models that FATE-Flow's tables refer to, by their paths below model_local_cache.
	ModelPaths(ctx context.Context) (map[string]bool, error)
}

// Inventory is what was found.
type Inventory struct {
	Items  []Item
	Left   []Left
	Dark   bool // whether something is left because it is not known which jobs run, or which models are in use
	Unseen bool // whether something could not be looked at, or measured
}

// leave notes what is not removed.
func (v *Inventory) leave(kind Kind, path string, bytes int64, format string, args ...any) {
	reason := fmt.Sprintf(format, args...)
	i := slices.IndexFunc(v.Left, func(l Left) bool { return l.Kind == kind && l.Reason == reason })
	if i < 0 {
		i, v.Left = len(v.Left), append(v.Left, Left{Kind: kind, Reason: reason, Paths: []string{}})
	}
	l := &v.Left[i]
	if path == "" {
		return
	}
	l.Count++
	l.Bytes += bytes
	if len(l.Paths) < mostPaths {
		l.Paths = append(l.Paths, path)
	}
}
