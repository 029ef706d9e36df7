package deploy

import (
	"context"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"

	"fate-installer/installer/engine"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/host"
	"fate-installer/installer/step"
	"fate-installer/supervisor/rpc"
)

// undoAttempt resolves the steps of a run that failed. What the supervisor of that run wrote into its run directory
// goes with the directory; a directory that was there before keeps what is in it. The passwords and the account stay
// when data stays. They were made first and are undone last, so that what stays is known by then; when it is not,
// they stay.
func undoAttempt(h *host.Host, layout cluster.Layout, ledger *engine.Ledger) engine.Resolver {
	return func(id string) (engine.Undoer, bool) {
		if neededByData(layout, id) {
			if keeps, err := keepsData(h, layout, ledger); keeps || err != nil {
				return nil, false
			}
		}
		undoer, ok := step.Undoer(id)
		if id == (step.Dir{Path: layout.SupervisorRun()}).ID() {
			return emptied{undoer, layout.SupervisorRun(), true}, true
		}
		return undoer, ok
	}
}

// madeBy lists the directories that a directory's step made.
func madeBy(before json.RawMessage) []string {
	var b struct {
		Made []string `json:"made"`
	}
	if json.Unmarshal(before, &b) != nil {
		return nil // an entry without a state: it made nothing that is known
	}
	return b.Made
}

// runFiles are the files that a supervisor writes into its run directory.
var runFiles = []string{"supervisord.lock", "supervisord.pid", "supervisor.sock", "state"}

// clearRun removes what a supervisor that is gone left in its run directory after the step that made the directory was
// undone: a failed run stops its supervisor, which writes its last state on the way out.
func (i *Installation) clearRun(ctx context.Context, journal *engine.Journal) error {
	dir := i.Layout().SupervisorRun()
	entries, err := i.host.ReadDir(dir)
	if err != nil {
		return nil // there is none
	}
	var made []string
	for _, e := range journal.Ledger().History() {
		if strings.HasPrefix(e.Step, step.Dir{}.ID()) && e.Undone {
			made = append(made, madeBy(e.Before)...)
		}
	}
	if !slices.Contains(made, dir) || i.supervisorRuns(ctx) {
		return nil
	}
	for _, e := range entries {
		if !slices.Contains(runFiles, e.Name()) {
			return nil
		}
	}
	if err := i.host.RemoveAll(dir); err != nil {
		return err
	}
	for up := filepath.Dir(dir); slices.Contains(made, up); up = filepath.Dir(up) {
		if entries, err := i.host.ReadDir(up); err != nil || len(entries) > 0 {
			break
		}
		if err := i.host.Remove(up); err != nil {
			return err
		}
	}
	return nil
}

// supervisorRuns reports whether a supervisor answers.
func (i *Installation) supervisorRuns(ctx context.Context) bool {
	client, err := rpc.ClientOf(i.host, i.Layout().SupervisorSocket())
	if err != nil {
		return false
	}
	defer client.Close()
	_, err = client.PID(ctx)
	return err == nil
}
