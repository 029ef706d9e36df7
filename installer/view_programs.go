package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"fate-installer/installer/deploy/programs"
	"fate-installer/supervisor"
)

// startingProgram is a program on its way to ready.
type startingProgram struct {
	name    string
	began   time.Time
	ready   bool
	awaited bool     // it is not ready although it serves, and the run waits for it
	settled bool     // without steps: it is stopped or has failed, and nothing is waited for
	state   string   // what it does, for its live line
	probe   string   // why it is not ready
	held    []string // lines that are shown only if it fails
	said    string   // the probe that was shown last, on no terminal
	saidAt  time.Time
}

// quietStart is how long a program may be starting before the answers of its probe are shown: until its port is open,
// each of them looks like an error. It is also between two such lines of a program where no terminal is.
const quietStart = 10 * time.Second

// mostHeld bounds the lines that are kept of a program.
const mostHeld = 20

// program is what is known of a program.
func (v *runView) program(name string, now time.Time) *startingProgram {
	i := slices.IndexFunc(v.programs, func(p *startingProgram) bool { return p.name == name })
	if i < 0 {
		i = len(v.programs)
		v.programs = append(v.programs, &startingProgram{name: name, began: now, state: saidStarting})
	}
	return v.programs[i]
}

// hold keeps what a probe has answered, for the case that the program fails.
func (p *startingProgram) hold(line string) {
	if !slices.Contains(p.held, line) && len(p.held) < mostHeld && p.probe != "" {
		p.held = append(p.held, line)
	}
}

// notReady stands for no time in which a program became ready.
const notReady = time.Duration(-1)

// heard keeps in mind what happened to a program, and returns the lines that are to be shown of it at once. ready is
// the time in which a program became ready that no step starts at the moment.
func (v *runView) heard(e programs.Event, now time.Time) (lines string, ready time.Duration) {
	line := fmt.Sprintf("            %s %s\n", e.Program, v.g.text(e.Text))
	p := v.program(e.Program, now)
	switch {
	case e.State == "": // with what to do on another host
		p.state, _, _ = strings.Cut(e.Text, ", until ")
		return line, notReady
	case e.Ready:
		return "", v.becameReady(p, now)
	case e.State == supervisor.Starting, e.State == supervisor.Running:
		p.ready, p.state, p.probe = false, saidStarting, probeOf(e.Text)
		p.awaited = !v.isStarting(p.name)
		p.hold(line)
		return "", notReady
	case e.State == supervisor.Waiting:
		e.Text = strings.TrimPrefix(e.Text, "waiting: ")
		line = fmt.Sprintf("            %s %s\n", p.name, v.g.text(e.Text))
	}
	known := p.state == e.Text
	p.ready, p.state, p.probe = false, e.Text, ""
	if hasFailed(e.State) {
		line = strings.Join(p.held, "") + line
		p.held = nil
		return line, notReady
	}
	if known || v.display.screen != nil {
		return "", notReady
	}
	return line, notReady
}

// hasFailed reports whether a program that was to be started is in a state that needs attention.
func hasFailed(s supervisor.State) bool {
	return s == supervisor.Backoff || s == supervisor.Fatal || s == supervisor.Exited
}

// becameReady returns the time in which a program became ready; notReady when a step says it, or when it was ready.
func (v *runView) becameReady(p *startingProgram, now time.Time) time.Duration {
	if p.ready {
		return notReady
	}
	p.ready, p.probe, p.held = true, "", nil
	took := now.Sub(p.began)
	p.state = fmt.Sprintf("ready %.1f s", took.Seconds())
	if v.isStarting(p.name) {
		return notReady
	}
	return took
}

// isStarting reports whether a step that is at work starts a program.
func (v *runView) isStarting(name string) bool {
	return slices.ContainsFunc(v.steps, func(s *runningStep) bool { return slices.Contains(v.started[s.id], name) })
}

// allReady reports whether these programs are ready; there is at least one.
func (v *runView) allReady(names []string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, name := range names {
		if !v.program(name, time.Time{}).ready {
			return false
		}
	}
	return len(names) > 0
}

// sayHeld shows all that was heard of programs that have failed.
func (v *runView) sayHeld(names []string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, p := range v.programs {
		if slices.Contains(names, p.name) {
			v.g.progressf("%s", strings.Join(p.held, ""))
			p.held = nil
		}
	}
}

// probeOf is the answer of a probe in a text of the supervisor; blank when there is none.
func probeOf(text string) string {
	for _, before := range []string{"not ready yet: ", "not ready in time: "} {
		if _, answer, found := strings.Cut(text, before); found {
			return answer
		}
	}
	return ""
}

// line is the live line of a program.
func (p *startingProgram) line(g *globals, head string, now time.Time) string {
	waited := now.Sub(p.began)
	text := head + p.name + "  " + g.word(p.state)
	if !p.ready {
		text += wholeSeconds(waited)
	}
	if p.probe != "" && waited >= quietStart {
		text += g.text(", not ready: " + p.probe)
	}
	return text
}

// overdue is the line of a program that has not become ready in the time in which it need not be mentioned; blank:
// there is nothing to say.
func (p *startingProgram) overdue(now time.Time) string {
	if p.ready || p.probe == "" || p.probe == p.said || now.Sub(p.began) < quietStart ||
		!p.saidAt.IsZero() && now.Sub(p.saidAt) < quietStart {
		return ""
	}
	p.said, p.saidAt = p.probe, now
	return fmt.Sprintf("            %s not ready after%s: %s\n", p.name, wholeSeconds(now.Sub(p.began)), p.probe)
}
