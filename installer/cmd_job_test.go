package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"fate-installer/installer/exit"
	"fate-installer/installer/flow"
	"fate-installer/installer/job"
	"fate-installer/installer/output"
)

const listedTestJob = "202611290000000000010"

func TestListingNamesStaleJobs(t *testing.T) {
	var out bytes.Buffer
	g := &globals{Stdout: &out, Output: outputText}
	l := &job.Listing{
		Jobs: []job.Listed{{Job: listedTestJob, Status: "failed", Roles: []string{"guest 9", "host 9"},
			Initiator: "guest 9", Seconds: 61}},
		Stale: []job.Stale{{Job: listedTestJob, Tasks: 2}, {Job: "1", Tasks: 1}}, Problems: []string{"x"},
	}
	if err := writeJobs(g, l); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"1m1s", "guest 9, host 9", "has ended, and 2 tasks are still recorded as running",
		"and 1 task is still recorded",
		"2 jobs have tasks", "job clean", "note: x",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the listing does not say %q:\n%s", want, out.String())
		}
	}
}

// TestReportOfForeignNames: another party chooses the names of a job's components, and root's terminal shows them.
func TestReportOfForeignNames(t *testing.T) {
	var out bytes.Buffer
	const name = "lr_0\x1b]0;pwned\x07"
	r := &job.Report{
		Job: listedTestJob, Status: "failed", Initiator: "guest 9999",
		Tasks:  []job.Task{{Component: name, Status: "failed"}},
		Failed: &job.FailedTask{Component: name, Role: "guest", Party: "9999"},
	}
	out.WriteString(r.Text(output.Device{}))
	v := newTaskView(&globals{Stdout: &out, Output: outputText})
	v.show(listedTestJob, []flow.Task{{Component: name, Role: "guest", Party: "9999", PartyStatus: "failed"}})
	printError(&globals{Stderr: &out, Output: outputText}, fmt.Errorf("failed: %s\n%s", name, name), 1)
	if strings.ContainsAny(out.String(), "\x1b\x07") || strings.Count(out.String(), "lr_0?]0;pwned?") != 5 {
		t.Errorf("%q", out.String())
	}
}

// TestJobWhyTakesIdentifiers: they are names of directories.
func TestJobWhyTakesIdentifiers(t *testing.T) {
	for _, bad := range []string{"", "../../etc", "12x", strings.Repeat("1", 40)} {
		if _, _, code := run(t, "job", "why", bad); code != exit.Usage {
			t.Errorf("job why %q: exit status %d", bad, code)
		}
	}
}
