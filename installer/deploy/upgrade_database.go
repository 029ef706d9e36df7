package deploy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"fate-installer/installer/database"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/render"
	"fate-installer/installer/flow"
	"fate-installer/installer/host"
	"fate-installer/installer/job"
	"fate-installer/installer/schema"
	"fate-installer/payload/count"
)

// schemaUpgrades are the databases whose tables this host sees to, for the release that is wanted, with their server's
// address.
func (d *Deployment) schemaUpgrades() []database.SchemaUpgrade {
	db, ok := render.DatabaseOf(d.spec)
	if !ok {
		return nil
	}
	out := render.SchemaUpgrades(d.spec)
	for i := range out {
		out[i].Address = database.Address{Host: db.Host, Port: db.Port}
		if db.Socket != "" {
			out[i].Address = database.Address{Socket: db.Socket}
		}
	}
	return out
}

// refuseOldTables refuses a host whose programs would use tables that their own host has not brought to the new
// release.
func (r *Replacement) refuseOldTables(ctx context.Context) error {
	db, ok := render.DatabaseOf(r.d.spec)
	if !ok {
		return nil
	}
	for _, u := range render.SchemasElsewhere(r.d.spec) {
		u.Address = database.Address{Host: db.Host, Port: db.Port}
		state, err := u.State(ctx, r.host)
		if err != nil || !state.Needed() {
			continue // a server that does not answer may be stopped for its own upgrade
		}
		return exit.With(exit.Hint(fmt.Errorf("cannot upgrade: the tables of %s at %s are those of release %s, and %s "+
			"needs others", u.Schema, u.Address, state.From, u.Release),
			"upgrade "+db.Host+" first, the host of the database"), exit.Preflight)
	}
	return nil
}

// refuseCarryOver refuses releases whose data cannot become that of the wanted ones.
func (d *Deployment) refuseCarryOver() error {
	was, err := d.specOf(d.stored)
	if err != nil {
		return err
	}
	const hint = "install the new release next to it under another --base, or uninstall first; the data is kept, but " +
		"the " +
		"new release cannot use it"
	old, next := was.Profile, d.spec.Profile
	for _, part := range []struct {
		part     schema.Part
		from, to cluster.Version
		used     bool
	}{
		{schema.Flow, old.FATE, next.FATE, d.spec.Role != cluster.RoleExchange},
		{schema.Eggroll, old.Eggroll, next.Eggroll, d.spec.Role != cluster.RoleExchange},
	} {
		if !part.used || part.from == "" || part.to == "" || part.from == part.to {
			continue
		}
		if err := schema.CarryOver(part.part, string(part.from), string(part.to)); err != nil {
			return exit.Hint(fmt.Errorf("cannot upgrade: %w", err), hint)
		}
	}
	if d.spec.Runs(cluster.FateFlow) && old.FATE != "" && old.FlatPython() && !next.FlatPython() {
		return exit.Hint(fmt.Errorf(
			"cannot upgrade FATE from %s to %s: before 1.7 FATE-Flow kept models and jobs in FATE's "+
				"own directory, and upstream has no way to bring them into its new one", old.FATE, next.FATE), hint)
	}
	return nil
}

// needsDatabaseCopy finds out, before anything is stopped, whether the tables of the database will be changed. Where
// the server does not answer, the releases decide.
func (r *Replacement) needsDatabaseCopy(ctx context.Context) (bool, error) {
	if r.replacesServer() || r.kept != nil && r.kept.Database != "" {
		return true, nil
	}
	was, err := r.d.specOf(r.d.stored)
	if err != nil {
		return false, err
	}
	for _, u := range r.d.schemaUpgrades() {
		state, err := u.State(ctx, r.host)
		switch {
		case err == nil && state.Refused != nil:
			return false, state.Refused
		case err == nil && state.Needed():
			return true, nil
		case err == nil:
			continue
		case ctx.Err() != nil:
			return false, context.Cause(ctx)
		}
		from := was.Profile.FATE
		if u.Part == schema.Eggroll {
			from = was.Profile.Eggroll
		}
		if from != "" && schema.Changes(u.Part, string(from), u.Release) {
			return true, nil
		}
	}
	return false, nil
}

// refuseWithoutCopy refuses an upgrade that changes tables of which no copy can be kept.
func (r *Replacement) refuseWithoutCopy() error {
	db, ok := render.DatabaseOf(r.d.spec)
	if !ok || !r.copyDatabase || r.kept != nil && r.kept.Database != "" {
		return nil
	}
	if !r.d.spec.Runs(cluster.MySQL) {
		if r.opts.DatabaseCopied {
			return nil
		}
		return exit.Hint(fmt.Errorf(
			"cannot upgrade: the tables at %s:%d have to be changed, and no copy can be made of a "+
				"server that is not ours", db.Host, db.Port),
			"have its administrator dump the schemas (mysqldump --single-transaction --routines), then add "+
				"--database-copied")
	}
	data := r.Layout().DatabaseData()
	if !r.host.Exists(data) { // it is yet to be made
		r.copyDatabase = false
		return nil
	}
	if err := r.sweepCopies(); err != nil {
		return err
	}
	need, err := treeSize(r.host, data)
	if err != nil {
		return fmt.Errorf("cannot tell how large the database is: %w", err)
	}
	fact, ok := r.d.facts.PathFact(data)
	if !ok || fact.Size == 0 || fact.Free >= need+copyReserve {
		return nil
	}
	return exit.Repeat(fmt.Errorf("cannot upgrade: a copy of the database takes %s, and %s has %s free",
		count.Bytes(int64(need)), fact.Mount, count.Bytes(int64(fact.Free))), "make room there, then", "")
}

// sweepCopies removes copies of the database that a run made and was killed before it noted them.
func (p *place) sweepCopies() error {
	slots, err := loadSlots(p.host, p.Layout())
	if err != nil {
		return err
	}
	data := p.Layout().DatabaseData()
	entries, err := p.host.ReadDir(path.Dir(data))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot look for copies of the database: %w", err)
	}
	for _, e := range entries {
		file := path.Join(path.Dir(data), e.Name())
		if strings.HasPrefix(strings.TrimPrefix(e.Name(), "."), path.Base(data)+copyInfix) &&
			!slices.ContainsFunc(slots, func(s *slot) bool { return s.Database == file }) {
			if err := p.host.RemoveAll(file); err != nil {
				return fmt.Errorf("cannot remove a copy of the database that was cut off: %w", err)
			}
		}
	}
	return nil
}

// copyReserve is the space that must stay free beyond the copy, in bytes, for the programs that go on writing.
const copyReserve = 256 << 20

// treeSize adds up the files of a directory.
func treeSize(h *host.Host, dir string) (uint64, error) {
	entries, err := h.ReadDir(dir)
	if err != nil {
		return 0, err
	}
	total := uint64(0)
	for _, e := range entries {
		if e.IsDir() {
			below, err := treeSize(h, path.Join(dir, e.Name()))
			if err != nil {
				return 0, err
			}
			total += below
			continue
		}
		if info, err := e.Info(); err == nil { // one that is gone by now takes no room
			total += uint64(info.Size())
		}
	}
	return total, nil
}

// refuseRunningJobs makes sure that no job of the party runs, or cancels those that do. A FATE-Flow that does not
// answer is no reason to keep a broken party from being upgraded.
func (r *Replacement) refuseRunningJobs(ctx context.Context) error {
	if r.d.spec.Role == cluster.RoleExchange || len(r.changes) == 0 || !r.host.IsSystem() {
		return nil
	}
	client, jobs, err := r.d.unfinishedJobs(ctx)
	if err != nil {
		r.report.Printf("warning: cannot tell whether jobs run: %v\n", err)
		return nil
	}
	if len(jobs) == 0 {
		return nil
	}
	// they may be the reason for it, or of before the kill
	if (r.verb == verbRollBack || r.resumes()) && !r.opts.CancelJobs {
		r.report.Printf("warning: these jobs end: %s\n", strings.Join(jobs, ", "))
		return nil
	}
	if !r.opts.CancelJobs {
		return jobsRun(fmt.Errorf("cannot %s while jobs run: %s", r.verb, strings.Join(jobs, ", ")))
	}
	if err := r.cancel(ctx, client, jobs); err != nil {
		r.report.Printf("warning: %v; they end with the programs that are stopped now\n", err)
	}
	return nil
}

// unfinishedJobs asks FATE-Flow which jobs of the party have not ended. A side without FATE-Flow has none, and no
// client.
func (d *Deployment) unfinishedJobs(ctx context.Context) (client *flow.Client, jobs []string, err error) {
	client, err = job.FlowClient(d.spec)
	if err != nil {
		return nil, nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, cancelTimeout)
	defer cancel()
	jobs, err = client.Unfinished(ctx)
	return client, jobs, err
}

// jobsRun refuses what would end jobs.
func jobsRun(err error) error {
	return exit.With(exit.Hint(err, "wait until they have ended, or add --cancel-jobs, which ends them"),
		exit.Preflight)
}

// cancel cancels jobs and waits until none is left.
func (r *Replacement) cancel(ctx context.Context, client *flow.Client, jobs []string) error {
	ctx, stop := context.WithTimeout(ctx, cancelTimeout)
	defer stop()
	for _, job := range jobs {
		r.report.Printf("canceling job %s\n", job)
		if err := client.Stop(ctx, job, flow.StatusCanceled); err != nil {
			return fmt.Errorf("cannot cancel job %s: %w", job, err)
		}
	}
	for len(jobs) > 0 {
		select {
		case <-ctx.Done():
			return fmt.Errorf("cannot cancel jobs: %s still run", strings.Join(jobs, ", "))
		case <-time.After(time.Second):
		}
		left, err := client.Unfinished(ctx)
		if err != nil {
			return fmt.Errorf("cannot tell whether jobs run: %w", err)
		}
		jobs = left
	}
	return nil
}

// cancelTimeout is for looking for jobs and for their end.
const cancelTimeout = 2 * time.Minute

// compareTables compares the tables of the database with what the release expects, once its programs have run.
func (r *Replacement) compareTables(ctx context.Context) error {
	if !r.host.Live() {
		return nil
	}
	var lacks []string
	for _, u := range r.d.schemaUpgrades() {
		found, err := u.Differences(ctx, r.host)
		if err != nil {
			return fmt.Errorf("cannot compare the tables of %s: %w", u.Schema, err)
		}
		for _, d := range found {
			if d.Column == "" && u.Part == schema.Flow && !r.d.spec.Runs(cluster.FateFlow) {
				continue // FATE-Flow makes it when it starts, on another host
			}
			lacks = append(lacks, u.Schema+": "+d.String())
		}
	}
	if len(lacks) > 0 {
		return errors.New("the tables are not as the new release needs them:\n" + strings.Join(lacks, "\n"))
	}
	return nil
}

// loss lists the rows that a rollback of the database removes.
type loss struct {
	Since  string   `json:"since"`
	Jobs   []string `json:"jobs"`
	Models int      `json:"models"`
}

// lostShown is how many jobs are listed by name.
const lostShown = 10

func (l *loss) String() string {
	if len(l.Jobs) == 0 && l.Models == 0 {
		return "no job was made since"
	}
	shown := l.Jobs
	more := ""
	if n := len(shown) - lostShown; n > 0 {
		more, shown = fmt.Sprintf(" and %d more", n), shown[:lostShown]
	}
	made := fmt.Sprintf("%s and %s were made since", count.Of(len(l.Jobs), "job"), count.Of(l.Models, "model"))
	if len(shown) == 0 {
		return made
	}
	return made + ": " + strings.Join(shown, ", ") + more
}

// lost tells what was written since the upgrade, for a rollback of the database.
func (r *Replacement) lost(ctx context.Context) (*loss, error) {
	since, err := time.Parse(slotTime, r.d.slot.ID)
	if err != nil {
		return nil, fmt.Errorf("cannot tell when %s was made: %w", r.d.slot.ID, err)
	}
	l := &loss{Since: since.UTC().Format(time.DateTime)}
	was, err := r.d.specOf(r.d.stored)
	if err != nil {
		return nil, err
	}
	now := *r.d
	now.spec = was
	for _, u := range now.schemaUpgrades() {
		if u.Part == schema.Flow {
			if l.Jobs, l.Models, err = u.JobsSince(ctx, r.host, since); err != nil {
				return nil, err
			}
		}
	}
	return l, nil
}

// stopNames are the programs to stop: those made of the replaced components, those that depend on them, and with a
// copy of the database its server with all its clients.
func (r *Replacement) stopNames() []string {
	names := r.names()
	if r.copyDatabase && r.d.spec.Runs(cluster.MySQL) || r.database != "" {
		names = append(names, r.d.spec.DatabaseEngine())
	}
	return fate.ProgramsUsing(r.d.spec, names)
}
