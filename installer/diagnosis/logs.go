package diagnosis

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"fate-installer/installer/cause"
	"fate-installer/installer/job"
)

// Bounds of what is looked at of a log.
const (
	longestLine  = 4000    // bytes; the rest of a line is not looked at
	mostOfLog    = 200_000 // lines of one log, the last ones
	mostOfLogs   = 1 << 20 // lines of all logs
	mostJobsSeen = 20
)

// logLine is a line that may show a cause.
type logLine struct {
	Evidence
	kind cause.Kind
	job  string // of which it is; blank: of none
	old  bool   // it was written more than a day before the bundle was made
}

// foundCause is a cause with its places.
type foundCause struct {
	cause.Finding
	evidence []Evidence
	old      bool // all of its places are
}

// findCauses looks lines up in the table of causes, of which the first ones of each cause are kept.
func findCauses(lines []logLine) []foundCause {
	type place struct{ file, text string }
	places := map[place]logLine{}
	var evidence []cause.Evidence
	for _, l := range lines {
		key := place{l.File, l.Text}
		if _, seen := places[key]; seen {
			continue
		}
		places[key] = l
		evidence = append(evidence, cause.Evidence{Kind: l.kind, Where: l.File, Text: l.Text})
	}
	var out []foundCause
	for _, f := range cause.Find(evidence) {
		found := foundCause{Finding: f, old: true}
		for _, e := range f.Evidence {
			l := places[place{e.Where, e.Text}]
			found.evidence = append(found.evidence, l.Evidence)
			found.old = found.old && l.old
		}
		out = append(out, found)
	}
	return out
}

// logs looks for causes in the logs of programs. What names no job may be about any of them, and is taken only for what
// it shows in any case.
func (x *analysis) logs() {
	logs := x.bundle.below("logs")
	slices.SortStableFunc(logs, func(a, b Entry) int { return b.Time.Compare(a.Time) })
	var shared []logLine
	total := 0
	for _, e := range logs {
		lines := x.linesOf(e)
		if total += len(lines); total > mostOfLogs {
			x.Missing = append(x.Missing, "older logs: the bundle has more lines than are looked at")
			break
		}
		for _, l := range lines {
			if l.job == "" {
				shared = append(shared, l)
			} else {
				x.lines = append(x.lines, l)
			}
		}
	}
	for _, f := range findCauses(shared) {
		if !cause.OfAnyJob(f.ID) || saysNotReady(f.ID) && (x.allReady() || f.old) {
			continue
		}
		severity := Fault
		if f.old || x.allReady() && f.ID != "wrong-password" {
			severity = Warning
		}
		x.foundCause(f.ID, severity, f.evidence...)
	}
}

// linesOf are the lines of a log that may show something, the newest first.
func (x *analysis) linesOf(e Entry) []logLine {
	kind, jobID := kindOf(e.Name)
	var out []logLine
	lines := cause.Lines(e.Text)
	from := max(0, len(lines)-mostOfLog)
	at := e.Time // of lines before the first that has a time
	joined := strings.Count(e.Text, "\n") + 1 - len(lines)
	number := 0
	for i, line := range lines {
		number = i + 1
		if i < from || strings.TrimSpace(line) == "" {
			continue
		}
		line = line[:min(len(line), longestLine)]
		if stamp := logTime().FindString(line); stamp != "" {
			if t, err := time.Parse(time.DateTime, strings.Replace(stamp, "T", " ", 1)); err == nil {
				at = t.Add(-time.Duration(x.about.Zone) * time.Second)
			}
		}
		if !cause.Interesting(kind, line) {
			continue
		}
		if joined > 0 { // lines were joined: the place is looked for
			number = x.lineOf(e.Name, line[:min(len(line), 60)])
		}
		place := Evidence{File: e.Name, Line: number, Text: strings.ToValidUTF8(line, "?")}
		out = append(out, logLine{place, kind, jobID, !at.IsZero() && x.now.Sub(at) > recently})
	}
	slices.Reverse(out)
	return out
}

var logTime = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d`)
})

var jobID = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(\d{20,23})(?:_|$)`) })

// kindOf says whose log a file is, by its path: logs/fate/COMPONENT/...
func kindOf(name string) (kind cause.Kind, id string) {
	parts := strings.Split(name, "/")
	if len(parts) < 4 {
		return cause.Log, ""
	}
	if m := jobID().FindStringSubmatch(parts[3]); m != nil {
		id = m[1]
	}
	switch {
	case parts[2] == "eggroll" && id != "":
		return cause.Session, id
	case parts[2] == "eggroll":
		return cause.Eggroll, ""
	}
	return cause.Log, id
}

// JobReports is the content of the file JobsName.
type JobReports struct {
	Jobs  []*job.Report `json:"jobs"`  // jobs that failed or do not go on, the newest first, as job why explains them
	Stale []job.Stale   `json:"stale"` // jobs that have ended, but tasks are recorded as running
	Error string        `json:"error"` // why jobs are not known; blank: they are
}

// jobs explains jobs that failed, as job why did on the host, or else by their logs.
func (x *analysis) jobs() {
	var reports JobReports
	known := x.bundle.decode(JobsName, &reports) && reports.Error == ""
	if reports.Error != "" {
		x.Missing = append(x.Missing, "why jobs failed: "+reports.Error)
	}
	for _, s := range reports.Stale {
		x.found(Finding{"tasks-left", Warning, "tasks only seem to run",
			"Their jobs have ended. FATE-Flow leaves such tasks when it is ended while it runs them.",
			"fate-installer job clean, on the host", []Evidence{x.said(JobsName, s.Job, "job "+s.Job)}})
	}
	for _, r := range reports.Jobs {
		if r == nil || len(r.Causes) == 0 {
			continue
		}
		c := r.Causes[0]
		evidence := []Evidence{{File: JobsName, Line: x.lineOf(JobsName, r.Job), Text: "job " + r.Job}}
		for _, e := range c.Evidence {
			line := x.lineOf(JobsName, quoted(e.Text))
			evidence = append(evidence, Evidence{File: JobsName, Line: line, Text: e.Text})
		}
		x.foundCause(c.ID, Fault, evidence...)
	}
	if known {
		return
	}
	byJob := map[string][]logLine{}
	for _, l := range x.lines {
		if !l.old {
			byJob[l.job] = append(byJob[l.job], l)
		}
	}
	var ids []string
	for id := range byJob {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b string) int { return cmp.Compare(b, a) })
	for _, id := range ids[:min(len(ids), mostJobsSeen)] {
		if found := findCauses(byJob[id]); len(found) > 0 {
			x.foundCause(found[0].ID, Warning, found[0].evidence...)
		}
	}
}
