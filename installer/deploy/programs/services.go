package programs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"fate-installer/installer/engine"
	"fate-installer/supervisor"
	"fate-installer/supervisor/rpc"
)

// services is the supervisor as the steps of a plan see it.
type services struct {
	client  *rpc.Client
	onEvent func(Event) // shown while programs are on their way; may be nil
	wait    *Waiter     // for other hosts; nil: never

	login func(context.Context) error // an error when the database server of this host refuses its password; may be nil
}

// Event is what happens to a program on its way to ready.
type Event struct {
	Program string
	State   supervisor.State // blank: the program is not started, because it waits for another host
	Ready   bool
	Text    string // one line for people, without the name
}

// NewServices returns the supervisor behind client as the steps of a plan see it. onEvent is shown what happens to
// programs on their way, wait waits for other hosts, and login is asked while the database server starts. Each may be
// nil.
func NewServices(client *rpc.Client, onEvent func(Event), wait *Waiter,
	login func(context.Context) error) engine.Services {
	return &services{client: client, onEvent: onEvent, wait: wait, login: login}
}

// notReadyError lists programs that were started and did not become ready, with the ends of their logs.
type notReadyError struct{ failed []rpc.Failure }

// lastLogLines is how much of a failed program's log goes into an error: the reason is nearly always in it.
const lastLogLines = 40

func (e *notReadyError) Error() string {
	var b strings.Builder
	for i, f := range e.failed {
		if i > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "%s is not ready: %s", f.Name, f.Text)
		if f.Status == nil {
			continue
		}
		log := f.Status.LastLog
		for _, line := range log[max(0, len(log)-lastLogLines):] {
			b.WriteString("\n  | " + line)
		}
	}
	return b.String()
}

// Hint names the command that walks to the root cause.
func (e *notReadyError) Hint() string { return "fate-installer svc why " + e.failed[0].Name }

// LogPath is where the first failed program's whole log is.
func (e *notReadyError) LogPath() string {
	if e.failed[0].Status == nil {
		return ""
	}
	return e.failed[0].Status.Stdout
}

// Update implements engine.Services.
func (s *services) Update(ctx context.Context, names []string) error {
	_, err := s.client.Update(ctx, names...) // each program is a group of its own
	return notRunning(err)
}

// Start implements engine.Services.
func (s *services) Start(ctx context.Context, names []string, onEvent func(string)) error {
	return s.bring(ctx, names, onEvent,
		func(ctx context.Context) error { return outcomeError(s.client.StartServing(ctx, names)) })
}

// Restart implements engine.Services.
func (s *services) Restart(ctx context.Context, names []string, onEvent func(string)) error {
	return s.bring(ctx, names, onEvent,
		func(ctx context.Context) error { return outcomeError(s.client.RestartServing(ctx, names)) })
}

// bring starts programs, when other hosts allow it, and reports what happens to them.
func (s *services) bring(ctx context.Context, names []string, onEvent func(string),
	start func(context.Context) error) error {
	stop := s.follow(ctx, names, onEvent)
	err := s.whenPossible(ctx, names, start)
	stop()
	if err == nil {
		s.tellOutcome(ctx, names)
	}
	return err
}

// whenPossible starts programs when other hosts allow it.
func (s *services) whenPossible(ctx context.Context, names []string, start func(context.Context) error) error {
	begin := func(ctx context.Context) error { return s.unlessRefused(ctx, names, start) }
	if s.wait == nil {
		return begin(ctx)
	}
	// What they depend on was started by earlier steps, and while another host is waited for it may fail.
	return UnlessGivenUp(ctx, s.client, dependenciesOf(s.wait.programs, names), func(ctx context.Context) error {
		return s.wait.bring(ctx, names, func() error { return begin(ctx) })
	})
}

// tellOutcome reports how programs are that were started: their last events may have been missed. The outcome of the
// start does not depend on it.
func (s *services) tellOutcome(ctx context.Context, names []string) {
	if s.onEvent == nil {
		return
	}
	statuses, err := s.client.Status(ctx)
	if err != nil {
		return
	}
	for _, st := range statuses {
		if slices.Contains(names, st.Name) && st.State.Up() {
			s.onEvent(Event{Program: st.Name, State: st.State, Ready: st.Ready, Text: st.Why})
		}
	}
}

// Stop implements engine.Services. Names the supervisor does not know have nothing to stop.
func (s *services) Stop(ctx context.Context, names []string) error {
	known, err := s.client.Status(ctx)
	if err != nil {
		return notRunning(err)
	}
	var stop []string
	for _, name := range names {
		for _, status := range known {
			if status.Name == name {
				stop = append(stop, name)
			}
		}
	}
	if len(stop) == 0 {
		return nil
	}
	return outcomeError(s.client.Stop(ctx, stop, true))
}

// Status implements engine.Services.
func (s *services) Status(ctx context.Context) ([]engine.ServiceStatus, error) {
	statuses, err := s.client.Status(ctx)
	if err != nil {
		return nil, notRunning(err)
	}
	out := make([]engine.ServiceStatus, len(statuses))
	for i, status := range statuses {
		out[i] = engine.ServiceStatus{Name: status.Name, State: string(status.State), Ready: status.Ready,
			Serving: status.Serving, Why: status.Why,
			Overdue: status.TimedOut && status.State.Up()}
		if s.wait != nil {
			out[i].Elsewhere = s.wait.elsewhere(status.Name)
		}
	}
	return out, nil
}

func outcomeError(outcome rpc.Outcome, err error) error {
	if err != nil {
		return notRunning(err)
	}
	if len(outcome.Failed) > 0 {
		return &notReadyError{outcome.Failed}
	}
	return nil
}

// notRunning makes the client's word for "no daemon" the engine's.
func notRunning(err error) error {
	var none *rpc.NotRunningError
	if errors.As(err, &none) {
		return fmt.Errorf("%w: %w", engine.ErrNoSupervisor, err)
	}
	return err
}

// follow reports what happens to the named programs until the returned function is called. Losing an event is no
// reason to fail: the outcome does not depend on them.
func (s *services) follow(ctx context.Context, names []string, onEvent func(string)) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	last, err := s.client.LastEvent(ctx)
	if err != nil {
		cancel()
		return func() {}
	}
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			var events []supervisor.Event
			if events, last, err = s.client.Events(ctx, last, 30*time.Second); err != nil {
				return
			}
			for _, e := range events {
				s.tell(e, names, onEvent)
			}
		}
	}()
	return func() { cancel(); <-done }
}

func (s *services) tell(e supervisor.Event, names []string, onEvent func(string)) {
	if !slices.Contains(names, e.Name) {
		return
	}
	onEvent(e.Name + " " + e.Text)
	if s.onEvent != nil {
		s.onEvent(Event{Program: e.Name, State: e.State, Ready: e.Ready, Text: e.Text})
	}
}
