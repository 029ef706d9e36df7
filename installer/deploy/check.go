package deploy

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"fate-installer/installer/database"
	"fate-installer/installer/engine"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate/preflight"
	"fate-installer/installer/fate/render"
	"fate-installer/installer/pyenv"
	"fate-installer/installer/state"
	"fate-installer/payload/count"
)

// runChecks makes every check on the facts at hand.
func (d *Deployment) runChecks(ctx context.Context) []preflight.CheckResult {
	in := preflight.Input{Installed: d.stored != nil, Unpacked: map[string]string{}, Rollback: d.slot != nil}
	if d.payload != nil && d.slot == nil {
		in.Components, in.Platform = pyenv.WithMade(d.payload.Manifest().Components),
			d.payload.Manifest().Release.Platform
	}
	if d.stored != nil {
		for name, c := range d.stored.Components {
			in.Unpacked[name] = c.Digest
		}
	}
	if d.stored == nil {
		in.Kept = d.keptByUninstall()
	}
	in.Database = d.askDatabase(ctx)
	var err error
	if in.SupervisorFaults, err = d.supervisorFaults(); err != nil {
		d.facts.Unknown["supervisor files"] = err.Error()
	}
	if in.Certificates, err = d.certificates(time.Now()); err != nil {
		d.facts.Unknown["certificates"] = err.Error()
	}
	in.Now = time.Now()
	if in.Backups, err = LoadBackupRecord(d.host, d.Layout()); err != nil {
		d.facts.Unknown["backups"] = err.Error()
	}
	return preflight.Run(d.spec, d.facts, in)
}

// askDatabase logs in to the database server that this host sees to: an outside one, or one of ours that runs already.
// It is nil when there is none to ask.
func (d *Deployment) askDatabase(ctx context.Context) *database.Facts {
	question, ok := render.DatabaseQuestion(d.spec)
	if !ok || !d.host.Live() || question.Address.Socket != "" &&
		(d.stored == nil || !d.host.Exists(question.Address.Socket)) {
		return nil
	}
	answer := question.Ask(ctx, d.host)
	return &answer
}

// checkAndWaive makes every check and lets those pass that are waived. A waiver for what is no check is a usage error,
// so this is called before anything is printed.
func (d *Deployment) checkAndWaive(ctx context.Context, waive []string) ([]preflight.CheckResult, error) {
	waivers, err := ParseWaivers(waive)
	if err != nil {
		return nil, err
	}
	return d.Check(ctx, waivers)
}

// Check makes every check and lets those pass that are waived.
func (d *Deployment) Check(ctx context.Context, waivers []preflight.Waiver) ([]preflight.CheckResult, error) {
	results, err := preflight.Waive(d.runChecks(ctx), waivers)
	if err != nil {
		return nil, exit.With(exit.Hint(err, "fate-installer check --all lists the checks by their names"), exit.Usage)
	}
	return results, nil
}

// preflight refuses an installation that cannot work, after showing everything that is wrong with the host.
func (d *Deployment) preflight(results []preflight.CheckResult) error {
	d.report.CheckResults(results)
	refused := preflight.Refused(results)
	if len(refused) == 0 {
		return nil
	}
	lines := make([]string, len(refused))
	for i, r := range refused {
		lines[i] = fmt.Sprintf("%s: %s (wanted: %s)", r.ID, r.Measured, r.Wanted)
	}
	err := fmt.Errorf("cannot install on this host, %d of its checks %s:\n%s",
		len(refused), count.Noun(len(refused), "refuses", "refuse"), strings.Join(lines, "\n"))
	return exit.With(exit.Hint(err, refusalHint(refused)), exit.Preflight)
}

// refusalHint says how to go on. A waiver is offered for a check that can be waived.
func refusalHint(refused []preflight.CheckResult) string {
	hint := "apply the remedies marked ->"
	i := slices.IndexFunc(refused, func(r preflight.CheckResult) bool { return !r.Final })
	if i < 0 {
		return hint
	}
	return hint + ", or override with --waive " + refused[i].ID + "='reason'"
}

// ParseWaivers reads checks to let pass, each as ID=reason.
func ParseWaivers(texts []string) ([]preflight.Waiver, error) {
	waivers := make([]preflight.Waiver, len(texts))
	for i, text := range texts {
		w, err := preflight.ParseWaiver(text)
		if err != nil {
			return nil, exit.With(err, exit.Usage)
		}
		waivers[i] = w
	}
	return waivers, nil
}

// Fix applies the steps of the checks that have some and looks at the host again.
func (d *Deployment) Fix(ctx context.Context) error {
	if err := d.NeedRoot("fix anything"); err != nil {
		return err
	}
	if _, err := d.decide(state.Prepare); err != nil {
		return err
	}
	var plan engine.Plan
	for _, r := range d.runChecks(ctx) {
		for _, s := range r.Fix {
			plan.Add(engine.Node{Step: s, Title: r.Title, Component: "os"})
		}
	}
	if len(plan.Nodes) == 0 {
		d.report.Printf("there is nothing that --fix could do\n")
		return nil
	}
	unlock, err := d.lock()
	if err != nil {
		return err
	}
	defer unlock()
	journal, err := engine.OpenJournal(d.host, d.JournalPath())
	if err != nil {
		return err
	}
	defer journal.Close()
	view := d.report.StepsBegin(0)
	defer view.StepsEnd()
	view.PlanKnown(plan, false)
	if _, err := engine.Apply(ctx, plan, d.env(view, nil), journal, view.StepEvent); err != nil {
		return exit.With(err, exit.Step)
	}
	return d.gather(ctx, true)
}
