package deploy

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"fate-installer/installer/database"
	"fate-installer/installer/deploy/programs"
	"fate-installer/installer/engine"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/render"
	"fate-installer/installer/state"
	"fate-installer/installer/step"
)

// rotation is a change of passwords on an installed host. Its order survives a kill between any two steps:
//
//  1. The present values go into the records, as former ones, and so does what they replace in the cluster file.
//  2. The new values go into the file for the other hosts, and then into secrets.json.
//  3. The database and ZooKeeper get the new ones; the new and the former ones are tried.
//  4. Files are written, and the programs that read them are restarted.
//  5. The former values leave the records.
//
// A run that finds former values in the records generates no further ones if secrets.json has new ones already.
type rotation struct {
	*transition
	d         *Deployment
	received  bool            // the values come from another host
	was       cluster.Secrets // in force before
	names     []string        // what is changed or completed, by the cluster file's names
	completed []string        // of these, what an earlier run had begun, by the command line's names
	files     []string        // rendered files that have one of them
	restarted []string        // programs
	handover  string          // file for the other hosts; blank: none
	left      []SecretsLeft
}

// Rotated is what a change of passwords has done.
type Rotated struct {
	Secrets   []string      // what was changed or completed, by the command line's names
	Completed []string      // of these, what an earlier run had begun
	Files     []string      // rendered files that have one of them
	Restarted []string      // programs
	Handover  string        // file for the other hosts; blank: none
	Left      []SecretsLeft // hosts that have former values
	InTree    bool          // no server was changed
}

// RotateOptions say which passwords are changed, and to what.
type RotateOptions struct {
	Secrets []string  // by the command line's names, or AllSecrets
	Given   *Handover // the values; nil: generated ones
	Force   bool      // overwrite files that were edited by hand
}

// Rotate changes passwords on an installed host. tell reports it, while no other run can change anything.
func (d *Deployment) Rotate(ctx context.Context, opts RotateOptions, tell func(*Rotated) error) error {
	t, err := d.decide(state.Secrets)
	if err != nil {
		return err
	}
	r := &rotation{transition: t, d: d}
	unlock, err := r.begin("change passwords")
	if err != nil {
		return err
	}
	defer unlock()
	if err := r.choose(ctx, opts.Secrets, opts.Given); err != nil {
		return err
	}
	if err := r.refuseEdited(ctx, opts.Force); err != nil {
		return err
	}
	if err := r.run(ctx, opts.Force); err != nil {
		return err
	}
	out := &Rotated{Completed: r.completed, Files: r.files, Restarted: r.restarted, Handover: r.handover,
		Left: r.left, InTree: !r.host.Live()}
	for _, name := range r.names {
		out.Secrets = append(out.Secrets, cluster.SecretCommand(name))
	}
	return tell(out)
}

// choose reads the installation, now that no other run changes it, and decides which secrets get which values.
func (r *rotation) choose(ctx context.Context, args []string, given *Handover) error {
	r.d.secrets, r.received = Secrets{}, given != nil
	// Whatever file this is run from, what is installed stays as it is.
	r.d.site.Components, r.d.site.Env = r.d.stored.Components, r.d.stored.Env
	if err := r.d.resolve(ctx, false); err != nil {
		return err
	}
	if err := r.d.useKeys(Keys{}); err != nil {
		return err
	}
	if given != nil {
		if err := given.fits(r.d.spec); err != nil {
			return err
		}
	}
	asked, err := r.asked(args, given)
	if err != nil {
		return err
	}
	fresh, err := cluster.NewSecrets(rand.Reader)
	if err != nil {
		return err
	}
	if given != nil {
		fresh = given.Secrets
	}
	r.was = r.d.spec.Secrets
	unfinished := r.d.secrets.Records.Unfinished()
	for _, use := range render.SecretUses(r.d.spec) {
		pending := slices.Contains(unfinished, use.Name)
		if !use.Here || !pending && !slices.Contains(asked, use.Name) {
			continue
		}
		now, value := r.was.Get(use.Name), fresh.Get(use.Name)
		former := slices.ContainsFunc(r.d.secrets.Records[use.Name].Former, now.Equal)
		switch {
		case value.IsZero() || pending && !former && given == nil: // to be completed with the value that it has
			value = now
		case value.Equal(now) && !pending:
			continue
		}
		r.d.spec.Secrets.Set(use.Name, value)
		r.names = append(r.names, use.Name)
		if pending {
			r.completed = append(r.completed, use.Command)
		}
	}
	if err := r.d.refuseUnknownPassword(ctx); given != nil && err != nil {
		return err
	}
	r.files, err = render.FilesWithSecrets(r.d.spec, r.names)
	return err
}

// asked lists the secrets that the command line names, by the cluster file's names.
func (r *rotation) asked(args []string, given *Handover) ([]string, error) {
	var names []string
	for _, arg := range args {
		if arg == AllSecrets {
			continue
		}
		name, err := cluster.ParseSecretName(arg)
		if err != nil {
			return nil, exit.With(err, exit.Usage)
		}
		names = append(names, name)
	}
	all := len(names) < len(args) || len(args) == 0
	var out []string
	for _, use := range render.SecretUses(r.d.spec) {
		wanted := slices.Contains(names, use.Name)
		names = slices.DeleteFunc(names, func(n string) bool { return n == use.Name })
		if given != nil {
			if use.Here && (wanted || all) && !given.Secrets.Get(use.Name).IsZero() {
				out = append(out, use.Name)
			}
			continue
		}
		switch err := r.startable(use); {
		case wanted && err != nil:
			return nil, err
		case err == nil && (wanted || all):
			out = append(out, use.Name)
		}
	}
	if len(names) > 0 {
		return nil, exit.With(exit.Hint(fmt.Errorf("cannot change %s: this side does not use it",
			cluster.SecretCommand(names[0])),
			"fate-installer secrets list shows what it uses"), exit.Usage)
	}
	return out, nil
}

// startable refuses a secret whose change has to begin on another host, or is not ours to change.
func (r *rotation) startable(use render.SecretUse) error {
	if !use.Here {
		return errElsewhere(use, strings.Join(use.Hosts, " or "))
	}
	if use.Name != "mysql_root" && use.Name != "mysql_user" || r.d.spec.Runs(cluster.MySQL) {
		return nil
	}
	if at := r.d.spec.DatabaseHost(); at != "" {
		return errElsewhere(use, at)
	}
	if db, ok := render.DatabaseOf(r.d.spec); use.Name == "mysql_user" && ok && db.Manage && !db.AsService {
		return nil // every host sees to its own account
	}
	const why = "cannot change %s: the database is outside, and its accounts are its administrator's"
	return exit.With(exit.Hint(fmt.Errorf(why, use.Command),
		"have it changed there, write the new password into the cluster file, and install with --change-cluster"),
		exit.Usage)
}

// refuseEdited stops a change whose files were edited by hand: their edits would be kept, and with them the former
// passwords.
func (r *rotation) refuseEdited(ctx context.Context, force bool) error {
	if force || len(r.names) == 0 {
		return nil
	}
	plan, err := r.d.plan(Part{})
	if err != nil {
		return err
	}
	survey, err := r.d.look(ctx, plan.Only(func(n engine.Node) bool { return r.isFile(n.ID()) }), false)
	if err != nil {
		return err
	}
	var edited []string
	for _, line := range survey {
		if line.Note != "" {
			edited = append(edited, line.Title)
		}
	}
	if len(edited) == 0 {
		return nil
	}
	return exit.With(exit.Hint(fmt.Errorf("cannot change passwords: edited on this host, and kept so: %s",
		strings.Join(edited, ", ")),
		"write what the edits say into the cluster file, and add --force-config, which overwrites them"), exit.Usage)
}

func (r *rotation) isFile(id string) bool {
	return slices.ContainsFunc(r.files, func(file string) bool { return step.File{Path: file}.ID() == id })
}

// run changes what choose has chosen.
func (r *rotation) run(ctx context.Context, force bool) error {
	if len(r.names) == 0 {
		if r.resumes() { // all but the end of it was stored
			return r.finished()
		}
		return nil
	}
	if err := r.enter(state.Change{}, r.d.spec); err != nil {
		return err
	}
	if err := r.remember(); err != nil {
		return exit.With(err, exit.Step)
	}
	plan, err := r.d.plan(Part{})
	if err != nil {
		return err
	}
	secrets := step.File{Path: r.Layout().Secrets()}.ID()
	if _, err := r.apply(ctx, plan.Only(func(n engine.Node) bool { return n.ID() == secrets }), force); err != nil {
		return err
	}
	if err := r.shareRegistry(ctx); err != nil {
		return exit.With(err, exit.Step)
	}
	report, err := r.apply(ctx, plan.Only(r.concerns()), force)
	if err != nil {
		return err
	}
	for _, o := range report.Steps {
		if name, ok := strings.CutPrefix(o.ID, step.StartPrograms{}.ID()); ok && o.Status == engine.Changed {
			r.restarted = append(r.restarted, name)
		}
	}
	if err := r.finishRegistry(ctx); err != nil {
		return exit.With(err, exit.Step)
	}
	if err := r.d.endSecrets(r.names); err != nil {
		return exit.With(err, exit.Step)
	}
	return r.finished()
}

// remember makes the records and the file for the other hosts, before anything has a new value.
func (r *rotation) remember() error {
	records := r.d.secrets.Records
	records.Begin(r.d.secrets.Kept, r.d.spec.Secrets)
	records.Begin(r.was, r.d.spec.Secrets)
	inFile := cluster.Secrets(r.d.spec.Side.Secrets)
	for _, name := range r.names {
		if value := inFile.Get(name); !value.Equal(r.d.spec.Secrets.Get(name)) {
			records.Replace(name, value)
		}
	}
	r.d.spec.SecretRecords = records
	if err := r.d.writeSecretRecords(); err != nil {
		return err
	}
	if r.received {
		return nil
	}
	r.left = r.d.secretsElsewhere(r.names)
	if len(r.left) == 0 {
		return nil
	}
	r.handover = r.Layout().SecretHandover()
	data, err := Handover{Role: r.d.spec.Role, Party: r.d.spec.PartyID, Secrets: r.shared()}.Encode()
	if err != nil {
		return err
	}
	return r.host.WriteFile(r.handover, data, rootOnly)
}

// shared are the changed secrets that other hosts have, too.
func (r *rotation) shared() cluster.Secrets {
	var out cluster.Secrets
	for _, use := range render.SecretUses(r.d.spec) {
		if slices.Contains(r.names, use.Name) && len(use.Hosts) > 1 {
			out.Set(use.Name, r.d.spec.Secrets.Get(use.Name))
		}
	}
	return out
}

// concerns selects the steps of an installation that a change of these secrets comes down to.
func (r *rotation) concerns() func(engine.Node) bool {
	programs := map[string]bool{}
	for _, use := range render.SecretUses(r.d.spec) {
		if !slices.Contains(r.names, use.Name) {
			continue
		}
		for _, p := range use.Programs {
			programs[p] = true
		}
		if use.Name == "mysql_root" || use.Name == "mysql_user" {
			programs[cluster.MySQL.Program()] = true // not restarted, but its readiness probe logs in
		}
	}
	return func(n engine.Node) bool {
		switch s := n.Step.(type) {
		case step.File:
			return r.isFile(n.ID())
		case step.StartPrograms:
			return programs[s.Names[0]]
		case database.Init, database.Contents:
			return programs[cluster.MySQL.Program()]
		}
		return false
	}
}

// AllSecrets stands for every secret that can be changed on a host.
const AllSecrets = "all"

// otherHostsTime is how long programs wait for modules on other hosts, which are expected to run.
const otherHostsTime = time.Minute

// apply carries out a part of the plan. Nothing is undone when it fails: the new passwords are wanted.
func (r *rotation) apply(ctx context.Context, plan engine.Plan, force bool) (engine.Report, error) {
	journal, err := engine.OpenJournal(r.host, r.JournalPath())
	if err != nil {
		return engine.Report{}, exit.With(err, exit.Step)
	}
	defer journal.Close()
	view := r.report.StepsBegin(0)
	view.PlanKnown(plan, false)
	env := r.d.env(view, programs.NewWaiter(r.d.spec, otherHostsTime, view.ProgramEvent))
	env.Force = force
	report, err := engine.Apply(ctx, plan, env, journal, view.StepEvent)
	view.StepsEnd()
	const goesOn = ": it goes on with the passwords that this one has generated"
	var notReady *step.NotReadyError
	switch {
	case err == nil:
		return report, nil
	case ctx.Err() != nil:
		return report, exit.Repeat(err, "", goesOn)
	case errors.As(err, &notReady):
		return report, exit.With(exit.DefaultRepeat(err, "", goesOn), exit.NotReady)
	}
	return report, exit.With(exit.DefaultRepeat(err, "put the cause right, and", goesOn), exit.Step)
}

// errElsewhere is a secret that has to be changed on another host first.
func errElsewhere(use render.SecretUse, host string) error {
	return exit.With(exit.Hint(fmt.Errorf("cannot change %s here: it is changed on %s first", use.Command, host),
		"on "+host+": fate-installer secrets rotate "+use.Command+"; it writes a file for this host"), exit.Usage)
}
