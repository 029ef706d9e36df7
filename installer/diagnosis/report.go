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
}

// Bounds of a report.
const (
	mostEvidence    = 4
	mostOfFile      = 2
	longestEvidence = 400 // bytes
	mostFindings    = 100
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

// finish puts the findings into order, and makes everything safe for a terminal.
func (r *Report) finish() {
	slices.SortStableFunc(r.Findings, func(a, b Finding) int { return cmp.Compare(rank(a), rank(b)) })
	r.Findings = r.Findings[:min(len(r.Findings), mostFindings)]
	clean := func(text *string) { *text = redact.Printable(*text) }
	clean(&r.Host)
	clean(&r.Version)
	clean(&r.Base)
	for i := range r.Findings {
		f := &r.Findings[i]
		f.Evidence = fewest(f.Evidence)
		for _, text := range []*string{&f.Title, &f.Explanation, &f.Remedy} {
			clean(text)
		}
		for k := range f.Evidence {
			clean(&f.Evidence[k].File)
			clean(&f.Evidence[k].Text)
		}
	}
	for i := range r.Missing {
		clean(&r.Missing[i])
	}
}

// fewest keeps the first places of each file, and shortens what they say.
func fewest(all []Evidence) []Evidence {
	out := []Evidence{}
	ofFile := map[string]int{}
	for _, e := range all {
		if len(out) == mostEvidence || ofFile[e.File] == mostOfFile {
			continue
		}
		if len(e.Text) > longestEvidence {
			e.Text = strings.ToValidUTF8(e.Text[:longestEvidence], "") + "..."
		}
		e.Text = strings.TrimSpace(e.Text)
		ofFile[e.File]++
		out = append(out, e)
	}
	return out
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
