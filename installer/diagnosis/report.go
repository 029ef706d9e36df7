package diagnosis

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"fate-installer/installer/redact"
)

// Report says what is wrong with a host, as far as its bundle shows.
type Report struct {
	Bundle   string    `json:"bundle"`   // the file that was read; blank: this host was looked at
	Host     string    `json:"host"`     // the name of the host; blank: the bundle does not say it
	Base     string    `json:"base"`     // the base directory there
	Made     time.Time `json:"made"`     // when the bundle was made, by the clock of the host
	Version  string    `json:"version"`  // of the program that made it; blank: not known
	Findings []Finding `json:"findings"` // what is wrong, the most likely cause first
	// Missing has what was not looked at, because the bundle has nothing of it, as text.
	Missing []string `json:"missing"`
}

// Finding is a fault of the host, with what shows it and what to do.
type Finding struct {
	ID          string     `json:"id"`          // stable name of what was found
	Severity    Severity   `json:"severity"`    // fault or warning
	Title       string     `json:"title"`       // the fault in a few words
	Explanation string     `json:"explanation"` // what it means
	Remedy      string     `json:"remedy"`      // what to do
	Evidence    []Evidence `json:"evidence"`    // what shows it
}

// Severity says how bad a finding is.
type Severity string

// The severities.
//
//language:labels
const (
	Fault   Severity = "fault"   // something does not work
	Warning Severity = "warning" // everything works now, and will not go on, or did not work before
)

// Evidence is a place in the bundle that shows a finding.
type Evidence struct {
	File string `json:"file"` // the file in the bundle
	Line int    `json:"line"` // its line, counted from 1; 0: the file as a whole
	Text string `json:"text"` // what is there; of a document, what it says

	Said bool `json:"-"` // the text is a sentence of this program, not a line of the file

	needle string // what the line has, where it is looked for
}

// Bounds of a report.
const (
	mostEvidence    = 4
	mostOfFile      = 2
	longestEvidence = 400 // bytes
	mostFindings    = 100

	mostSearched = 512 << 20 // bytes that are searched for the lines of places; of later ones the file alone is named
)

// order has what brings about other faults before what is brought about. It is the order of faults, and then, again, of
// warnings.
var order = []string{
	"change-interrupted", "disk-full", "limit-reached", "out-of-memory", "disk-nearly-full", "disk-faulty",
	"certificate-invalid", "clocks-differ", "port-taken", "file-edited", "wrong-password", "database-refuses-host",
	"database-damaged", "database-schema", "database-connections", "model-store-lock", "versions-differ",
	"processors-time-zone", "processors-tools", "processors-library", "python-module", "program-fails",
	"program-stopped", "program-not-ready", "host-away", "database-away", "zookeeper-away", "eggroll-away",
	"rollsite-away", "flow-workers-taken", "flow-away", "check-refused", "command-failed", "certificate-expiring",
	"program-restarted", "definition-outdated", "clock-unsynchronized", "installation-differs", "tasks-left",
}

func rank(f Finding) int {
	at := slices.Index(order, f.ID)
	if at < 0 {
		at = len(order) // causes of single jobs
	}
	if f.Severity == Warning {
		at += len(order) + 1
	}
	return at
}

// finish puts the findings into order, looks for the lines of what shows them, and makes everything safe for a
// terminal.
func (x *analysis) finish() {
	r := x.Report
	slices.SortStableFunc(r.Findings, func(a, b Finding) int { return cmp.Compare(rank(a), rank(b)) })
	r.Findings = r.Findings[:min(len(r.Findings), mostFindings)]
	clean := func(text *string) { *text = redact.Printable(*text) }
	clean(&r.Host)
	clean(&r.Version)
	clean(&r.Base)
	for i := range r.Findings {
		f := &r.Findings[i]
		for _, text := range []*string{&f.Title, &f.Explanation, &f.Remedy} {
			clean(text)
		}
		for k := range f.Evidence {
			e := &f.Evidence[k]
			if e.needle != "" {
				e.Line = x.lineOf(e.File, e.needle)
			}
			clean(&e.File)
			clean(&e.Text)
		}
	}
	for i := range r.Missing {
		clean(&r.Missing[i])
	}
}

// withPlaces adds places to those that there are. The first ones of each file are kept, once each, and what they say is
// shortened.
func withPlaces(there, more []Evidence) []Evidence {
	for _, e := range more {
		if len(e.Text) > longestEvidence {
			e.Text = strings.ToValidUTF8(e.Text[:longestEvidence], "") + "..."
		}
		e.Text = strings.TrimSpace(e.Text)
		if isNewPlace(there, e) {
			there = append(there, e)
		}
	}
	return there
}

// isNewPlace reports whether there is room for a place among those that there are, and none of them says the same.
func isNewPlace(there []Evidence, e Evidence) bool {
	ofFile := 0
	for _, o := range there {
		if o.Text == e.Text {
			return false
		}
		if o.File == e.File {
			ofFile++
		}
	}
	return len(there) < mostEvidence && ofFile < mostOfFile
}

// ExitFound is the exit status of an analysis that found something.
const ExitFound = 3

// ExitCode is the exit status that goes with the report.
func (r *Report) ExitCode() int {
	if len(r.Findings) > 0 {
		return ExitFound
	}
	return 0
}
