package main

import (
	"fmt"
	"math"
	"time"
)

// pace measures how fast a piece of work goes, and from that how long the rest of it takes.
type pace struct {
	began time.Time // of the measurement; zero: there is none
	at    time.Time // of the last sample
	done  int64     // then
	rate  float64   // units per second, smoothed
	left  float64   // seconds, as shown at the last sample; 0: not known
}

const (
	paceSample  = 500 * time.Millisecond // between two samples
	paceSmooth  = 4.0                    // seconds in which an old rate loses its weight
	paceHonest  = 2 * time.Second        // of measurement before anything is said about the rest
	paceApart   = 2.0                    // an estimate that differs by this factor is no estimate,
	paceAllowed = 5.0                    // beyond this many seconds
)

// look takes a sample when it is time for one.
func (p *pace) look(now time.Time, done, total int64) {
	if p.began.IsZero() {
		p.began, p.at, p.done = now, now, done
		return
	}
	passed := now.Sub(p.at)
	if passed < paceSample {
		return
	}
	seconds := passed.Seconds()
	rate := float64(done-p.done) / seconds
	if p.rate == 0 {
		p.rate = rate
	} else {
		p.rate += (1 - math.Exp(-seconds/paceSmooth)) * (rate - p.rate)
	}
	p.at, p.done = now, done
	p.estimate(now, seconds, total-done)
}

// estimate moves what is shown towards the new estimate. It counts down with the clock, at most twice as fast, and
// never up. Where the estimate is far from what was shown, nothing is shown until the work was measured again.
func (p *pace) estimate(now time.Time, passed float64, rest int64) {
	if p.rate < 1 || rest <= 0 || now.Sub(p.began) < paceHonest {
		p.left = 0
		return
	}
	estimate := float64(rest) / p.rate
	if p.left == 0 {
		p.left = estimate
		return
	}
	if estimate > p.left*paceApart+paceAllowed || estimate < p.left/paceApart-paceAllowed {
		p.left, p.began = 0, now
		return
	}
	p.left = max(p.left-2*passed, min(p.left, estimate))
}

// rest says how long the rest takes; blank when that is not known.
func (p *pace) rest() string {
	if p.left <= 0 || p.left > 100*3600 {
		return ""
	}
	switch seconds := int(math.Ceil(p.left)); {
	case seconds < 20:
		return fmt.Sprintf("about %d s left", seconds)
	case seconds < 90:
		return fmt.Sprintf("about %d s left", (seconds+4)/5*5)
	case seconds < 90*60:
		return fmt.Sprintf("about %d min left", (seconds+59)/60)
	default:
		return fmt.Sprintf("about %d h left", (seconds+3599)/3600)
	}
}
