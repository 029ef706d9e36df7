package flow

import (
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Toy is FATE's toy test: guest and host each draw numbers from a fixed seed and add them up without showing them to
// each other. It passes through flow, eggroll and both rollsites, so it proves the whole path of a job.
type Toy struct {
	Guest, Host int           // party ids; the same twice tests one party alone
	TaskCores   int           // cores the job asks for
	Timeout     time.Duration // from submission to the final state
	Interval    time.Duration // between two looks at the state; 0 means one second
	// OnStatus is told each state as it is seen, with the time since submission; may be nil.
	OnStatus func(job, status string, since time.Duration)
}

// ToyResult is what a successful toy test found.
type ToyResult struct {
	Job     string        `json:"job"`
	Status  string        `json:"status"`
	Sum     float64       `json:"secure_sum"`
	Line    string        `json:"line"`
	Elapsed time.Duration `json:"elapsed_ns"`
}

// ToyError says why a toy test failed, with what the job's log says about it.
type ToyError struct {
	Job, Status string
	Reason      string
	LogTail     []string
}

func (e *ToyError) Error() string {
	text := fmt.Sprintf("toy test failed: %s", e.Reason)
	if e.Job != "" {
		text = fmt.Sprintf("toy test job %s failed: %s", e.Job, e.Reason)
	}
	if len(e.LogTail) > 0 {
		text += "\n" + strings.Join(e.LogTail, "\n")
	}
	return text
}

// Hint names the usual cause for the state the job was left in.
func (e *ToyError) Hint() string {
	switch e.Status {
	case StatusWaiting:
		return "a job stays waiting when no cores are free or the other party cannot be reached: fate-installer svc status, then fate-installer svc why rollsite"
	case StatusRunning:
		return "the job did not end in time: look at the nodemanager and rollsite logs, or pass a longer --timeout"
	}
	return "fate-installer svc status shows what runs here; the job's full log is below fateflow/logs/" + e.Job
}

// secureSum is the decisive line of the guest's log (federatedml's secure_add_guest).
var secureSum = regexp.MustCompile(`success to calculate secure_sum, it is (\d+(?:\.\d+)?)`)

// wantSum is what the fixed seeds and 1000 rows add up to; floating point leaves it a little off.
const wantSum, sumTolerance = 2000, 1e-6

// dsl and conf are the job as Flow's documentation gives it; seeds and sizes are those of upstream's own client.
func (t Toy) dsl() any {
	return map[string]any{"components": map[string]any{"secure_add_example_0": map[string]any{"module": "SecureAddExample"}}}
}

func (t Toy) conf() any {
	seed := func(n int) any {
		return map[string]any{"0": map[string]any{"secure_add_example_0": map[string]any{"seed": n}}}
	}
	return map[string]any{
		"dsl_version":    2,
		"initiator":      map[string]any{"role": "guest", "party_id": t.Guest},
		"role":           map[string]any{"guest": []int{t.Guest}, "host": []int{t.Host}},
		"job_parameters": map[string]any{"common": map[string]any{"task_cores": t.TaskCores}},
		"component_parameters": map[string]any{
			"common": map[string]any{"secure_add_example_0": map[string]any{"partition": 4, "data_num": 1000}},
			"role":   map[string]any{"guest": seed(123), "host": seed(321)},
		},
	}
}

// Run submits the job to the guest's Flow and judges it: the last state must be success and the guest's log must have
// the right sum. When the time is over the job is stopped.
func (t Toy) Run(ctx context.Context, c *Client) (*ToyResult, error) {
	job, err := c.Submit(ctx, t.dsl(), t.conf())
	if err != nil {
		return nil, fmt.Errorf("cannot submit the toy test: %w", err)
	}
	started := time.Now()
	status, err := t.wait(ctx, c, job, started)
	if err != nil {
		return nil, err
	}
	lines, logErr := c.LogLines(ctx, job, "guest", t.Guest, func(line string) bool {
		return secureSum.MatchString(line) || strings.Contains(line, "ERROR") || strings.Contains(line, "Traceback")
	})
	if status != StatusSuccess {
		return nil, &ToyError{Job: job, Status: status, Reason: "it ended as " + status, LogTail: tail(lines, 20)}
	}
	if logErr != nil {
		return nil, fmt.Errorf("toy test job %s ended well, but its result cannot be read: %w", job, logErr)
	}
	return t.judge(job, status, lines, time.Since(started))
}

// wait follows the job to its final state. Flow may be busy for a moment, so a few failed looks are borne.
func (t Toy) wait(ctx context.Context, c *Client, job string, started time.Time) (string, error) {
	interval := t.Interval
	if interval == 0 {
		interval = time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, t.Timeout)
	defer cancel()
	const bearable = 5
	for status, failures := "", 0; ; {
		now, err := c.Status(ctx, job, "guest", t.Guest)
		if err == nil {
			status, failures = now, 0
			if t.OnStatus != nil {
				t.OnStatus(job, status, time.Since(started))
			}
			if Finished(status) {
				return status, nil
			}
		} else if failures++; failures > bearable && ctx.Err() == nil {
			return "", fmt.Errorf("cannot follow toy test job %s: %w", job, err)
		}
		select {
		case <-time.After(interval):
		case <-ctx.Done():
			return "", t.abandon(context.WithoutCancel(ctx), c, job, status, ctx.Err())
		}
	}
}

// abandon stops a job nobody waits for any more, so that it does not hold cores, and says why it was given up.
func (t Toy) abandon(ctx context.Context, c *Client, job, status string, cause error) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	reason := fmt.Sprintf("still %s after %s", status, t.Timeout)
	if err := c.Stop(ctx, job); err != nil {
		reason += fmt.Sprintf(", and it cannot be stopped: %v", err)
	}
	if errors.Is(cause, context.DeadlineExceeded) {
		return &ToyError{Job: job, Status: status, Reason: reason}
	}
	return cause
}

func (t Toy) judge(job, status string, lines []string, elapsed time.Duration) (*ToyResult, error) {
	for _, line := range lines {
		match := secureSum.FindStringSubmatch(line)
		if match == nil {
			continue
		}
		sum, err := strconv.ParseFloat(match[1], 64)
		if err != nil || math.Abs(sum-wantSum) >= sumTolerance {
			return nil, &ToyError{Job: job, Status: status, Reason: fmt.Sprintf("the secure sum is %s, not %d", match[1], wantSum)}
		}
		return &ToyResult{Job: job, Status: status, Sum: sum, Line: match[0], Elapsed: elapsed}, nil
	}
	return nil, &ToyError{Job: job, Status: status, Reason: "the guest's log has no secure_sum line", LogTail: tail(lines, 20)}
}

func tail(lines []string, n int) []string {
	return lines[max(0, len(lines)-n):]
}
