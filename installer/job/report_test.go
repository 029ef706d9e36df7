package job

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/flow"
	"fate-installer/installer/host"
	"fate-installer/installer/output"
	"fate-installer/installer/redact"
)

const testJob = "202611290000000000010"

// recordedFlow answers with records of jobs and tasks, as FATE-Flow's API has them.
type recordedFlow struct {
	mu          sync.Mutex // held while a request is answered: one that its client gave up may still be
	jobs, tasks []map[string]any
	away        bool
	deafStop    bool // a stop is answered, and changes nothing
}

func (f *recordedFlow) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var filter map[string]any
	if f.away || json.NewDecoder(r.Body).Decode(&filter) != nil {
		http.Error(w, "bad gateway", http.StatusBadGateway)
		return
	}
	pick := func(rows []map[string]any) []map[string]any {
		return slices.DeleteFunc(append([]map[string]any{}, rows...), func(row map[string]any) bool {
			return slices.ContainsFunc(slices.Collect(maps.Keys(filter)), func(key string) bool {
				return fmt.Sprint(row["f_"+key]) != fmt.Sprint(filter[key])
			})
		})
	}
	answer := map[string]any{"retcode": 0, "retmsg": "success"}
	switch r.URL.Path {
	case "/v1/job/query":
		answer["data"] = pick(f.jobs)
	case "/v1/job/task/query":
		if rows := pick(f.tasks); len(rows) > 0 {
			answer["data"] = rows
		} else {
			answer = map[string]any{"retcode": 101, "retmsg": "find task failed"}
		}
	case "/v1/job/stop":
		for _, row := range f.tasks {
			if row["f_job_id"] == filter["job_id"] && row["f_party_status"] == "running" && !f.deafStop {
				row["f_party_status"] = filter["stop_status"]
			}
		}
	default:
		http.NotFound(w, r)
		return
	}
	json.NewEncoder(w).Encode(answer)
}

// ago is a time as FATE-Flow records it.
func ago(d time.Duration) int64 { return time.Now().Add(-d).UnixMilli() }

func jobRow(id, status string, more map[string]any) map[string]any {
	row := map[string]any{
		"f_job_id": id, "f_role": "guest", "f_party_id": "10000", "f_initiator_role": "guest",
		"f_initiator_party_id": "10000",
		"f_status":             status, "f_roles": map[string]any{"guest": []int{10000},
			"host": []int{9999}}, "f_create_time": ago(time.Hour),
		"f_start_time": ago(time.Hour - time.Second), "f_resource_in_use": false,
	}
	if flow.Finished(status) {
		row["f_end_time"] = ago(50 * time.Minute)
	}
	maps.Copy(row, more)
	return row
}

func taskRow(component, role, party, status, report string, more map[string]any) map[string]any {
	row := map[string]any{
		"f_job_id": testJob, "f_component_name": component, "f_task_id": testJob + "_" +
			component, "f_task_version": 0, "f_role": role,
		"f_party_id": party, "f_status": status, "f_party_status": status, "f_error_report": report,
		"f_create_time": ago(time.Hour),
		"f_start_time":  ago(55 * time.Minute), "f_end_time": ago(51 * time.Minute),
	}
	maps.Copy(row, more)
	return row
}

// newInspector inspects jobs of party 10000 in a tree that has these logs below /data/logs/fate.
func newInspector(t *testing.T, f *recordedFlow, logs map[string]string) *Inspector {
	t.Helper()
	root := t.TempDir()
	for name, text := range logs {
		file := filepath.Join(root, "data/logs/fate", name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	h, err := host.New(root, nil)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	c := cluster.DefaultCluster(cluster.RoleHost, 10000, "192.168.0.1", "")
	spec, err := c.Spec(cluster.Selection{Role: cluster.RoleHost, Party: 10000, IP: "192.168.0.1",
		LocalAddrs: []string{"192.168.0.1"}, Base: "/data"})
	if err != nil {
		t.Fatal(err)
	}
	x := &Inspector{
		spec: spec, host: h, client: &flow.Client{BaseURL: server.URL}, source: fromFlow, now: time.Now,
		redact: redact.New([]cluster.Secret{cluster.NewSecret("a-long-password")}),
	}
	t.Cleanup(func() { x.Close(); _ = x.host.Close() })
	return x
}

const traceback = "Traceback (most recent call last):\n  File \"xxx/fate_flow/worker/task_executor.py\", line " +
	"210, in _run_\n    cpn_output = run_object.run(cpn_input)\n"

// TestInspectExplainsFailures has the records and logs that failures leave, each with the cause and the side that job
// why has to name.
func TestInspectExplainsFailures(t *testing.T) {
	session := "eggroll/" + testJob + "_hetero_lr_0_0_guest_10000/"
	component := "fateflow/" + testJob + "/guest/10000/hetero_lr_0/"
	notStarted := traceback + "ErSessionException: unable to start all processors for session id: 'x'. total " +
		"processors: 2, started count: 0"
	stamp := time.Now().Add(-53 * time.Minute).Format(time.DateTime)
	for _, tt := range []struct {
		name  string
		flow  *recordedFlow
		logs  map[string]string
		cause string // first
		side  string // component, role and party that failed
		says  []string
	}{
		{
			"a table is missing at the other side",
			&recordedFlow{
				jobs: []map[string]any{jobRow(testJob, "failed", nil)},
				tasks: []map[string]any{
					taskRow("reader_0", "guest", "10000", "failed", "",
						map[string]any{"f_end_time": ago(52 * time.Minute)}),
					taskRow("reader_0", "host", "9999", "failed",
						traceback+"RuntimeError: can not found table name: breast_hetero_host namespace: experiment",
						nil),
				},
			},
			nil, "table-not-uploaded", "reader_0 host 9999",
			[]string{"host 9999, the other side", "breast_hetero_host", "fate-installer job why " +
				testJob + " on a host of its FATE-Flow"},
		},
		{
			"workers lack a module",
			&recordedFlow{
				jobs:  []map[string]any{jobRow(testJob, "failed", nil)},
				tasks: []map[string]any{taskRow("hetero_lr_0", "guest", "10000", "failed", notStarted, nil)},
			},
			map[string]string{session + "egg_pair-3.err": "Traceback (most recent call " +
				"last):\nModuleNotFoundError: No module named 'numpy'\n"},
			"python-module", "hetero_lr_0 guest 10000", []string{"egg_pair-3.err: ModuleNotFoundError: No module " +
				"named 'numpy'", "also possible: eggroll's workers did not start"},
		},
		{
			"eggroll takes the session for an old one",
			&recordedFlow{
				jobs:  []map[string]any{jobRow(testJob, "failed", nil)},
				tasks: []map[string]any{taskRow("hetero_lr_0", "guest", "10000", "failed", notStarted, nil)},
			},
			map[string]string{"eggroll/eggroll/clustermanager.jvm.log": "[INFO][1][" +
				stamp + ",001] - session ErSessionMeta(" +
				testJob + "_hetero_lr_0_0_guest_10000,,NEW,2) status stay at NEW too long ,prepare to kill\n"},
			"processors-time-zone", "hetero_lr_0 guest 10000", nil,
		},
		{
			"a tool is missing, which only a line without the job's name says",
			&recordedFlow{
				jobs:  []map[string]any{jobRow(testJob, "timeout", nil)},
				tasks: []map[string]any{taskRow("hetero_lr_0", "guest", "10000", "timeout", "", nil)},
			},
			map[string]string{"eggroll/clustermanager.out": "[INFO][1][" +
				stamp + ",001] - processor 17 change status RUNNING_ERROR\n"},
			"processors-tools", "", nil,
		},
		{
			"another job's lines are not this one's",
			&recordedFlow{jobs: []map[string]any{jobRow(testJob, "canceled", nil)}},
			map[string]string{
				"eggroll/clustermanager.out": "[ERROR][1][" +
					stamp + ",001] - job 202611280000000000099: No space left on device\n" +
					"[ERROR][1][2020-01-01 00:00:00,001] - No space left on device\n",
				"fateflow/202611280000000000099/fate_flow_schedule_error.log": "[ERROR] No space left on device\n",
			},
			"canceled", "", nil,
		},
		{
			"the log of a component says what the report does not",
			&recordedFlow{
				jobs:  []map[string]any{jobRow(testJob, "failed", nil)},
				tasks: []map[string]any{taskRow("hetero_lr_0", "guest", "10000", "failed", "", nil)},
			},
			map[string]string{component + "ERROR.log": "[ERROR] [x] save component output model " +
				"failed\nException: failed to acquire lock sync_model\n"},
			"model-store-lock", "hetero_lr_0 guest 10000", []string{component + "ERROR.log: Exception: failed to " +
				"acquire lock sync_model"},
		},
		{
			"a refused submission",
			&recordedFlow{jobs: []map[string]any{jobRow(testJob, "waiting",
				map[string]any{"f_tag": "submit_failed"})}},
			map[string]string{"fateflow/" + testJob + "/fate_flow_schedule_error.log": "[ERROR] x\nException: " +
				"('create job failed', {'host': {9999: {'retcode': 107, 'retmsg': 'Incompatible FATE versions'}}})\n"},
			"peer-incompatible", "", nil,
		},
		{
			"it waits for the cores that another job has",
			&recordedFlow{jobs: []map[string]any{
				jobRow(testJob, "waiting", map[string]any{"f_start_time": nil}),
				jobRow("202611280000000000077", "running", map[string]any{"f_resource_in_use": true, "f_cores": 4}),
			}},
			nil, "no-cores-left", "", []string{"job 202611280000000000077 (guest 10000, 4 cores)", "likely cause"},
		},
		{
			"it waits behind another waiting job",
			&recordedFlow{jobs: []map[string]any{jobRow(testJob, "waiting", map[string]any{"f_start_time": nil}),
				jobRow("202611280000000000077",
					"waiting", nil)}},
			nil, "no-cores-left", "", []string{"it waits for job 202611280000000000077"},
		},
		{
			"it waited for cores before, and then failed otherwise",
			&recordedFlow{
				jobs: []map[string]any{jobRow(testJob, "failed", nil)},
				tasks: []map[string]any{taskRow("x_0", "guest", "10000", "failed",
					"ValueError: Count of data_instance is 0: x", nil)},
			},
			map[string]string{"fateflow/" + testJob +
				"/fate_flow_schedule.log": "[INFO] job apply resource failed on guest:10000\n"},
			"ids-do-not-match", "x_0 guest 10000", nil,
		},
		{
			"its FATE-Flow was killed",
			&recordedFlow{
				jobs: []map[string]any{jobRow(testJob, "failed", nil)},
				tasks: []map[string]any{taskRow("hetero_lr_0", "guest", "10000", "running", "",
					map[string]any{"f_end_time": nil})},
			},
			nil, "task-executor-ended", "", []string{"1 task is still recorded as running"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x := newInspector(t, tt.flow, tt.logs)
			r, err := x.Inspect(context.Background(), testJob)
			if err != nil {
				t.Fatal(err)
			}
			text := r.Text(output.Device{})
			if len(r.Causes) == 0 || r.Causes[0].ID != tt.cause {
				t.Errorf("causes %+v, want %s first", r.Causes, tt.cause)
			}
			side := ""
			if r.Failed != nil {
				side = r.Failed.Component + " " + r.Failed.Role + " " + r.Failed.Party
			}
			if side != tt.side {
				t.Errorf("failed side %q, want %q", side, tt.side)
			}
			for _, want := range tt.says {
				if !strings.Contains(text, want) {
					t.Errorf("the report does not say %q:\n%s", want, text)
				}
			}
			if r.ExitCode() != ExitFailed {
				t.Errorf("exit status %d", r.ExitCode())
			}
			if !strings.Contains(text, "what to do: ") {
				t.Errorf("the report does not say what to do:\n%s", text)
			}
		})
	}
}

func TestInspectOfWhatHasNoKnownCause(t *testing.T) {
	f := &recordedFlow{
		jobs: []map[string]any{jobRow(testJob, "failed", nil)},
		tasks: []map[string]any{taskRow("x_0", "guest", "10000", "failed",
			traceback+"ValueError: a-long-password is \x1b[31mwrong", nil)},
	}
	r, err := newInspector(t, f, nil).Inspect(context.Background(), testJob)
	if err != nil || r.ExitCode() != ExitUnknown || len(r.Causes) != 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	text := r.Text(output.Device{})
	if !strings.Contains(text, "no known cause") || !strings.Contains(text,
		"ValueError: [redacted] is ?[31mwrong") {
		t.Errorf("%s", text)
	}
	encoded, err := json.Marshal(r)
	if err != nil || strings.Contains(string(encoded), "a-long-password") ||
		strings.Contains(text+string(encoded), "\x1b") {
		t.Errorf("%v\n%s", err, encoded)
	}
}

func TestInspectOfASuccess(t *testing.T) {
	f := &recordedFlow{jobs: []map[string]any{jobRow(testJob, "success", nil)}, tasks: []map[string]any{taskRow("x_0",
		"guest", "10000", "success", "", nil)}}
	logs := map[string]string{"fateflow/" + testJob + "/guest/10000/ERROR.log": "No space left on device\n"}
	r, err := newInspector(t, f, logs).Inspect(context.Background(), testJob)
	if err != nil || r.ExitCode() != exit.OK || len(r.Causes) != 0 || r.Failed != nil {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestInspectOfUnknownJobs(t *testing.T) {
	if _, err := newInspector(t, &recordedFlow{}, nil).Inspect(context.Background(), testJob); err == nil ||
		exit.CodeOf(context.Background(), err) != exit.Usage {
		t.Errorf("%v", err)
	}
	x := newInspector(t, &recordedFlow{away: true}, nil)
	x.spec.Secrets = cluster.Secrets{}
	if _, err := x.Inspect(context.Background(), testJob); err == nil || exit.HintOf(err) == "" ||
		!strings.Contains(err.Error(), "database") {
		t.Errorf("%v", err)
	}
}

// TestHostileLogs: what the service user puts in the place of logs leads nowhere, and holds nothing up.
