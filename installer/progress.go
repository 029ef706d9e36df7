package main

import (
	"fmt"
	"sync"
	"time"

	"fate-installer/installer/output"
	"fate-installer/payload/count"
)

// progress shows how far a long piece of work is: a live line on a terminal, otherwise one line at every tenth. Its
// methods may be called from several goroutines.
type progress struct {
	g       *globals
	display *display
	mu      sync.Mutex
	title   string
	bytes   byteCount
	tenth   tenths
}

// newProgress starts a progress display of total bytes. 0 shows nothing.
func newProgress(g *globals, title string, total int64) *progress {
	p := &progress{g: g, display: g.shows(), title: title, bytes: byteCount{total: total},
		tenth: tenths{title: title, total: total}}
	if total > 0 && g.showsProgress() {
		p.display.begin(p)
	}
	return p
}

// Set moves the display to done bytes.
func (p *progress) Set(done int64) {
	p.mu.Lock()
	p.bytes.done = done
	line := p.tenth.line(done)
	p.mu.Unlock()
	if line != "" && p.display.screen == nil {
		p.g.progressf("%s", line)
	}
}

// Finish removes the live line, or leaves the plain lines as they are.
func (p *progress) Finish() { p.display.finish(p) }

func (p *progress) live(now time.Time, columns int) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return []string{fitted(p.g.text(p.title), p.g.texts(p.bytes.details(now)), columns)}
}

func (p *progress) passed(time.Time) {}

// tenths are the lines of a piece of work where no terminal is.
type tenths struct {
	title       string
	total, last int64
}

// line is what is to be said of done bytes; blank when that was said.
func (t *tenths) line(done int64) string {
	if t.total <= 0 {
		return ""
	}
	now := min(done, t.total) * 10 / t.total
	if now <= t.last {
		return ""
	}
	t.last = now
	return fmt.Sprintf("%s %d%% of %s\n", t.title, now*10, count.Bytes(t.total))
}

// byteCount is how many bytes of a piece of work are done, and how fast it goes.
type byteCount struct {
	done, total int64
	pace        pace
}

// details says how far the work is, in the order in which they are read; see fitted.
func (b *byteCount) details(now time.Time) []string {
	done := min(b.done, b.total) // what is read has headers, which the sizes do not count
	b.pace.look(now, done, b.total)
	rate := ""
	if b.pace.rate >= 1 {
		rate = count.Bytes(int64(b.pace.rate)) + "/s"
	}
	return []string{count.Bytes(done) + " of " + count.Bytes(b.total), rate, b.pace.rest()}
}

// leastTitle is how much of a title stays on a line before its details are left out.
const leastTitle = 12

// fitted is a title with details to the right of it. Where the line is too narrow the rate, which is the second of
// three, is left out first, then the title is cut, and the first of the details stays longest.
func fitted(title string, details []string, columns int) string {
	for _, keep := range [][]int{{0, 1, 2}, {0, 2}, {0}} {
		text := ""
		for _, i := range keep {
			if i < len(details) && details[i] != "" {
				text += "  " + details[i]
			}
		}
		room := columns - 1 - output.Width(text)
		if room >= output.Width(title) || room >= leastTitle && len(keep) == 1 {
			return output.Cut(title, room) + text
		}
	}
	return title
}
