package flow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
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
		return "a job stays waiting when no cores are free or the other party cannot be reached: fate-installer " +
			"job why " + e.Job
	case StatusRunning:
		return "the job did not end in time: fate-installer job why " + e.Job + ", or pass a longer --timeout"
	}
	return "fate-installer job why " + e.Job
}

// Watcher follows the jobs of a test. Its methods are called for each look at a job; a nil function is not called.
type Watcher struct {
	OnStatus func(job, status string, since time.Duration)
	// OnTasks gets the tasks of all parties. It is not called for a look at which FATE-Flow does not tell them.
	OnTasks func(job string, tasks []Task)
	// OnTimeout is called when the time is over, before the job is stopped: after that nothing shows what it waited
	// for.
	OnTimeout func(ctx context.Context, job string)
}

// watch follows a test's jobs from submission to their final state.
type watch struct {
	test     string
	role     string // under which the job is looked at
	party    int
	started  time.Time
	timeout  time.Duration // for all jobs of the test together
	interval time.Duration // between two looks; 0 means one second
	stopping time.Duration // how long a job may take to stop; 0 means one minute
	watcher  Watcher
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
		return strings.Contains(line, "ERROR") || strings.Contains(line, "Traceback") || strings.Contains(line,
			"Error:") ||
			strings.Contains(line, "details = ") // what the other end of a gRPC call said
	})
	return &JobError{Test: w.test, Job: job, Status: status, Reason: "it ended as " + status, LogTail: tail(lines,
		20)}
}

// lines reads the job's log where it is: of several FATE-Flows behind one address any may have run a task, and each has
// the logs of its own tasks only.
func (w watch) lines(ctx context.Context, c *Client, job string, keep func(string) bool) ([]string, error) {
	clients := []*Client{c}
	tasks, err := c.Tasks(ctx, map[string]any{"job_id": job, "role": w.role, "party_id": w.party})
	if err == nil {
		if ran := c.Runners(tasks); len(ran) > 0 {
			clients = ran
		}
	}
	var lines []string
	var errs []error
	for _, at := range clients {
		found, err := at.LogLines(ctx, job, w.role, w.party, keep)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", at.BaseURL, err))
		}
		lines = append(lines, found...)
	}
	if len(lines) > 0 {
		return lines, nil
	}
	return nil, errors.Join(errs...)
}

// Runners returns clients for the FATE-Flows of this party that ran tasks, each once, in the order of the tasks.
func (c *Client) Runners(tasks []Task) []*Client {
	var out []*Client
	seen := map[string]bool{}
	for _, t := range tasks {
		if t.RunIP == "" {
			continue
		}
		url := "http://" + net.JoinHostPort(t.RunIP, strconv.Itoa(cmp.Or(t.RunPort, 9380)))
		if !seen[url] {
			seen[url] = true
			out = append(out, &Client{BaseURL: url, Key: c.Key, HTTP: c.HTTP})
		}
	}
	return out
}

// follow looks at the job until it ends. Flow may be busy for a moment, so a few failed looks are borne.
func (w watch) follow(ctx context.Context, c *Client, job string) (string, error) {
	ctx, cancel := context.WithDeadline(ctx, w.started.Add(w.timeout))
	defer cancel()
	const bearable = 5
	for status, failures := "", 0; ; {
		now, err := c.Status(ctx, job, w.role, w.party)
		if err == nil {
			status, failures = now, 0
			w.show(ctx, c, job, status)
			if Finished(status) {
				return status, nil
			}
		} else if failures++; failures > bearable && ctx.Err() == nil {
			return "", fmt.Errorf("cannot follow %s job %s: %w", w.test, job, err)
		}
		select {
		case <-time.After(cmp.Or(w.interval, time.Second)):
		case <-ctx.Done():
			return "", w.abandon(context.WithoutCancel(ctx), c, job, status, ctx.Err())
		}
	}
}

// show hands on what was seen: that a job has ended comes after how its components ended.
func (w watch) show(ctx context.Context, c *Client, job, status string) {
	if w.watcher.OnStatus != nil && !Finished(status) {
		w.watcher.OnStatus(job, status, time.Since(w.started))
	}
	if w.watcher.OnTasks != nil {
		if tasks, err := c.Tasks(ctx, map[string]any{"job_id": job}); err == nil {
			w.watcher.OnTasks(job, tasks)
		}
	}
	if w.watcher.OnStatus != nil && Finished(status) {
		w.watcher.OnStatus(job, status, time.Since(w.started))
	}
}

// abandon stops a job that is given up, so that it does not hold cores, and says why.
func (w watch) abandon(ctx context.Context, c *Client, job, status string, cause error) error {
	if w.watcher.OnTimeout != nil && errors.Is(cause, context.DeadlineExceeded) {
		w.watcher.OnTimeout(ctx, job)
	}
	if w.watcher.OnStatus != nil {
		w.watcher.OnStatus(job, "being stopped", time.Since(w.started))
	}
	reason := fmt.Sprintf("still %s after %s", cmp.Or(status, "unknown to FATE-Flow"), w.timeout)
	final, err := c.StopAndWait(ctx, job, w.role, w.party, cmp.Or(w.stopping, time.Minute), cmp.Or(w.interval,
		time.Second))
	switch {
	case err != nil:
		reason += ", and it cannot be stopped: " + err.Error()
	case final == StatusSuccess:
		reason += "; it succeeded while it was being stopped"
	default:
		reason += "; it was stopped, and is " + final
	}
	if errors.Is(cause, context.DeadlineExceeded) {
		return &JobError{Test: w.test, Job: job, Status: status, Reason: reason}
	}
	return cause
}

func tail(lines []string, n int) []string {
	return lines[max(0, len(lines)-n):]
}
