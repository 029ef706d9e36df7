package job

import (
	"context"
	"errors"
	"testing"
	"time"

	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
)

// TestStaleJobsAreFoundAndEnded: a job that has ended, and whose tasks FATE-Flow left as running.
func TestStaleJobsAreFoundAndEnded(t *testing.T) {
	const running, fresh = "202611290000000000020", "202611290000000000030"
	own := func(job string, task map[string]any) map[string]any {
		task["f_job_id"], task["f_end_time"] = job, nil
		return task
	}
	f := &recordedFlow{
		jobs: []map[string]any{
			jobRow(testJob, "failed", nil), jobRow(testJob, "failed", map[string]any{"f_role": "host"}),
			jobRow(running, "running", nil),
			jobRow(fresh, "failed", map[string]any{"f_end_time": ago(time.Second)}),
		},
		tasks: []map[string]any{
			own(testJob, taskRow("lr_0", "guest", "10000", "running", "", nil)),
			own(testJob, taskRow("lr_0", "host", "10000", "running", "", nil)),
			own(running, taskRow("lr_0", "guest", "10000", "running", "", nil)),
			own(fresh, taskRow("lr_0", "guest", "10000", "running", "", nil)), // FATE-Flow is about to end it
		},
	}
	x := newInspector(t, f, nil)
	stale, err := x.Stale(context.Background())
	if err != nil || len(stale) != 1 || stale[0] != (Stale{testJob, 2}) {
		t.Fatalf("%+v, %v", stale, err)
	}
	if err := x.RefuseUnfinished(context.Background(), []string{running}); err == nil ||
		exit.CodeOf(context.Background(), err) != exit.Usage {
		t.Errorf("a job that runs: %v", err)
	}
	if err := x.RefuseUnfinished(context.Background(), []string{"202611290000000000099"}); err == nil ||
		exit.HintOf(err) == "" {
		t.Errorf("a job that is not there: %v", err)
	}
	if by, err := x.Clean(context.Background(), testJob); err != nil || by != fromFlow {
		t.Errorf("%s, %v", by, err)
	}
	if stale, err := x.Stale(context.Background()); err != nil || len(stale) != 0 {
		t.Errorf("afterwards: %+v, %v", stale, err)
	}
	if f.tasks[2]["f_party_status"] != "running" {
		t.Error("a task of a job that runs was ended")
	}
}

// TestCleanSaysWhenItCannot: FATE-Flow leaves the tasks, and this host has no login for the database.
func TestCleanSaysWhenItCannot(t *testing.T) {
	f := &recordedFlow{
		jobs:     []map[string]any{jobRow(testJob, "failed", nil)},
		tasks:    []map[string]any{taskRow("lr_0", "guest", "10000", "running", "", map[string]any{"f_end_time": nil})},
		deafStop: true,
	}
	x := newInspector(t, f, nil)
	x.spec.Secrets = cluster.Secrets{}
	if _, err := x.Clean(context.Background(), testJob); err == nil || exit.HintOf(err) == "" {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := x.Clean(ctx, testJob); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}
