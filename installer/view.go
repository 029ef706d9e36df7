package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"fate-installer/installer/deploy/programs"
	"fate-installer/installer/engine"
	"fate-installer/installer/output"
	"fate-installer/installer/step"
)

// runView shows a run of the engine: one line for each step that changed something, with the reason of a repair, or
// failed, and, on a terminal, a live line for each step and program that is at work. Steps that found nothing to do are
// only counted, and so are, on a new host, the many small ones that every installation has.
type runView struct {
	g       *globals
	display *display
	mu      sync.Mutex

	small   map[string]bool     // steps that are only counted unless they repair something
	started map[string][]string // programs by the step that starts them
	all     int                 // number of steps; 0: not known
	begun   int                 // how many were begun
	ended   int                 // how many were changed or unchanged

	alone    bool // no steps: programs are started and stopped by themselves
	steps    []*runningStep
	programs []*startingProgram
	unpacked map[string]int64 // bytes by step
	tenth    tenths
}

// runningStep is a step that is at work.
type runningStep struct {
	id, title string
	number    int
	began     time.Time
	applying  bool // and no longer looking whether there is something to do
	bytes     byteCount
}

// newRunView shows a run that unpacks total bytes when nothing is there yet; 0: it unpacks nothing.
func newRunView(g *globals, total int64) *runView {
	return &runView{g: g, display: g.shows(), unpacked: map[string]int64{},
		tenth: tenths{title: g.language.Label(saidUnpacking), total: total}}
}

// PlanKnown implements deploy.StepsView.
func (v *runView) PlanKnown(plan engine.Plan, countSmall bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.all, v.small, v.started = len(plan.Nodes), map[string]bool{}, map[string][]string{}
	for _, n := range plan.Nodes {
		v.small[n.ID()] = countSmall && n.Cost <= 1
		if s, ok := n.Step.(step.StartPrograms); ok {
			v.started[n.ID()] = s.Names
		}
	}
}

// StepProgress implements deploy.StepsView.
func (v *runView) StepProgress(id string, done, total int64) {
	v.mu.Lock()
	if s := v.step(id); s != nil {
		s.bytes.done, s.bytes.total = done, total
	}
	v.unpacked[id] = done
	sum := int64(0)
	for _, n := range v.unpacked {
		sum += n
	}
	line := v.tenth.line(sum)
	v.mu.Unlock()
	if line != "" && v.display.screen == nil {
		v.g.progressf("%s", line)
	}
}

// step is the step with that ID if it is at work, else nil.
func (v *runView) step(id string) *runningStep {
	if i := slices.IndexFunc(v.steps, func(s *runningStep) bool { return s.id == id }); i >= 0 {
		return v.steps[i]
	}
	return nil
}

// StepEvent implements deploy.StepsView.
func (v *runView) StepEvent(e engine.Event) {
	v.update(func(now time.Time) { v.follow(e, now) })
	switch e.Kind {
	case engine.Changed:
		v.changed(e)
	case engine.Failed:
		v.sayHeld(v.started[e.ID])
		v.say(v.g.progressf, saidFailed, e.Component, e.Title+seconds(e.Elapsed))
	case engine.Interrupted:
		v.say(v.g.progressf, saidStopped, e.Component, e.Title+seconds(e.Elapsed))
	}
	if e.Note != "" {
		v.say(v.g.printf, saidNote, e.Component, e.Note)
	}
}

// update changes what is shown live. A line that is printed after it has the new live lines below it.
func (v *runView) update(change func(now time.Time)) {
	v.mu.Lock()
	change(v.display.clock.Now())
	v.mu.Unlock()
	v.g.interruption.running(v)
	if v.g.showsProgress() {
		v.display.begin(v)
		v.display.refresh()
	}
}

// follow keeps in mind what is at work.
func (v *runView) follow(e engine.Event, now time.Time) {
	switch e.Kind {
	case engine.Started:
		v.begun++
		v.steps = append(v.steps, &runningStep{id: e.ID, title: e.Title, number: v.begun, began: now})
	case engine.Applying:
		if s := v.step(e.ID); s != nil {
			s.applying = true
		}
		for _, name := range v.started[e.ID] {
			v.program(name, now).began = now
			if v.display.screen == nil {
				v.g.progressf("            %s starting\n", name)
			}
		}
	default:
		if e.Kind == engine.Changed || e.Kind == engine.Unchanged {
			v.ended++
		}
		v.steps = slices.DeleteFunc(v.steps, func(s *runningStep) bool { return s.id == e.ID })
	}
}

// changed shows a step that changed something. What a run repaired and what it kept are results, as notes are.
func (v *runView) changed(e engine.Event) {
	switch {
	case e.Drift && e.Why != "": // a repair without its reason would not be believed
		v.say(v.g.printf, saidRepaired, e.Component, e.Title+": "+e.Why+seconds(e.Elapsed))
	case e.Drift:
		v.say(v.g.printf, saidRepaired, e.Component, e.Title+seconds(e.Elapsed))
	case e.Kept && (!v.small[e.ID] || e.Note != ""):
		v.say(v.g.printf, saidKept, e.Component, e.Title+seconds(e.Elapsed))
	case v.small[e.ID] && e.Note == "":
	case v.allReady(v.started[e.ID]):
		v.say(v.g.progressf, saidReady, e.Component, strings.Join(v.started[e.ID], ", ")+seconds(e.Elapsed))
	default:
		v.say(v.g.progressf, saidDone, e.Component, e.Title+seconds(e.Elapsed))
	}
}

// What is said before a finished line, and of what is at work.
//
//language:labels
const (
	saidDone      = "done"
	saidFailed    = "FAILED"
	saidKept      = "kept"
	saidNote      = "note"
	saidReady     = "ready"
	saidRepaired  = "repaired"
	saidStopped   = "stopped"
	saidChecking  = "checking"
	saidStarting  = "starting" // the process of a program has begun
	saidStopping  = "stopping" // a program has its stop signal
	saidUnpacking = "unpacking"
)

// columnsOfLabels is the width of a terminal below which finished lines have no column for the component.
const columnsOfLabels = 60

// say prints a finished line, wrapped to the right of its label.
func (v *runView) say(printf func(format string, args ...any), verb, component, text string) {
	verb = v.g.language.Padded(verb, 8)
	label, columns := fmt.Sprintf("  %s  %-14s  ", verb, component), 0
	if v.display.screen != nil {
		columns = v.display.screen.Columns()
	}
	if columns > 0 && columns < columnsOfLabels {
		label = fmt.Sprintf("  %s  ", verb)
	}
	printf("%s\n", output.Indented(label, v.g.text(text), columns))
}

// ProgramEvent implements deploy.StepsView.
func (v *runView) ProgramEvent(e programs.Event) {
	line, end, took := "", saidReady, notReady
	v.update(func(now time.Time) {
		if v.alone {
			line, end, took = v.heardAlone(e, now)
			return
		}
		line, took = v.heard(e, now)
	})
	v.g.progressf("%s", line)
	if took != notReady {
		v.say(v.g.progressf, end, "programs", e.Program+seconds(took))
	}
}

// interruption says how far the run is; blank when it has not begun.
func (v *runView) interruption() (done string, atWork []string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.begun == 0 {
		return "", nil
	}
	for _, s := range v.steps {
		atWork = append(atWork, s.title)
	}
	return fmt.Sprintf("%d of %d steps are done", v.ended, v.all), atWork
}

// UndoBegins implements deploy.StepsView.
func (v *runView) UndoBegins(stepID, title string, total int) {
	v.update(func(now time.Time) {
		v.all = total
		v.follow(engine.Event{Kind: engine.Started, ID: stepID, Title: title}, now)
		v.follow(engine.Event{Kind: engine.Applying, ID: stepID}, now)
	})
}

// UndoEnds implements deploy.StepsView. What became of the step is a result, which is printed elsewhere.
func (v *runView) UndoEnds(stepID string) {
	v.update(func(now time.Time) { v.follow(engine.Event{Kind: engine.Unchanged, ID: stepID}, now) })
}

// StepsEnd implements deploy.StepsView: it removes what is not a result from the terminal.
func (v *runView) StepsEnd() {
	v.g.interruption.running(nil)
	v.display.finish(v)
}

// shownAfter is how long a step is at work before it has a live line: most take less, and would only flicker.
const shownAfter = 250 * time.Millisecond

func (v *runView) live(now time.Time, columns int) []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	var lines []string
	starting := map[string]bool{}
	for _, s := range v.steps {
		if now.Sub(s.began) < shownAfter {
			continue
		}
		head := fmt.Sprintf("  %*d  ", len(fmt.Sprint(v.all)), s.number)
		if v.all > 0 {
			head = fmt.Sprintf("  %*d/%d  ", len(fmt.Sprint(v.all)), s.number, v.all)
		}
		if names := v.started[s.id]; s.applying && len(names) > 0 {
			for _, name := range names {
				starting[name] = true
				lines = append(lines, v.program(name, now).line(v.g, head, now))
			}
			continue
		}
		lines = append(lines, fitted(head+v.g.text(s.title), s.details(v.g, now), columns))
	}
	for _, p := range v.programs { // those that are waited for when all steps are done, or without steps
		if (p.awaited || v.alone) && !p.ready && !p.settled && !starting[p.name] {
			lines = append(lines, p.line(v.g, strings.Repeat(" ", 4), now))
		}
	}
	return lines
}

// details says how far a step is.
func (s *runningStep) details(g *globals, now time.Time) []string {
	switch waited := now.Sub(s.began); {
	case s.bytes.total > 0:
		return g.texts(s.bytes.details(now))
	case !s.applying:
		return []string{g.language.Label(saidChecking) + wholeSeconds(waited)}
	default:
		return []string{strings.TrimSpace(wholeSeconds(waited))}
	}
}

func (v *runView) passed(now time.Time) {
	if v.display.screen != nil {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, p := range v.programs {
		v.g.progressf("%s", p.overdue(now))
	}
}

// seconds prints a time that a person may have noticed.
func seconds(d time.Duration) string {
	if d < 100*time.Millisecond {
		return ""
	}
	return fmt.Sprintf("  (%.1fs)", d.Seconds())
}

// wholeSeconds prints how long something lasts by now, when that is worth a look.
func wholeSeconds(d time.Duration) string {
	if d < 2*time.Second {
		return ""
	}
	return fmt.Sprintf(" %d s", int(d.Seconds()))
}
