package diagnosis

import (
	"fmt"
	"maps"
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
	mostOfLogs   = 2 << 20 // lines of all logs
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

// jobCause is a cause of a job; job is blank for lines that name none.
type jobCause struct{ job, id string }

// logs looks for causes in the logs of programs. What names no job may be about any of them, and is taken only for what
// it shows in any case.
func (x *analysis) logs() {
	logs := x.bundle.below("logs")
	slices.SortStableFunc(logs, func(a, b Entry) int { return b.Time.Compare(a.Time) })
	for _, e := range logs {
		if x.lines >= mostOfLogs {
			x.Missing = append(x.Missing, "older logs: the bundle has more lines than are looked at")
			break
		}
		x.readLog(e)
		if x.stopped() {
			return
		}
	}
	for _, id := range cause.IDs() {
		f, ok := x.shownBy(jobCause{"", id})
		if !ok || saysNotReady(id) && (x.allReady() || f.old) {
			continue
		}
		severity := Fault
		if f.old || x.allReady() && id != "wrong-password" {
			severity = Warning
		}
		x.foundCause(id, severity, f.evidence...)
	}
}

// shownBy is a cause with the lines of logs that show it; false: none does.
func (x *analysis) shownBy(key jobCause) (foundCause, bool) {
	lines := x.shown[key]
	f := foundCause{old: true}
	for _, l := range lines {
		f.evidence = append(f.evidence, l.Evidence)
		f.old = f.old && l.old
	}
	return f, len(lines) > 0
}

// readLog keeps the lines of a log that show something, the newest first, as many as are quoted.
func (x *analysis) readLog(e Entry) {
	type match struct {
		logLine
		ids []string
	}
	kind, job := kindOf(e.Name)
	var found []match
	text, before := lastLines(e.Text, mostOfLog)
	at := e.Time // of lines before the first that has a time
	lines, numbers := cause.Numbered(text)
	for i, line := range lines {
		if x.lines++; x.lines%1024 == 0 && x.stopped() {
			return
		}
		line = line[:min(len(line), longestLine)]
		if stamp := cause.StampOf(line); stamp != "" {
			if t, err := cause.ParseStamp(stamp, time.UTC); err == nil {
				at = t.Add(-time.Duration(x.about.Zone) * time.Second)
			}
		}
		if ids := cause.Shown(kind, line); len(ids) > 0 {
			place := Evidence{File: e.Name, Line: before + numbers[i], Text: strings.ToValidUTF8(line, "?")}
			found = append(found, match{logLine{place, kind, job, !at.IsZero() && x.now.Sub(at) > recently}, ids})
		}
	}
	for _, m := range slices.Backward(found) {
		for _, id := range m.ids {
			if key := (jobCause{job, id}); job != "" || cause.OfAnyJob(id) {
				x.keep(key, m.logLine)
			}
		}
	}
}

// keep keeps a line that shows a cause, where it would be quoted. What a job wrote long ago explains no job of today.
func (x *analysis) keep(key jobCause, l logLine) {
	var places []Evidence
	for _, o := range x.shown[key] {
		places = append(places, o.Evidence)
	}
	if (key.job == "" || !l.old) && isNewPlace(places, l.Evidence) {
		x.shown[key] = append(x.shown[key], l)
	}
}

// lastLines returns the last lines of a text, and how many are before them.
func lastLines(text string, n int) (last string, before int) {
	at := len(text)
	for range n {
		if at = strings.LastIndexByte(text[:at], '\n'); at < 0 {
			return text, 0
		}
	}
	return text[at+1:], strings.Count(text[:at+1], "\n")
}

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
	reports, known := document[JobReports](x, JobsName)
	if reports.Error != "" {
		known = false
		missing := fmt.Sprintf("why jobs failed, for the reason that %s has", JobsName)
		if x.here {
			missing = "why jobs failed: " + reports.Error
		}
		x.Missing = append(x.Missing, missing)
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
		evidence := []Evidence{{File: JobsName, Text: "job " + r.Job, needle: r.Job}}
		for _, e := range c.Evidence {
			evidence = append(evidence, quotes(JobsName, e.Text))
		}
		x.foundCause(c.ID, Fault, evidence...)
	}
	if known {
		return
	}
	seen := map[string]bool{}
	for key := range x.shown {
		seen[key.job] = key.job != ""
	}
	delete(seen, "")
	newest := slices.Sorted(maps.Keys(seen))
	slices.Reverse(newest)
	for _, job := range newest[:min(len(newest), mostJobsSeen)] {
		for _, id := range cause.IDs() { // the most likely is the first
			if f, ok := x.shownBy(jobCause{job, id}); ok {
				x.foundCause(id, Warning, f.evidence...)
				break
			}
		}
	}
}
