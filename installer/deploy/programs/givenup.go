package programs

import (
	"context"
	"errors"
	"slices"
	"time"

	"fate-installer/installer/fate/cluster"
	"fate-installer/supervisor"
	"fate-installer/supervisor/config"
	"fate-installer/supervisor/rpc"
)

// givenUpPause is between two looks at programs that something else is waited for with.
const givenUpPause = 500 * time.Millisecond

// givenUp returns the first program that the supervisor has given up, of those that concern the caller; nil when there
// is none.
func givenUp(statuses []supervisor.Status, concerns func(program string) bool) *rpc.Failure {
	for _, st := range statuses {
		if concerns(st.Name) && st.GivenUp() {
			return &rpc.Failure{Name: st.Name, Text: st.Why, Status: &st}
		}
	}
	return nil
}

// Statuser tells the states of programs, as [*rpc.Client] does.
type Statuser interface {
	Status(ctx context.Context, names ...string) ([]supervisor.Status, error)
}

// UnlessGivenUp runs do, and ends its context when the supervisor gives up a program without which do cannot succeed.
// The error then names the program and why. A supervisor that does not answer ends nothing.
func UnlessGivenUp(ctx context.Context, client Statuser, concerns func(program string) bool,
	do func(context.Context) error) error {
	watched, cancel := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	defer func() { cancel(nil); <-ended }()
	go func() {
		defer close(ended)
		for {
			if statuses, err := client.Status(watched); err == nil {
				if f := givenUp(statuses, concerns); f != nil {
					cancel(&notReadyError{[]rpc.Failure{*f}})
					return
				}
			}
			select {
			case <-watched.Done():
				return
			case <-time.After(givenUpPause):
			}
		}
	}()
	err := do(watched)
	if lost := new(notReadyError); err != nil && ctx.Err() == nil && errors.As(context.Cause(watched), &lost) {
		return lost
	}
	return err
}

// NeededByJobs reports whether jobs need a program: all but those for people, such as the page that shows the jobs.
func NeededByJobs(program string) bool {
	m, _ := cluster.ModuleOf(program)
	return !m.ForPeople()
}

// dependenciesOf reports of a program whether one of names depends on it, directly or not.
func dependenciesOf(programs []config.Program, names []string) func(program string) bool {
	needed := map[string]bool{}
	var add func(names []string)
	add = func(names []string) {
		for _, p := range programs {
			if !slices.Contains(names, p.Name) {
				continue
			}
			for _, d := range p.DependsOn {
				if !needed[d] {
					needed[d] = true
					add([]string{d})
				}
			}
		}
	}
	add(names)
	return func(program string) bool { return needed[program] }
}
