package main

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"fate-installer/installer/deploy/programs"
	"fate-installer/installer/engine"
	"fate-installer/installer/output/outputtest"
	"fate-installer/installer/step"
	"fate-installer/supervisor"
)

// fakeClock is a clock that a test sets. It has no ticks of its own: the test refreshes the display.
type fakeClock struct {
	mu   sync.Mutex
	time time.Time
}

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.time
}

func (c *fakeClock) Ticks(time.Duration) (<-chan time.Time, func()) { return nil, func() {} }

func (c *fakeClock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.time = c.time.Add(d)
}

// shownRun is a run of the engine with events that a test makes.
type shownRun struct {
	*runView
	clock *fakeClock
	nodes map[string]engine.Node // by title
}

const refused = "dial tcp 127.0.0.1:3306: connect: connection refused"

// newShownRun begins the display of a run, of which the small steps are only counted.
func newShownRun(g *globals) *shownRun {
	clock := &fakeClock{time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	g.useStreams()
	g.display.clock = clock
	r := &shownRun{newRunView(g, 300<<20), clock, map[string]engine.Node{}}
	plan := engine.Plan{}
	for _, n := range []engine.Node{
		{Step: step.Dir{Path: "/data"}, Title: "directory /data", Component: "os", Cost: 1},
		{Step: step.Dir{Path: "/data/jdk"}, Title: "jdk 8.345", Component: "jdk", Cost: 100},
		{Step: step.Dir{Path: "/data/python"}, Title: "python 3.8.13", Component: "python", Cost: 100},
		{Step: step.Dir{Path: "/数据/mysql"}, Title: "database in /数据/联邦学习/甲方/mysql", Component: "mysql", Cost: 9},
		{Step: step.StartPrograms{Names: []string{"fate-mysql"}}, Title: "start fate-mysql",
			Component: "programs", Cost: 9},
		{Step: step.StartPrograms{Names: []string{"fate-fateflow"}}, Title: "start fate-fateflow",
			Component: "programs", Cost: 9},
	} {
		plan.Add(n)
		r.nodes[n.Title] = n
	}
	r.PlanKnown(plan, true)
	return r
}

// event is what the engine says of a step.
func (r *shownRun) event(kind engine.EventKind, title string, elapsed time.Duration) {
	n := r.nodes[title]
	e := engine.Event{Kind: kind, ID: n.ID(), Title: title, Component: n.Component, Elapsed: elapsed}
	if kind == engine.Failed {
		e.Err = errors.New("it failed")
	}
	r.StepEvent(e)
}

func (r *shownRun) apply(titles ...string) {
	for _, title := range titles {
		r.event(engine.Started, title, 0)
		r.event(engine.Applying, title, 0)
	}
}

// wait lets time pass, as the display sees it.
func (r *shownRun) wait(d time.Duration) {
	for ; d > 0; d -= time.Second / 2 {
		r.clock.pass(min(d, time.Second/2))
		r.display.refresh()
	}
}

// unpack unpacks for so many seconds, at 20 MiB/s.
func (r *shownRun) unpack(title string, seconds int) {
	for i := range 2 * seconds {
		r.StepProgress(r.nodes[title].ID(), int64(i+1)*10<<20, 200<<20)
		r.wait(time.Second / 2)
	}
}

// service is what the supervisor says of a program.
func (r *shownRun) service(program string, state supervisor.State, text string) {
	r.ProgramEvent(programs.Event{Program: program, State: state, Ready: text == "ready", Text: text})
}

// start has both programs begin to start.
func (r *shownRun) start() {
	r.apply("start fate-mysql", "start fate-fateflow")
	r.service("fate-mysql", supervisor.Starting, "starting: not ready yet: "+refused)
	r.service("fate-fateflow", supervisor.Waiting, "waiting: waits for fate-mysql")
	r.wait(3 * time.Second)
	r.service("fate-mysql", supervisor.Running, "running: not ready yet: "+refused)
}

func (r *shownRun) unpackAll() {
	r.apply("directory /data")
	r.event(engine.Changed, "directory /data", time.Millisecond)
	r.apply("jdk 8.345", "python 3.8.13")
	r.wait(time.Second)
	r.event(engine.Changed, "jdk 8.345", time.Second)
	r.apply("database in /数据/联邦学习/甲方/mysql")
	r.unpack("python 3.8.13", 5)
}

func (r *shownRun) startAll() {
	r.unpackAll()
	r.event(engine.Changed, "python 3.8.13", 6*time.Second)
	r.event(engine.Changed, "database in /数据/联邦学习/甲方/mysql", 5*time.Second)
	r.start()
}

// progressStages are moments of a run. Each screen has all that was shown until then.
var progressStages = map[string]func(r *shownRun){
	"unpacking": (*shownRun).unpackAll,
	"starting":  (*shownRun).startAll,
	"late": func(r *shownRun) {
		r.startAll()
		r.wait(9 * time.Second)
	},
	"failed": func(r *shownRun) {
		r.startAll()
		r.service("fate-mysql", supervisor.Backoff, "backoff: exited with status 1")
		r.event(engine.Failed, "start fate-mysql", 4*time.Second)
		r.event(engine.Interrupted, "start fate-fateflow", 4*time.Second)
		r.StepsEnd()
	},
	"end": func(r *shownRun) {
		r.startAll()
		r.service("fate-mysql", supervisor.Running, "ready")
		r.event(engine.Changed, "start fate-mysql", 3300*time.Millisecond)
		r.wait(time.Second)
		r.event(engine.Changed, "start fate-fateflow", 4*time.Second)
		r.service("fate-fateflow", supervisor.Running, "not ready yet: 1 of 2 workers is registered")
		r.wait(time.Second)
		r.service("fate-fateflow", supervisor.Running, "ready")
		r.StepsEnd()
		r.g.printf("done: 6 changed, 0 unchanged (16.0s)\n")
	},
}

// TestProgressScreens compares what is shown of a run with the golden files: what a terminal shows at that moment, and
// what a file gets.
func TestProgressScreens(t *testing.T) {
	t.Setenv("NO_COLOR", "")
	t.Setenv("CLICOLOR_FORCE", "")
	for name, stage := range progressStages {
		show := func(g *globals) error { stage(newShownRun(g)); return nil }
		for _, columns := range []int{0, 40, 80, 120} {
			t.Run(fmt.Sprint(name, columns), func(t *testing.T) {
				t.Setenv("TERM", "xterm")
				got := shownOn(t, columns, show)
				if columns > 0 {
					got = outputtest.Interpreted(columns, got)
				} else if strings.ContainsAny(got, "\x1b\r") {
					t.Errorf("control characters in a file: %q", got)
				}
				compareScreen(t, "progress-"+name, columns, got)
			})
		}
		t.Run(name+" on a dumb terminal", func(t *testing.T) {
			t.Setenv("TERM", "dumb")
			compareScreen(t, "progress-"+name, 0, shownOn(t, 80, show))
		})
	}
}

// TestProgressIsQuiet holds what --quiet and -o json leave of a run.
func TestProgressIsQuiet(t *testing.T) {
	for _, columns := range []int{0, 80} {
		for want, set := range map[string]func(g *globals){
			"done: 6 changed, 0 unchanged (16.0s)\n": func(g *globals) { g.quiet = true },
			"":                                       func(g *globals) { g.Output = outputJSON },
		} {
			got := shownOn(t, columns, func(g *globals) error {
				set(g)
				progressStages["end"](newShownRun(g))
				bar := newProgress(g, "checking", 100<<20)
				bar.Set(50 << 20)
				bar.Finish()
				return nil
			})
			if got != want {
				t.Errorf("%d columns: got %q, want %q", columns, got, want)
			}
		}
	}
}
