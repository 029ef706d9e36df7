package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"fate-installer/installer/deploy/programs"
	"fate-installer/supervisor"
	"fate-installer/supervisor/rpc"
)

// followPrograms shows what happens to programs until the returned function is called, as a run of the engine does:
// a live line for each that is on its way, and a line for each that got there.
func followPrograms(ctx context.Context, g *globals, c *rpc.Client) (stop func()) {
	if !g.showsProgress() {
		return func() {}
	}
	last, err := c.LastEvent(ctx)
	if err != nil {
		return func() {}
	}
	view := newControlView(g)
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			events, next, err := c.Events(ctx, last, time.Minute)
			if err != nil {
				return
			}
			view.heardAll(events)
			last = next
		}
	}()
	return func() {
		cancel()
		<-done
		// What happened between the last answer and the end.
		final, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if events, _, err := c.Events(final, last, 0); err == nil {
			view.heardAll(events)
		}
		view.StepsEnd()
	}
}

// newControlView shows programs that are started and stopped without steps.
func newControlView(g *globals) *runView {
	v := newRunView(g, 0)
	v.alone = true
	return v
}

func (v *runView) heardAll(events []supervisor.Event) {
	for _, e := range events {
		v.ProgramEvent(programs.Event{Program: e.Name, State: e.State, Ready: e.Ready, Text: e.Text})
	}
}

// heardAlone is heard for programs without steps. end is what the program has become, in the time that it took, or else
// took is notReady.
func (v *runView) heardAlone(e programs.Event, now time.Time) (lines, end string, took time.Duration) {
	known := len(v.programs)
	p := v.program(e.Program, now)
	first := len(v.programs) > known
	line := fmt.Sprintf("            %s %s\n", p.name, v.g.text(e.Text))
	switch e.State {
	case supervisor.Stopping, supervisor.Killing:
		return v.begins(p, saidStopping, first || p.state != saidStopping, now), "", notReady
	case supervisor.Stopped:
		if p.settled {
			return "", "", notReady
		}
		p.ready, p.settled, p.state = false, true, saidStopped
		return "", p.state, now.Sub(p.began)
	case supervisor.Starting, supervisor.Running:
		switch {
		case e.Ready:
			p.settled = false
			return "", saidReady, v.becameReady(p, now)
		case e.State == supervisor.Running && (first || p.ready || p.settled): // it lacks what it needs, and goes on
			p.ready, p.settled, p.began = false, true, now
			return line, "", notReady
		}
		lines = v.begins(p, saidStarting, first || p.state != saidStarting, now)
		p.probe = probeOf(e.Text)
		p.hold(line)
		return lines, "", notReady
	case supervisor.Waiting:
		text := strings.TrimPrefix(e.Text, "waiting: ")
		return v.begins(p, text, first || p.state != text, now), "", notReady
	}
	lines = strings.Join(p.held, "") + line
	p.held, p.ready, p.state, p.probe = nil, false, e.Text, ""
	p.settled = e.State != supervisor.Backoff
	return lines, "", notReady
}

// begins sets what a program does. The returned line says so where no terminal is. The time of a program that waits for
// another one counts from its start.
func (v *runView) begins(p *startingProgram, state string, isNew bool, now time.Time) (line string) {
	if !isNew {
		return ""
	}
	if p.ready || p.settled || state == saidStarting || p.state == saidStopping {
		p.began = now
	}
	p.ready, p.settled, p.state, p.probe = false, false, state, ""
	if v.display.screen != nil {
		return ""
	}
	return fmt.Sprintf("            %s %s\n", p.name, v.g.word(state))
}
