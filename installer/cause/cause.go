// Package cause knows why jobs of FATE fail. It is a table of causes, each with the evidence that shows it, what it
// means and what to do, and the code that looks evidence up in it. It reads no file and calls nothing.
//
// The lines that show a cause are FATE's, eggroll's and their libraries' own, of releases 1.7 to 1.11.4; each row of
// the table says where its lines come from.
package cause

import (
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Kind says what a piece of evidence is, so that a line that means something in one place is not taken for it in
// another.
type Kind string

// The kinds of evidence.
const (
	Refused Kind = "refused" // FATE-Flow's answer to a submission
	Task    Kind = "task"    // the error report of a task
	Log     Kind = "log"     // a log of the job on FATE-Flow's host
	Session Kind = "session" // output of a worker that eggroll started for the job
	Eggroll Kind = "eggroll" // a line about the job in a log of clustermanager, nodemanager or rollsite
	State   Kind = "state"   // what FATE-Flow's records say of the job, in this program's words
	Program Kind = "program" // the state of a program of this host, in the supervisor's words
	Machine Kind = "machine" // what the kernel says, or the file systems
)

// Evidence is one line that may show a cause, with where it was found.
type Evidence struct {
	Kind      Kind   `json:"kind"`                // refused, task, log, session, eggroll, state, program or machine
	Where     string `json:"where"`               // a file, or what answered
	Role      string `json:"role,omitempty"`      // whose it is, when that is known
	Party     string `json:"party,omitempty"`     // whose it is, when that is known
	Component string `json:"component,omitempty"` // the component of the job
	Text      string `json:"text"`                // the line
}

// Cause is a row of the table.
type Cause struct {
	ID          string
	Title       string
	Explanation string // what it means
	Remedy      string // what to do; where it is a command, the whole command
	Patterns    []Pattern
}

// Pattern is a line that shows a cause.
type Pattern struct {
	Kinds []Kind // where it means that; empty: anywhere but in State, Program and Machine
	Line  func() *regexp.Regexp

	fixed func() []string // texts of which a line that matches has one; none: it may have any
}

// Finding is a cause with the evidence for it.
type Finding struct {
	ID          string     `json:"id"`          // stable name of the cause
	Title       string     `json:"title"`       // the cause in a few words
	Explanation string     `json:"explanation"` // what happens
	Remedy      string     `json:"remedy"`      // what to do
	Evidence    []Evidence `json:"evidence"`    // the lines that show it
}

// mostEvidence is how many lines a finding quotes, and mostOfPlace how many of them are from one place.
const mostEvidence, mostOfPlace = 4, 2

// Find looks evidence up in the table. The most likely cause is the first: the table has what brings about other
// failures before what is brought about, such as a full disk before a database that does not answer.
func Find(evidence []Evidence) []Finding {
	var out []Finding
	for i := range table {
		c := &table[i]
		var found []Evidence
		places := map[string]int{}
		for _, e := range evidence {
			if !c.shows(e) || slices.ContainsFunc(found, func(f Evidence) bool { return f.Text == e.Text }) {
				continue
			}
			if len(found) < mostEvidence && places[e.Where] < mostOfPlace {
				found = append(found, e)
				places[e.Where]++
			}
		}
		if len(found) > 0 {
			out = append(out, Finding{c.ID, c.Title, c.Explanation, c.Remedy, found})
		}
	}
	return out
}

// ByID returns the cause of that name.
func ByID(id string) (c Cause, ok bool) {
	i := slices.IndexFunc(table, func(c Cause) bool { return c.ID == id })
	if i < 0 {
		return Cause{}, false
	}
	return table[i], true
}

// RemedyFor returns what to do about the cause on a host with that base directory.
func (c Cause) RemedyFor(base string) string { return Rebase(c.Remedy, base) }

// Rebase puts a base directory in the place of the one that the texts of the table name.
func Rebase(text, base string) string { return defaultBase().ReplaceAllLiteralString(text, base) }

var defaultBase = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`/data\b`) })

// ofAnyJob are the causes that lines may show which name no job. Others, such as a party that cannot be reached, may be
// another job's.
var ofAnyJob = []string{
	"processors-time-zone", "processors-tools", "disk-full", "limit-reached", "out-of-memory", "database-away",
	"database-schema", "database-connections", "database-refuses-host", "database-damaged", "wrong-password",
}

// OfAnyJob reports whether a line that names no job may show the cause.
func OfAnyJob(id string) bool { return slices.Contains(ofAnyJob, id) }

func (c *Cause) shows(e Evidence) bool {
	return slices.ContainsFunc(c.Patterns, func(p Pattern) bool {
		if len(p.Kinds) == 0 {
			if e.Kind == State || e.Kind == Program || e.Kind == Machine {
				return false
			}
		} else if !slices.Contains(p.Kinds, e.Kind) {
			return false
		}
		return p.mayMatch(e.Text) && p.Line().MatchString(e.Text)
	})
}

// mayMatch tells lines that cannot match from others, in a fraction of the time that the expression takes.
func (p Pattern) mayMatch(line string) bool {
	if p.fixed == nil || len(p.fixed()) == 0 {
		return true
	}
	return slices.ContainsFunc(p.fixed(), func(part string) bool { return strings.Contains(line, part) })
}

// Shown returns the causes that a line of a log shows, in the order of the table.
func Shown(kind Kind, line string) []string {
	var ids []string
	e := Evidence{Kind: kind, Text: line}
	for i := range table {
		if table[i].shows(e) {
			ids = append(ids, table[i].ID)
		}
	}
	if len(ids) > 0 && code().MatchString(line) {
		return nil
	}
	return ids
}

// IDs are the names of all causes, in the order of the table.
func IDs() []string {
	ids := make([]string, 0, len(table))
	for _, c := range table {
		ids = append(ids, c.ID)
	}
	return ids
}

// Lines splits a text into lines. What gRPC's Python library says of a call, a line each for its status and its
// details, becomes one line with what was called.
func Lines(text string) []string {
	lines, _ := Numbered(text)
	return lines
}

// Numbered is Lines, with the number of the first line of each in the text, counted from 1.
func Numbered(text string) (out []string, numbers []int) {
	const head = "of RPC that terminated with:"
	joining, number := 0, 0
	for line := range strings.SplitSeq(text, "\n") {
		number++
		line = strings.TrimSuffix(line, "\r")
		if joining > 0 {
			out[len(out)-1] += " " + strings.TrimSpace(line)
			joining--
			continue
		}
		out, numbers = append(out, line), append(numbers, number)
		if strings.HasSuffix(line, head) {
			joining = 2
		}
	}
	return out, numbers
}

// Interesting reports whether a line of a log could show a cause or looks like an error, so that of long logs only such
// lines need be kept.
func Interesting(kind Kind, line string) bool {
	if code().MatchString(line) {
		return false
	}
	if suspicious().MatchString(line) {
		return true
	}
	e := Evidence{Kind: kind, Text: line}
	return slices.ContainsFunc(table, func(c Cause) bool { return c.shows(e) })
}

// code is a line of a program that a traceback quotes, which has the words of an error without being one.
var code = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^\s*(?:raise |return |File "|at [\w.$]+\()`)
})

// suspicious matches errors in the logs of FATE, eggroll and Python.
var suspicious = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\[ERROR|\[CRITICAL|Traceback|^\s*[\w.]+(?:Error|Exception)\b|` +
		`of RPC that terminated with|details = "|Caused by: `)
})
