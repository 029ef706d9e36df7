package flow

import (
	"context"
	"fmt"
	"time"
)

// Stop has FATE-Flow end a job at every party, and leave it in a state: canceled or failed. FATE-Flow answers when
// every party has ended its tasks, or when it has given up on one.
func (c *Client) Stop(ctx context.Context, job, state string) error {
	_, err := c.call(ctx, "/v1/job/stop", map[string]any{"job_id": job, "stop_status": state})
	return err
}

// StopAndWait cancels a job and waits until it has ended, at most limit. It returns the job's last state. That the call
// fails says nothing about the job: it takes 20 s and more to reach all parties, and a call that is given up is carried
// out all the same. So the state decides; the call's error is returned only when the job has not ended.
func (c *Client) StopAndWait(ctx context.Context, job, role string, party int, limit, interval time.Duration) (string,
	error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- c.Stop(ctx, job, StatusCanceled) }()
	var refused error
	status := ""
	for {
		if now, err := c.Status(ctx, job, role, party); err == nil {
			status = now
			if Finished(status) {
				return status, nil
			}
		}
		select {
		case err := <-stopped:
			refused, stopped = err, nil
		case <-time.After(interval):
		case <-ctx.Done():
			if refused != nil {
				return status, fmt.Errorf("%s after it was asked to stop, it has not: %w", limit, refused)
			}
			return status, fmt.Errorf("%s after it was asked to stop, it has not", limit)
		}
	}
}
