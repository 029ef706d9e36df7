package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"fate-installer/installer/flow"
	"fate-installer/installer/job"
	"fate-installer/installer/output"
	"fate-installer/installer/redact"
)

// taskView prints a line for each component of a job that starts or ends. On a terminal a last line, which is replaced,
// shows what runs; elsewhere a component that runs long is printed once a minute.
type taskView struct {
	g      *globals
	live   bool
	drawn  bool // the living line is on the terminal
	states map[string]string
	said   map[string]time.Duration // how long a component ran when that was last said
	now    func() time.Time
	stuck  *job.Report // of a test's job whose time was over, before it was stopped
}

func newTaskView(g *globals) *taskView {
	live := isTerminal(g.Stdout) && g.Output == outputText
	return &taskView{g: g, live: live, states: map[string]string{}, said: map[string]time.Duration{}, now: time.Now}
}

// componentState is a component over all roles and parties that it runs for.
type componentState struct {
	name, status string
	elapsed      time.Duration
	sides        []string // of a failure, who failed; of what runs, who still does
}

// components sums tasks up, in the order in which they were made.
func components(tasks []flow.Task, now time.Time) []componentState {
	var out []componentState
	for i := range tasks {
		t := &tasks[i]
		at := slices.IndexFunc(out, func(c componentState) bool { return c.name == t.Component })
		if at < 0 {
			out = append(out, componentState{name: t.Component, status: t.State()})
			at = len(out) - 1
		}
		c := &out[at]
		if urgency(t.State()) > urgency(c.status) {
			c.status, c.sides = t.State(), nil
		}
		if t.State() == c.status {
			c.sides = append(c.sides, t.Role+" "+string(t.Party))
		}
		c.elapsed = max(c.elapsed, t.Elapsed(now))
	}
	return out
}

// urgency orders states: that of a component is the most urgent one of its tasks. One that failed somewhere has failed;
// one that runs somewhere runs.
func urgency(status string) int {
	return slices.Index([]string{flow.StatusPass, flow.StatusSuccess, flow.StatusWaiting, flow.StatusRunning,
		flow.StatusCanceled, flow.StatusTimeout, flow.StatusFailed}, status)
}

// show prints what has changed since the last look.
func (v *taskView) show(id string, tasks []flow.Task) {
	var running []string
	for _, c := range components(tasks, v.now()) {
		key := id + " " + c.name
		before := v.states[key]
		v.states[key] = c.status
		elapsed := c.elapsed.Round(time.Second)
		switch {
		case c.status == flow.StatusRunning:
			running = append(running, fmt.Sprintf("%s running %s", c.name, elapsed))
			if before != c.status || !v.live && elapsed-v.said[key] >= time.Minute {
				v.said[key] = elapsed
				v.line("%s running%s", c.name, ifLonger(elapsed))
			}
		case job.Unfinished(c.status) || before == c.status:
		case c.status == flow.StatusFailed:
			v.line("%s failed at %s%s", c.name, strings.Join(c.sides, ", "), ifLonger(elapsed))
		default:
			v.line("%s %s%s", c.name, c.status, ifLonger(elapsed))
		}
	}
	v.draw(strings.Join(running, ", "))
}

func ifLonger(d time.Duration) string {
	if d < time.Second {
		return ""
	}
	return " " + d.String()
}

// line prints a line that stays.
func (v *taskView) line(format string, args ...any) {
	v.clear()
	v.g.raw(fmt.Sprintf("%7s %s\n", "", redact.Printable(v.g.language.Sprintf(format, args...))))
}

// draw replaces the living line.
func (v *taskView) draw(text string) {
	if !v.live {
		return
	}
	v.clear()
	if text == "" {
		return
	}
	const columns = 78 // a longer line would wrap, and could not be cleared
	text = output.Cut(redact.Printable(v.g.text(text)), columns-8)
	v.g.raw(fmt.Sprintf("%7s %s", "", text))
	v.drawn = true
}

// clear takes the living line off the terminal, before anything else is printed.
func (v *taskView) clear() {
	if v.drawn {
		v.g.raw("\r\x1b[K")
		v.drawn = false
	}
}
