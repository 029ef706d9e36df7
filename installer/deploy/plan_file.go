package deploy

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"fate-installer/installer/engine"
	"fate-installer/installer/exit"
	"fate-installer/installer/host"
	"fate-installer/installer/problem"
	"fate-installer/installer/redact"
)

// PlanFile is the document of plan --out, which install --plan compares with what it would do.
type PlanFile struct {
	Schema    int           `json:"schema"`              // planSchema
	Host      string        `json:"host"`                // what the host is going to be, for people
	Addresses []string      `json:"addresses"`           // of the host
	Base      string        `json:"base"`                // directory
	Appliance string        `json:"appliance,omitempty"` // digest of the payload
	Asked     string        `json:"asked"`               // digest of the cluster files and flags, without passwords
	Steps     []plannedStep `json:"steps"`               // every step, in its order
}

// plannedStep is a step and the state of what it is about. It has no contents and no sizes: files with passwords that
// are generated differ from run to run.
type plannedStep struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	Done  bool   `json:"done"`
	Why   string `json:"why,omitempty"`
}

// planSchema is the version of the format of plan files.
const planSchema = 1

// mostPlanBytes is the size above which a plan file is not read.
const mostPlanBytes = 16 << 20

// PlanFile is what install --plan compares with, for the survey of a whole plan.
func (d *Deployment) PlanFile(survey engine.Survey) PlanFile {
	asked := d.site
	asked.Waivers, asked.Trust = nil, nil // they change no step
	asked.Sources = slices.Clone(asked.Sources)
	// Reviewers get the plan file, and a digest would let them try passwords.
	hide := redact.New(d.spec.AllSecrets())
	for i := range asked.Sources {
		asked.Sources[i].Name = "" // of the copy at hand
		asked.Sources[i].Data = hide.Text(asked.Sources[i].Data)
	}
	text, _ := json.Marshal(asked) // it has no value that JSON cannot say
	p := PlanFile{Schema: planSchema, Host: d.Headline(), Base: d.cmd.Base,
		Asked: fmt.Sprintf("%x", sha256.Sum256(text))}
	for _, a := range host.Identify(d.host).Addresses {
		p.Addresses = append(p.Addresses, fmt.Sprint(a))
	}
	slices.Sort(p.Addresses)
	if d.payload != nil {
		p.Appliance = d.payload.Digest()
	}
	for _, l := range survey {
		why := l.Why
		if l.Error != "" {
			why = l.Error
		}
		p.Steps = append(p.Steps, plannedStep{l.ID, l.Title, l.Done, why})
	}
	return p
}

// refuseOtherPlan refuses an installation that would do something else than the plan file says, if one is given.
func (d *Deployment) refuseOtherPlan(ctx context.Context, opts InstallOptions) error {
	if opts.Plan == "" {
		return nil
	}
	name := opts.Plan
	reviewed, err := readPlanFile(name)
	if err != nil {
		return exit.With(err, exit.Usage)
	}
	survey, err := d.survey(ctx, opts.Part, opts.Force)
	if err != nil {
		return err
	}
	differences := reviewed.differences(d.PlanFile(survey))
	if len(differences) == 0 {
		return nil
	}
	const shown = 5
	if n := len(differences); n > shown {
		differences = append(differences[:shown], fmt.Sprintf("and %d more", n-shown))
	}
	return exit.With(exit.Hint(fmt.Errorf("cannot install by the plan %s, it no longer matches:\n%s", name,
		strings.Join(differences, "\n")), "make a new plan with fate-installer plan --out, and have it reviewed"),
		exit.Preflight)
}

func readPlanFile(name string) (PlanFile, error) {
	var p PlanFile
	text, err := problem.ReadFile(name, mostPlanBytes)
	if err != nil {
		return p, fmt.Errorf("cannot read the plan: %w", err)
	}
	if err := json.Unmarshal(text, &p); err != nil || p.Schema != planSchema {
		return p, fmt.Errorf("cannot use %s: it is no plan that this version of plan --out wrote", name)
	}
	return p, nil
}

// differences says in what now differs from the plan that was reviewed.
func (p PlanFile) differences(now PlanFile) []string {
	var out []string
	differ := func(what, was, is string) {
		if was != is {
			out = append(out, fmt.Sprintf("%s: %q in the plan, now %q", what, was, is))
		}
	}
	differ("host", p.Host, now.Host)
	differ("addresses", strings.Join(p.Addresses, " "), strings.Join(now.Addresses, " "))
	differ("base directory", p.Base, now.Base)
	differ("appliance", p.Appliance, now.Appliance)
	if p.Asked != now.Asked {
		out = append(out, "the cluster file or the flags are others")
	}
	for _, s := range now.Steps {
		i := slices.IndexFunc(p.Steps, func(other plannedStep) bool { return other.ID == s.ID })
		switch {
		case i < 0:
			out = append(out, s.ID+": not in the plan")
		case p.Steps[i] != s:
			out = append(out, fmt.Sprintf("%s: %s in the plan, now %s", s.ID, p.Steps[i].state(), s.state()))
		}
	}
	for _, s := range p.Steps {
		if !slices.ContainsFunc(now.Steps, func(other plannedStep) bool { return other.ID == s.ID }) {
			out = append(out, s.ID+": only in the plan")
		}
	}
	return out
}

func (s plannedStep) state() string {
	switch {
	case s.Done:
		return "done"
	case s.Why != "":
		return "to do (" + s.Why + ")"
	}
	return "to do"
}
