package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"fate-installer/installer/deploy"
	"fate-installer/installer/engine"
	"fate-installer/installer/output/outputtest"
	"fate-installer/supervisor"
)

// shownControl is the display of programs that are started and stopped by themselves.
type shownControl struct {
	*runView
	clock *fakeClock
}

func newShownControl(g *globals) *shownControl {
	clock := &fakeClock{time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	g.useStreams()
	g.display.clock = clock
	return &shownControl{newControlView(g), clock}
}

func (c *shownControl) wait(d time.Duration) {
	for ; d > 0; d -= time.Second / 2 {
		c.clock.pass(min(d, time.Second/2))
		c.display.refresh()
	}
}

// heard is what the supervisor says of a program.
func (c *shownControl) heard(program string, state supervisor.State, text string) {
	c.heardAll([]supervisor.Event{{Name: program, State: state, Ready: text == "ready", Text: text}})
}

// stopAll stops a program that another one needs, which goes on.
func (c *shownControl) stopAll() {
	c.heard("fate-mysql", supervisor.Stopping, "stopping")
	c.wait(3 * time.Second)
	c.heard("fate-fateflow", supervisor.Running, "degraded: fate-mysql is stopped")
}

// restartAll is in the middle of a restart.
func (c *shownControl) restartAll() {
	c.heard("fate-fateflow", supervisor.Stopping, "stopping")
	c.wait(time.Second)
	c.heard("fate-fateflow", supervisor.Stopped, "stopped")
	c.heard("fate-mysql", supervisor.Stopping, "stopping")
	c.wait(2 * time.Second)
	c.heard("fate-mysql", supervisor.Stopped, "stopped")
	c.heard("fate-mysql", supervisor.Starting, "starting: not ready yet: "+refused)
	c.heard("fate-fateflow", supervisor.Waiting, "waiting: waits for fate-mysql")
	c.wait(3 * time.Second)
	c.heard("fate-mysql", supervisor.Running, "running: not ready yet: "+refused)
}

// controlStages are moments of svc start, stop and restart. Each screen has all that was shown until then.
var controlStages = map[string]func(c *shownControl){
	"stopping": (*shownControl).stopAll,
	"stopped": func(c *shownControl) {
		c.stopAll()
		c.heard("fate-mysql", supervisor.Stopped, "stopped")
		c.StepsEnd()
		c.g.printf("fate-mysql is stopped\n")
	},
	"restarting": (*shownControl).restartAll,
	"late": func(c *shownControl) {
		c.restartAll()
		c.wait(9 * time.Second)
	},
	"restarted": func(c *shownControl) {
		c.restartAll()
		c.heard("fate-mysql", supervisor.Running, "ready")
		c.heard("fate-fateflow", supervisor.Starting, "starting: not ready yet: "+refused)
		c.wait(4 * time.Second)
		c.heard("fate-fateflow", supervisor.Running, "ready")
		c.StepsEnd()
		c.g.printf("2 programs are ready\n")
	},
	"failed": func(c *shownControl) {
		c.restartAll()
		c.heard("fate-mysql", supervisor.Backoff, "backoff: exited with status 1 after 3.0 s")
		c.wait(time.Second)
		c.heard("fate-mysql", supervisor.Starting, "starting: not ready yet: "+refused)
		c.wait(time.Second)
		c.heard("fate-mysql", supervisor.Fatal, "fatal: exited with status 1 after 1.0 s")
		c.StepsEnd()
	},
}

// TestControlScreens compares what is shown of programs that are started and stopped with the golden files.
func TestControlScreens(t *testing.T) {
	t.Setenv("NO_COLOR", "")
	t.Setenv("CLICOLOR_FORCE", "")
	t.Setenv("TERM", "xterm")
	for name, stage := range controlStages {
		for _, columns := range []int{0, 80, 120} {
			t.Run(fmt.Sprint(name, columns), func(t *testing.T) {
				got := shownOn(t, columns, func(g *globals) error { stage(newShownControl(g)); return nil })
				if columns > 0 {
					got = outputtest.Interpreted(columns, got)
				} else if strings.ContainsAny(got, "\x1b\r") {
					t.Errorf("control characters in a file: %q", got)
				}
				compareScreen(t, "control-"+name, columns, got)
			})
		}
	}
}

// TestUninstallIsShown holds the live line of an uninstall, and that it is gone at the end.
func TestUninstallIsShown(t *testing.T) {
	t.Setenv("NO_COLOR", "")
	t.Setenv("TERM", "xterm")
	for _, columns := range []int{0, 80} {
		var at string
		got := shownOn(t, columns, func(g *globals) error {
			r := newShownControl(g)
			r.alone = false
			var view deploy.StepsView = r.runView
			view.UndoBegins("start:fate-mysql", "start fate-mysql", 84)
			r.wait(3 * time.Second)
			at = strings.Join(r.live(r.clock.Now(), 80), "\n")
			view.UndoEnds("start:fate-mysql")
			console{g}.UndoOutcome(engine.UndoOutcome{Title: "start fate-mysql", Status: engine.Undone}, false)
			view.UndoBegins("dir:/data", "directory /data", 84)
			view.UndoEnds("dir:/data")
			view.StepsEnd()
			return nil
		})
		if want := "   1/84  start fate-mysql  3 s"; at != want {
			t.Errorf("%d columns: live %q, want %q", columns, at, want)
		}
		if columns > 0 {
			got = outputtest.Interpreted(columns, got)
		}
		if got = strings.TrimRight(got, "\n "); got != "  removed   start fate-mysql" {
			t.Errorf("%d columns: %q", columns, got)
		}
	}
}
