package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"fate-installer/installer/cause"
	"fate-installer/installer/flow"
	"fate-installer/installer/redact"
)

// jobReport describes a job on this host, and why it failed. It is the JSON document of job why.
type jobReport struct {
	Job       string     `json:"job"`                // its ID
	Status    string     `json:"status"`             // as FATE-Flow writes it: waiting, running, success, failed, ...
	Initiator string     `json:"initiator"`          // role and party that submitted it
	Roles     flow.Roles `json:"roles"`              // the parties of the job, by role
	Party     int        `json:"party"`              // whose records and logs these are
	Source    string     `json:"source"`             // where the records are from: fate_flow or database
	Submitted time.Time  `json:"submitted,omitzero"` // when it was submitted
	Started   time.Time  `json:"started,omitzero"`   // when it had its cores
	Ended     time.Time  `json:"ended,omitzero"`     // when it ended

	Tasks  []taskReport    `json:"tasks"`            // one for each component, role and party
	Failed *failedTask     `json:"failed,omitempty"` // the task that failed first, when it is known
	Causes []cause.Finding `json:"causes"`           // why it failed, most likely first
	// Lines has the ends of the logs, when no cause is known or workers did not start.
	Lines    []cause.Evidence `json:"lines"`
	Problems []string         `json:"problems"` // what could not be read, and where the rest is
}

// taskReport is one component for one role of one party.
type taskReport struct {
	Component string  `json:"component"`        // its name in the job
	Role      string  `json:"role"`             // of the party in the job
	Party     string  `json:"party"`            // party ID
	Status    string  `json:"status"`           // as FATE-Flow writes it
	Seconds   float64 `json:"seconds"`          // how long it ran, or has run until now
	RunIP     string  `json:"run_ip,omitempty"` // the address of the FATE-Flow that ran it
	Reason    string  `json:"reason,omitempty"` // why it failed
}

// failedTask says which side failed.
type failedTask struct {
	Component string `json:"component"` // its name in the job
	Role      string `json:"role"`      // of the party in the job
	Party     string `json:"party"`     // party ID
	Here      bool   `json:"here"`      // it is this party's
	Reason    string `json:"reason"`    // why it failed
	Session   string `json:"session"`   // the session ID of eggroll
}

// inspect finds out about a job. Only that there is no such job, or that nothing at all can be read, is an error.
func (x *jobInspector) inspect(ctx context.Context, id string) (*jobReport, error) {
	jobs, err := x.jobs(ctx, map[string]any{"job_id": id})
	if err != nil {
		return nil, err
	}
	if len(jobs) == 0 {
		return nil, exitCode(withHint(fmt.Errorf("cannot find job %s: party %d has no record of it", id,
			x.spec.PartyID),
			"fate-installer job list shows the latest jobs; a job is known to the parties that take part in it"), exitUsage)
	}
	tasks, err := x.tasks(ctx, map[string]any{"job_id": id})
	if err != nil {
		return nil, err
	}
	now := time.Now()
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
	if x.noAnswer != nil {
		r.Problems = append(r.Problems, redact.Printable(fmt.Sprintf("FATE-Flow at %s does not answer (%v); this is from "+
			"its database", x.client.BaseURL, x.noAnswer)))
	}
	r.Source = x.source
	r.Causes = append([]cause.Finding{}, r.Causes...) // not null in JSON
	for i := range r.Causes {
		r.Causes[i].Remedy = x.g.runnable(defaultBase.ReplaceAllLiteralString(r.Causes[i].Remedy, x.spec.Layout.Base))
	}
	r.Lines = append([]cause.Evidence{}, r.Lines...)
	return r, nil
}

// defaultBase is the base directory that the texts of causes name.
var defaultBase = regexp.MustCompile(`/data\b`)

// mostLines limits the lines of logs that are shown when nothing else is known.
const mostLines = 10

// makePrintable takes out of evidence the passwords, and what could act on a terminal.
func (x *jobInspector) makePrintable(evidence []cause.Evidence) {
	for i := range evidence {
		evidence[i].Text = redact.Printable(x.redact.Text(evidence[i].Text))
	}
}

// leftToTools are the causes that missing tools bring about.
var leftToTools = []string{"processors-not-started", "timed-out"}

func (x *jobInspector) newReport(jobs []flow.Job, tasks []flow.Task, now time.Time) *jobReport {
	j := ownRecord(jobs)
	r := &jobReport{
		Job: string(j.ID), Status: j.Status, Initiator: j.InitiatorRole + " " +
			string(j.InitiatorParty), Roles: j.Roles,
		Party: x.spec.PartyID, Submitted: j.Created.Time, Started: j.Started.Time, Ended: j.Ended.Time,
		Tasks: []taskReport{}, Causes: []cause.Finding{}, Lines: []cause.Evidence{}, Problems: []string{},
	}
	if j.Tag == "submit_failed" {
		r.Status = flow.StatusFailed
	}
	for i := range tasks {
		t := &tasks[i]
		report := taskReport{
			Component: t.Component, Role: t.Role, Party: string(t.Party), Status: t.State(), Seconds: t.Elapsed(now).Seconds(), RunIP: t.RunIP,
		}
		if t.ErrorReport != "" {
			report.Reason = redact.Printable(x.redact.Text(flow.Reason(t.ErrorReport)))
		}
		r.Tasks = append(r.Tasks, report)
	}
	if t := firstFailed(tasks); t != nil && r.Status != flow.StatusSuccess {
		r.Failed = &failedTask{
			Component: t.Component, Role: t.Role, Party: string(t.Party), Here: string(t.Party) == fmt.Sprint(x.spec.PartyID),
			Reason: redact.Printable(x.redact.Text(flow.Reason(t.ErrorReport))), Session: t.Session(),
		}
	}
	return r
}

// ownRecord is the record that says most: the initiator's, or else one that has failed.
func ownRecord(jobs []flow.Job) flow.Job {
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

// write prints the report for people. Names in it may be another party's choice.
func (r *jobReport) write(w io.Writer) {
	var text bytes.Buffer
	r.compose(&text)
	for line := range strings.Lines(text.String()) {
		fmt.Fprintln(w, redact.Printable(strings.TrimSuffix(line, "\n")))
	}
}

func (r *jobReport) compose(w io.Writer) {
	fmt.Fprintf(w, "job %s %s: submitted by %s", r.Job, verbOf(r.Status), r.Initiator)
	if roles := r.Roles.String(); roles != "" {
		fmt.Fprintf(w, ", with %s", roles)
	}
	fmt.Fprintln(w)
	if !r.Started.IsZero() {
		fmt.Fprintf(w, "  started %s", r.Started.Format(time.DateTime))
		if !r.Ended.IsZero() {
			fmt.Fprintf(w, ", ended %s (%s)", r.Ended.Format(time.DateTime),
				max(0, r.Ended.Sub(r.Started)).Round(time.Second))
		}
		fmt.Fprintln(w)
	}
	r.writeTasks(w)
	if f := r.Failed; f != nil {
		side := ""
		if !f.Here {
			side = ", the other side"
		}
		fmt.Fprintf(w, "\nfailed: %s at %s %s%s\n", f.Component, f.Role, f.Party, side)
		if f.Reason != "" {
			fmt.Fprintf(w, "  %s\n", f.Reason)
		}
	}
	r.writeCauses(w)
	if len(r.Lines) > 0 && len(r.Causes) > 0 {
		fmt.Fprintf(w, "the last lines of the workers:\n")
	}
	for _, e := range r.Lines {
		fmt.Fprintf(w, "  | %s%s\n", placeOf(e), e.Text)
	}
	for _, p := range r.Problems {
		fmt.Fprintf(w, "note: %s\n", p)
	}
}

func verbOf(status string) string {
	switch status {
	case flow.StatusSuccess:
		return "succeeded"
	case flow.StatusFailed:
		return "failed"
	case flow.StatusCanceled:
		return "was canceled"
	case flow.StatusTimeout:
		return "timed out"
	}
	return "is " + status
}

func (r *jobReport) writeTasks(w io.Writer) {
	if len(r.Tasks) == 0 {
		return
	}
	fmt.Fprintln(w)
	table := newTable(w, "COMPONENT", "ROLE", "PARTY", "STATUS", "TIME", "RAN ON")
	for _, t := range r.Tasks {
		took := ""
		if t.Seconds > 0 {
			took = time.Duration(t.Seconds * float64(time.Second)).Round(time.Second).String()
		}
		table.row(t.Component, t.Role, t.Party, t.Status, took, t.RunIP)
	}
	_ = table.flush() // w takes what is printed, or the process has no terminal any more
}

func (r *jobReport) writeCauses(w io.Writer) {
	for i, c := range r.Causes {
		word := "cause"
		switch {
		case i > 0:
			word = "also possible"
		case !flow.Finished(r.Status):
			word = "likely cause"
		}
		fmt.Fprintf(w, "\n%s: %s (%s)\n", word, c.Title, c.ID)
		if i > 2 {
			continue // what is that far down is mostly brought about by the first
		}
		writeWrapped(w, "  ", c.Explanation)
		for _, e := range c.Evidence {
			fmt.Fprintf(w, "  | %s%s\n", placeOf(e), e.Text)
		}
		writeWrapped(w, "  what to do: ", c.Remedy)
	}
	if len(r.Causes) == 0 && flow.Finished(r.Status) && r.Status != flow.StatusSuccess {
		fmt.Fprintf(w, "\nno known cause: the last errors of its logs are\n")
	}
}

// placeOf says where evidence was found.
func placeOf(e cause.Evidence) string {
	place := e.Where
	if e.Role != "" && !strings.Contains(place, "/"+e.Role+"/") {
		place = strings.TrimSpace(e.Role + " " + e.Party + " " + e.Component + ", " + place)
	}
	if place == "" {
		return ""
	}
	return place + ": "
}

// writeWrapped prints a paragraph in lines of at most 110 columns, the first one after label and the rest as deep.
func writeWrapped(w io.Writer, label, text string) {
	const columns = 110
	line := label
	indent := strings.Repeat(" ", len(label)-len(strings.TrimLeft(label, " ")))
	empty := true
	for _, word := range strings.Fields(text) {
		if !empty && len(line)+1+len(word) > columns {
			fmt.Fprintln(w, line)
			line, empty = indent, true
		}
		if !empty {
			line += " "
		}
		line += word
		empty = false
	}
	fmt.Fprintln(w, line)
}
