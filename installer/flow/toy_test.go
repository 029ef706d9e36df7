package flow

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeFlow answers as FATE-Flow does: application errors come with HTTP 200 and a retcode.
type fakeFlow struct {
	mu       sync.Mutex
	statuses []string // one per query; the last one repeats
	refuse   string   // retmsg of a refused submission
	log      string   // guest INFO.log
	stopped  bool
	conf     map[string]any
}

func (f *fakeFlow) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var body map[string]any
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil || r.Header.Get("Content-Type") != "application/json" {
		http.Error(w, "not json", http.StatusBadRequest)
		return
	}
	answer := func(v any) { json.NewEncoder(w).Encode(v) }
	switch r.URL.Path {
	case "/v1/version/get":
		answer(map[string]any{"retcode": 0, "retmsg": "success",
			"data": map[string]string{"API": "v1", "FATE": "1.11.4"}})
	case "/v1/job/submit":
		f.conf, _ = body["job_runtime_conf"].(map[string]any)
		if f.refuse != "" {
			answer(map[string]any{"retcode": 100, "retmsg": f.refuse})
			return
		}
		answer(map[string]any{"retcode": 0, "retmsg": "success", "jobId": "202611210000000000010"})
	case "/v1/job/query":
		status := f.statuses[0]
		if len(f.statuses) > 1 {
			f.statuses = f.statuses[1:]
		}
		answer(map[string]any{"retcode": 0, "retmsg": "success", "data": []any{map[string]string{"f_status": status}}})
	case "/v1/job/stop":
		f.stopped, f.statuses = true, []string{"canceled"}
		answer(map[string]any{"retcode": 0, "retmsg": "success"})
	case "/v1/job/log/download":
		f.sendLog(w)
	default:
		http.NotFound(w, r)
	}
}

func (f *fakeFlow) sendLog(w http.ResponseWriter) {
	zipped := gzip.NewWriter(w)
	archive := tar.NewWriter(zipped)
	for name, text := range map[string]string{
		"job_1_log/guest/9999/INFO.log":  f.log,
		"job_1_log/host/10000/INFO.log":  "success to calculate secure_sum, it is 1.0\n",
		"job_1_log/guest/99990/INFO.log": "success to calculate secure_sum, it is 2.0\n",
	} {
		archive.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text)), Typeflag: tar.TypeReg})
		archive.Write([]byte(text))
	}
	archive.Close()
	zipped.Close()
}

const goodLine = "[INFO] 2026-11-21 success to calculate secure_sum, it is 1999.9999999999998\n"

func TestToyIsJudgedByStatusAndSum(t *testing.T) {
	tests := []struct {
		name  string
		flow  fakeFlow
		wants string // part of the error; empty means success
	}{
		{"success", fakeFlow{statuses: []string{"waiting", "running", "success"}, log: goodLine}, ""},
		{"failed job shows its log", fakeFlow{statuses: []string{"running", "failed"},
			log: "ERROR no enough active processors\n"}, "no enough active processors"},
		{"canceled", fakeFlow{statuses: []string{"canceled"}}, "ended as canceled"},
		{"success without the line is no success", fakeFlow{statuses: []string{"success"}, log: "something else\n"},
			"no secure_sum line"},
		{"wrong sum", fakeFlow{statuses: []string{"success"}, log: "success to calculate secure_sum, it is 1999.5\n"},
			"not 2000"},
		{"refused submission", fakeFlow{refuse: "max cores per job is 1, expect 2 cores"}, "max cores per job"},
		{"never ends", fakeFlow{statuses: []string{"running"}}, "still running after"},
	}
	for i := range tests {
		tt := &tests[i]
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(&tt.flow)
			defer server.Close()
			toy := Toy{Guest: 9999, Host: 10000, TaskCores: 2, Timeout: time.Minute, Interval: time.Millisecond,
				Stopping: time.Minute}
			if tt.name == "never ends" {
				toy.Timeout = 3 * time.Second
			}
			result, err := toy.Run(context.Background(), &Client{BaseURL: server.URL})
			if tt.wants == "" {
				if err != nil || result.Status != StatusSuccess || result.Job == "" {
					t.Fatalf("got %+v, %v; want a success", result, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.wants) {
				t.Fatalf("got error %v; want one with %q", err, tt.wants)
			}
			var hinted interface{ Hint() string }
			if !errors.As(err, &hinted) || hinted.Hint() == "" {
				t.Errorf("error %q has no hint", err)
			}
		})
	}
	if never := &tests[len(tests)-1]; !never.flow.stopped {
		t.Error("a job that was given up was not stopped: it would go on holding cores")
	}
	initiator := fmt.Sprint(tests[0].flow.conf["initiator"])
	if want := "map[party_id:9999 role:guest]"; initiator != want {
		t.Errorf("initiator is %s, want %s", initiator, want)
	}
}

func TestToyCancelledByCallerStopsTheJob(t *testing.T) {
	flow := &fakeFlow{statuses: []string{"running"}}
	server := httptest.NewServer(flow)
	defer server.Close()
	ctx, cancel := context.WithCancel(context.Background())
	toy := Toy{Guest: 1, Host: 1, Timeout: time.Minute, Interval: time.Millisecond, Stopping: time.Minute}
	toy.OnStatus = func(string, string, time.Duration) { cancel() }
	if _, err := toy.Run(ctx, &Client{BaseURL: server.URL}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the cancellation", err)
	}
	if !flow.stopped {
		t.Error("the job was left running")
	}
}

func TestVersion(t *testing.T) {
	server := httptest.NewServer(&fakeFlow{})
	defer server.Close()
	version, err := (&Client{BaseURL: server.URL}).Version(context.Background())
	if err != nil || version != "1.11.4" {
		t.Errorf("got %q, %v", version, err)
	}
}

func FuzzScanLogs(f *testing.F) {
	var sample bytes.Buffer
	zipped := gzip.NewWriter(&sample)
	archive := tar.NewWriter(zipped)
	archive.WriteHeader(&tar.Header{Name: "guest/1/INFO.log", Mode: 0o644, Size: int64(len(goodLine)),
		Typeflag: tar.TypeReg})
	archive.Write([]byte(goodLine))
	archive.Close()
	zipped.Close()
	f.Add(sample.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		lines, err := scanLogs(bytes.NewReader(data), func(file string) bool { return isIn(file, "guest/1") },
			func(string) bool { return true })
		if err != nil && lines != nil {
			t.Errorf("lines %q together with error %v", lines, err)
		}
	})
}
