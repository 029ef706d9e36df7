package flow

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// twoFlows are FATE-Flows of a party behind one address: the first answers, and the second has run the tasks.
type twoFlows struct {
	mu       sync.Mutex
	other    string // address of the second
	statuses []string
	stop     func() (status int) // HTTP status of the answer to a stop
	stopped  bool
}

func (f *twoFlows) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer := func(v any) { json.NewEncoder(w).Encode(v) }
	switch r.URL.Path {
	case "/v1/job/submit":
		answer(map[string]any{"retcode": 0, "jobId": "202611210000000000010"})
	case "/v1/job/query":
		f.mu.Lock()
		status := f.statuses[0]
		if len(f.statuses) > 1 {
			f.statuses = f.statuses[1:]
		}
		if f.stopped {
			status = StatusCanceled
		}
		f.mu.Unlock()
		answer(map[string]any{"retcode": 0, "data": []any{map[string]any{"f_job_id": "1", "f_status": status}}})
	case "/v1/job/task/query":
		ip, port, _ := strings.Cut(f.other, ":")
		answer(map[string]any{"retcode": 0, "data": []any{map[string]any{
			"f_component_name": "secure_add_example_0", "f_role": "guest", "f_party_id": "9999",
			"f_party_status": "running",
			"f_run_ip":       ip, "f_run_port": json.Number(port), "f_start_time": 1796000000000, "f_end_time": nil,
		}}})
	case "/v1/job/log/download": // this one has not run the task
		w.WriteHeader(http.StatusNotFound)
		answer(map[string]any{"retcode": 404, "retmsg": "Log file path: '/x' not found. Please check if the job " +
			"id is valid."})
	case "/v1/job/stop":
		w.WriteHeader(f.stop())
	default:
		http.NotFound(w, r)
	}
}

// TestToyReadsTheLogOfTheFlowThatRanTheTask: nginx gives the task to any of a party's flows.
func TestToyReadsTheLogOfTheFlowThatRanTheTask(t *testing.T) {
	second := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/job/log/download" {
			http.NotFound(w, r)
			return
		}
		(&fakeFlow{log: goodLine}).sendLog(w)
	}))
	defer second.Close()
	first := httptest.NewServer(&twoFlows{statuses: []string{"success"}, other: strings.TrimPrefix(second.URL,
		"http://")})
	defer first.Close()
	var seen []Task
	toy := Toy{Guest: 9999, Host: 9999, Timeout: time.Minute, Interval: time.Millisecond}
	toy.OnTasks = func(_ string, tasks []Task) { seen = tasks }
	result, err := toy.Run(context.Background(), &Client{BaseURL: first.URL})
	if err != nil || result.Status != StatusSuccess {
		t.Fatalf("%+v, %v", result, err)
	}
	if len(seen) != 1 || seen[0].Component != "secure_add_example_0" || seen[0].Started.IsZero() ||
		!seen[0].Ended.IsZero() {
		t.Errorf("tasks %+v", seen)
	}
}

// TestStopIsJudgedByTheState: the call that stops a job takes long, or fails, and the job is canceled all the same.
func TestStopIsJudgedByTheState(t *testing.T) {
	for _, tt := range []struct {
		name  string
		stops bool // the job
		code  int
		wants string
		never string
	}{
		{"the answer is late", true, http.StatusOK, "it was stopped, and is canceled", "cannot be stopped"},
		{"the call fails, and the job is canceled", true, http.StatusBadGateway, "it was stopped, and is canceled",
			"cannot be stopped"},
		{"the job goes on", false, http.StatusBadGateway, "cannot be stopped", "is canceled"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			flow := &twoFlows{statuses: []string{"running"}}
			flow.stop = func() int {
				flow.mu.Lock()
				defer flow.mu.Unlock()
				flow.stopped = tt.stops
				return tt.code
			}
			server := httptest.NewServer(flow)
			defer server.Close()
			stuck := ""
			toy := Toy{Guest: 9999, Timeout: 3 * time.Second, Interval: time.Millisecond,
				Stopping: 300 * time.Millisecond}
			if tt.stops {
				toy.Stopping = time.Minute
			}
			toy.OnTimeout = func(_ context.Context, job string) {
				if flow.stopped {
					t.Error("the job was stopped before it was looked at")
				}
				stuck = job
			}
			_, err := toy.Run(context.Background(), &Client{BaseURL: server.URL})
			var failed *JobError
			if !errors.As(err, &failed) || !strings.Contains(failed.Reason, tt.wants) ||
				strings.Contains(failed.Reason, tt.never) {
				t.Errorf("%v", err)
			}
			if stuck == "" {
				t.Error("what the job waited for was not looked at")
			}
		})
	}
}

func TestNoTasksAreNoError(t *testing.T) {
	for message, bad := range map[string]bool{"find task failed": false, "something else": true} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			json.NewEncoder(w).Encode(map[string]any{"retcode": 101, "retmsg": message})
		}))
		tasks, err := (&Client{BaseURL: server.URL}).Tasks(context.Background(), map[string]any{"job_id": "1"})
		if len(tasks) != 0 || (err != nil) != bad {
			t.Errorf("%q: %v, %v", message, tasks, err)
		}
		server.Close()
	}
}

// TestLatestJobs reads the form that list/job has: columns without f_, and parties as numbers.
func TestLatestJobs(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte(`{"retcode": 0, "data": {"count": 1, "jobs": [{"job_id": "202611290000000000010", "role": "host", "party_id": 10000,
			"initiator_role": "guest", "initiator_party_id": "9999", "status": "running", "roles": {"host": [10000], "guest": [9999], "arbiter": [10000]},
			"cores": 4, "resource_in_use": true, "create_time": 1796000000000, "start_time": null, "partners": [9999]}]}}`))
	}))
	defer server.Close()
	jobs, err := (&Client{BaseURL: server.URL}).LatestJobs(context.Background(), 5)
	if err != nil || len(jobs) != 1 {
		t.Fatalf("%v, %v", jobs, err)
	}
	j := jobs[0]
	if j.Party != "10000" || j.InitiatorParty != "9999" || !bool(j.CoresInUse) || j.Cores != 4 ||
		j.Created.IsZero() || !j.Started.IsZero() {
		t.Errorf("%+v", j)
	}
	if got := j.Roles.String(); got != "guest 9999, host 10000, arbiter 10000" {
		t.Errorf("roles %q", got)
	}
}

func TestTasksAreInTheOrderOfTheirStart(t *testing.T) {
	at := func(s int64) Millis { return Millis{time.Unix(s, 0)} }
	tasks := []Task{
		{Component: "last", Created: at(2)}, {Component: "waits", Created: at(1)},
		{Component: "second", Created: at(1), Started: at(9)}, {Component: "first", Created: at(3), Started: at(8)},
	}
	sortTasks(tasks)
	var names []string
	for _, t := range tasks {
		names = append(names, t.Component)
	}
	if got := strings.Join(names, " "); got != "first second waits last" {
		t.Error(got)
	}
}

func TestSelectRowsTakesOnlyColumns(t *testing.T) {
	statement, values, err := selectRows("t_job", []string{"f_job_id", "f_status"},
		map[string]any{"status": "waiting"}, 7)
	if err != nil || statement != "SELECT f_job_id, f_status FROM t_job WHERE f_status = ? ORDER BY f_create_time "+
		"DESC LIMIT 7" || len(values) != 1 {
		t.Errorf("%q %v %v", statement, values, err)
	}
	if _, _, err := selectRows("t_job", []string{"f_job_id"}, map[string]any{"job_id = '' OR f_job_id": "x"},
		1); err == nil {
		t.Error("a filter that is no column was taken")
	}
}

// TestRowsAreReadAsAnswers: a row of the table gives the same job as FATE-Flow's answer.
func TestRowsAreReadAsAnswers(t *testing.T) {
	cell := func(s string) sql.NullString { return sql.NullString{String: s, Valid: true} }
	row := encodeRow(jobColumns, []sql.NullString{
		cell("1"), cell("guest"), cell("9999"), cell("guest"), cell("9999"), cell("failed"), {},
		cell(`{"guest": [9999]}`),
		cell("4"), cell("1"), cell("1796000000000"), {}, {},
	})
	encoded, err := json.Marshal(row)
	if err != nil {
		t.Fatal(err)
	}
	var j Job
	if err := json.Unmarshal(encoded, &j); err != nil || j.ID != "1" || j.Cores != 4 || !bool(j.CoresInUse) ||
		j.Roles.String() != "guest 9999" || j.Created.IsZero() {
		t.Errorf("%+v, %v", j, err)
	}
	tasks := []Task{{ID: "a", Version: 0, Role: "guest"}, {ID: "a", Version: 1, Role: "guest"}, {ID: "a", Version: 0,
		Role: "host"}}
	if kept := latestVersions(tasks); len(kept) != 2 || slices.ContainsFunc(kept,
		func(t Task) bool { return t.Role == "guest" && t.Version == 0 }) {
		t.Errorf("%+v", kept)
	}
}

func FuzzRecords(f *testing.F) {
	f.Add([]byte(`[{"f_job_id": 1, "f_party_id": "9", "f_roles": {"guest": [1]}, "f_resource_in_use": 1, "f_create_time": 1796000000000}]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var jobs []Job
		if json.Unmarshal(data, &jobs) == nil {
			for _, j := range jobs {
				_ = j.Roles.String()
			}
		}
		var tasks []Task
		if json.Unmarshal(data, &tasks) == nil {
			for i := range tasks {
				if tasks[i].Elapsed(time.Unix(0, 0)) < 0 {
					t.Error("a negative time")
				}
			}
		}
	})
}
