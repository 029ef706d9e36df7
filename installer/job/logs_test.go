package job

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"fate-installer/installer/output"
)

// TestLogsOfTheOtherFlowsAreRead: of several FATE-Flows any may have scheduled the job, or run its tasks.
func TestLogsOfTheOtherFlowsAreRead(t *testing.T) {
	has := true
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/job/log/download" || !has {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusNotFound)
			w.Write([]byte(`{"retcode": 404, "retmsg": "Log file path: '/x' not found."}`))
			return
		}
		zipped := gzip.NewWriter(w)
		archive := tar.NewWriter(zipped)
		for name, text := range map[string]string{
			"fate_flow_schedule_error.log":    "[ERROR] [x] The routing table not have current party=9999\n",
			"guest/10000/reader_0/ERROR.log":  "RuntimeError: can not found table name: x namespace: y\n",
			"guest/10000/reader_0/DEBUG.log":  "No space left on device\n",
			"../../guest/10000/x_0/ERROR.log": "MemoryError\n",
		} {
			archive.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text)), Typeflag: tar.TypeReg})
			archive.Write([]byte(text))
		}
		archive.Close()
		zipped.Close()
	}))
	defer other.Close()
	at, err := url.Parse(other.URL)
	if err != nil {
		t.Fatal(err)
	}
	f := &recordedFlow{jobs: []map[string]any{jobRow(testJob, "failed", nil)}}
	x := newInspector(t, f, nil)
	x.spec.Side.FateFlow.IPs = []string{x.spec.IP, at.Hostname()}
	if x.spec.Side.FateFlow.HTTPPort, err = strconv.Atoi(at.Port()); err != nil {
		t.Fatal(err)
	}
	r, err := x.Inspect(context.Background(), testJob)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, c := range r.Causes {
		ids = append(ids, c.ID)
	}
	if got := strings.Join(ids, " "); got != "out-of-memory table-not-uploaded route-missing" {
		t.Errorf("causes %s", got)
	}
	for _, c := range r.Causes {
		if e := c.Evidence[0]; c.ID == "table-not-uploaded" && (e.Role != "guest" || e.Party != "10000" ||
			e.Component != "reader_0") {
			t.Errorf("%+v", e)
		}
	}
	has = false
	if r, err := x.Inspect(context.Background(), testJob); err != nil || len(r.Causes) != 0 || len(r.Problems) > 1 {
		t.Errorf("without logs there: %+v, %v", r, err)
	}
}

// TestWorkersThatDoNotStartShowTheirLastLines: what a worker printed is often the only trace.
func TestWorkersThatDoNotStartShowTheirLastLines(t *testing.T) {
	f := &recordedFlow{
		jobs: []map[string]any{jobRow(testJob, "failed", nil)},
		tasks: []map[string]any{taskRow("lr_0", "guest", "10000", "failed",
			"ErSessionException: unable to start all processors for session id: 'x'", nil)},
	}
	logs := map[string]string{"eggroll/" +
		testJob + "_lr_0_0_guest_10000/bootstrap-egg_pair-1.out": "------ env starts -----\n" +
		"jdbc.password=a-long-password\neggroll.rollsite.route.table.key=short\nlast words\n"}
	for _, tool := range eggrollTools { // this host has them
		logs["../../../usr/bin/"+tool] = ""
	}
	x := newInspector(t, f, logs)
	r, err := x.Inspect(context.Background(), testJob)
	if err != nil {
		t.Fatal(err)
	}
	text := r.Text(output.Device{})
	if r.Causes[0].ID != "processors-not-started" || !strings.Contains(text,
		"bootstrap-egg_pair-1.out: last words") {
		t.Errorf("%s", text)
	}
	if strings.Contains(text, "a-long-password") || strings.Contains(text, "key=short") {
		t.Errorf("a password is shown:\n%s", text)
	}
}

func TestSessionParts(t *testing.T) {
	for session, want := range map[string]string{
		"hetero_lr_0_0_guest_9999":                                   "hetero_lr_0 guest 9999",
		"reader_0_0_host_10000_storage_320b41d4-c3cb-11ee-a42d-0242": "reader_0 host 10000",
		"something": "  ",
	} {
		c, r, p := sessionParts(testJob+"_"+session, testJob)
		if c+" "+r+" "+p != want {
			t.Errorf("%s: %q %q %q", session, c, r, p)
		}
	}
}
