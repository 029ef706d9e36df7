package job

import (
	"context"
	"fmt"
	"slices"
	"time"

	"fate-installer/installer/flow"
	"fate-installer/installer/redact"
)

// Listing is the JSON document of job list.
type Listing struct {
	Jobs     []Listed `json:"jobs"`     // the latest jobs of this party, the newest first
	Stale    []Stale  `json:"stale"`    // jobs that have ended, but tasks are recorded as running
	Source   string   `json:"source"`   // where the records are from: fate_flow or database
	Problems []string `json:"problems"` // what could not be read
}

// Listed is a job in the roles that this party has in it.
type Listed struct {
	Job       string    `json:"job"`                // its ID
	Status    string    `json:"status"`             // as FATE-Flow writes it: waiting, running, success, failed, ...
	Roles     []string  `json:"roles"`              // of this party in the job
	Initiator string    `json:"initiator"`          // role and party that submitted it
	Cores     int       `json:"cores"`              // cores that it has taken from this party's pool, and not returned
	Submitted time.Time `json:"submitted,omitzero"` // when it was submitted
	Seconds   float64   `json:"seconds"`            // how long it ran, or has run until now
}

// Stale is a job with tasks that only seem to run.
type Stale struct {
	Job   string `json:"job"`   // its ID
	Tasks int    `json:"tasks"` // number of tasks that are recorded as running
}

// List lists the latest jobs of the party, at most limit of them, and those whose tasks only seem to run.
func (x *Inspector) List(ctx context.Context, limit int) (*Listing, error) {
	const roles = 4 // rows that one job may have here
	var rows []flow.Job
	err := x.read(ctx, func(r flow.Records) (err error) { rows, err = r.LatestJobs(ctx, limit*roles); return err })
	if err != nil {
		return nil, err
	}
	listing := &Listing{Jobs: mergeRoles(rows, limit, x.now()), Problems: []string{}}
	stale, err := x.Stale(ctx)
	if err != nil {
		listing.Problems = append(listing.Problems, "tasks that only seem to run: "+redact.Printable(err.Error()))
	}
	listing.Stale, listing.Source = stale, x.source
	listing.Problems = append(listing.Problems, x.sourceProblems()...)
	return listing, nil
}

// sourceProblems says that the records are from the database, and why; it is empty when FATE-Flow answered.
func (x *Inspector) sourceProblems() []string {
	if x.noAnswer == nil {
		return nil
	}
	return []string{redact.Printable(fmt.Sprintf("FATE-Flow at %s does not answer (%v); this is from its database",
		x.client.BaseURL, x.noAnswer))}
}

// mergeRoles makes one line of the rows that a party has for its roles in a job.
func mergeRoles(rows []flow.Job, limit int, now time.Time) []Listed {
	out := []Listed{}
	for _, j := range rows {
		at := slices.IndexFunc(out, func(l Listed) bool { return l.Job == string(j.ID) })
		if at < 0 {
			if len(out) == limit {
				continue
			}
			l := Listed{
				Job: string(j.ID), Status: j.Status, Submitted: j.Created.Time,
				Initiator: j.InitiatorRole + " " + string(j.InitiatorParty),
			}
			if !j.Started.IsZero() {
				end := j.Ended.Time
				if end.IsZero() && Unfinished(j.Status) {
					end = now
				}
				l.Seconds = max(0, end.Sub(j.Started.Time).Seconds())
			}
			out = append(out, l)
			at = len(out) - 1
		}
		out[at].Roles = append(out[at].Roles, j.Role+" "+string(j.Party))
		if j.CoresInUse {
			out[at].Cores += j.Cores
		}
	}
	return out
}

// Stale finds the jobs that have ended but have tasks that are recorded as running.
func (x *Inspector) Stale(ctx context.Context) ([]Stale, error) {
	out := []Stale{}
	running, err := x.Tasks(ctx, map[string]any{"party_status": flow.StatusRunning})
	if err != nil {
		return out, err
	}
	known := map[flow.Text][]flow.Job{}
	for _, t := range running {
		if _, seen := known[t.Job]; !seen {
			if known[t.Job], err = x.Jobs(ctx, map[string]any{"job_id": string(t.Job)}); err != nil {
				return out, err
			}
		}
		for range staleTasks(known[t.Job], []flow.Task{t}, x.now()) {
			at := slices.IndexFunc(out, func(s Stale) bool { return s.Job == string(t.Job) })
			if at < 0 {
				out = append(out, Stale{Job: string(t.Job)})
				at = len(out) - 1
			}
			out[at].Tasks++
		}
	}
	return out, nil
}
