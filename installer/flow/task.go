package flow

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Job is the record that one party keeps of its role in a job: a row of FATE-Flow's table t_job, which /v1/job/query
// answers with all its columns (fate_flow/db/db_models.py). A party that has several roles has a row for each.
type Job struct {
	ID             Text   `json:"f_job_id"`
	Role           string `json:"f_role"`
	Party          Text   `json:"f_party_id"`
	InitiatorRole  string `json:"f_initiator_role"`
	InitiatorParty Text   `json:"f_initiator_party_id"`
	Status         string `json:"f_status"`
	Tag            string `json:"f_tag"` // submit_failed: a party refused it
	Roles          Roles  `json:"f_roles"`
	Cores          int    `json:"f_cores"`           // taken from the party's pool
	CoresInUse     Bool   `json:"f_resource_in_use"` // whether they are still taken
	Created        Millis `json:"f_create_time"`
	Started        Millis `json:"f_start_time"`
	Ended          Millis `json:"f_end_time"`
}

// Task is the record of one component of a job for one role of one party: a row of t_task. The initiator's FATE-Flow
// has the rows of every party, with what each party has reported; any other has its own only.
type Task struct {
	Job         Text   `json:"f_job_id"`
	Component   string `json:"f_component_name"`
	Module      string `json:"f_component_module"`
	ID          string `json:"f_task_id"`
	Version     int    `json:"f_task_version"`
	Role        string `json:"f_role"`
	Party       Text   `json:"f_party_id"`
	Status      string `json:"f_status"`       // of the component, as the initiator sees it
	PartyStatus string `json:"f_party_status"` // of this party's share
	RunIP       string `json:"f_run_ip"`       // the FATE-Flow that ran it; only known for this party's own
	RunPort     int    `json:"f_run_port"`
	ErrorReport string `json:"f_error_report"` // a Python traceback, with paths and addresses taken out
	Created     Millis `json:"f_create_time"`
	Started     Millis `json:"f_start_time"`
	Ended       Millis `json:"f_end_time"`
}

// State is the state of this party's share of the component.
func (t *Task) State() string { return cmp.Or(t.PartyStatus, t.Status) }

// Session is the name of the eggroll session that computes the task (fate_flow/utils/job_utils.py,
// generate_session_id). Sessions for its storage have this name and a suffix.
func (t *Task) Session() string {
	return fmt.Sprintf("%s_%d_%s_%s", cmp.Or(t.ID, string(t.Job)+"_"+t.Component), t.Version, t.Role, t.Party)
}

// Elapsed is how long the task has run at now, or ran.
func (t *Task) Elapsed(now time.Time) time.Duration {
	if t.Started.IsZero() {
		return 0
	}
	if !t.Ended.IsZero() {
		now = t.Ended.Time
	}
	return max(0, now.Sub(t.Started.Time))
}

// Text is a value that FATE-Flow writes as a string in some answers and as a number in others, such as a party's id.
type Text string

// UnmarshalJSON takes both forms, and null for nothing.
func (t *Text) UnmarshalJSON(data []byte) error {
	var s string
	if err := json.Unmarshal(data, &s); err == nil {
		*t = Text(s)
		return nil
	}
	var n json.Number
	if err := json.Unmarshal(data, &n); err != nil {
		return fmt.Errorf("cannot use %.40s as a name: it is neither a string nor a number", data)
	}
	*t = Text(n)
	return nil
}

// Bool is a truth value that may come as a number, as MySQL's own answers have it.
type Bool bool

// UnmarshalJSON takes true, false, numbers and null.
func (b *Bool) UnmarshalJSON(data []byte) error {
	switch s := strings.Trim(string(data), `"`); s {
	case "true":
		*b = true
	case "false", "null", "":
		*b = false
	default:
		n, err := strconv.Atoi(s)
		if err != nil {
			return fmt.Errorf("cannot use %.40s as a truth value", data)
		}
		*b = n != 0
	}
	return nil
}

// Millis is a time that FATE-Flow keeps as milliseconds since 1970; the zero time when there is none.
type Millis struct{ time.Time }

// UnmarshalJSON takes a number or null.
func (m *Millis) UnmarshalJSON(data []byte) error {
	var ms *float64
	if err := json.Unmarshal(data, &ms); err != nil {
		return fmt.Errorf("cannot use %.40s as a time in milliseconds", data)
	}
	m.Time = time.Time{}
	if ms != nil && *ms > 0 {
		m.Time = time.UnixMilli(int64(*ms))
	}
	return nil
}

// Roles says which parties have which role in a job. FATE-Flow's lists of parties hold numbers.
type Roles map[string][]Text

// UnmarshalJSON takes null and an empty string for nothing.
func (r *Roles) UnmarshalJSON(data []byte) error {
	if s := string(data); s == "null" || s == `""` {
		return nil
	}
	var roles map[string][]Text
	if err := json.Unmarshal(data, &roles); err != nil {
		return fmt.Errorf("cannot use the roles of a job: %w", err)
	}
	*r = roles
	return nil
}

// String lists roles and parties in FATE's usual order: guest, host, arbiter.
func (r Roles) String() string {
	order := func(role string) int { return slices.Index([]string{"guest", "host", "arbiter"}, role) }
	names := slices.SortedFunc(maps.Keys(r), func(a, b string) int {
		return cmp.Or(order(a)-order(b),
			strings.Compare(a, b))
	})
	var out []string
	for _, role := range names {
		for _, party := range r[role] {
			out = append(out, role+" "+string(party))
		}
	}
	return strings.Join(out, ", ")
}

// Jobs returns the records that match a filter, whose keys are columns without their f_. It is empty when none does. An
// answer has whole rows with job descriptions, so filter by job, state or role.
func (c *Client) Jobs(ctx context.Context, filter map[string]any) ([]Job, error) {
	var rows []Job
	err := c.rows(ctx, "/v1/job/query", filter, &rows)
	return rows, err
}

// Tasks returns the latest versions of the tasks that match a filter, in the order in which they started. It is empty
// when none does.
func (c *Client) Tasks(ctx context.Context, filter map[string]any) ([]Task, error) {
	var rows []Task
	if err := c.rows(ctx, "/v1/job/task/query", filter, &rows); err != nil {
		return nil, err
	}
	sortTasks(rows)
	return rows, nil
}

// sortTasks puts tasks in the order in which they started; those that have not are last, in the order in which they
// were made.
func sortTasks(tasks []Task) {
	slices.SortStableFunc(tasks, func(a, b Task) int {
		if a.Started.IsZero() != b.Started.IsZero() {
			if a.Started.IsZero() {
				return 1
			}
			return -1
		}
		return cmp.Or(a.Started.Compare(b.Started.Time), a.Created.Compare(b.Created.Time))
	})
}

// retcodeNothing is the answer of some queries in place of an empty list (job_app.py, "find task failed").
const retcodeNothing = 101

func (c *Client) rows(ctx context.Context, endpoint string, filter map[string]any, rows any) error {
	r, err := c.call(ctx, endpoint, filter)
	var refused *Error
	if errors.As(err, &refused) && refused.Retcode == retcodeNothing && strings.HasPrefix(refused.Message, "find ") {
		return nil
	}
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(r.Data, []byte("[")) { // null would be read as an empty list
		return fmt.Errorf("cannot understand fate_flow's answer to %s: it has no list", endpoint)
	}
	if err := json.Unmarshal(r.Data, rows); err != nil {
		return fmt.Errorf("cannot understand fate_flow's answer to %s: %w", endpoint, err)
	}
	return nil
}

// LatestJobs returns the newest records, at most limit. FATE-Flow leaves out the jobs whose submission a party
// refused.
func (c *Client) LatestJobs(ctx context.Context, limit int) ([]Job, error) {
	const endpoint = "/v1/job/list/job"
	r, err := c.call(ctx, endpoint, map[string]any{"limit": limit, "page": 1, "order_by": "create_time",
		"order": "desc"})
	if err != nil {
		return nil, err
	}
	var data struct {
		Jobs []map[string]json.RawMessage `json:"jobs"` // columns without their f_
	}
	if err := json.Unmarshal(r.Data, &data); err != nil {
		return nil, fmt.Errorf("cannot understand fate_flow's answer to %s: %w", endpoint, err)
	}
	if data.Jobs == nil {
		return nil, fmt.Errorf("cannot understand fate_flow's answer to %s: it has no list", endpoint)
	}
	out := make([]Job, 0, len(data.Jobs))
	for _, row := range data.Jobs {
		full := make(map[string]json.RawMessage, len(row))
		for name, value := range row {
			full["f_"+name] = value
		}
		encoded, err := json.Marshal(full)
		if err != nil {
			return nil, err
		}
		var job Job
		if err := json.Unmarshal(encoded, &job); err != nil {
			return nil, fmt.Errorf("cannot understand fate_flow's answer to %s: %w", endpoint, err)
		}
		out = append(out, job)
	}
	return out, nil
}
