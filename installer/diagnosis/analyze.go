package diagnosis

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"fate-installer/installer/cause"
	"fate-installer/installer/fate/cluster"
	"fate-installer/supervisor"
)

// analysis is the work on one bundle.
type analysis struct {
	*Report
	ctx    context.Context
	bundle *Bundle
	here   bool // the bundle is of this host, which is believed what to do
	about  About
	layout cluster.Layout
	now    time.Time // when the bundle was made: what was valid then counts
	status []programStatus
	known  bool // the states of all programs are known

	unread   map[string]bool        // documents that are there and cannot be understood
	places   map[string]int         // of findings, by what they are about
	shown    map[jobCause][]logLine // lines of logs that show a cause
	lines    int                    // of logs that were looked at
	searched int                    // bytes, for the lines of places
}

// Analyze says what is wrong with the host that a bundle was made on. file is where the bundle was read; blank: it is
// of this host. It is an error only when the context ends.
func Analyze(ctx context.Context, b *Bundle, file string) (*Report, error) {
	x := newAnalysis(ctx, b, file)
	for _, rule := range x.rules() {
		rule()
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("cannot look at all of the bundle: %w", err)
		}
	}
	return x.Report, nil
}

// rules are the steps of an analysis.
func (x *analysis) rules() []func() {
	return []func(){x.readAbout, x.readStatus, x.change, x.disks, x.kernel, x.certificates, x.clocks, x.versions,
		x.edits, x.programs, x.restarts, x.logs, x.jobs, x.checks, x.history, x.survey, x.finish}
}

func newAnalysis(ctx context.Context, b *Bundle, file string) *analysis {
	return &analysis{ctx: ctx, bundle: b, here: file == "", now: b.Made,
		Report: &Report{Bundle: file, Made: b.Made, Findings: []Finding{}, Missing: []string{}},
		unread: map[string]bool{}, places: map[string]int{}, shown: map[jobCause][]logLine{}}
}

// readAbout takes from the bundle what all rules need. A bundle of an early release does not say what it is.
func (x *analysis) readAbout() {
	about, ok := document[About](x, AboutName)
	x.about, x.Host, x.Version = about, about.Host, about.Version
	switch {
	case ok:
	case x.bundle.entry(AboutName) != nil: // it is noted as missing, and so is all that a bundle should have
		x.about.Schema, x.about.Live = Schema, true
	default:
		x.Missing = append(x.Missing, "the bundle was made by an earlier release, which collected less: what its "+
			"files do not say was not looked at")
		x.about.Live = true
	}
	if !ok {
		x.Version = x.oldVersion()
		x.Host = hostOf(x.bundle.Name)
	}
	x.layout = cluster.Layout{Base: x.about.Base}
	if x.layout.Base == "" {
		x.layout.Base = x.baseOfConfig()
	}
	if !x.here {
		if !isHostName(x.Host) {
			x.Host = ""
		}
		if !isBase(x.layout.Base) {
			x.Missing = append(x.Missing, "what is below the base directory: no installation can have the one that "+
				"the bundle names")
			x.layout.Base = "/data"
		}
	}
	x.Base = x.layout.Base
}

// isHostName reports whether a host can have a name: it is shown outside of what a bundle is quoted with.
func isHostName(name string) bool {
	return len(name) <= 253 && strings.IndexFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("._-", r)
	}) < 0
}

// isBase reports whether a directory can be part of commands as it is.
func isBase(dir string) bool {
	return path.IsAbs(dir) && path.Clean(dir) == dir && len(dir) <= 200 && supervisor.ShellWord(dir) == dir
}

func (x *analysis) oldVersion() string {
	type version struct {
		Version string `json:"version"`
	}
	doc, _ := document[version](x, "version.json")
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

// stopped reports whether the work is to end.
func (x *analysis) stopped() bool { return x.ctx.Err() != nil }

// document reads a JSON document of the bundle, and reports whether it is there and can be understood. One that cannot
// is noted as missing.
func document[T any](x *analysis, name string) (T, bool) {
	var v, none T
	e := x.bundle.entry(name)
	if e == nil {
		return none, false
	}
	if e.decode(&v) {
		return v, true
	}
	if !x.unread[name] {
		x.unread[name] = true
		x.Missing = append(x.Missing, fmt.Sprintf("%s, which is damaged or says nothing", name))
	}
	return none, false
}

// found adds a finding. One of the same name, severity and remedy becomes one, with the evidence of both.
func (x *analysis) found(f Finding) { x.foundOf(f.Remedy, f) }

// foundOf adds a finding about something. Those of the same name and severity about the same become one.
func (x *analysis) foundOf(about string, f Finding) {
	key := f.ID + "\x00" + string(f.Severity) + "\x00" + about
	at, there := x.places[key]
	if !there {
		at = len(x.Findings)
		x.places[key] = at
		x.Findings = append(x.Findings, f)
		x.Findings[at].Evidence = []Evidence{}
	}
	x.Findings[at].Evidence = withPlaces(x.Findings[at].Evidence, f.Evidence)
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
	return Evidence{File: file, Text: text, Said: true, needle: needle}
}

// quotes is a text of a document.
func quotes(file, text string) Evidence {
	return Evidence{File: file, Text: text, needle: quoted(text)}
}

// lineOf finds the line of a file that has a text; 0: there is none, or too much was searched already.
func (x *analysis) lineOf(file, needle string) int {
	e := x.bundle.entry(file)
	if e == nil || needle == "" || x.searched >= mostSearched {
		return 0
	}
	before, _, found := strings.Cut(e.Text, needle)
	x.searched += len(before)
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
