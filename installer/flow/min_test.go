package flow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// minFlow is a Flow that knows jobs by their number: 1 and 3 train, 2 and 4 predict. A query that its client gave up
// may still be answered while the next request comes: the test reads the fields after it closed the server.
type minFlow struct {
	t       *testing.T
	mu      sync.Mutex
	auc     map[string]float64 // of the evaluated component
	end     map[string]string  // job -> last state; success for others
	jobs    int
	calls   []string
	deploys []Model
}

func (f *minFlow) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Job, Role, File, Namespace string
		JobID                      string         `json:"job_id"`
		Component                  string         `json:"component_name"`
		DSL                        map[string]any `json:"job_dsl"`
		Conf                       struct {
			Role       map[string][]int `json:"role"`
			Parameters struct {
				Common struct {
					Type         string `json:"job_type"`
					ModelVersion string `json:"model_version"`
				} `json:"common"`
			} `json:"job_parameters"`
		} `json:"job_runtime_conf"`
		ModelID      string `json:"model_id"`
		ModelVersion string `json:"model_version"`
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		f.t.Error(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	answer := map[string]any{"retcode": 0, "retmsg": "success"}
	switch r.URL.Path {
	case "/v1/data/upload":
		f.jobs++
		f.calls = append(f.calls, "upload "+body.File)
		answer["jobId"] = fmt.Sprint(f.jobs)
	case "/v1/job/submit":
		f.jobs++
		f.calls = append(f.calls, fmt.Sprintf("%s %v %s", body.Conf.Parameters.Common.Type, body.Conf.Role,
			body.Conf.Parameters.Common.ModelVersion))
		answer["jobId"] = fmt.Sprint(f.jobs)
		answer["data"] = map[string]any{"model_info": Model{"arbiter-1#guest-1#model", fmt.Sprint("version-", f.jobs)}}
	case "/v1/job/query":
		status := "success"
		if end := f.end[body.JobID]; end != "" {
			status = end
		}
		answer["data"] = []any{map[string]string{"f_status": status}}
	case "/v1/tracking/component/metric/all":
		answer["data"] = map[string]any{"train": map[string]any{
			"hetero_lr_0": map[string]any{"data": [][]any{{"ks", 0.1}, {"auc", f.auc["hetero_lr_0"]}},
				"meta": map[string]any{"metric_type": "EVALUATION_SUMMARY"}},
			"hetero_secure_boost_0": map[string]any{"data": [][]any{{"auc", f.auc["hetero_secure_boost_0"]}}},
		}}
	case "/v1/model/deploy":
		f.deploys = append(f.deploys, Model{body.ModelID, body.ModelVersion})
		answer["data"] = Model{body.ModelID, "deployed-" + body.ModelVersion}
	case "/v1/job/stop":
		f.calls, f.end = append(f.calls, "stop"), map[string]string{body.JobID: "canceled"}
	default:
		http.NotFound(w, r)
		return
	}
	json.NewEncoder(w).Encode(answer)
}

func TestMinTrainsJudgesAndPredicts(t *testing.T) {
	good := map[string]float64{"hetero_lr_0": 0.99, "hetero_secure_boost_0": 0.97}
	for _, tt := range []struct {
		name     string
		auc      map[string]float64
		end      map[string]string
		warnings int
		wants    string // part of the error
	}{
		{"success", good, nil, 0, ""},
		{"low auc is a warning", map[string]float64{"hetero_lr_0": 0.9, "hetero_secure_boost_0": 0.97}, nil, 1, ""},
		{"guessing is a failure", map[string]float64{"hetero_lr_0": 0.5, "hetero_secure_boost_0": 0.97}, nil,
			0, "no better than guessing"},
		{"failed training", good, map[string]string{"1": "failed"}, 0, "min test job 1 failed"},
		{"failed prediction", good, map[string]string{"4": "failed"}, 0, "min test job 4 failed"},
		{"never ends", good, map[string]string{"3": "running"}, 0, "still running after"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			flow := &minFlow{t: t, auc: tt.auc, end: tt.end}
			server := httptest.NewServer(flow)
			defer server.Close()
			min := Min{
				Guest: 9999, Host: 10000, Arbiter: 10000, Data: FastData, Boost: true, TaskCores: 2,
				Timeout: time.Minute, Interval: time.Millisecond, Stopping: time.Minute,
			}
			if tt.name == "never ends" {
				min.Timeout = 3 * time.Second
			}
			result, err := min.Run(context.Background(), &Client{BaseURL: server.URL})
			server.Close()
			if tt.wants != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wants) {
					t.Errorf("got error %v; want one with %q", err, tt.wants)
				}
				if running := strings.Contains(tt.wants, "running"); running != slices.Contains(flow.calls, "stop") {
					t.Errorf("calls %v", flow.calls)
				}
				return
			}
			if err != nil || len(result.Models) != 2 || len(result.Warnings) != tt.warnings {
				t.Fatalf("got %+v, %v", result, err)
			}
			want := []string{
				"train map[arbiter:[10000] guest:[9999] host:[10000]] ",
				"predict map[arbiter:[10000] guest:[9999] host:[10000]] deployed-version-1",
				"train map[guest:[9999] host:[10000]] ", "predict map[guest:[9999] host:[10000]] deployed-version-3",
			}
			if !slices.Equal(flow.calls, want) {
				t.Errorf("calls %q, want %q", flow.calls, want)
			}
		})
	}
}

func TestMinUploads(t *testing.T) {
	flow := &minFlow{t: t, end: map[string]string{"2": "failed"}}
	server := httptest.NewServer(flow)
	defer server.Close()
	min := Min{Guest: 1, Host: 1, Data: NormalData, Timeout: time.Minute, Interval: time.Millisecond}
	guest, host := min.Data.Tables("/data/projects/fate/fate/examples")
	client := &Client{BaseURL: server.URL}
	if err := min.Upload(context.Background(), client, guest); err != nil {
		t.Error(err)
	}
	var failed *JobError
	if err := min.Upload(context.Background(), client, host); !errors.As(err, &failed) || failed.Job != "2" ||
		failed.Hint() == "" {
		t.Errorf("got %v", err)
	}
	want := []string{"upload /data/projects/fate/fate/examples/data/default_credit_hetero_guest.csv",
		"upload /data/projects/fate/fate/examples/data/default_credit_hetero_host.csv"}
	if !slices.Equal(flow.calls, want) {
		t.Errorf("calls %q", flow.calls)
	}
}

// TestJobsAreChains: each component of the description reads what one before it puts out.
func TestJobsAreChains(t *testing.T) {
	for _, a := range []algorithm{logisticRegression, secureBoost} {
		encoded, err := json.Marshal(a.dsl())
		if err != nil {
			t.Fatal(err)
		}
		var dsl struct {
			Components map[string]struct {
				Module string
				Input  struct{ Data map[string][]string }
				Output struct{ Data, Model []string }
			}
		}
		if err := json.Unmarshal(encoded, &dsl); err != nil {
			t.Fatal(err)
		}
		for name, c := range dsl.Components {
			for _, from := range c.Input.Data {
				source, output, _ := strings.Cut(from[0], ".")
				if !slices.Contains(dsl.Components[source].Output.Data, output) {
					t.Errorf("%s of %s reads %s, which nothing puts out", name, a.name, from[0])
				}
			}
		}
		if len(dsl.Components) != 5 || dsl.Components[a.component].Module != a.module {
			t.Errorf("%s: %+v", a.name, dsl)
		}
	}
}
