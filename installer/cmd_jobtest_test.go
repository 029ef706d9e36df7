package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"fate-installer/installer/exit"
	"fate-installer/installer/flow"
	"fate-installer/installer/job"
)

func TestExplainedFailureIsInTheDocument(t *testing.T) {
	var out bytes.Buffer
	err := &explainedError{&flow.JobError{Test: "toy test", Job: listedTestJob, Reason: "x"},
		&job.Report{Job: listedTestJob, Status: "failed"}, "why"}
	printError(&globals{Stdout: &out, Output: outputJSON}, err, exit.Unexpected)
	var doc struct {
		Job job.Report `json:"job"`
	}
	if json.Unmarshal(out.Bytes(), &doc) != nil || doc.Job.Job != listedTestJob {
		t.Errorf("%s", out.String())
	}
}

func TestRefusedSubmissionIsExplained(t *testing.T) {
	refused := &flow.Error{Path: "/v1/job/submit", Retcode: 103, Job: listedTestJob,
		Message: `Traceback (most recent call last):\nException: ('create job failed', {'host': {9999: {'retcode': 104, 'retmsg': 'Federated schedule error, details = "The routing table not have current party=9999"'}}})`}
	err := explained(context.Background(), &globals{}, newTaskView(&globals{Stdout: &bytes.Buffer{}}),
		fmt.Errorf("cannot submit the toy test: %w", refused))
	if text := err.Error(); !strings.Contains(text, "route-missing") || !strings.Contains(text,
		"host 9999 answers with retcode 104: The routing table") || strings.Contains(text, "Traceback") {
		t.Errorf("%s", text)
	}
	if !strings.Contains(exit.HintOf(err), "party add") {
		t.Errorf("hint %q", exit.HintOf(err))
	}
	other := &flow.Error{Path: "/v1/job/submit", Retcode: 103, Job: listedTestJob, Message: "ValueError: x"}
	if err := explained(context.Background(), &globals{}, nil, other); !strings.Contains(exit.HintOf(err),
		"job why "+listedTestJob) {
		t.Errorf("hint %q", exit.HintOf(err))
	}
}
