package diagnosis

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"fate-installer/installer/audit"
	"fate-installer/installer/cause"
	"fate-installer/installer/fate/keys"
	"fate-installer/installer/fate/preflight"
	"fate-installer/installer/host"
	"fate-installer/installer/job"
	"fate-installer/supervisor"
)

var made = time.Date(2026, 11, 29, 14, 22, 33, 0, time.UTC)

func doc(v any) string {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		panic(err) // a type of this project
	}
	return string(data) + "\n"
}

// documentsOfAFailingHost are documents of many faults at once, as the collector writes them.
var documentsOfAFailingHost = map[string]string{
	AboutName: doc(About{Schema: Schema, Made: made, Host: "node1", Base: "/data", Version: "1.0.0", Live: true}),
	"facts.json": doc(map[string]any{"paths": []host.PathFact{{Path: "/data/logs", Size: 100 << 30, Free: 1 << 20,
		Device: 1}}}),
	KernelName: doc([]KernelMessage{{made.Add(-time.Hour), "Out of memory: Killed process 4711 (python)"}}),
	CertificatesName: doc([]keys.Certificate{{File: "/data/projects/data/fate/keys/host-ca.pem",
		NotAfter: made.AddDate(0, -1, 0), Validity: keys.Expired}}),
	HostsName: doc([]OtherHost{{Address: "192.168.0.2:9380", FATE: "1.11.2", Ahead: -200, Within: 1}}),
	VersionsName: doc(Versions{FATE: "1.11.4", Recorded: map[string]string{"eggroll": "2.5.3"},
		Complete: map[string]string{"eggroll": "2.5.2"}}),
	StateName: `{"phase": "upgrading", "change": {"command": "./fate-installer upgrade", "since": "2026-11-29T14:00:00Z"}}`,
	statusName: doc([]supervisor.Status{{Name: "fate-mysql", State: supervisor.Fatal, Wanted: true,
		Why: "exited with status 1"}, {Name: "fate-fateflow", State: supervisor.Running, Wanted: true,
		Why: "degraded: fate-mysql is FATAL"}}),
	"why/fate-mysql.json": doc([]supervisor.Finding{{Name: "fate-mysql", Root: true, Text: "is FATAL",
		Exit: "exited with status 1", Advice: "look at its log", LogFile: "/data/logs/fate/mysql/mysqld.err",
		LastLog: []string{"[ERROR] InnoDB: Database page corruption on disk"}}}),
	"why/fate-fateflow.json": doc([]supervisor.Finding{{Name: "fate-fateflow"}, {
		Name: "fate-mysql", Root: true}}),
	"edits/data/projects/fate/conf/service_conf.yaml.diff": "--- install\n+++ host\n-  port: 3306\n+  port: 3307\n",
	"check.json": doc([]preflight.CheckResult{{ID: "port:8080", Title: "port of fateboard",
		Status: preflight.StatusRefused, Measured: "held by pid 1", Wanted: "free", Remedy: "stop it"}}),
	HistoryName: doc([]audit.Entry{{ID: "20261129-140000-0a1b2c", Began: made.Add(-time.Hour), Command: "install",
		Result: audit.Failed, Error: "a step failed"}}),
	JobsName: doc(JobReports{Jobs: []*job.Report{{Job: "202611290938001234560", Causes: []cause.Finding{{
		ID: "ids-do-not-match", Evidence: []cause.Evidence{{Text: "Count of data_instance is 0"}}}}}}}),
	"logs/fate/fateflow/fate_flow/ERROR.log": "[ERROR] [2026-11-29 14:10:00,123] (1045, \"Access denied for user " +
		"'fate'@'192.168.0.1' (using password: YES)\")\n",
}

// bundleWith is a bundle of a host on which all is well, but for these files.
func bundleWith(files map[string]string) *Bundle {
	b := &Bundle{Name: "fate-diagnose-node1-20261129T142233Z", Made: made}
	all := map[string]string{
		AboutName: documentsOfAFailingHost[AboutName], "facts.json": `{"paths": []}`, KernelName: "[]",
		CertificatesName: "[]", HostsName: "[]", VersionsName: "{}", StateName: `{"phase": "installed"}`,
		statusName: doc([]supervisor.Status{{Name: "fate-mysql", State: supervisor.Running, Ready: true,
			Wanted: true}}),
	}
	for name, text := range files {
		all[name] = text
	}
	for name, text := range all {
		if text != "" {
			b.Add(name, text, time.Time{})
		}
	}
	return b
}

func ids(r *Report) []string {
	out := []string{}
	for _, f := range r.Findings {
		out = append(out, string(f.Severity)+" "+f.ID)
	}
	return out
}

// TestFindings gives each fault by itself, and names what is found, with the place that shows it.
func TestFindings(t *testing.T) {
	status := func(st supervisor.Status) string { return doc([]supervisor.Status{st}) }
	const log = "logs/fate/eggroll/clustermanager.log"
	ready := supervisor.Status{Name: "fate-rollsite", State: supervisor.Running, Ready: true, Wanted: true}
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  []string // all of it, in order
		place string   // the first place
		text  string   // in it
	}{
		{"nothing", nil, []string{}, "", ""},
		{"disk full", map[string]string{"facts.json": documentsOfAFailingHost["facts.json"]},
			[]string{"fault disk-full"}, "facts.json:4", "file system of /data/logs is full: 1.0 MiB are free"},
		{"killed today", map[string]string{KernelName: documentsOfAFailingHost[KernelName]},
			[]string{"fault out-of-memory"}, KernelName + ":3", "Killed process 4711"},
		{"killed last week", map[string]string{KernelName: doc([]KernelMessage{{made.AddDate(0, 0, -7),
			"Out of memory: Killed process 4711 (python)"}})}, []string{"warning out-of-memory"}, KernelName + ":3", ""},
		{"disk with errors", map[string]string{KernelName: doc([]KernelMessage{{made, "I/O error, dev sda, sector 1"}})},
			[]string{"fault disk-faulty"}, KernelName + ":3", "sector 1"},
		{"certificate over", map[string]string{CertificatesName: documentsOfAFailingHost[CertificatesName]},
			[]string{"fault certificate-invalid"}, CertificatesName + ":3", "host-ca.pem: it expired on 2026-10-29"},
		{"certificate soon", map[string]string{CertificatesName: doc([]keys.Certificate{{File: "/k/a.pem",
			NotAfter: made.AddDate(0, 0, 3), Validity: keys.Expiring}})}, []string{"warning certificate-expiring"},
			CertificatesName + ":3", "it expires on 2026-12-02"},
		{"clock behind", map[string]string{HostsName: doc([]OtherHost{{Address: "192.168.0.2:9380", Ahead: -200,
			Within: 1}})}, []string{"fault clocks-differ"}, HostsName + ":3",
			"the clock of 192.168.0.2:9380 is 3m20s behind"},
		{"clock a little ahead", map[string]string{HostsName: doc([]OtherHost{{Address: "a:1", Ahead: 9, Within: 1}})},
			[]string{"warning clocks-differ"}, HostsName + ":3", "is 9s ahead"},
		{"another release elsewhere", map[string]string{VersionsName: doc(Versions{FATE: "1.11.4"}),
			HostsName: doc([]OtherHost{{Address: "a:1", FATE: "1.11.2", Within: 1}})}, []string{"fault versions-differ"},
			HostsName + ":3", "of FATE 1.11.2, and this host has FATE 1.11.4"},
		{"a record of another version", map[string]string{VersionsName: documentsOfAFailingHost[VersionsName]},
			[]string{"fault versions-differ"}, VersionsName + ":4", "eggroll 2.5.3 is recorded, and 2.5.2 was completed"},
		{"an interrupted upgrade", map[string]string{StateName: documentsOfAFailingHost[StateName]},
			[]string{"fault change-interrupted"}, StateName + ":1", "./fate-installer upgrade"},
		{"a file that was edited", map[string]string{"edits/data/projects/fate/conf/service_conf.yaml.diff": "--- a\n" +
			"+++ b\n-  port: 3306\n+  port: 3307\n"}, []string{"warning file-edited"},
			"edits/data/projects/fate/conf/service_conf.yaml.diff:4", "+  port: 3307"},
		{"a program that ends", map[string]string{statusName: documentsOfAFailingHost[statusName],
			"why/fate-mysql.json":    documentsOfAFailingHost["why/fate-mysql.json"],
			"why/fate-fateflow.json": documentsOfAFailingHost["why/fate-fateflow.json"]},
			[]string{"fault database-damaged", "fault program-fails"}, "why/fate-mysql.json:9", "page corruption"},
		{"a program that was stopped", map[string]string{statusName: status(supervisor.Status{Name: "fate-rollsite",
			State: supervisor.Stopped})}, []string{"fault program-stopped"}, statusName + ":3", "fate-rollsite is in state STOPPED"},
		{"a port that is taken", map[string]string{statusName: status(supervisor.Status{Name: "fate-rollsite",
			State: supervisor.Fatal, Wanted: true}), "why/fate-rollsite.json": doc([]supervisor.Finding{{Name: "fate-rollsite",
			Ports: []supervisor.PortOwner{{Port: 9370, PID: 7}}, Advice: "stop pid 7"}})}, []string{"fault port-taken"},
			statusName + ":3", "fate-rollsite is in state FATAL"},
		{"another host is away", map[string]string{statusName: status(supervisor.Status{Name: "fate-fateflow",
			State: supervisor.Running, Wanted: true, Why: "not ready yet"}), "why/fate-fateflow.json": doc(
			[]supervisor.Finding{{Name: "fate-fateflow"}, {Name: "mysql at 192.168.0.3:3306", Text: "does not answer"}})},
			[]string{"fault host-away"}, statusName + ":3", ""},
		{"little room", map[string]string{statusName: status(supervisor.Status{Name: "fate-rollsite", Degraded: true,
			State: supervisor.Running, LowSpace: "the file system of /data is nearly full: 3 MiB are free"})},
			[]string{"fault disk-nearly-full"}, statusName + ":3", "nearly full"},
		{"few threads", map[string]string{statusName: status(supervisor.Status{Name: "fate-rollsite", Degraded: true,
			State: supervisor.Running, LowTasks: "pids.max is nearly reached"})}, []string{"fault limit-reached"},
			statusName + ":3", "pids.max"},
		{"a program that was restarted", map[string]string{statusName: status(supervisor.Status{Name: "fate-rollsite",
			State: supervisor.Running, Ready: true, Wanted: true, Restarts: 3, LastLog: []string{"Segmentation fault"},
			Exit: &supervisor.ExitInfo{Known: true, Signal: "SIGSEGV", At: made.Add(-time.Hour)}})},
			[]string{"warning program-restarted"}, statusName + ":3", "3 times"},
		{"a program that was restarted long ago", map[string]string{statusName: status(supervisor.Status{
			Name: "fate-rollsite", State: supervisor.Running, Ready: true, Restarts: 3,
			Exit: &supervisor.ExitInfo{Known: true, Signal: "SIGSEGV", At: made.AddDate(0, 0, -3)}})}, []string{}, "", ""},
		{"a refused password", map[string]string{"logs/fate/fateflow/fate_flow/ERROR.log": "\n\n" +
			documentsOfAFailingHost["logs/fate/fateflow/fate_flow/ERROR.log"]}, []string{"fault wrong-password"},
			"logs/fate/fateflow/fate_flow/ERROR.log:3", "Access denied"},
		{"a host that the database refuses", map[string]string{log: "2026-11-29 14:00:00 [ERROR] java.sql.SQLException: " +
			"null,  message from server: \"Host '192.168.0.2' is not allowed to connect to this MySQL server\"\n"},
			[]string{"warning database-refuses-host"}, log + ":1", "not allowed to connect"},
		{"a limit", map[string]string{log: "2026-11-29 14:00:00 [ERROR] java.io.IOException: Too many open files\n"},
			[]string{"warning limit-reached"}, log + ":1", ""},
		{"a disk that was full last week", map[string]string{log: "2026-11-22 14:00:00 [ERROR] No space left on device\n"},
			[]string{"warning disk-full"}, log + ":1", ""},
		{"a database that was away while all started", map[string]string{log: "2026-11-29 14:00:00 [ERROR] " +
			"Communications link failure\n2026-11-29 14:00:00 [ERROR] Connection refused\n", statusName: status(ready)},
			[]string{}, "", ""},
		{"a job that failed", map[string]string{JobsName: documentsOfAFailingHost[JobsName]},
			[]string{"fault ids-do-not-match"}, JobsName + ":4", "job 202611290938001234560"},
		{"logs of a job, and no records", map[string]string{"logs/fate/fateflow/202611290938001234560/guest/9999/ERROR.log": "[ERROR] " +
			"[2026-11-29 14:00:00,000] ValueError: Count of data_instance is 0\n"}, []string{"warning ids-do-not-match"},
			"logs/fate/fateflow/202611290938001234560/guest/9999/ERROR.log:1", ""},
		{"tasks that only seem to run", map[string]string{JobsName: doc(JobReports{Stale: []job.Stale{{Job: "2026112",
			Tasks: 2}}})}, []string{"warning tasks-left"}, JobsName + ":5", ""},
		{"a check that refuses", map[string]string{"check.json": documentsOfAFailingHost["check.json"]},
			[]string{"fault check-refused"}, "check.json:3", "port:8080: held by pid 1"},
		{"a clock that follows nothing", map[string]string{"check.json": doc([]preflight.CheckResult{{ID: "time",
			Status: preflight.StatusWarning, Measured: "not synchronized", Remedy: "let chronyd follow a server"}})},
			[]string{"warning clock-unsynchronized"}, "check.json:3", ""},
		{"the last command failed", map[string]string{HistoryName: documentsOfAFailingHost[HistoryName]},
			[]string{"fault command-failed"}, HistoryName + ":3", "a step failed"},
		{"a part was removed", map[string]string{"plan.json": `[{"id": "dir:/data/x", "title": "directory /data/x", ` +
			`"drift": true, "why": "it does not exist"}]`}, []string{"warning installation-differs"}, "plan.json:1",
			"it does not exist"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := analyzed(t, bundleWith(tt.files))
			if !slices.Equal(ids(r), tt.want) || len(r.Missing) > 0 {
				t.Fatalf("found %v, want %v; not looked at: %v", ids(r), tt.want, r.Missing)
			}
			if want := ExitFound; len(tt.want) == 0 && r.ExitCode() != 0 || len(tt.want) > 0 && r.ExitCode() != want {
				t.Errorf("exit code %d", r.ExitCode())
			}
			if len(tt.want) == 0 {
				return
			}
			e := r.Findings[0].Evidence[0]
			place := e.File
			if e.Line > 0 {
				place += ":" + itoa(e.Line)
			}
			if place != tt.place || !strings.Contains(e.Text, tt.text) {
				t.Errorf("%s says %q, want %s with %q", place, e.Text, tt.place, tt.text)
			}
			if f := r.Findings[0]; f.Title == "" || f.Explanation == "" || f.Remedy == "" {
				t.Errorf("it lacks something: %+v", f)
			}
		})
	}
}

func itoa(n int) string { data, _ := json.Marshal(n); return string(data) }

// TestTheCauseIsFirst: of many faults at once the first is the one that brings about others.
func TestTheCauseIsFirst(t *testing.T) {
	r := analyzed(t, bundleWith(documentsOfAFailingHost))
	want := []string{"fault change-interrupted", "fault disk-full", "fault out-of-memory", "fault certificate-invalid",
		"fault clocks-differ", "fault wrong-password", "fault database-damaged", "fault versions-differ",
		"fault program-fails", "fault check-refused", "fault command-failed", "fault ids-do-not-match"}
	got := slices.DeleteFunc(ids(r), func(id string) bool { return strings.HasSuffix(id, " file-edited") })
	if !slices.Equal(got, want) {
		t.Errorf("found %v\nwant  %v", got, want)
	}
	checkReport(t, r)
}

// TestEveryFindingHasItsPlace: what the rules find, and the causes that lines without a job show, are in the order.
func TestEveryFindingHasItsPlace(t *testing.T) {
	seen := map[string]bool{}
	for _, id := range order {
		if seen[id] {
			t.Errorf("%s is in the order twice", id)
		}
		seen[id] = true
	}
	for _, id := range []string{"disk-full", "database-away", "database-refuses-host", "database-damaged",
		"wrong-password", "limit-reached"} {
		if _, known := cause.ByID(id); !known || !seen[id] || !cause.OfAnyJob(id) {
			t.Errorf("%s: known %v, in the order %v", id, known, seen[id])
		}
	}
}

// TestAnOldBundleIsAnalysedWithWhatItHas: bundles of early releases have none of the new files.
func TestAnOldBundleIsAnalysedWithWhatItHas(t *testing.T) {
	b := &Bundle{Name: "fate-diagnose-node1-20261129T142233Z", Made: made}
	for name, text := range documentsOfAFailingHost {
		if slices.Contains([]string{statusName, "facts.json", "check.json"}, name) ||
			strings.HasPrefix(name, "logs/") || strings.HasPrefix(name, "why/") {
			b.Add(name, text, made)
		}
	}
	b.Add("version.json", `{"version": "0.9"}`, made)
	b.Add("config/srv/fate/projects/fate/conf/x", "", made)
	r := analyzed(t, b)
	if len(r.Missing) != 1 || !strings.Contains(r.Missing[0], "earlier release") || r.Host != "node1" ||
		r.Version != "0.9" {
		t.Errorf("%+v", r)
	}
	if got := ids(r); !slices.Contains(got, "fault database-damaged") || !slices.Contains(got, "fault wrong-password") {
		t.Errorf("found %v", got)
	}
}

// TestTextsOfABundleAreClean: a name or a line that would act on a terminal does not reach it.
func TestTextsOfABundleAreClean(t *testing.T) {
	const evil = "\x1b]0;x\x07\x1b[2J\u202e\u009b"
	r := analyzed(t, bundleWith(map[string]string{
		AboutName:                   doc(About{Schema: 1, Made: made, Host: evil, Version: evil, Base: "/data"}),
		"logs/fate/eggroll/" + evil: "[ERROR] No space left on device " + evil + "\n",
		"check.json": doc([]preflight.CheckResult{{ID: evil, Title: evil, Status: preflight.StatusRefused,
			Measured: evil, Wanted: evil, Remedy: evil}}),
		StateName: doc(map[string]any{"change": map[string]string{"command": "x " + evil}}),
	}))
	if len(r.Findings) < 3 || strings.ContainsRune(r.Host, 0x1b) {
		t.Errorf("%+v", r)
	}
	for _, f := range r.Findings {
		texts := f.Title + f.Explanation + f.Remedy
		for _, e := range f.Evidence {
			texts += e.File + e.Text
		}
		if strings.ContainsAny(texts, "\x1b\x07\u202e\u009b") {
			t.Errorf("%+q", texts)
		}
	}
}
