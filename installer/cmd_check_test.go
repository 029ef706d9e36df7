package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fate-installer/installer/deploy"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate/preflight"
	"fate-installer/installer/problem"

	"github.com/google/go-cmp/cmp"
)

// someResults has one check of each outcome.
var someResults = []preflight.CheckResult{
	{ID: "root", Title: "run as root", Status: preflight.StatusOK, Measured: "uid 0", Wanted: "uid 0"},
	{ID: "swap", Title: "swap space", Status: preflight.StatusWarning, Measured: "none", Wanted: "128 GiB",
		Remedy: "add some", Fixable: true},
	{ID: "port:3306", Title: "port 3306 is free", Status: preflight.StatusRefused, Measured: "taken by mysqld (pid 1)",
		Wanted: "free", Remedy: "kill 1"},
	{ID: "port:80", Title: "port 80 is free", Status: preflight.StatusWaived, Measured: "taken", Wanted: "free",
		Reason: "it stops at six"},
	{ID: "selinux", Title: "SELinux", Status: preflight.StatusPlanned, Measured: "enforcing", Wanted: "permissive",
		Remedy: "install does this", Fixable: true},
	{ID: "time", Title: "the clock", Status: preflight.StatusSkipped, Measured: "not known"},
}

var someNotes = problem.Problems{{Pos: problem.Pos{File: "cluster.yaml", Line: 1, Col: 2},
	Message: "it is odd", Fix: "change it"}}

func TestJUnit(t *testing.T) {
	file := filepath.Join(t.TempDir(), "preflight.xml")
	if err := writeJUnit(file, someResults, ""); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var got junitSuite
	if err := xml.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	got.XMLName = xml.Name{}
	want := junitSuite{
		Name: "fate-installer check", Tests: 6, Failures: 1, Skipped: 2,
		Cases: []junitCase{
			{Class: "preflight.root", Name: "root: run as root"},
			{Class: "preflight.swap", Name: "swap: swap space",
				Output: "warning\nmeasured: none\nwanted: 128 GiB\nremedy: add some"},
			{Class: "preflight.port", Name: "port:3306: port 3306 is free",
				Failure: &junitMessage{"taken by mysqld (pid 1)",
					"measured: taken by mysqld (pid 1)\nwanted: free\nremedy: kill 1"}},
			{Class: "preflight.port", Name: "port:80: port 80 is free",
				Skipped: &junitMessage{"waived: it stops at six", "measured: taken\nwanted: free\nremedy: "}},
			{Class: "preflight.selinux", Name: "selinux: SELinux",
				Output: "planned\nmeasured: enforcing\nwanted: permissive\nremedy: install does this"},
			{Class: "preflight.time", Name: "time: the clock", Skipped: &junitMessage{Message: "not known"}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if err := writeJUnit(filepath.Join(t.TempDir(), "no", "such", "dir.xml"), someResults, ""); exit.CodeOf(t.Context(),
		err) != exit.Usage {
		t.Errorf("unwritable file: %v", err)
	}
}

var someHardening = []preflight.Hardened{
	{ID: "hidepid", LookedAt: "option hidepid of /proc", Finding: preflight.Found, Detail: "hidepid=2"},
	{ID: "fips", LookedAt: "FIPS mode of the kernel", Finding: preflight.NotFound},
	{ID: "umask", LookedAt: "umask of this session", Finding: preflight.NotLookedAt, Detail: "the kernel is too old"},
}

func TestPrintChecks(t *testing.T) {
	var out bytes.Buffer
	g := &globals{Output: "text", Stdout: &out}
	if err := printChecks(g, "host of party 1", someNotes, someResults, someHardening, "", false); err != nil {
		t.Fatal(err)
	}
	want := `host of party 1
note: cluster.yaml:1:2: it is odd; change it

warning  swap: none; wanted: 128 GiB
         -> add some
refused  port:3306: taken by mysqld (pid 1); wanted: free
         -> kill 1
waived   port:80: taken
         waived: it stops at six
planned  selinux: enforcing; wanted: permissive
         -> install does this

hardening of this host:
found          hidepid: hidepid=2
not found      fips: FIPS mode of the kernel
not looked at  umask: umask of this session: the kernel is too old

6 checks: 1 ok, 1 planned, 1 warning, 1 refused, 1 waived, 1 skipped
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
	out.Reset()
	if err := printChecks(g, "", nil, someResults, nil, "", true); err != nil ||
		!strings.Contains(out.String(), "ok       root       uid 0") {
		t.Errorf("table: %v\n%s", err, out.String())
	}
	out.Reset()
	g.Output = "json"
	if err := printChecks(g, "host", nil, someResults, someHardening, "", true); err != nil {
		t.Fatal(err)
	}
	var report checkReport
	if err := json.Unmarshal(out.Bytes(), &report); err != nil || report.Refused != 1 || report.Warnings != 1 ||
		report.Planned != 1 || len(report.Checks) != 6 || len(report.Hardening) != 3 {
		t.Errorf("%v: %+v", err, report)
	}
}

func TestParseWaivers(t *testing.T) {
	if got, err := deploy.ParseWaivers([]string{"port:1=a=b"}); err != nil ||
		got[0] != (preflight.Waiver{ID: "port:1", Reason: "a=b"}) {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := deploy.ParseWaivers([]string{"port:1"}); exit.CodeOf(t.Context(), err) != exit.Usage {
		t.Errorf("waiver without a reason: %v", err)
	}
}
