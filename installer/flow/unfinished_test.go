package flow

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
)

// TestUnfinished asks for each state, and takes a party's roles in a job for one.
func TestUnfinished(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var query struct{ Status string }
		body, err := io.ReadAll(r.Body)
		if err != nil || json.Unmarshal(body, &query) != nil || r.URL.Path != "/v1/job/query" {
			t.Errorf("%s %s: %v", r.URL.Path, body, err)
		}
		answer := map[string]string{
			"running": `[{"f_job_id":"2","f_status":"running"},{"f_job_id":"2","f_status":"running"},` +
				`{"f_job_id":"9","f_status":"success"}]`,
			"waiting": `[{"f_job_id":"1","f_status":"waiting"}]`,
		}[query.Status]
		if answer == "" {
			answer = "[]"
		}
		_, _ = io.WriteString(w, `{"retcode":0,"retmsg":"success","data":`+answer+`}`)
	}))
	defer server.Close()
	got, err := (&Client{BaseURL: server.URL}).Unfinished(t.Context())
	if err != nil || !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("%q, %v", got, err)
	}
	server.Close()
	if _, err := (&Client{BaseURL: server.URL}).Unfinished(t.Context()); err == nil {
		t.Error("no error without a server")
	}
}

// TestAnswersOfAnotherService: what another service on FATE-Flow's port answers is no answer, and not "no job".
func TestAnswersOfAnotherService(t *testing.T) {
	for _, answer := range []string{`{}`, `null`, `[]`, `{"status":"ok"}`, `{"code":0,"data":null}`,
		`{"retcode":0,"retmsg":"success"}`, `{"retcode":0,"data":null}`, `{"retcode":0,"data":{}}`} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, answer)
		}))
		c := &Client{BaseURL: server.URL}
		if jobs, err := c.Unfinished(t.Context()); err == nil {
			t.Errorf("%s: jobs %q run", answer, jobs)
		}
		if tasks, err := c.Tasks(t.Context(), nil); err == nil {
			t.Errorf("%s: tasks %v", answer, tasks)
		}
		if jobs, err := c.LatestJobs(t.Context(), 1); err == nil {
			t.Errorf("%s: jobs %v", answer, jobs)
		}
		server.Close()
	}
}
