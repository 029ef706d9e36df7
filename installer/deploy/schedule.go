package deploy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
	"time"

	"fate-installer/installer/backup"
	"fate-installer/installer/engine"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/host"
	"fate-installer/installer/host/beneath"
	"fate-installer/installer/state"
	"fate-installer/installer/step"
	"fate-installer/supervisor"
)

// Scheduled is how the backups of a host are scheduled.
type Scheduled struct {
	Record  backup.Record // without a schedule none is made by itself
	Faults  []string      // why the schedule is not in force; none: it is
	Changed bool          // by this command
}

// The units of a schedule.
const (
	backupService = "fate-backup.service"
	backupTimer   = "fate-backup.timer"
	systemdUnits  = "/etc/systemd/system/"
)

// ScheduleBackups has the host make backups as s says. tell reports what is so then, while no other run can change it.
func (i *Installation) ScheduleBackups(ctx context.Context, s backup.Schedule, tell func(*Scheduled) error) error {
	unlock, err := i.beginSchedule()
	if err != nil {
		return err
	}
	defer unlock()
	if err := i.scheduleFits(&s); err != nil {
		return err
	}
	before, err := loadSchedule(i.host, i.Layout())
	s.Since = time.Now().UTC().Truncate(time.Second)
	if err == nil && before != nil {
		s.Since = before.Since
	}
	plan, err := schedulePlan(i.Layout(), &s)
	if err != nil {
		return exit.With(err, exit.Usage)
	}
	journal, err := engine.OpenJournal(i.host, i.JournalPath())
	if err != nil {
		return err
	}
	defer journal.Close()
	report, err := engine.Apply(ctx, plan, i.undoEnv(), journal, nil)
	if err != nil {
		return exit.With(exit.DefaultRepeat(fmt.Errorf("cannot schedule backups: %w", err), "put the cause right and",
			""), exit.Step)
	}
	out, err := i.BackupSchedule(ctx)
	if err != nil {
		return err
	}
	out.Changed = report.Count(engine.Changed) > 0
	return tell(out)
}

// beginSchedule takes the lock for a command that changes the schedule.
func (i *Installation) beginSchedule() (unlock func() error, err error) {
	if _, err := i.decide(state.Schedule); err != nil {
		return nil, err
	}
	return i.begin("schedule backups")
}

// scheduleFits refuses a schedule that this host cannot keep.
func (i *Installation) scheduleFits(s *backup.Schedule) error {
	if err := s.Check(); err != nil {
		return exit.With(fmt.Errorf("cannot schedule backups: %w", err), exit.Usage)
	}
	if i.host.IsSystem() {
		if err := closedToOthers(s.Out, "write backups to", "name a directory that belongs to root, and that no other "+
			"user may write: mkdir -p -m 700 "+supervisor.ShellWord(s.Out), true); err != nil {
			return err
		}
		if s.PassphraseFile != "" {
			if err := closedToOthers(s.PassphraseFile, "read the passphrase from",
				"keep it where only root can write: /root/backup-passphrase", false); err != nil {
				return err
			}
		}
	}
	if host.BootOf(i.host) == host.BootSystemd {
		return nil
	}
	return exit.With(exit.Hint(errors.New("cannot schedule backups: this host has no systemd, whose timers make them"),
		"have cron make them, with this line in /etc/cron.d/fate-backup:\n"+CronLine(i.Layout(), s)), exit.Preflight)
}

// closedToOthers refuses a path that does not exist, or that others than root may put something else at.
func closedToOthers(name, use, hint string, dir bool) error {
	look := writerOf
	if dir {
		look = writerIn
	}
	writer, err := look(name)
	if err != nil {
		return exit.With(exit.Hint(fmt.Errorf("cannot %s %s: %w", use, name, err), hint), exit.Usage)
	}
	if writer != "" {
		return exit.With(exit.Hint(fmt.Errorf("cannot %s %s: others than root may write %s", use, name, writer), hint),
			exit.Usage)
	}
	return nil
}

// writerOf is the first of the directories above a path that others than root may write; blank: none.
func writerOf(name string) (writer string, err error) {
	err = beneath.At(name, func(p *beneath.Place) error {
		writer = p.Writer()
		return nil
	})
	return writer, err
}

// writerIn is writerOf an entry of a directory: also the directory itself counts.
func writerIn(dir string) (string, error) { return writerOf(filepath.Join(dir, "x")) }

// CronLine is what makes the backups of a schedule on a host without systemd.
func CronLine(l cluster.Layout, s *backup.Schedule) string {
	hour, minute, _ := strings.Cut(s.At, ":")
	trim := func(n string) string { return cmp.Or(strings.TrimPrefix(n, "0"), "0") }
	words := []string{trim(minute), trim(hour), "* * * root"}
	for _, w := range scheduledCommand(l, s) {
		words = append(words, strings.ReplaceAll(supervisor.ShellWord(w), "%", `\%`)) // which ends a line of cron's
	}
	return strings.Join(words, " ")
}

func scheduledCommand(l cluster.Layout, s *backup.Schedule) []string {
	return append([]string{l.Binary(), "--base", l.Base}, s.Arguments()...)
}

// scheduleIDs are the steps of a schedule.
func scheduleIDs(l cluster.Layout) []string {
	return []string{step.File{Path: schedulePath(l)}.ID(), step.File{Path: systemdUnits + backupService}.ID(),
		step.BootUnit{Name: backupTimer}.ID()}
}

// schedulePlan has the steps of a schedule. They are in the journal as those of an installation are, so that an
// uninstall, also by an earlier release, removes them.
func schedulePlan(l cluster.Layout, s *backup.Schedule) (engine.Plan, error) {
	content, err := s.Encode()
	if err != nil {
		return engine.Plan{}, err
	}
	var service, timer strings.Builder
	err = errors.Join(
		serviceUnit.Execute(&service, supervisor.SystemdCommand(scheduledCommand(l, s))),
		timerUnit.Execute(&timer, s.At))
	if err != nil {
		return engine.Plan{}, fmt.Errorf("cannot write the units of the schedule: %w", err)
	}
	steps := []engine.Node{
		{Title: "schedule of backups", Step: step.File{Path: schedulePath(l), Content: content, Perm: rootOnly.Perm,
			Owner: "root", Group: "root"}},
		{Title: "unit " + backupService, Step: step.File{Path: systemdUnits + backupService,
			Content: []byte(service.String()), Perm: 0o644, Owner: "root", Group: "root"}},
		{Title: "timer " + backupTimer, Step: step.BootUnit{Name: backupTimer, Content: []byte(timer.String()),
			Reads: []string{backupService}}},
	}
	var plan engine.Plan
	var after []string // each follows the one before
	for _, node := range steps {
		node.Component, node.After = "installer", after
		plan.Add(node)
		after = []string{node.ID()}
	}
	return plan, nil
}

// serviceUnit makes one backup. A run that could not begin, because another command holds the lock or the database is
// starting, is repeated three times; what no repetition changes is not: wrong usage, missing files, and a
// stop. Restart needs Type=simple before systemd 244; StartLimitInterval in [Service] is what all releases read.
var serviceUnit = template.Must(template.New("service").Parse(`[Unit]
Description=Scheduled backup of FATE on this host
After=fate-supervisor.service local-fs.target remote-fs.target time-sync.target

[Service]
Type=simple
ExecStart={{.}}
Restart=on-failure
RestartSec=600
RestartPreventExitStatus=2 8 130
StartLimitInterval=43200
StartLimitBurst=4
UMask=0077
Nice=10
IOSchedulingClass=best-effort
IOSchedulingPriority=7
`))

// timerUnit starts the service. A run that was missed while the host was off is made up for after the next boot.
var timerUnit = template.Must(template.New("timer").Parse(`[Unit]
Description=Daily backup of FATE on this host

[Timer]
OnCalendar=*-*-* {{.}}:00
Persistent=true

[Install]
WantedBy=timers.target
`))

// UnscheduleBackups takes the schedule away. Backups that it has made stay. tell gets whether there was one.
func (i *Installation) UnscheduleBackups(ctx context.Context, tell func(was bool) error) error {
	unlock, err := i.beginSchedule()
	if err != nil {
		return err
	}
	defer unlock()
	journal, err := engine.OpenJournal(i.host, i.JournalPath())
	if err != nil {
		return err
	}
	defer journal.Close()
	ours := scheduleIDs(i.Layout())
	env := i.undoEnv()
	env.Purge = true // also a unit that was edited: it would not exist without the schedule
	report, err := engine.Undo(ctx, env, journal, engine.Everything, func(id string) (engine.Undoer, bool) {
		if !slices.Contains(ours, id) {
			return nil, false
		}
		return step.Undoer(id)
	}, func(o engine.UndoOutcome) {
		if o.Status == engine.Left {
			i.report.UndoOutcome(o, false)
		}
	})
	if err != nil {
		return exit.With(exit.DefaultRepeat(fmt.Errorf("cannot take the schedule away: %w", err),
			"put the cause right and", ""), exit.Step)
	}
	return tell(report.Count(engine.Undone) > 0)
}

// BackupSchedule says how backups are scheduled, and whether the host keeps to it.
func (i *Installation) BackupSchedule(ctx context.Context) (*Scheduled, error) {
	if err := i.NeedRoot("show the schedule of backups"); err != nil {
		return nil, err
	}
	record, err := LoadBackupRecord(i.host, i.Layout())
	out := &Scheduled{Record: record, Faults: []string{}}
	if err != nil || record.Schedule == nil {
		return out, err
	}
	plan, err := schedulePlan(i.Layout(), record.Schedule)
	if err != nil {
		return nil, err
	}
	journal, err := engine.ReadJournal(i.host, i.JournalPath())
	if err != nil {
		return nil, err
	}
	survey, err := engine.Look(ctx, plan, i.undoEnv(), journal)
	for _, line := range survey {
		if !line.Done {
			out.Faults = append(out.Faults, line.Title+": "+cmp.Or(line.Error, line.Why))
		}
	}
	return out, err
}
