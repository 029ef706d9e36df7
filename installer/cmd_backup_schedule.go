package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"fate-installer/installer/backup"
	"fate-installer/installer/deploy"
	"fate-installer/installer/exit"
	"fate-installer/installer/redact"

	"github.com/spf13/cobra"
)

// backupScheduleOptions are the flags of backup schedule.
type backupScheduleOptions struct {
	sealOptions
	daily, off bool
	at         string
	out        string
	keep       int
}

func newBackupScheduleCommand(g *globals) *cobra.Command {
	o := &backupScheduleOptions{}
	cmd := &cobra.Command{
		Use:   "schedule",
		Short: "Have this host make backups by itself, and show whether it does",
		Long: `Have this host make a backup each day, as backup create does, by a timer of systemd: fate-backup.timer. A run
that was missed while the host was off is made up for after the boot, and one that fails is repeated three times, ten
minutes apart. Without --daily and --off it shows the schedule, and how the last backups ended.

Such a backup needs its passphrase in a file, or a recipient: the unit has the path of the file, or the public keys, and
never the passphrase. With --recipient this host cannot read its own backups.

The last complete backup, and why a later one failed, are in svc status, in check and in svc metrics. They warn when the
last complete one is older than two days.

The same command again changes nothing; with other values it changes the schedule. uninstall removes the schedule;
backups stay. A host without systemd is refused, with the line for cron that does the same.

EXIT STATUS
  0    done, or shown; also: there is no schedule
  2    wrong usage, nothing is installed here, or others than root may write the directory
  3    this host has no systemd
  5    the schedule could not be changed; it is safe to run the same command again
  7    another run holds the lock
  9    another command was interrupted, and has to be completed first`,
		Example: `  fate-installer backup schedule --daily --out /var/backups/fate --passphrase-file /root/backup-passphrase
  fate-installer backup schedule --daily --at 01:15 --keep 14 --out /mnt/backup --recipient age1...
  fate-installer backup schedule
  fate-installer backup schedule --off`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(cmd); err != nil {
				return err
			}
			return runBackupSchedule(cmd.Context(), g, o)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.daily, "daily", false, "make a backup each day")
	f.BoolVar(&o.off, "off", false, "make no backups by itself any more")
	f.StringVar(&o.at, "at", "02:30", "with --daily, at this `time` of the day, in the host's time zone")
	f.StringVar(&o.out, "out", "", "with --daily, write the backups to `DIR`, which only root may write")
	f.IntVar(&o.keep, "keep", 7, "with --daily, keep the latest `N` backups of this host in the directory")
	f.StringVar(&o.passphraseFile, "passphrase-file", "",
		"with --daily, `file` of root, mode 0600, with the passphrase on its first line")
	f.StringArrayVar(&o.recipients, "recipient", nil,
		"with --daily, encrypt to this age `key` (age1...) instead of a passphrase; repeatable")
	return cmd
}

// check refuses flags that do not go together.
func (o *backupScheduleOptions) check(cmd *cobra.Command) error {
	usage := func(text, hint string) error { return exit.With(exit.Hint(errors.New(text), hint), exit.Usage) }
	if o.daily && o.off {
		return usage("cannot schedule backups and take the schedule away: name one of --daily and --off", "")
	}
	if !o.daily {
		for _, name := range []string{"at", "out", "keep", "passphrase-file", "recipient"} {
			if cmd.Flags().Changed(name) {
				return usage("cannot use --"+name+" without --daily", "add --daily, which makes the schedule")
			}
		}
		return nil
	}
	if o.out == "" {
		return usage("cannot schedule backups: --out does not say where to",
			"name a directory that only root can write, best on another disk: --out /var/backups/fate")
	}
	if o.passphraseFile == "" && len(o.recipients) == 0 {
		return usage("cannot schedule backups: there is no terminal to ask for a passphrase on when they are made",
			"name a file of root with the passphrase, --passphrase-file /root/backup-passphrase, or public keys, "+
				"--recipient age1...")
	}
	if o.keep < 1 {
		return exit.With(fmt.Errorf("cannot keep %d backups: --keep takes a number from 1", o.keep), exit.Usage)
	}
	at, err := backup.ParseAt(o.at)
	if err != nil {
		return exit.With(err, exit.Usage)
	}
	o.at = at
	for _, name := range []*string{&o.out, &o.passphraseFile} {
		if *name == "" {
			continue
		}
		if *name, err = filepath.Abs(*name); err != nil {
			return exit.With(err, exit.Usage)
		}
	}
	return nil
}

func runBackupSchedule(ctx context.Context, g *globals, o *backupScheduleOptions) error {
	if err := requireInstalled(g, "schedule backups"); err != nil {
		return err
	}
	i, err := g.installation()
	if err != nil {
		return err
	}
	defer i.Close()
	switch {
	case o.off:
		return i.UnscheduleBackups(ctx, func(was bool) error { return printUnscheduled(g, was) })
	case !o.daily:
		s, err := i.BackupSchedule(ctx)
		if err != nil {
			return err
		}
		return printSchedule(g, s, time.Now())
	}
	if err := i.NeedRoot("schedule backups"); err != nil {
		return err
	}
	if _, _, err := o.recipientsOf(g); err != nil { // as the first run will find it
		return err
	}
	s := backup.Schedule{Every: backup.Daily, At: o.at, Out: o.out, Keep: o.keep, PassphraseFile: o.passphraseFile,
		Recipients: o.recipients}
	return i.ScheduleBackups(ctx, s, func(s *deploy.Scheduled) error { return printSchedule(g, s, time.Now()) })
}

// backupScheduleOutput is the JSON document of backup schedule.
type backupScheduleOutput struct {
	Scheduled bool       `json:"scheduled"`      // this host makes backups by itself
	Changed   bool       `json:"changed"`        // by this command
	Next      *time.Time `json:"next,omitempty"` // when the next one is made
	Faults    []string   `json:"faults"`         // why the schedule is not in force, as text; none: it is
	backupReport
}

// backupReport says how the backups of a host are.
type backupReport struct {
	Schedule *backup.Schedule `json:"schedule,omitempty"`     // when they are made, and how
	Success  *backup.Success  `json:"last_success,omitempty"` // the last complete one
	Failure  *backup.Failure  `json:"last_failure,omitempty"` // the last one that was not made, or lacks files
	Failing  bool             `json:"failing"`                // that one is later than the last complete one
	// they are scheduled, and the last complete one is older than two periods
	Overdue bool `json:"overdue"`
}

func reportOfBackups(r backup.Record, now time.Time) backupReport {
	out := backupReport{r.Schedule, r.Success, nil, r.Failing(now), r.Overdue(now)}
	if r.Failure != nil {
		out.Failure = &backup.Failure{Time: r.Failure.Time, Reason: redact.Printable(r.Failure.Reason)}
	}
	return out
}

// ahead says which times of the records a clock that was ahead has written.
func (b *backupReport) ahead(now time.Time, at func(time.Time) string) []string {
	var out []string
	if b.Success != nil && backup.Ahead(b.Success.Time, now) {
		out = append(out, fmt.Sprintf("the last complete one is dated %s, later than now: the clock was ahead, and that "+
			"backup counts as none", at(b.Success.Time)))
	}
	if b.Schedule != nil && backup.Ahead(b.Schedule.Since, now) {
		out = append(out, fmt.Sprintf("the schedule is dated %s, later than now: the clock was ahead, and that time is not "+
			"used", at(b.Schedule.Since)))
	}
	return out
}

func printSchedule(g *globals, s *deploy.Scheduled, now time.Time) error {
	at := func(t time.Time) string { return t.In(now.Location()).Format(minuteFormat) }
	out := backupScheduleOutput{Scheduled: s.Record.Schedule != nil, Changed: s.Changed, Faults: s.Faults,
		backupReport: reportOfBackups(s.Record, now)}
	if out.Scheduled {
		next := s.Record.Schedule.Next(now)
		out.Next = &next
	}
	if g.Output == outputJSON {
		return g.printJSON(out)
	}
	if p := out.Schedule; p == nil {
		g.printf("no backups are scheduled on this host\n")
	} else {
		g.printf("a backup is made each day at %s, the next at %s\n", p.At, at(*out.Next))
		g.printf("  to        %s, the latest %d stay\n", p.Out, p.Keep)
		if p.PassphraseFile != "" {
			g.printf("  for       the passphrase in %s\n", p.PassphraseFile)
		}
		for _, r := range p.Recipients {
			g.printf("  for       %s\n", r)
		}
	}
	if out.Success != nil && !backup.Ahead(out.Success.Time, now) {
		g.printf("  last      complete at %s\n", at(out.Success.Time))
	}
	if out.Failing {
		g.printf("  failed    at %s: %s\n", at(out.Failure.Time), g.text(out.Failure.Reason))
	}
	if out.Overdue {
		g.printf("  warning   the last complete backup is older than two days\n")
	}
	for _, line := range out.ahead(now, at) {
		g.printf("  warning   %s\n", g.text(line))
	}
	for _, f := range out.Faults {
		g.printf("  warning   not in force: %s\n", f)
	}
	if len(out.Faults) > 0 {
		g.advisef("Run fate-installer backup schedule --daily with its flags again to put it right.\n")
	}
	return nil
}

// minuteFormat shows a time of this host.
const minuteFormat = "2006-01-02 15:04"

// printUnscheduled says that there is no schedule any more.
func printUnscheduled(g *globals, was bool) error {
	if g.Output == outputJSON {
		return g.printJSON(backupScheduleOutput{Changed: was, Faults: []string{}})
	}
	if !was {
		g.printf("no backups were scheduled on this host\n")
		return nil
	}
	g.printf("this host makes no backups by itself any more; those that it has made stay\n")
	return nil
}

// noteBackupFailure records why a backup was not made. What a person has typed wrong is none of a host's backups, but
// of a scheduled run it is only seen here.
func (g *globals) noteBackupFailure(ctx context.Context, o *backupCreateOptions, err error) {
	code := exit.CodeOf(ctx, err)
	if err == nil || code == exit.Unproven || !o.scheduled && code != exit.Step || g.inTree() || os.Geteuid() != 0 {
		return
	}
	h, openErr := g.openHost()
	if openErr != nil {
		return // so is the command's own error
	}
	defer h.Close()
	reason := err.Error()
	if code == exit.Interrupted {
		reason = "it was interrupted"
	}
	if err := deploy.NoteBackupFailure(h, g.layout(), time.Now(), reason); err != nil {
		g.errorf("warning: %s\n", err)
	}
}
