package main

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"fate-installer/installer/engine"
	"fate-installer/installer/output"
	"fate-installer/installer/output/outputtest"
	"fate-installer/supervisor"

	"pgregory.net/rapid"
)

// TestNoLeftoverOfLiveLines has events come in any order: in the end a terminal shows exactly what was printed.
func TestNoLeftoverOfLiveLines(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		columns := rapid.IntRange(20, 130).Draw(t, "columns")
		rows := rapid.IntRange(2, 30).Draw(t, "rows")
		terminal := outputtest.NewTerminal(columns, rows)
		printed := outputtest.NewTerminal(columns, 25)
		screen := output.NewScreen(terminal, func() (int, int) { return columns, rows })
		g := &globals{Output: outputText, display: &display{clock: realClock{}, screen: screen}}
		g.Stdout = withoutControls{io.MultiWriter(screen, printed)}
		g.Stderr = g.Stdout
		r := newShownRun(g)
		g.display.screen = screen // which newShownRun looks for in the streams
		var titles []string
		for title := range r.nodes {
			titles = append(titles, title)
		}
		state := rapid.SampledFrom([]supervisor.State{supervisor.Waiting, supervisor.Starting, supervisor.Running,
			supervisor.Backoff, supervisor.Fatal, supervisor.Stopping, ""})
		kind := rapid.SampledFrom([]engine.EventKind{engine.Started, engine.Applying, engine.Changed, engine.Unchanged,
			engine.Failed, engine.Interrupted})
		text := rapid.SampledFrom([]string{"ready", "waits for fate-mysql", "starting: not ready yet: " + refused,
			"not ready yet: 端口 3306 没有应答",
			"not ready yet: \x1b]0;title\x07 two\nlines", strings.Repeat("long ", 40)})
		for range rapid.IntRange(1, 40).Draw(t, "events") {
			title := rapid.SampledFrom(titles).Draw(t, "title")
			switch rapid.IntRange(0, 4).Draw(t, "what") {
			case 0:
				r.event(kind.Draw(t, "kind"), title, time.Second)
			case 1:
				r.service(rapid.SampledFrom([]string{"fate-mysql", "fate-fateflow"}).Draw(t, "program"),
					state.Draw(t, "state"), text.Draw(t, "text"))
			case 2:
				r.StepProgress(r.nodes[title].ID(), rapid.Int64Range(0, 1<<40).Draw(t, "done"), 1<<39)
			case 3:
				r.wait(time.Duration(rapid.IntRange(1, 20).Draw(t, "seconds")) * time.Second / 2)
			case 4:
				fmt.Fprintf(g.Stderr, "warning: %s\n", text.Draw(t, "warning"))
			}
		}
		r.StepsEnd()
		g.display.end()
		if got, want := terminal.String(), printed.String(); got != want || len(terminal.Unknown()) > 0 {
			t.Errorf("got\n%s\nwant\n%s\nunknown: %q", got, want, terminal.Unknown())
		}
	})
}

// withoutControls leaves out what a terminalWriter would show in another way.
type withoutControls struct{ io.Writer }

func (w withoutControls) Write(p []byte) (int, error) {
	_, err := strings.NewReplacer("\x1b", "", "\x07", "").WriteString(w.Writer, string(p))
	return len(p), err
}

// TestDisplayEnds holds that nothing is shown, and nothing looks at the work, when a display has ended.
func TestDisplayEnds(t *testing.T) {
	var out strings.Builder
	screen := output.NewScreen(&out, func() (int, int) { return 80, 25 })
	d := &display{clock: realClock{}, screen: screen}
	shown := make(chan struct{})
	w := &countedWork{shown: shown}
	d.begin(w)
	<-shown // the goroutine of the display runs
	d.end()
	w.over = true // the race detector finds a goroutine that still looks
	before := out.Len()
	d.begin(w)
	d.refresh()
	if out.Len() != before || !strings.HasSuffix(out.String(), "\x1b[J") {
		t.Errorf("shown after the end: %q", out.String())
	}
	again := &display{clock: realClock{}, screen: screen}
	for range 3 {
		w := &countedWork{shown: make(chan struct{})}
		again.begin(w)
		<-w.shown
		again.finish(w)
		w.over = true
	}
}

// countedWork closes a channel when it is shown first.
type countedWork struct {
	shown chan struct{}
	times int
	over  bool
}

func (w *countedWork) live(time.Time, int) []string {
	if w.times++; w.times == 1 && !w.over {
		close(w.shown)
	}
	return []string{"at work"}
}

func (w *countedWork) passed(time.Time) {}

// TestPace: the rest of a steady work is known after a while, and counts down. Work that stalls or is measured too
// briefly has no estimate.
func TestPace(t *testing.T) {
	now := time.Unix(0, 0)
	p, done := &pace{}, int64(0)
	step := func(rate int64) string {
		now = now.Add(time.Second / 2)
		done += rate / 2
		p.look(now, done, 1000)
		return p.rest()
	}
	p.look(now, 0, 1000)
	for range 3 {
		if got := step(50); got != "" {
			t.Errorf("%q after %v", got, now)
		}
	}
	if got := step(50); got != "about 18 s left" {
		t.Errorf("%q after %v", got, now)
	}
	for range 10 {
		step(50)
	}
	if got := step(50); got != "about 13 s left" {
		t.Errorf("%q after %v", got, now)
	}
	for range 40 {
		step(0)
	}
	if got := p.rest(); got != "" {
		t.Errorf("stalled: %q", got)
	}
}

// TestPaceDoesNotJump works at any rates: what is shown of the rest never grows, and shrinks at most twice as fast as
// time passes, as long as it is shown.
func TestPaceOfWorkThatStandsStill(t *testing.T) {
	now, p, done := time.Unix(0, 0), &pace{}, int64(0)
	for i := range 3000 {
		if i < 100 {
			done += 10_000_000
		}
		p.look(now, done, 2_000_000_000)
		if text := p.rest(); strings.Contains(text, "-") {
			t.Fatalf("after %v: %s", now.Sub(time.Unix(0, 0)), text)
		}
		now = now.Add(100 * time.Millisecond)
	}
	if p.rest() != "" {
		t.Errorf("after 290 s without progress: %s", p.rest())
	}
}

func TestPaceDoesNotJump(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now, p, done := time.Unix(0, 0), &pace{}, int64(0)
		total := rapid.Int64Range(1, 1<<40).Draw(t, "total")
		p.look(now, 0, total)
		for range rapid.IntRange(1, 100).Draw(t, "samples") {
			before, at := p.left, p.at
			now = now.Add(time.Duration(rapid.IntRange(1, 3000).Draw(t, "ms")) * time.Millisecond)
			done = min(total, done+rapid.Int64Range(0, 1<<34).Draw(t, "bytes"))
			p.look(now, done, total)
			passed := p.at.Sub(at).Seconds()
			if before > 0 && p.left > 0 && (p.left > before || p.left < before-2*passed-1e-6) {
				t.Fatalf("%v s left after %v s, %v s later", p.left, before, passed)
			}
			if p.left > 0 && p.rate <= 0 {
				t.Fatal("an estimate without a rate")
			}
		}
	})
}
