package flow

import (
	"context"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"sync"
	"time"
)

// Toy is FATE's toy test: guest and host each draw numbers from a fixed seed and add them up without showing them to
// each other. It passes through flow, eggroll and both rollsites, so it proves the whole path of a job.
type Toy struct {
	Guest, Host int           // party ids; the same twice tests one party alone
	TaskCores   int           // cores the job asks for
	Timeout     time.Duration // from submission to the final state
	Interval    time.Duration // between two looks at the state; 0 means one second
	Stopping    time.Duration // how long the job may take to stop when the time is over; 0 means one minute
	Watcher
}

// ToyResult is the result of a successful toy test.
type ToyResult struct {
	Job     string        `json:"job"`        // its ID
	Status  string        `json:"status"`     // as FATE-Flow writes it
	Sum     float64       `json:"secure_sum"` // the sum that the two sides computed
	Line    string        `json:"line"`       // the line of the job's log that has it
	Elapsed time.Duration `json:"elapsed_ns"` // nanoseconds from the submission to the end
}

// secureSum is the decisive line of the guest's log (federatedml's secure_add_guest).
var secureSum = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`success to calculate secure_sum, it is (\d+(?:\.\d+)?)`)
})

// wantSum is the sum of the fixed seeds and 1000 rows; floating point leaves it a little off.
const wantSum, sumTolerance = 2000, 1e-6

// dsl and conf are the job as Flow's documentation gives it; seeds and sizes are those of upstream's own client.
func (t Toy) dsl() any {
	component := map[string]any{"module": "SecureAddExample"}
	return map[string]any{"components": map[string]any{"secure_add_example_0": component}}
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
	started := time.Now()
	watch := watch{
		test: toyTest, role: "guest", party: t.Guest, started: started, timeout: t.Timeout, interval: t.Interval,
		stopping: t.Stopping, watcher: t.Watcher,
	}
	submitted, err := watch.submit(ctx, c, t.dsl(), t.conf())
	if err != nil {
		return nil, err
	}
	lines, err := watch.lines(ctx, c, submitted.Job, secureSum().MatchString)
	if err != nil {
		return nil, fmt.Errorf("%s job %s ended well, but its result cannot be read: %w", toyTest, submitted.Job, err)
	}
	return t.judge(submitted.Job, StatusSuccess, lines, time.Since(started))
}

const toyTest = "toy test"

func (t Toy) judge(job, status string, lines []string, elapsed time.Duration) (*ToyResult, error) {
	for _, line := range lines {
		match := secureSum().FindStringSubmatch(line)
		if match == nil {
			continue
		}
		sum, err := strconv.ParseFloat(match[1], 64)
		if err != nil || math.Abs(sum-wantSum) >= sumTolerance {
			return nil, &JobError{Test: toyTest, Job: job, Status: status,
				Reason: fmt.Sprintf("the secure sum is %s, not %d", match[1], wantSum)}
		}
		return &ToyResult{Job: job, Status: status, Sum: sum, Line: match[0], Elapsed: elapsed}, nil
	}
	return nil, &JobError{Test: toyTest, Job: job, Status: status, Reason: "the guest's log has no secure_sum line",
		LogTail: tail(lines, 20)}
}
