package main

import (
	"time"

	"fate-installer/installer/audit"
	"fate-installer/installer/cause"
	"fate-installer/installer/deploy"
	"fate-installer/installer/engine"
	"fate-installer/installer/fate/preflight"
	"fate-installer/installer/flow"
	"fate-installer/installer/job"
	"fate-installer/installer/report"
	"fate-installer/installer/step"
	"fate-installer/supervisor"
)

const jsonDocHead = `# JSON output

<!-- Written by go test ./installer -run TestDocsOfJSON -update: change the comments of the types instead. -->

With ` + "`-o json`" + ` a command prints one JSON document to standard output, and nothing else there; warnings and
progress go to standard error. Exit codes are those of the text output. Keys are stable: new ones may come, so ignore those you
do not know; the removal of one is announced in [CHANGELOG.md](../../CHANGELOG.md).

A time is a string as in RFC 3339. An array may be null where its meaning says so. A key that is omitted when empty is
absent instead of null, 0, false or blank.
`

// What several examples have.
var (
	exampleTime   = time.Date(2026, 11, 29, 14, 22, 33, 0, time.UTC)
	exampleExit   = 0
	exampleDigest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
	exampleStatus = supervisor.Status{
		Name: "fate-mysql", Group: "fate-mysql", State: supervisor.Running, Ready: true, DegradedBy: []string{},
		Serving: true, PID: 4242, Wanted: true, Since: exampleTime, Started: exampleTime,
		WaitsFor: []string{}, LastLog: []string{},
		Ports: []int{3306}, Memory: 419430400, Stdout: "/data/logs/mysql/mysql.log",
		Depends: []string{}, Needs: []string{},
		StateSeconds: 90, UpSeconds: 90,
	}
	exampleJob = job.Report{
		Job: "202611290938001234560", Status: "failed", Initiator: "guest 9999",
		Roles: flow.Roles{"guest": {"9999"}, "host": {"10000"}}, Party: 9999, Source: "fate_flow",
		Submitted: exampleTime, Started: exampleTime, Ended: exampleTime.Add(time.Minute),
		Tasks: []job.Task{{Component: "reader_0", Role: "guest", Party: "9999", Status: "failed", Seconds: 3.5,
			RunIP: "192.168.1.1", Reason: "the table has no data"}},
		Failed: &job.FailedTask{Component: "reader_0", Role: "guest", Party: "9999", Here: true,
			Reason: "the table has no data", Session: "202611290938001234560_reader_0_0_0_guest_9999"},
		Causes: []cause.Finding{{
			ID: "table-not-uploaded", Title: "the table that the job reads is not there",
			Explanation: "It was not uploaded.",
			Remedy:      "upload the data again",
			Evidence: []cause.Evidence{{
				Kind: cause.Task, Where: "the error report of reader_0", Text: "the table has no data",
			}},
		}},
		Lines: []cause.Evidence{}, Problems: []string{},
	}
	exampleReport = report.Report{
		Kind: report.Kind, Time: exampleTime, Version: "1.0.0", Command: "fate-installer check --report check.json",
		By: report.Person{User: "root", Login: "wang"},
		Host: report.Host{Name: "node1", OS: "CentOS Linux 7 (Core)", Kernel: "3.10.0-1160.el7.x86_64", Arch: "amd64",
			CPUs: 16, Memory: 68719476736, Addresses: []string{"192.168.0.1"}},
		Role: "host", Party: 10000, Address: "192.168.0.1", FATE: "1.11.4",
		Appliance: &report.Appliance{Path: "fate-installer-1.11.4-amd64", FATE: "1.11.4", Platform: "linux/amd64",
			Revision: 3, Digest: exampleDigest, Signature: report.Good, KeyID: "F3B5A1C2D4E6F708",
			Comment: "FATE 1.11.4"},
		Summary: report.Summary{Total: 1, Waived: 1},
		Checks: []report.Check{{CheckResult: preflight.CheckResult{
			ID: "disk-data", Title: "space for data and models", Status: preflight.StatusWaived,
			Measured: "60.6 GiB free", Wanted: "500.0 GiB", Reason: "a trial",
		}, WaivedBy: &report.Person{User: "root", Login: "wang"}}},
		Hardening: []preflight.Hardened{{ID: "hidepid", LookedAt: "option hidepid of /proc",
			Finding: preflight.NotFound}},
		Notes: []string{},
	}
	exampleVerified = verifyReportOutput{
		Path: "check.json", Digest: exampleDigest, Signature: report.Good, KeyID: "F3B5A1C2D4E6F708", Time: exampleTime,
		Host: "node1", Role: "host", Party: 10000, Address: "192.168.0.1", By: "wang (root)",
		Summary: exampleReport.Summary,
	}
	exampleEntry = audit.Entry{
		ID: "20261129-142233-0a1b2c", Began: exampleTime, UID: 0, User: "root", Login: "admin", PID: 812,
		Command: "fate-installer install --config cluster.yaml", Version: "1.0.0", Ended: exampleTime.Add(time.Minute),
		Exit: &exampleExit, Result: "done",
	}
	exampleTree = deploy.Tree{Component: "eggroll", Tree: "/data/projects/fate/eggroll",
		TreeState: step.TreeState{Foreign: []string{"plugins/"}}}
	exampleForeseen = deploy.Foreseen{
		Steps: []engine.UndoOutcome{{ID: "user:app", Title: "user app", Status: engine.Kept}},
		Trees: []deploy.Tree{exampleTree},
	}
	exampleOutside = &deploy.OutsideLeft{Server: "db.example.org:3306",
		Statements: []string{"DROP DATABASE `fate_flow`;"}}
)
