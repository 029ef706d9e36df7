package main

import (
	"fmt"
	"sync"
	"time"

	"fate-installer/installer/engine"
)

// runView shows a run of the engine: one line for each step that changed something, with the reason of a repair, or
// failed, and, while bytes are being unpacked, how far that is. Steps that found nothing to do are only counted, and so
// are, on a new host, the many small ones that every installation has.
type runView struct {
	g     *globals
	small map[string]bool // steps that are only counted unless they repair something
	mu    sync.Mutex
	bar   *progress
	total int64
	bytes map[string]int64 // per step, what it has unpacked so far
}

// newRunView shows progress against total bytes; 0 shows none.
func newRunView(g *globals, total int64) *runView {
	v := &runView{g: g, total: total, bytes: map[string]int64{}}
	if total > 0 {
		v.bar = newProgress(g, "unpacking", total)
	}
	return v
}

// CountSmall makes the view only count the steps of the plan that take no time.
func (v *runView) CountSmall(plan engine.Plan) {
	v.small = map[string]bool{}
	for _, n := range plan.Nodes {
		v.small[n.ID()] = n.Cost <= 1
	}
}

// Progress is engine.Env's Progress: it sums what the steps report.
func (v *runView) Progress(stepID string, done, _ int64) {
	if v.bar == nil {
		return
	}
	v.mu.Lock()
	v.bytes[stepID] = done
	sum := int64(0)
	for _, n := range v.bytes {
		sum += n
	}
	v.mu.Unlock()
	v.bar.Set(min(sum, v.total)) // what is read has headers, which the sizes do not count
}

// Event is the engine's onEvent.
func (v *runView) Event(e engine.Event) {
	switch e.Kind {
	case engine.Changed:
		if v.small[e.ID] && !e.Drift && e.Note == "" {
			return
		}
		verb := "done"
		switch {
		case e.Drift:
			verb = "repaired"
		case e.Kept:
			verb = "kept"
		}
		why := ""
		if e.Drift && e.Why != "" { // a repair without its reason would not be believed
			why = ": " + e.Why
		}
		v.line("  %-8s  %-14s  %s%s%s\n", verb, e.Component, e.Title, why, seconds(e.Elapsed))
	case engine.Failed:
		v.line("  %-8s  %-14s  %s%s\n", "FAILED", e.Component, e.Title, seconds(e.Elapsed))
	case engine.Interrupted:
		v.line("  %-8s  %-14s  %s%s\n", "stopped", e.Component, e.Title, seconds(e.Elapsed))
	}
	if e.Note != "" {
		v.line("  %-8s  %-14s  %s\n", "note", e.Component, e.Note)
	}
}

// Service is engine.Services' onEvent: programs on their way to ready.
func (v *runView) Service(text string) { v.line("            %s\n", text) }

func (v *runView) line(format string, args ...any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.bar != nil {
		v.bar.clear()
	}
	v.g.printf(format, args...)
}

// Close removes what is not a result from the terminal.
func (v *runView) Close() {
	if v.bar != nil {
		v.bar.Finish()
	}
}

// seconds prints a time that a person may have noticed.
func seconds(d time.Duration) string {
	if d < 100*time.Millisecond {
		return ""
	}
	return fmt.Sprintf("  (%.1fs)", d.Seconds())
}
