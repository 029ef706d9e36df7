package programs

import (
	"context"
	"errors"
	"testing"

	"fate-installer/installer/fate/cluster"
	"fate-installer/supervisor"
	"fate-installer/supervisor/config"
)

// statuses is a supervisor whose programs are in these states; without any it does not answer.
type statuses []supervisor.Status

func (s statuses) Status(context.Context, ...string) ([]supervisor.Status, error) {
	if s == nil {
		return nil, errors.New("the supervisor is not running")
	}
	return s, nil
}

// TestGivenUpProgramEndsAWait has a supervisor give up a program while something waits that needs it.
func TestGivenUpProgramEndsAWait(t *testing.T) {
	untilEnd := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	for _, st := range []supervisor.Status{
		{Name: "fate-mysql", State: supervisor.Fatal, Why: "cannot open the log file"},
		{Name: "fate-mysql", State: supervisor.Backoff, UnreadyStarts: 5, Why: "exited with status 1"},
	} {
		err := UnlessGivenUp(t.Context(), statuses{st}, NeededByJobs, untilEnd)
		var lost *notReadyError
		if !errors.As(err, &lost) || err.Error() != "fate-mysql is not ready: "+st.Why ||
			lost.Hint() != "fate-installer svc why fate-mysql" {
			t.Errorf("%s: error %v", st.State, err)
		}
	}
	want := errors.New("the job failed")
	for _, s := range []statuses{
		nil,
		{{Name: cluster.FateBoard.Program(), State: supervisor.Fatal}},
		{{Name: "fate-mysql", State: supervisor.Backoff, UnreadyStarts: 1},
			{Name: "fate-fateflow", State: supervisor.Stopped}},
	} {
		err := UnlessGivenUp(t.Context(), s, NeededByJobs,
			func(ctx context.Context) error { return errors.Join(ctx.Err(), want) })
		if !errors.Is(err, want) {
			t.Errorf("%v: error %v", s, err)
		}
	}
}

func TestDependenciesOfPrograms(t *testing.T) {
	on := func(name string, dependencies ...string) config.Program {
		p := config.NewProgram(name, "/bin/true")
		p.DependsOn = dependencies
		return p
	}
	programs := []config.Program{on("mysql"), on("manager", "mysql"), on("node", "manager"), on("rollsite")}
	needed := dependenciesOf(programs, []string{"node"})
	for name, want := range map[string]bool{"mysql": true, "manager": true, "node": false, "rollsite": false} {
		if needed(name) != want {
			t.Errorf("%s is needed: %v", name, needed(name))
		}
	}
}
