package diagnosis

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"fate-installer/installer/cause"
	"fate-installer/installer/fate/cluster"
)

// analysis is the work on one bundle.
type analysis struct {
	*Report
	bundle *Bundle
	about  About
	layout cluster.Layout
	now    time.Time // when the bundle was made: what was valid then counts
	status []programStatus
	known  bool // the states of the programs are known
	lines  []logLine
}

// Analyze says what is wrong with the host that a bundle was made on. file is where the bundle was read; blank: it is
// of this host.
func Analyze(b *Bundle, file string) *Report {
	x := &analysis{bundle: b, now: b.Made,
		Report: &Report{Bundle: file, Made: b.Made, Findings: []Finding{}, Missing: []string{}}}
	x.readAbout()
	x.readStatus()
	for _, rule := range []func(){
		x.change, x.disks, x.kernel, x.certificates, x.clocks, x.versions, x.edits, x.programs, x.restarts, x.logs,
		x.jobs, x.checks, x.history, x.survey,
	} {
		rule()
	}
	x.finish()
	return x.Report
}

// readAbout takes from the bundle what all rules need. A bundle of an early release does not say what it is.
func (x *analysis) readAbout() {
	about, ok := x.bundle.about()
	x.about, x.Host, x.Version = about, about.Host, about.Version
	if !ok {
		x.Missing = append(x.Missing, "the bundle was made by an earlier release, which collected less: what its "+
			"files do not say was not looked at")
		x.about.Live = true
		x.Version = x.oldVersion()
		x.Host = hostOf(x.bundle.Name)
	}
	x.layout = cluster.Layout{Base: x.about.Base}
	if x.layout.Base == "" {
		x.layout.Base = x.baseOfConfig()
	}
	x.Base = x.layout.Base
}

func (x *analysis) oldVersion() string {
	var doc struct {
		Version string `json:"version"`
	}
	x.bundle.decode("version.json", &doc)
	return doc.Version
}

// hostOf is the name of the host in that of its bundle, fate-diagnose-HOST-TIME.
func hostOf(bundle string) string {
	name := strings.TrimPrefix(bundle, "fate-diagnose-")
	if at := strings.LastIndexByte(name, '-'); at > 0 && name != bundle {
		return name[:at]
	}
	return ""
}

// baseOfConfig finds the base directory in the names of the configuration files.
func (x *analysis) baseOfConfig() string {
	for _, e := range x.bundle.Entries {
		if name, ok := strings.CutPrefix(e.Name, "config/"); ok {
			if base, _, found := strings.Cut(name, "/projects/"); found {
				return "/" + base
			}
		}
	}
	return "/data"
}

// found adds a finding. One of the same name and severity becomes one, with the evidence of both.
func (x *analysis) found(f Finding) {
	at := slices.IndexFunc(x.Findings, func(o Finding) bool {
		return o.ID == f.ID && o.Severity == f.Severity && o.Remedy == f.Remedy
	})
	if at < 0 {
		x.Findings = append(x.Findings, f)
		return
	}
	for _, e := range f.Evidence {
		if !slices.ContainsFunc(x.Findings[at].Evidence, func(o Evidence) bool { return o.Text == e.Text }) {
			x.Findings[at].Evidence = append(x.Findings[at].Evidence, e)
		}
	}
}

// foundCause adds a cause of the table of causes.
func (x *analysis) foundCause(id string, severity Severity, evidence ...Evidence) {
	c, ok := cause.ByID(id)
	if !ok {
		return
	}
	x.found(Finding{id, severity, c.Title, c.Explanation, c.RemedyFor(x.layout.Base), evidence})
}

// has reports whether something of that name was found.
func (x *analysis) has(id string) bool {
	return slices.ContainsFunc(x.Findings, func(f Finding) bool { return f.ID == id })
}

// said is what a document says, at the line on which a needle is.
func (x *analysis) said(file, needle, text string) Evidence {
	return Evidence{File: file, Line: x.lineOf(file, needle), Text: text, Said: true}
}

// lineOf finds the line of a file that has a text; 0: there is none.
func (x *analysis) lineOf(file, needle string) int {
	e := x.bundle.entry(file)
	if e == nil || needle == "" {
		return 0
	}
	before, _, found := strings.Cut(e.Text, needle)
	if !found {
		return 0
	}
	return strings.Count(before, "\n") + 1
}

// lately reports whether a time is in the day before the bundle was made.
func (x *analysis) lately(t time.Time) bool {
	return !t.IsZero() && x.now.Sub(t) < recently && t.Sub(x.now) < recently
}

// recently is how old something may be that explains what is wrong now.
const recently = 24 * time.Hour

// notLookedAt notes what the bundle has nothing of, where it says what it is; of an early one it is known already.
func (x *analysis) notLookedAt(file, what string) {
	if x.about.Schema > 0 && x.bundle.entry(file) == nil {
		x.Missing = append(x.Missing, fmt.Sprintf("%s (the bundle has no %s)", what, file))
	}
}
