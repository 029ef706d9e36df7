package deploy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"fate-installer/installer/backup"
	"fate-installer/installer/deploy/programs"
	"fate-installer/installer/engine"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/keys"
	"fate-installer/installer/state"
)

// RestoreOptions say what is restored.
type RestoreOptions struct {
	Archive    *backup.Archive // verified
	Sealed     *backup.Sealed
	CancelJobs bool // that run here, instead of refusing
}

// Restored is what a restore has done.
type Restored struct {
	Completed bool  // of these, an interrupted restore
	Canceled  int64 // jobs that ran when the backup was made, and are canceled now
	Warnings  []string
}

// NeedsInstall reports whether a restore has to install first: nothing is installed, or a first installation was not
// completed.
func (i *Installation) NeedsInstall() (bool, error) {
	s, err := LoadState(i.host, i.Layout())
	if err != nil {
		return false, err
	}
	return s.Phase == state.Absent || s.Phase == state.Installing && len(s.Release.Components) == 0, nil
}

// RestoredSite is the request for an installation that a backup has, for the host at hand: with another address where
// one is given, in the cluster files too.
func RestoredSite(s *backup.Sealed, ip string) (Site, error) {
	var site Site
	if err := json.Unmarshal(s.Site, &site); err != nil {
		return Site{}, fmt.Errorf("cannot read the request for the installation in the backup: %w", err)
	}
	if site.Schema > SiteSchema {
		return Site{}, fmt.Errorf("cannot use this backup: a newer fate-installer made it (site schema %d, this one "+
			"knows %d)", site.Schema, SiteSchema)
	}
	out := Site{Schema: SiteSchema, Role: site.Role, Party: site.Party, IP: site.IP, User: site.User, Group: site.Group,
		Peer: site.Peer, SkipOS: site.SkipOS, Sources: slices.Clone(site.Sources), Parties: site.Parties,
		Trust: site.Trust}
	if ip == "" || ip == site.IP {
		return out, nil
	}
	for i := range out.Sources {
		out.Sources[i].Data = replaceAddress(out.Sources[i].Data, site.IP, ip)
	}
	out.IP = ip
	return out, nil
}

// replaceAddress replaces an address in a text, and no longer one that contains it.
func replaceAddress(text, from, to string) string {
	return regexp.MustCompile(`(^|[^0-9A-Za-z.])`+regexp.QuoteMeta(from)+`($|[^0-9A-Za-z.])`).
		ReplaceAllString(text, "${1}"+to+"${2}")
}

// RestoredSecrets are the passwords that a backup has.
func RestoredSecrets(s *backup.Sealed) (cluster.Secrets, error) {
	if len(s.Secrets) == 0 {
		return cluster.Secrets{}, nil
	}
	return cluster.DecodeSecrets(bytes.TrimSpace(s.Secrets))
}

// RestoredKeys are the TLS keys that a backup has.
func RestoredKeys(s *backup.Sealed, name string) Keys {
	if len(s.Keys) == 0 {
		return Keys{}
	}
	return Keys{Name: name, Read: func() (files []keys.File, err error) {
		for file, content := range s.Keys {
			files = append(files, keys.File{Name: file, Content: content})
		}
		slices.SortFunc(files, func(a, b keys.File) int { return strings.Compare(a.Name, b.Name) })
		return files, nil
	}}
}

// RefuseBackup refuses a backup that does not fit what this host is or is going to be.
func (d *Deployment) RefuseBackup(m *backup.Manifest) error {
	why := ""
	switch release := d.site.Env["FATE"]; {
	case m.Role != string(d.spec.Role) || m.Party != d.spec.PartyID:
		why = fmt.Sprintf("it is of %s of party %d, and this host is %s of party %d", m.Role, m.Party, d.spec.Role,
			d.spec.PartyID)
	case m.FATE != release:
		why = fmt.Sprintf("it is of FATE %s, and this is FATE %s", m.FATE, release)
	}
	if why == "" {
		return nil
	}
	return exit.With(exit.Hint(fmt.Errorf("cannot restore this backup here: %s", why),
		"fate-installer backup inspect FILE shows what it is of"), exit.Preflight)
}

// restoring is a restore that runs.
type restoring struct {
	*transition
	d       *Deployment
	opts    RestoreOptions
	restore backup.Restore
	env     *engine.Env
	swapped bool // by an earlier run: what was restored has been in use since
	done    Restored
}

// Restore puts the tables, models and files of jobs of a backup on an installed host. The order survives a kill between
// any two steps:
//
//  1. Everything is loaded next to what is in use. A run that was cut off begins with this again.
//  2. FATE-Flow and FATE-Board are stopped, and what was loaded takes the place of what was in use. A later run goes
//     on with this.
//  3. They are started, the tables are counted, and what was in use before is removed.
//
// tell reports it, while no other run can change anything.
func (d *Deployment) Restore(ctx context.Context, opts RestoreOptions, tell func(*Restored) error) error {
	t, err := d.decide(state.Restore)
	if err != nil {
		return err
	}
	r := &restoring{transition: t, d: d, opts: opts}
	unlock, err := r.begin("restore")
	if err != nil {
		return err
	}
	defer unlock()
	if err := r.RefuseTree(); err != nil {
		return err
	}
	if err := d.RefuseBackup(opts.Archive.Manifest()); err != nil {
		return err
	}
	if err := r.refuseOther(); err != nil {
		return err
	}
	r.restore = backup.Restore{Archive: opts.Archive, Sealed: opts.Sealed, Trees: d.flowTrees()}
	var end func() error
	if r.restore.Tables, end, err = d.flowTables(); err != nil {
		return err
	}
	if end != nil {
		defer func() { _ = end() }()
	}
	if r.restore.Tables != nil {
		if _, _, err := r.restore.Tables.Server(ctx); err != nil {
			return databaseAway(err)
		}
	}
	if err := r.beginAgain(ctx); err != nil {
		return err
	}
	if err := errors.Join(r.restore.Fits(ctx), r.room()); err != nil {
		return exit.With(fmt.Errorf("cannot restore this backup here: %w", err), exit.Preflight)
	}
	if err := r.run(ctx); err != nil {
		return err
	}
	return tell(&r.done)
}

// RefuseTree refuses a directory tree: no server runs there that could take the tables.
func (p *place) RefuseTree() error {
	if p.host.Live() {
		return nil
	}
	return exit.With(errors.New("cannot restore into a directory tree: boot it, and run the same command there"),
		exit.Usage)
}

// refuseOther refuses another backup than the one whose restore was interrupted, once that may be in use in part.
func (r *restoring) refuseOther() error {
	if !r.resumes() || r.state.Change.Restored == "" || r.state.Change.Backup == r.opts.Archive.Digest() {
		return nil
	}
	return exit.With(exit.Hint(errors.New("cannot restore: the restore of another backup was interrupted, and has to be "+
		"completed first"), r.state.Remedy()), exit.Contradicts)
}

func (r *restoring) run(ctx context.Context) error {
	view := r.report.StepsBegin(0)
	defer view.StepsEnd()
	r.env = r.d.env(view, programs.NewWaiter(r.d.spec, otherHostsTime, view.ProgramEvent))
	if err := r.refuseJobs(ctx); err != nil {
		return err
	}
	if r.resumes() {
		r.report.Printf("completing a restore, which was interrupted\n")
		r.done.Completed, r.swapped = true, r.state.Change.Restored == state.Swapped
	} else if err := r.enter(state.Change{Backup: r.opts.Archive.Digest()}, r.d.spec); err != nil {
		return exit.With(err, exit.Step)
	}
	for _, step := range []func(context.Context) error{r.stage, r.swap, r.end} {
		if err := step(ctx); err != nil {
			after := ": it goes on where it stopped"
			if r.state.Change.Restored == "" {
				err, after = errors.Join(err, r.giveUp(ctx)), ""
			}
			if ctx.Err() != nil {
				return exit.Repeat(err, "", after)
			}
			err, code := exit.DefaultRepeat(err, "put the cause right and", after), exit.Step
			if exit.CodeOf(ctx, err) == exit.NotReady {
				code = exit.NotReady
			}
			return exit.With(err, code)
		}
	}
	return r.finished()
}

// reached stores how far the restore is.
func (r *restoring) reached(s state.Restored) error {
	return r.note(func(c *state.Change) { c.Restored = s })
}

// stage loads everything next to what is in use.
func (r *restoring) stage(ctx context.Context) error {
	if r.state.Change.Restored != "" {
		return nil
	}
	files, tables := r.opts.Archive.Manifest().Bytes()
	bar := r.report.WorkBegins("restoring", files+tables)
	r.restore.Bytes = bar.Set
	err := r.restore.Stage(ctx)
	bar.Finish()
	if err != nil {
		return fmt.Errorf("cannot load the backup; what is in use was not touched: %w", err)
	}
	r.done.Canceled = r.restore.Jobs
	return r.reached(state.Staged)
}

// users are the programs that use what is restored.
func (r *restoring) users(ctx context.Context) (names []string, err error) {
	statuses, err := r.env.Services.Status(ctx)
	for _, s := range statuses {
		if s.Name == cluster.FateFlow.Program() || s.Name == cluster.FateBoard.Program() {
			names = append(names, s.Name)
		}
	}
	return names, err
}

// swap stops the programs, and lets what was loaded take the place of what is in use.
func (r *restoring) swap(ctx context.Context) error {
	if r.state.Change.Restored != state.Staged {
		return nil
	}
	if err := r.refuseJobs(ctx); err != nil { // that were begun while the backup was loaded
		return err
	}
	names, err := r.users(ctx)
	if err != nil {
		return err
	}
	if len(names) > 0 {
		r.report.Progressf("stopping %s\n", strings.Join(names, ", "))
		if err := r.env.Services.Stop(ctx, names); err != nil {
			return err
		}
	}
	if err := r.restore.Swap(ctx); err != nil {
		return err
	}
	return r.reached(state.Swapped)
}

// end starts the programs on what was restored, looks at it, and removes what was in use before.
func (r *restoring) end(ctx context.Context) error {
	names, err := r.users(ctx)
	if err != nil {
		return err
	}
	if len(names) > 0 {
		r.report.Progressf("starting %s\n", strings.Join(names, ", "))
		if err := r.env.Services.Start(ctx, names, func(string) {}); err != nil {
			return exit.With(err, exit.NotReady)
		}
	}
	err = r.restore.Compare(ctx)
	if different := (*backup.DifferentError)(nil); r.swapped && errors.As(err, &different) {
		r.done.Warnings = append(r.done.Warnings, err.Error())
		err = nil
	}
	if err != nil {
		return err
	}
	if r.restore.Tables != nil && r.restore.Archive.Manifest().Database != nil && !r.d.spec.Runs(cluster.FateFlow) {
		r.done.Warnings = append(r.done.Warnings, "FATE-Flow runs on another host: restore the backup of that host, too, "+
			"and restart FATE-Flow there")
	}
	return r.restore.Clean(ctx)
}
