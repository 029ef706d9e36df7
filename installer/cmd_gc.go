package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"fate-installer/installer/deploy"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/gc"
	"fate-installer/installer/host"
	"fate-installer/installer/state"
	"fate-installer/payload/count"

	"github.com/spf13/cobra"
)

// gcOptions are the flags of gc.
type gcOptions struct {
	dryRun  bool
	older   string
	maxSize string
	free    string
	only    []string
	backups string
	keep    int
}

// standardAge is how old things are that gc removes when no flag says it.
const standardAge = "30d"

func newGCCommand(g *globals) *cobra.Command {
	o := &gcOptions{}
	cmd := &cobra.Command{
		Use:   "gc",
		Short: "Remove files of ended jobs, old logs, and what else is not needed any more",
		Long: `Remove what an installation leaves behind and needs no more: the oldest first, by age and by size.

  jobs          FATE-Flow's directories of jobs that have ended
  job-logs      logs of those jobs: FATE-Flow's, and those of eggroll's workers
  program-logs  logs of programs that were rotated
  models        models of jobs that have ended, to which no table of FATE-Flow refers
  sessions      what eggroll's sessions of jobs that have ended left in its data directory
  slots         earlier versions that no rollback needs
  history       what commands have printed, and rotated records of what was changed: only with --only history

Without flags, everything goes that nothing was written to for 30 days. With --max-size or --free the oldest goes, until
what is left takes no more, or so much is freed; --older-than then limits what may go. What was written to in the last
hour stays, and a log of a program that was written to in the last two days.

These are never removed: anything of a job that runs or waits, or has a task that is recorded as running (job clean ends
those that only seem to run); a model that a table refers to, as every deployed one; the version that rollback brings
back. FATE-Flow says which jobs run, or its database when FATE-Flow does not answer. When neither does, everything of
jobs and models is left, with the reason.

Only files are removed. The rows of jobs stay in FATE-Flow's tables: job list and FATE-Board show each job as before, with its
graph, states and metrics, but without logs.

With --backups DIR older backups of this host in a directory are removed that were made more than 30 days ago, or
--older-than, but for the latest --keep N and the last one that is recorded as complete. Those in which files are missing,
and those dated in the future, do not count among the N. --max-size and --free cannot be used then. Nothing else is
removed, unless --only names it.

On a terminal it shows what it would remove and asks; --yes does not ask. Where there is no terminal it takes --yes. What
it removed is in the history. It may be killed at any moment: the next run completes what was begun.

EXIT STATUS
  0    done, also when there was nothing to do
  1    unexpected error
  2    wrong usage, or nothing is installed here
  5    some of it could not be removed, or could not be looked at, or it is not known which jobs run; the reasons
       are shown
  7    another run holds the lock
  9    another command was interrupted, and has to be completed first
  130  interrupted; what was removed is shown`,
		Example: `  fate-installer gc --dry-run
  fate-installer gc --older-than 90d --yes
  fate-installer gc --free 20G
  fate-installer gc --only job-logs --max-size 5G
  fate-installer gc --backups /var/backups/fate --keep 7 --yes`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runGC(cmd.Context(), g, o) },
	}
	f := cmd.Flags()
	f.BoolVar(&o.dryRun, "dry-run", false, "change nothing; show what would be removed")
	f.StringVar(&o.older, "older-than", "", "remove only what nothing was written to for this `AGE`, as 30d or 12h "+
		"(default: 30d without --max-size and --free)")
	f.StringVar(&o.maxSize, "max-size", "", "remove the oldest, until what is left takes at most `SIZE`, as 5G")
	f.StringVar(&o.free, "free", "", "remove the oldest, until `SIZE` is freed, as 20G")
	f.StringSliceVar(&o.only, "only", nil, "remove this `KIND` only; repeatable")
	f.StringVar(&o.backups, "backups", "", "remove older backups of this host in `DIR`")
	f.IntVar(&o.keep, "keep", 0, "with --backups, keep the latest `N`")
	takesWords(f, "only", kindNames()...)
	return cmd
}

// kindNames are the kinds that --only takes.
func kindNames() []string {
	var out []string
	for _, k := range gc.Kinds() {
		if k != gc.Backups {
			out = append(out, string(k))
		}
	}
	return out
}

// limits reads the flags that say how much is removed.
func (o *gcOptions) limits() (l gc.Limits, err error) {
	if o.maxSize != "" && o.free != "" {
		return l, exit.With(errors.New("cannot use --max-size with --free: one of them says how much is removed"),
			exit.Usage)
	}
	if o.older == "" && o.maxSize == "" && o.free == "" {
		o.older = standardAge
	}
	if o.older != "" {
		if l.Older, err = parseAge(o.older); err != nil {
			return l, err
		}
	}
	for _, size := range []struct {
		flag, text string
		into       *int64
	}{{"--max-size", o.maxSize, &l.MaxSize}, {"--free", o.free, &l.Free}} {
		if size.text == "" {
			continue
		}
		n, ok := cluster.ParseSize(size.text)
		if !ok || n <= 0 {
			return l, exit.With(fmt.Errorf("cannot use %s %q: it takes a number of bytes from 1, as 500M or 20G",
				size.flag, size.text), exit.Usage)
		}
		*size.into = n
	}
	return l, nil
}

// maxAge is more than anything is old.
const maxAge = 100 * 365 * 24 * time.Hour

// parseAge reads a number of minutes, hours, days or weeks.
func parseAge(text string) (time.Duration, error) {
	wrong := exit.With(fmt.Errorf("cannot use --older-than %q: it takes a number of minutes, hours, days or weeks, as 90m, "+
		"12h, 30d or 8w", text), exit.Usage)
	if text == "" {
		return 0, wrong
	}
	units := map[byte]time.Duration{'m': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}
	unit := units[text[len(text)-1]]
	n, err := strconv.ParseUint(text[:len(text)-1], 10, 31)
	if err != nil || unit == 0 || time.Duration(n) > maxAge/unit {
		return 0, wrong
	}
	return time.Duration(n) * unit, nil
}

// kinds are those that are removed; none: what gc removes without flags.
func (o *gcOptions) kinds() []gc.Kind {
	var out []gc.Kind
	for _, name := range o.only {
		out = append(out, gc.Kind(name))
	}
	if o.backups != "" {
		out = append(out, gc.Backups)
	}
	return out
}

func (o *gcOptions) check() error {
	switch {
	case o.backups == "" && o.keep != 0:
		return exit.With(exit.Hint(errors.New("cannot use --keep without --backups"),
			"name the directory of the backups: --backups /var/backups/fate"), exit.Usage)
	case o.backups != "" && o.keep < 1:
		return exit.With(exit.Hint(errors.New("cannot remove backups: --keep does not say how many stay"),
			"add --keep 7"), exit.Usage)
	case o.backups != "" && (o.maxSize != "" || o.free != ""):
		return exit.With(exit.Hint(errors.New("cannot use --max-size or --free with --backups: --keep says how many stay"),
			"use --older-than, as 90d"), exit.Usage)
	}
	return nil
}

// cleaner is gc at work.
type cleaner struct {
	g      *globals
	o      *gcOptions
	limits gc.Limits
	now    time.Time
	i      *deploy.Installation
	jobs   *partyJobs // nil: see finder.Why
	host   *host.Host
	finder gc.Finder
}

func runGC(ctx context.Context, g *globals, o *gcOptions) error {
	limits, err := o.limits()
	if err != nil {
		return err
	}
	if err := o.check(); err != nil {
		return err
	}
	c, err := openCleaner(g, o, limits)
	if err != nil {
		return err
	}
	defer c.close()
	if o.dryRun {
		return c.foresee(ctx)
	}
	only, err := c.ask(ctx)
	if err != nil {
		return err
	}
	return c.i.Clean(func(d *deploy.Cleaning) error { return c.remove(ctx, d, only) })
}

func openCleaner(g *globals, o *gcOptions, limits gc.Limits) (c *cleaner, err error) {
	i, err := g.installation()
	if err != nil {
		return nil, err
	}
	c = &cleaner{g: g, o: o, limits: limits, now: time.Now(), i: i}
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	if err = i.NeedRoot("remove files"); err != nil {
		return c, err
	}
	if err = i.Allows(state.Clean); err != nil {
		return c, err
	}
	if err = requireInstalled(g, "remove files"); err != nil {
		return c, err
	}
	spec, err := installed(g)
	if err != nil {
		return c, err
	}
	if c.host, err = g.openHost(); err != nil {
		return c, err
	}
	owner, err := i.Owner(spec.User)
	if err != nil {
		return c, err
	}
	c.finder = gc.Finder{Host: c.host, Spec: spec, Owner: owner, Only: o.kinds(),
		History: deploy.HistoryDir(g.layout())}
	if c.jobs, err = openJobs(g); err == nil {
		c.finder.Records = c.jobs
	}
	c.finder.Why = err
	return c, nil
}

func (c *cleaner) close() {
	if c.jobs != nil {
		c.jobs.close()
	}
	if c.host != nil {
		_ = c.host.Close() // what was written is on the disk
	}
	_ = c.i.Close()
}

// find looks for what can be removed, and chooses.
func (c *cleaner) find(ctx context.Context) (*gc.Inventory, []gc.Item, error) {
	var err error
	if c.finder.Slots, err = c.i.Unneeded(); err != nil {
		return nil, nil, err
	}
	c.finder.Backups = nil
	if c.o.backups != "" {
		files, err := deploy.OlderBackups(c.o.backups, c.host, c.finder.Spec, c.o.keep, c.now)
		if err != nil {
			return nil, nil, err
		}
		for _, file := range files {
			item, err := gc.Backup(ctx, c.host, file)
			if err != nil {
				return nil, nil, err
			}
			c.finder.Backups = append(c.finder.Backups, item)
		}
	}
	found, err := c.finder.Find(ctx)
	if err != nil {
		return nil, nil, err
	}
	return found, found.Choose(c.limits, c.now), nil
}

// foresee is gc --dry-run.
func (c *cleaner) foresee(ctx context.Context) error {
	found, items, err := c.find(ctx)
	if err != nil {
		return err
	}
	return errors.Join(c.print(items, found.Left, true), unseen(found))
}

// unseen is the exit code for what could not be looked at.
func unseen(found *gc.Inventory) error {
	if found.Dark || found.Unseen {
		return exit.Silently(exit.Step)
	}
	return nil
}

// ask shows what will go and wants a yes. It returns the paths that were shown; nil: all go.
func (c *cleaner) ask(ctx context.Context) (map[string]bool, error) {
	if c.g.Yes {
		return nil, nil
	}
	if c.g.Output == outputJSON || !canAsk(c.g) {
		return nil, exit.With(exit.Hint(errors.New("cannot remove files without consent: they would be lost for good"),
			"add --yes if that is what you want; --dry-run shows what would be removed"), exit.Usage)
	}
	found, items, err := c.find(ctx)
	if err != nil {
		return nil, err
	}
	only := map[string]bool{}
	for _, item := range items {
		only[item.Path] = true
	}
	if err := c.print(items, found.Left, true); err != nil || len(items) == 0 {
		return only, err
	}
	return only, askYes(c.g, fmt.Sprintf("remove %s, %s, for good", count.Of(len(items), "file or directory",
		"files and directories"), count.Bytes(gc.Bytes(items))))
}

// remove removes what is chosen, under the lock.
func (c *cleaner) remove(ctx context.Context, d *deploy.Cleaning, only map[string]bool) error {
	found, items, err := c.find(ctx)
	if err != nil {
		return err
	}
	if only != nil {
		items = slices.DeleteFunc(items, func(item gc.Item) bool { return !only[item.Path] })
		if len(items) == 0 {
			return unseen(found) // that was shown
		}
	}
	bar, done := console{c.g}.WorkBegins("removing files", gc.Bytes(items)), int64(0)
	remover := gc.Remover{Host: c.host, Records: c.finder.Records, Slots: d.RemoveUnneeded, Progress: func(n int64) {
		done += n
		bar.Set(done)
	}}
	result := remover.Remove(ctx, items)
	bar.Finish()
	left := append(found.Left, result.Left...)
	if err := c.print(result.Removed, left, false); err != nil {
		return err
	}
	if n := result.Unrecorded; n > 0 && c.g.Output != outputJSON {
		c.g.printf("of %s there is no record in FATE-Flow's tables\n", count.Of(n, "job"))
	}
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case result.Failed:
		return exit.Silently(exit.Step)
	}
	return unseen(found)
}
