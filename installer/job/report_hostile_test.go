package job

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"fate-installer/installer/jsonshape"
)

func TestHostileLogs(t *testing.T) {
	f := &recordedFlow{jobs: []map[string]any{jobRow(testJob, "failed", nil)}}
	x := newInspector(t, f, map[string]string{"fateflow/" + testJob + "/guest/10000/x": ""})
	root := x.host.Root()
	dir := filepath.Join(root, "data/logs/fate/fateflow", testJob, "guest/10000")
	secret := filepath.Join(root, "secret")
	if err := os.WriteFile(secret, []byte("[ERROR] No space left on device: secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/secret", filepath.Join(dir, "ERROR.log")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "std.log"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/", filepath.Join(dir, "reader_0")); err != nil {
		t.Fatal(err)
	}
	big := filepath.Join(dir, "big_error.log")
	if err := os.WriteFile(big, bytes.Repeat([]byte("[ERROR] "+strings.Repeat("x", 5000)+"\n"), 2000),
		0o644); err != nil {
		t.Fatal(err)
	}
	r, err := x.Inspect(context.Background(), testJob)
	if err != nil {
		t.Fatal(err)
	}
	encoded, _ := json.Marshal(r)
	if strings.Contains(string(encoded), "secret") || len(encoded) > 200_000 {
		t.Errorf("%d bytes: %.2000s", len(encoded), encoded)
	}
}

// TestReportHasNoNull: every list of the JSON document is a list, also an empty one.
func TestReportHasNoNull(t *testing.T) {
	for _, status := range []string{"success", "running", "failed"} {
		x := newInspector(t, &recordedFlow{jobs: []map[string]any{jobRow(testJob, status, nil)}}, nil)
		r, err := x.Inspect(t.Context(), testJob)
		if err != nil {
			t.Fatal(err)
		}
		data, err := json.Marshal(r)
		if err != nil || bytes.Contains(data, []byte("null")) {
			t.Errorf("%s: %s, %v", status, data, err)
		}
		for _, wrong := range jsonshape.Compare(data, reflect.TypeFor[Report]()) {
			t.Errorf("%s: %s", status, wrong)
		}
	}
}

// TestRemedyNamesTheBaseDirectory of this installation, which need not be /data.
func TestRemedyNamesTheBaseDirectory(t *testing.T) {
	full := taskRow("reader_0", "guest", "10000", "failed", traceback+"OSError: [Errno 28] No space left on device",
		nil)
	x := newInspector(t, &recordedFlow{
		jobs: []map[string]any{jobRow(testJob, "failed", nil)}, tasks: []map[string]any{full},
	}, nil)
	x.spec.Layout.Base = "/srv/fate"
	r, err := x.Inspect(t.Context(), testJob)
	if err != nil || len(r.Causes) == 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	if remedy := r.Causes[0].Remedy; strings.Contains(remedy, "/data") ||
		!strings.Contains(remedy, "/srv/fate/logs/fate/") {
		t.Errorf("%s", remedy)
	}
}
