package main

import (
	"slices"
	"strings"
	"sync"
	"time"

	"fate-installer/installer/output"
	"fate-installer/installer/redact"
)

// clock is the time that displays go by.
type clock interface {
	Now() time.Time
	// Ticks gives a channel that gets a value at each interval, and a function that ends it.
	Ticks(interval time.Duration) (ticks <-chan time.Time, stop func())
}

// realClock is the clock of the machine.
type realClock struct{}

// Now implements clock.
func (realClock) Now() time.Time { return time.Now() }

// Ticks implements clock.
func (realClock) Ticks(interval time.Duration) (<-chan time.Time, func()) {
	t := time.NewTicker(interval)
	return t.C, t.Stop
}

// liveInterval is between two looks at what is shown live.
const liveInterval = 100 * time.Millisecond

// work is what a display shows while it lasts. Its methods are called by one goroutine at a time.
type work interface {
	// live is what is shown at the end of a terminal of so many columns, a line for each thing that runs.
	live(now time.Time, columns int) []string
	// passed is called again and again, for what is shown when time has passed.
	passed(now time.Time)
}

// display shows what runs: on a terminal in lines that are rewritten in place, elsewhere in none. Its goroutine runs
// while there is something to show.
type display struct {
	clock  clock
	screen *output.Screen // nil: standard error is no terminal that can show live lines

	mu      sync.Mutex
	shown   []work
	ended   bool
	stop    chan struct{} // nil: the goroutine does not run
	stopped chan struct{}
}

// oneLine makes one line of several.
var oneLine = strings.NewReplacer("\n", " ", "\r", " ", "\t", " ")

// shows is the display of the command.
func (g *globals) shows() *display {
	if g.display == nil {
		g.display = &display{clock: realClock{}}
	}
	return g.display
}

// begin shows w until finish is called with it.
func (d *display) begin(w work) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ended || slices.Contains(d.shown, w) {
		return
	}
	if d.shown = append(d.shown, w); d.stop != nil {
		return
	}
	d.stop, d.stopped = make(chan struct{}), make(chan struct{})
	ticks, end := d.clock.Ticks(liveInterval)
	go d.run(d.stop, d.stopped, ticks, end)
}

func (d *display) run(stop <-chan struct{}, stopped chan<- struct{}, ticks <-chan time.Time, end func()) {
	defer close(stopped)
	defer end()
	for {
		select {
		case <-stop:
			return
		case <-ticks:
			d.refresh()
		}
	}
}

// refresh shows what is so now.
func (d *display) refresh() {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.clock.Now()
	for _, w := range d.shown {
		w.passed(now)
	}
	d.draw(now)
}

func (d *display) draw(now time.Time) {
	if d.screen == nil || d.ended {
		return
	}
	columns := d.screen.Columns()
	var lines []string
	for _, w := range d.shown {
		for _, line := range w.live(now, columns) {
			// The screen takes it as it is. Answers of probes, and names of files, are made by others.
			lines = append(lines, redact.Printable(oneLine.Replace(line)))
		}
	}
	d.screen.Show(lines)
}

// finish removes what is shown of w. It returns when no goroutine looks at w any more.
func (d *display) finish(w work) {
	d.mu.Lock()
	d.shown = slices.DeleteFunc(d.shown, func(s work) bool { return s == w })
	stopped := d.halt(len(d.shown) == 0)
	d.draw(d.clock.Now())
	d.mu.Unlock()
	if stopped != nil {
		<-stopped
	}
}

// end removes all that is shown, for good.
func (d *display) end() {
	d.mu.Lock()
	d.shown = nil
	stopped := d.halt(true)
	d.draw(d.clock.Now())
	d.ended = true
	d.mu.Unlock()
	if stopped != nil {
		<-stopped
	}
}

// halt ends the goroutine if it runs and is not needed any more, and returns what is closed when it has ended.
func (d *display) halt(idle bool) <-chan struct{} {
	if !idle || d.stop == nil {
		return nil
	}
	close(d.stop)
	d.stop = nil
	return d.stopped
}
