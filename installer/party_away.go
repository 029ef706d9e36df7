package main

import (
	"context"
	"fmt"

	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/job"
)

// workersRemedy frees the workers of a FATE-Flow.
const workersRemedy = "on the host of that FATE-Flow: fate-installer svc restart fateflow; the jobs that hang fail, " +
	"and new ones " +
	"run (heal: {fate_flow: true} in the cluster file does this without being asked)"

// checkJobsCanRun says before a test's job is submitted what it would hang on. A nodemanager that is away is no reason
// not to try: eggroll, or the check of the clustermanager, stops planning jobs on it.
func checkJobsCanRun(ctx context.Context, g *globals, spec *cluster.Spec) error {
	away := job.ProgramsAway(ctx, spec, cluster.NodeManager)
	for _, a := range away {
		g.printf("%s\n", a)
	}
	err := job.AskFlowWorker(ctx, spec)
	if err == nil {
		return nil
	}
	err = fmt.Errorf("cannot submit a job: %w", err)
	for _, a := range away {
		err = fmt.Errorf("%w\n%s", err, a)
	}
	return exit.Hint(err, workersRemedy)
}
