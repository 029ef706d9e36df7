package flow

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// JobError says why a test failed, with what the job's log says about it.
type JobError struct {
	Test        string // what was tested
	Job, Status string
	Reason      string
	LogTail     []string
}

func (e *JobError) Error() string {
	text := fmt.Sprintf("%s failed: %s", e.Test, e.Reason)
	if e.Job != "" {
		text = fmt.Sprintf("%s job %s failed: %s", e.Test, e.Job, e.Reason)
	}
	if len(e.LogTail) > 0 {
		text += "\n" + strings.Join(e.LogTail, "\n")
	}
	return text
}

// Hint names the usual cause for the state the job was left in.
func (e *JobError) Hint() string {
	switch e.Status {
	case StatusWaiting:
		return "a job stays waiting when no cores are free or the other party cannot be reached: fate-installer svc status, then fate-installer svc why rollsite"
	case StatusRunning:
		return "the job did not end in time: look at the nodemanager and rollsite logs, or pass a longer --timeout"
	}
	return "fate-installer svc status shows what runs here; the job's full log is below fateflow/logs/" + e.Job
}

// watch follows a test's jobs from submission to their final state.
type watch struct {
	test     string
	role     string // under which the job is looked at
	party    int
	started  time.Time
	timeout  time.Duration // for all jobs of the test together
	interval time.Duration // between two looks; 0 means one second
	onStatus func(job, status string)
}

// submit starts a job and waits until it has ended well. The log's errors are in the error when it has not.
func (w watch) submit(ctx context.Context, c *Client, dsl, conf any) (*Submission, error) {
	s, err := c.Submit(ctx, dsl, conf)
	if err != nil {
		return nil, fmt.Errorf("cannot submit the %s: %w", w.test, err)
	}
	return s, w.await(ctx, c, s.Job)
}

// await waits until a job has ended well. A job that is not waited for any more is stopped.
func (w watch) await(ctx context.Context, c *Client, job string) error {
	status, err := w.follow(ctx, c, job)
	if err != nil || status == StatusSuccess {
		return err
	}
	// That there is no log to be read is part of the failure that is being reported.
	lines, _ := w.lines(ctx, c, job, func(line string) bool {
		return strings.Contains(line, "ERROR") || strings.Contains(line, "Traceback") || strings.Contains(line, "Error:") ||
			strings.Contains(line, "details = ") // what the other end of a gRPC call said
	})
	return &JobError{Test: w.test, Job: job, Status: status, Reason: "it ended as " + status, LogTail: tail(lines, 20)}
}

func (w watch) lines(ctx context.Context, c *Client, job string, keep func(string) bool) ([]string, error) {
	return c.LogLines(ctx, job, w.role, w.party, keep)
}

// follow looks at the job until it ends. Flow may be busy for a moment, so a few failed looks are borne.
func (w watch) follow(ctx context.Context, c *Client, job string) (string, error) {
	interval := w.interval
	if interval == 0 {
		interval = time.Second
	}
	ctx, cancel := context.WithDeadline(ctx, w.started.Add(w.timeout))
	defer cancel()
	const bearable = 5
	for status, failures := "", 0; ; {
		now, err := c.Status(ctx, job, w.role, w.party)
		if err == nil {
			status, failures = now, 0
			if w.onStatus != nil {
				w.onStatus(job, status)
			}
			if Finished(status) {
				return status, nil
			}
		} else if failures++; failures > bearable && ctx.Err() == nil {
			return "", fmt.Errorf("cannot follow %s job %s: %w", w.test, job, err)
		}
		select {
		case <-time.After(interval):
		case <-ctx.Done():
			return "", w.abandon(context.WithoutCancel(ctx), c, job, status, ctx.Err())
		}
	}
}

// abandon stops a job nobody waits for any more, so that it does not hold cores, and says why it was given up.
func (w watch) abandon(ctx context.Context, c *Client, job, status string, cause error) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	reason := fmt.Sprintf("still %s after %s", status, w.timeout)
	if err := c.Stop(ctx, job); err != nil {
		reason += fmt.Sprintf(", and it cannot be stopped: %v", err)
	}
	if errors.Is(cause, context.DeadlineExceeded) {
		return &JobError{Test: w.test, Job: job, Status: status, Reason: reason}
	}
	return cause
}

func tail(lines []string, n int) []string {
	return lines[max(0, len(lines)-n):]
}
