package deploy

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"fate-installer/installer/fate/preflight"
	"fate-installer/payload"
)

// TestWaiverIsOfferedForWhatCanBeWaived: the first refusal may be one that cannot be.
func TestWaiverIsOfferedForWhatCanBeWaived(t *testing.T) {
	final, port := preflight.CheckResult{ID: "directories", Final: true}, preflight.CheckResult{ID: "port:3306"}
	if hint := refusalHint([]preflight.CheckResult{final, port}); !strings.Contains(hint, "--waive port:3306=") {
		t.Error(hint)
	}
	if hint := refusalHint([]preflight.CheckResult{final}); strings.Contains(hint, "--waive") {
		t.Error(hint)
	}
}

func TestDatabaseServersAreReplacedWithinTheirSeries(t *testing.T) {
	for _, c := range []struct {
		from, to string
		same     bool
	}{{"8.0.28", "8.0.36", true}, {"8.0.28", "8.4.0", false}, {"10.11.6", "10.11.19", true},
		{"10.11.6", "11.4.2", false}, {"8", "8", true}} {
		if sameSeries(c.from, c.to) != c.same {
			t.Errorf("%s and %s: %v", c.from, c.to, !c.same)
		}
	}
}

// TestSelfProgram: what is installed as the program is the appliance without its payload, byte for byte.
func TestSelfProgram(t *testing.T) {
	program, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(t.TempDir(), "appliance"), os.O_RDWR|os.O_CREATE, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := payload.NewWriter(f, bytes.NewReader(program),
		payload.WriterOptions{Level: 1, Release: payload.Release{FATE: "1", Platform: "linux/" + runtime.GOARCH}})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.AddFile("notes.txt", []byte("notes")); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	p, err := payload.Open(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for name, self := range map[string]selfProgram{"appliance": {p: p}, "bare program": {}} {
		var installed bytes.Buffer
		if err := self.CopyStub(&installed); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(installed.Bytes(), program) {
			t.Errorf("%s: %d bytes would be installed, the program has %d", name, installed.Len(), len(program))
		}
	}
}
