package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/host"
	"fate-installer/installer/state"
	"fate-installer/payload/count"
	"fate-installer/supervisor"
)

// dropTime is how long the removal of what was loaded may take after an interruption.
const dropTime = 2 * time.Minute

// beginAgain takes back a restore that was killed before what it loaded was in use, and removes what it loaded. So
// neither its backup nor the room that it took matters to the one that begins now.
func (r *restoring) beginAgain(ctx context.Context) error {
	if r.resumes() {
		if r.state.Change.Restored != "" {
			return nil
		}
		r.report.Printf("a restore was interrupted before anything was replaced: beginning again\n")
		if err := r.takenBack(); err != nil {
			return err
		}
		t, err := r.d.decide(state.Restore)
		if err != nil {
			return err
		}
		r.transition = t
	}
	if err := r.restore.Drop(ctx); err != nil {
		return exit.With(fmt.Errorf("cannot remove what an earlier restore has loaded: %w", err), exit.Step)
	}
	return nil
}

// giveUp takes back a restore that has failed before anything in use was touched, so that it stands in the way of
// nothing. It does so after an interruption, too.
func (r *restoring) giveUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), dropTime)
	defer cancel()
	if err := r.takenBack(); err != nil {
		return err
	}
	if err := r.restore.Drop(ctx); err != nil {
		return fmt.Errorf("what was loaded could not be removed, which the next restore does: %w", err)
	}
	return nil
}

// need is the room that something takes in a directory.
type need struct {
	dir   string
	bytes int64
}

// room refuses file systems without room for what is loaded next to what is in use. A database server does not fail on
// a full one: it waits.
func (r *restoring) room() error {
	if r.resumes() {
		return nil // everything is loaded
	}
	files, tables := r.opts.Archive.Manifest().Bytes()
	var needs []need
	if r.restore.Trees != nil {
		needs = append(needs, need{r.restore.Trees.Home, files})
	}
	if r.restore.Tables != nil {
		needs = append(needs, need{r.Layout().DatabaseData(), 3 * tables}) // with indexes and logs
	}
	return refuseFull(r.host, needs)
}

// backupReserve must stay free beyond what is put on a file system, in bytes.
const backupReserve = 64 << 20

// refuseFull refuses file systems without room for all that is to be put on each of them.
func refuseFull(h *host.Host, needs []need) error {
	var devices []uint64
	dirs, sums := map[uint64][]string{}, map[uint64]int64{}
	for _, n := range needs {
		device, err := h.Device(n.dir)
		if err != nil {
			return err
		}
		if dirs[device] == nil {
			devices = append(devices, device)
		}
		dirs[device], sums[device] = append(dirs[device], n.dir), sums[device]+n.bytes
	}
	for _, device := range devices {
		space, err := h.Space(dirs[device][0])
		if err != nil {
			return err
		}
		if space.Size > 0 && space.Free < uint64(sums[device])+backupReserve {
			return fmt.Errorf("it may take %s in %s, and %s is free there", count.Bytes(sums[device]),
				strings.Join(dirs[device], " and "), count.Bytes(int64(space.Free)))
		}
	}
	return nil
}

// refuseJobs refuses jobs that run: they would end, or lose their tables. Only the database of this host answers for a
// FATE-Flow that is elsewhere or does not answer.
func (r *restoring) refuseJobs(ctx context.Context) error {
	if r.opts.CancelJobs || r.resumes() && r.state.Change.Restored == state.Swapped {
		return nil
	}
	if r.restore.Tables == nil && r.restore.Trees == nil {
		return nil // a host without the data of jobs takes nothing from them
	}
	client, jobs, away := r.d.unfinishedJobs(ctx)
	switch {
	case client == nil:
		return nil
	case len(jobs) > 0:
		return jobsRun(fmt.Errorf("cannot restore while jobs run: %s", strings.Join(jobs, ", ")))
	case away == nil && r.d.spec.Runs(cluster.FateFlow):
		return nil
	}
	unfinished, err := r.recordedJobs(ctx)
	if err != nil {
		return exit.With(err, exit.Preflight)
	}
	return r.judgeJobs(away, unfinished)
}

// recordedJobs counts the jobs that have not ended after the database of this host; negative: it cannot be known.
func (r *restoring) recordedJobs(ctx context.Context) (int64, error) {
	if r.restore.Tables != nil {
		return r.restore.Tables.Unfinished(ctx)
	}
	statuses, err := r.env.Services.Status(ctx)
	if err != nil {
		return 0, err
	}
	for _, s := range statuses {
		if s.Name == cluster.FateFlow.Program() && !supervisor.State(s.State).Up() {
			return 0, nil // FATE-Flow is stopped, and its jobs with it
		}
	}
	return -1, nil
}

// judgeJobs refuses or warns where this host's FATE-Flow could not say that no job runs. away is why; nil: that of
// another host has said so, and goes on using the tables.
func (r *restoring) judgeJobs(away error, unfinished int64) error {
	here := r.d.spec.Runs(cluster.FateFlow)
	if unfinished == 0 {
		if away != nil && here {
			r.warnOnce(fmt.Sprintf("FATE-Flow could not say whether jobs run, and none is recorded as running: %v",
				away))
		}
		return nil
	}
	why, hint := "FATE-Flow does not answer, and jobs may run", "start it: fate-installer svc start "+
		cluster.FateFlow.Program()
	if !here {
		why, hint = "FATE-Flow runs on another host, and its jobs have not ended", "stop it there"
	} else if unfinished > 0 {
		why = "FATE-Flow does not answer, and jobs are recorded as running"
	}
	err := errors.New("cannot restore: " + why)
	if away != nil {
		err = fmt.Errorf("cannot restore: %s: %w", why, away)
	}
	return exit.With(exit.Hint(err, hint+", or add --cancel-jobs, which ends its jobs"), exit.Preflight)
}

// warnOnce adds a warning that is not there.
func (r *restoring) warnOnce(text string) {
	if !slices.Contains(r.done.Warnings, text) {
		r.done.Warnings = append(r.done.Warnings, text)
	}
}
