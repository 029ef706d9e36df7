package job

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"fate-installer/installer/cause"
	"fate-installer/installer/exit"
	"fate-installer/installer/flow"
	"fate-installer/installer/redact"
)

// Report describes a job on this host, and why it failed. It is the JSON document of job why.
type Report struct {
	Job       string     `json:"job"`                // its ID
	Status    string     `json:"status"`             // as FATE-Flow writes it: waiting, running, success, failed, ...
	Initiator string     `json:"initiator"`          // role and party that submitted it
	Roles     flow.Roles `json:"roles"`              // the parties of the job, by role
	Party     int        `json:"party"`              // whose records and logs these are
	Source    string     `json:"source"`             // where the records are from: fate_flow or database
	Submitted time.Time  `json:"submitted,omitzero"` // when it was submitted
	Started   time.Time  `json:"started,omitzero"`   // when it had its cores
	Ended     time.Time  `json:"ended,omitzero"`     // when it ended

	Tasks  []Task          `json:"tasks"`            // one for each component, role and party
	Failed *FailedTask     `json:"failed,omitempty"` // the task that failed first, when it is known
	Causes []cause.Finding `json:"causes"`           // why it failed, most likely first
	// Lines has the ends of the logs, when no cause is known or workers did not start.
	Lines    []cause.Evidence `json:"lines"`
	Problems []string         `json:"problems"` // what could not be read, and where the rest is
}

// Task is one component for one role of one party.
type Task struct {
	Component string  `json:"component"`        // its name in the job
	Role      string  `json:"role"`             // of the party in the job
	Party     string  `json:"party"`            // party ID
	Status    string  `json:"status"`           // as FATE-Flow writes it
	Seconds   float64 `json:"seconds"`          // how long it ran, or has run until now
	RunIP     string  `json:"run_ip,omitempty"` // the address of the FATE-Flow that ran it
	Reason    string  `json:"reason,omitempty"` // why it failed
}

// FailedTask says which side failed.
type FailedTask struct {
	Component string `json:"component"` // its name in the job
	Role      string `json:"role"`      // of the party in the job
	Party     string `json:"party"`     // party ID
	Here      bool   `json:"here"`      // it is this party's
	Reason    string `json:"reason"`    // why it failed
	Session   string `json:"session"`   // the session ID of eggroll
}

// Exit codes of job why that say more than the common ones.
const (
	ExitFailed  = 3 // the job failed or does not go on, and a cause is known
	ExitUnknown = 4 // it failed, and no cause is known
)

// ExitCode is the exit status that goes with the report.
func (r *Report) ExitCode() int {
	switch {
	case r.Status == flow.StatusSuccess:
		return exit.OK
	case len(r.Causes) > 0:
		return ExitFailed
	case flow.Finished(r.Status):
		return ExitUnknown
	}
	return exit.OK
}

// Inspect finds out about a job. Only that there is no such job, or that nothing at all can be read, is an error.
func (x *Inspector) Inspect(ctx context.Context, id string) (*Report, error) {
	jobs, err := x.Jobs(ctx, map[string]any{"job_id": id})
	if err != nil {
		return nil, err
	}
	if len(jobs) == 0 {
		return nil, exit.With(exit.Hint(fmt.Errorf("cannot find job %s: party %d has no record of it", id,
			x.spec.PartyID),
			"fate-installer job list shows the latest jobs; a job is known to the parties that take part in it"),
			exit.Usage)
	}
	tasks, err := x.Tasks(ctx, map[string]any{"job_id": id})
	if err != nil {
		return nil, err
	}
	now := x.now()
	r := x.newReport(jobs, tasks, now)
	evidence := x.stateEvidence(ctx, r, jobs, tasks, now)
	evidence = append(evidence, x.taskEvidence(tasks)...)
	var workers []cause.Evidence
	if r.Status != flow.StatusSuccess {
		found, last := x.logEvidence(ctx, r)
		workers = last
		evidence = append(evidence, found...)
		evidence = append(evidence, x.hostEvidence(ctx, r, now)...)
	}
	x.makePrintable(evidence)
	x.makePrintable(workers)
	if r.Status != flow.StatusSuccess {
		r.Causes = cause.Find(evidence)
		// A host lacks a tool for every job, also for those that fail otherwise.
		if len(r.Causes) > 0 && slices.Contains(leftToTools, r.Causes[0].ID) {
			r.Causes = cause.Find(append(evidence, x.toolEvidence()...))
		}
	}
	if !r.Started.IsZero() { // it waited for cores, and got them
		r.Causes = slices.DeleteFunc(r.Causes, func(f cause.Finding) bool { return f.ID == "no-cores-left" })
	}
	switch {
	case len(r.Causes) > 0 && r.Causes[0].ID == "processors-not-started":
		r.Lines = workers[max(0, len(workers)-mostLines):]
	case len(r.Causes) == 0 && flow.Finished(r.Status) && r.Status != flow.StatusSuccess:
		r.Lines = lastErrors(append(workers, evidence...), mostLines)
	}
	r.Problems = append(r.Problems, x.sourceProblems()...)
	r.Source = x.source
	r.Causes = append([]cause.Finding{}, r.Causes...) // not null in JSON
	for i := range r.Causes {
		r.Causes[i].Remedy = cause.Rebase(r.Causes[i].Remedy, x.spec.Layout.Base)
	}
	r.Lines = append([]cause.Evidence{}, r.Lines...)
	return r, nil
}

// mostLines limits the lines of logs that are shown when nothing else is known.
const mostLines = 10

// makePrintable takes out of evidence the passwords, and what could act on a terminal.
func (x *Inspector) makePrintable(evidence []cause.Evidence) {
	for i := range evidence {
		evidence[i].Text = redact.Printable(x.redact.Text(evidence[i].Text))
	}
}

// leftToTools are the causes that missing tools bring about.
var leftToTools = []string{"processors-not-started", "timed-out"}

func (x *Inspector) newReport(jobs []flow.Job, tasks []flow.Task, now time.Time) *Report {
	j := OwnRecord(jobs)
	r := &Report{
		Job: string(j.ID), Status: j.Status, Initiator: j.InitiatorRole + " " +
			string(j.InitiatorParty), Roles: j.Roles,
		Party: x.spec.PartyID, Submitted: j.Created.Time, Started: j.Started.Time, Ended: j.Ended.Time,
		Tasks: []Task{}, Causes: []cause.Finding{}, Lines: []cause.Evidence{}, Problems: []string{},
	}
	if j.Tag == "submit_failed" {
		r.Status = flow.StatusFailed
	}
	for i := range tasks {
		t := &tasks[i]
		report := Task{
			Component: t.Component, Role: t.Role, Party: string(t.Party), Status: t.State(),
			Seconds: t.Elapsed(now).Seconds(), RunIP: t.RunIP,
		}
		if t.ErrorReport != "" {
			report.Reason = redact.Printable(x.redact.Text(flow.Reason(t.ErrorReport)))
		}
		r.Tasks = append(r.Tasks, report)
	}
	if t := firstFailed(tasks); t != nil && r.Status != flow.StatusSuccess {
		r.Failed = &FailedTask{
			Component: t.Component, Role: t.Role, Party: string(t.Party),
			Here:   string(t.Party) == fmt.Sprint(x.spec.PartyID),
			Reason: redact.Printable(x.redact.Text(flow.Reason(t.ErrorReport))), Session: t.Session(),
		}
	}
	return r
}

// OwnRecord is the record that says most: the initiator's, or else one that has failed.
func OwnRecord(jobs []flow.Job) flow.Job {
	rank := func(j flow.Job) int {
		switch {
		case j.Role == j.InitiatorRole && j.Party == j.InitiatorParty:
			return 0
		case j.Status == flow.StatusFailed:
			return 1
		}
		return 2
	}
	return slices.MinFunc(jobs, func(a, b flow.Job) int { return cmp.Compare(rank(a), rank(b)) })
}

// firstFailed is the task whose failure ended the job. FATE-Flow stops all others when one fails and records them as
// failed, too, but only the one that failed by itself has an error report.
func firstFailed(tasks []flow.Task) *flow.Task {
	var first *flow.Task
	earlier := func(a, b *flow.Task) bool {
		if (a.ErrorReport != "") != (b.ErrorReport != "") {
			return a.ErrorReport != ""
		}
		return !a.Ended.IsZero() && (b.Ended.IsZero() || a.Ended.Before(b.Ended.Time))
	}
	for i := range tasks {
		t := &tasks[i]
		if t.ErrorReport == "" && t.State() != flow.StatusFailed {
			continue
		}
		if first == nil || earlier(t, first) {
			first = t
		}
	}
	return first
}

// lastErrors are the last lines of logs and tasks.
func lastErrors(evidence []cause.Evidence, n int) []cause.Evidence {
	lines := slices.DeleteFunc(slices.Clone(evidence), func(e cause.Evidence) bool {
		return e.Kind == cause.State || e.Kind == cause.Program || e.Kind == cause.Machine
	})
	return lines[max(0, len(lines)-n):]
}
