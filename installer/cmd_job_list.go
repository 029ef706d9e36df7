package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"fate-installer/installer/flow"
	"fate-installer/installer/redact"
	"fate-installer/payload/count"

	"github.com/spf13/cobra"
)

func newJobListCommand(g *globals) *cobra.Command {
	limit := 0
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the latest jobs of this party",
		Long: `List the latest jobs that this party takes part in, the newest first, and count the jobs that have ended but whose
tasks are still recorded as running: FATE-Flow leaves such tasks when it is killed while it runs them. job clean ends them.

EXIT STATUS
  0    done
  1    unexpected error, or neither FATE-Flow nor its database answers
  2    wrong usage, or nothing is installed here
  130  interrupted`,
		Example: `  fate-installer job list
  fate-installer job list --limit 100 -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runJobList(cmd.Context(), g, limit) },
	}
	cmd.Flags().IntVarP(&limit, "limit", "n", 20, "show at most `N` jobs, 1 to 1000")
	return cmd
}

// jobListReport is the JSON document of job list.
type jobListReport struct {
	Jobs     []listedJob `json:"jobs"`     // the latest jobs of this party, the newest first
	Stale    []staleJob  `json:"stale"`    // jobs that have ended, but tasks are recorded as running
	Source   string      `json:"source"`   // where the records are from: fate_flow or database
	Problems []string    `json:"problems"` // what could not be read
}

// listedJob is a job in the roles that this party has in it.
type listedJob struct {
	Job       string    `json:"job"`                // its ID
	Status    string    `json:"status"`             // as FATE-Flow writes it: waiting, running, success, failed, ...
	Roles     []string  `json:"roles"`              // of this party in the job
	Initiator string    `json:"initiator"`          // role and party that submitted it
	Cores     int       `json:"cores"`              // cores that it has taken from this party's pool, and not returned
	Submitted time.Time `json:"submitted,omitzero"` // when it was submitted
	Seconds   float64   `json:"seconds"`            // how long it ran, or has run until now
}

// staleJob is a job with tasks that only seem to run.
type staleJob struct {
	Job   string `json:"job"`   // its ID
	Tasks int    `json:"tasks"` // number of tasks that are recorded as running
}

func runJobList(ctx context.Context, g *globals, limit int) error {
	if limit < 1 || limit > 1000 {
		return exitCode(fmt.Errorf("cannot list %d jobs: --limit takes 1 to 1000", limit), exitUsage)
	}
	x, err := openJobs(g)
	if err != nil {
		return err
	}
	defer x.close()
	listing, err := x.list(ctx, limit)
	if err != nil {
		return err
	}
	if g.Output == outputJSON {
		return g.printJSON(listing)
	}
	return listing.write(g)
}

func (x *jobInspector) list(ctx context.Context, limit int) (*jobListReport, error) {
	const roles = 4 // rows that one job may have here
	var rows []flow.Job
	err := x.read(ctx, func(r flow.Records) (err error) { rows, err = r.LatestJobs(ctx, limit*roles); return err })
	if err != nil {
		return nil, err
	}
	listing := &jobListReport{Jobs: mergeRoles(rows, limit, time.Now()), Problems: []string{}}
	stale, err := x.staleJobs(ctx)
	if err != nil {
		listing.Problems = append(listing.Problems, "tasks that only seem to run: "+redact.Printable(err.Error()))
	}
	listing.Stale, listing.Source = stale, x.source
	if x.noAnswer != nil {
		listing.Problems = append(listing.Problems,
			redact.Printable(fmt.Sprintf("FATE-Flow at %s does not answer (%v); this is from its database", x.client.BaseURL,
				x.noAnswer)))
	}
	return listing, nil
}

// mergeRoles makes one line of the rows that a party has for its roles in a job.
func mergeRoles(rows []flow.Job, limit int, now time.Time) []listedJob {
	out := []listedJob{}
	for _, j := range rows {
		at := slices.IndexFunc(out, func(l listedJob) bool { return l.Job == string(j.ID) })
		if at < 0 {
			if len(out) == limit {
				continue
			}
			l := listedJob{
				Job: string(j.ID), Status: j.Status, Initiator: j.InitiatorRole + " " +
					string(j.InitiatorParty), Submitted: j.Created.Time,
			}
			if !j.Started.IsZero() {
				end := j.Ended.Time
				if end.IsZero() && unfinished(j.Status) {
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

// staleJobs finds the jobs that have ended but have tasks that are recorded as running.
func (x *jobInspector) staleJobs(ctx context.Context) ([]staleJob, error) {
	out := []staleJob{}
	running, err := x.tasks(ctx, map[string]any{"party_status": flow.StatusRunning})
	if err != nil {
		return out, err
	}
	known := map[flow.Text][]flow.Job{}
	for _, t := range running {
		if _, seen := known[t.Job]; !seen {
			if known[t.Job], err = x.jobs(ctx, map[string]any{"job_id": string(t.Job)}); err != nil {
				return out, err
			}
		}
		for range staleTasks(known[t.Job], []flow.Task{t}, time.Now()) {
			at := slices.IndexFunc(out, func(s staleJob) bool { return s.Job == string(t.Job) })
			if at < 0 {
				out = append(out, staleJob{Job: string(t.Job)})
				at = len(out) - 1
			}
			out[at].Tasks++
		}
	}
	return out, nil
}

func (l *jobListReport) write(g *globals) error {
	if len(l.Jobs) == 0 {
		g.printf("no jobs\n")
	} else {
		table := newTable(g.Stdout, "JOB", "STATUS", "ROLES HERE", "INITIATOR", "SUBMITTED", "TIME", "CORES")
		for _, j := range l.Jobs {
			took, cores, submitted := "", "", ""
			if j.Seconds > 0 {
				took = time.Duration(j.Seconds * float64(time.Second)).Round(time.Second).String()
			}
			if j.Cores > 0 {
				cores = fmt.Sprint(j.Cores)
			}
			if !j.Submitted.IsZero() {
				submitted = j.Submitted.Format(time.DateTime)
			}
			table.row(j.Job, j.Status, strings.Join(j.Roles, ", "), j.Initiator, submitted, took, cores)
		}
		if err := table.flush(); err != nil {
			return err
		}
	}
	for _, s := range l.Stale {
		g.printf("job %s has ended, and %s still recorded as running\n", redact.Printable(s.Job),
			count.Of(s.Tasks, "task is", "tasks are"))
	}
	if n := len(l.Stale); n > 0 {
		g.advisef("%s of FATE-Flows that were ended while they ran them: fate-installer job clean ends them\n",
			count.Of(n, "job has tasks", "jobs have tasks"))
	}
	for _, p := range l.Problems {
		g.printf("note: %s\n", p)
	}
	return nil
}
