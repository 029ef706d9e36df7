package main

import (
	"context"

	"fate-installer/installer/deploy/programs"
)

// whileProgramsRun waits for a job, as long as no program of this host that jobs need is given up.
func whileProgramsRun(ctx context.Context, g *globals, do func(context.Context) error) error {
	client, err := g.supervisorClient()
	if err != nil {
		return err
	}
	defer client.Close()
	return programs.UnlessGivenUp(ctx, client, programs.NeededByJobs, do)
}
