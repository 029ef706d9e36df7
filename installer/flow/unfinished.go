package flow

import (
	"context"
	"slices"
)

// unfinishedStates are those in which a job holds or waits for resources. Flow's query takes one at a time.
var unfinishedStates = []string{StatusRunning, "ready", StatusWaiting}

// Unfinished lists the ids of the jobs that run or wait at this party, in any role.
func (c *Client) Unfinished(ctx context.Context) ([]string, error) { return UnfinishedIn(ctx, c) }

// UnfinishedIn lists the ids of the jobs that are recorded as running or waiting, in any role.
func UnfinishedIn(ctx context.Context, r Records) ([]string, error) {
	var out []string
	for _, status := range unfinishedStates {
		rows, err := r.Jobs(ctx, map[string]any{"status": status})
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			if id := string(row.ID); row.Status == status && !slices.Contains(out, id) {
				out = append(out, id)
			}
		}
	}
	slices.Sort(out)
	return out, nil
}
