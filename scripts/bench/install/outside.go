package main

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"
)

// outside is what of a run lies outside of its steps.
type outside struct {
	before time.Duration // the appliance is read, the host is looked at
	after  time.Duration // until all programs work
	late   []lateProgram
}

// lateProgram is a program that became ready after the last step.
type lateProgram struct {
	name, why string // why it was not ready before
	after     time.Duration
}

// place says where the steps lie in the run, which began at a time in seconds of Unix and took what its report says:
// from the first line of the run in the journal. The supervisor's log, whose times are in a zone, says which programs
// were waited for.
func (r *installReport) place(began float64, journal, log, zone string) error {
	var first struct {
		Time time.Time `json:"time"`
	}
	if err := json.Unmarshal([]byte(journal), &first); err != nil {
		return fmt.Errorf("cannot read the journal %q: %w", journal, err)
	}
	var end time.Duration
	for _, s := range r.Steps {
		end = max(end, s.Start+s.Elapsed)
	}
	lastStep := first.Time.Add(end)
	r.outside = outside{before: first.Time.Sub(unix(began)), after: unix(began).Add(r.elapsed()).Sub(lastStep)}
	why := map[string]string{}
	for line := range strings.Lines(log) {
		at, name, text, ok := readLog(line, zone)
		switch {
		case !ok:
		case text != "ready":
			why[name] = text
		case at.After(lastStep):
			r.outside.late = append(r.outside.late, lateProgram{name, why[name], at.Sub(lastStep)})
		}
	}
	return nil
}

// readLog reads a line of the supervisor's log that says what became of a program.
func readLog(line, zone string) (at time.Time, name, text string, ok bool) {
	const stamp = "2006-01-02 15:04:05.000"
	if len(line) < len(stamp) {
		return at, "", "", false
	}
	at, err := time.Parse(stamp+" -0700", line[:len(stamp)]+" "+zone)
	text, fields, cut := strings.Cut(line[len(stamp):], " pid=")
	_, name, found := strings.Cut(fields, " program=")
	name, _, _ = strings.Cut(name, " ")
	_, text, said := strings.Cut(strings.TrimSpace(text), " ") // the level
	return at, name, text, err == nil && cut && found && said
}

func unix(seconds float64) time.Time {
	whole, part := math.Modf(seconds)
	return time.Unix(int64(whole), int64(part*1e9))
}
