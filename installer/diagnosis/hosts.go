package diagnosis

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"fate-installer/installer/audit"
	"fate-installer/installer/engine"
	"fate-installer/installer/fate/preflight"
)

// OtherHost is what a FATE-Flow of this party on another host answered.
type OtherHost struct {
	Address string  `json:"address"`         // of its API, host:port
	FATE    string  `json:"fate"`            // its version
	Ahead   float64 `json:"ahead"`           // what its clock is ahead of this host's, in seconds
	Within  float64 `json:"within"`          // how exact that is, in seconds
	Error   string  `json:"error,omitempty"` // why it did not answer
}

// Versions are the versions that should be the same.
type Versions struct {
	Program  string            `json:"program"`  // this one
	FATE     string            `json:"fate"`     // that is recorded as installed
	Recorded map[string]string `json:"recorded"` // components that are recorded as installed
	Complete map[string]string `json:"complete"` // components of the last change that was completed
	FateEnv  map[string]string `json:"fate_env"` // of the file fate.env as it is
	Rendered map[string]string `json:"rendered"` // of that file as install writes it
}

// Clocks that are further apart fail: FATE-Flow refuses signed requests that are a minute off.
const clockFails, clockWarns = 60.0, 5.0

// clocks compares the clock of this host with others.
func (x *analysis) clocks() {
	x.notLookedAt(HostsName, "the clocks and versions of the party's other hosts")
	hosts, _ := document[[]OtherHost](x, HostsName)
	for _, h := range hosts {
		off := math.Abs(h.Ahead) - h.Within
		if h.Error != "" || off < clockWarns {
			continue
		}
		severity := Warning
		if off > clockFails {
			severity = Fault
		}
		text := fmt.Sprintf("the clock of %s is %s ahead of this host's", h.Address, seconds(h.Ahead))
		if h.Ahead < 0 {
			text = fmt.Sprintf("the clock of %s is %s behind this host's", h.Address, seconds(-h.Ahead))
		}
		x.found(Finding{"clocks-differ", severity, "the clocks of two hosts differ",
			"FATE-Flow refuses requests between hosts whose clocks are more than a minute apart, and a certificate may seem " +
				"to begin in the future.",
			"set the clock that is wrong; for good, let all hosts follow a time server (chrony)",
			[]Evidence{x.said(HostsName, fmt.Sprintf("%q", h.Address), text)}})
	}
}

func seconds(s float64) string {
	return time.Duration(min(s, 1e9) * float64(time.Second)).Round(time.Second).String()
}

// versions compares what is recorded with what is in place, and with the other hosts of the party.
func (x *analysis) versions() {
	x.notLookedAt(VersionsName, "whether versions match")
	v, _ := document[Versions](x, VersionsName)
	differ := func(e Evidence) {
		x.found(Finding{"versions-differ", Fault, "versions do not match",
			"Programs of different releases do not work together, or the record is not of what is installed.",
			"install the same appliance on every host of the party, the database's host first: ./fate-installer upgrade",
			[]Evidence{e}})
	}
	for _, name := range slices.Sorted(maps.Keys(v.Recorded)) {
		recorded := v.Recorded[name]
		if complete, ok := v.Complete[name]; ok && complete != recorded {
			differ(x.said(VersionsName, `"recorded"`, fmt.Sprintf("%s %s is recorded, and %s was completed", name,
				recorded, complete)))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(v.Rendered)) {
		wanted := v.Rendered[name]
		if there, ok := v.FateEnv[name]; ok && there != wanted {
			differ(x.said(VersionsName, `"fate_env"`, fmt.Sprintf("fate.env has %s %s, and %s is installed", name,
				there, wanted)))
		}
	}
	hosts, _ := document[[]OtherHost](x, HostsName)
	for _, h := range hosts {
		if h.Error == "" && h.FATE != "" && v.FATE != "" && h.FATE != v.FATE {
			differ(x.said(HostsName, fmt.Sprintf("%q", h.Address), fmt.Sprintf("FATE-Flow at %s is of FATE %s, and "+
				"this host has FATE %s", h.Address, h.FATE, v.FATE)))
		}
	}
}

// checks takes over what the preflight refuses, but for what other rules see better.
func (x *analysis) checks() {
	const file = "check.json"
	results, _ := document[[]preflight.CheckResult](x, file)
	for _, r := range results[:min(len(results), mostChecks)] {
		if !x.here {
			r.Title, r.Wanted, r.Remedy = "", "", ""
		}
		kind, _, _ := strings.Cut(r.ID, ":")
		e := x.said(file, fmt.Sprintf("%q: %q", "id", r.ID), r.ID+": "+r.Measured)
		switch {
		case kind == "certificates" && x.bundle.entry(CertificatesName) != nil,
			(kind == "disk" || kind == "reserve") && (x.has("disk-full") || x.has("disk-nearly-full")):
		case r.Status == preflight.StatusRefused:
			x.foundOf(kind, refusedCheck(r, e))
		case r.Status == preflight.StatusWarning && kind == "time":
			x.found(Finding{"clock-unsynchronized", Warning, "the clock of the host follows no time server",
				"It drifts. FATE-Flow refuses requests between hosts whose clocks are more than a minute apart.",
				cmp.Or(r.Remedy, "let the host follow a time server (chrony)"), []Evidence{e}})
		case r.Status == preflight.StatusWarning && slices.Contains([]string{"limit", "tasks", "certificates"}, kind):
			x.foundOf(kind, warnedCheck(r, e))
		}
	}
}

// mostChecks is how many results of the preflight are looked at.
const mostChecks = 1000

func refusedCheck(r preflight.CheckResult, e Evidence) Finding {
	if r.Title == "" {
		return Finding{"check-refused", Fault, "the host is not as it has to be", "fate-installer check refuses it.",
			"fate-installer check, on the host, says what to do", []Evidence{e}}
	}
	return Finding{"check-refused", Fault, "the host is not as it has to be: " + r.Title,
		fmt.Sprintf("fate-installer check refuses it. Wanted: %s", cmp.Or(r.Wanted, r.Title)), r.Remedy, []Evidence{e}}
}

func warnedCheck(r preflight.CheckResult, e Evidence) Finding {
	if r.Title == "" {
		return Finding{"check-refused", Warning, "the host is not as it should be", "fate-installer check warns of it.",
			"fate-installer check, on the host, says what to do", []Evidence{e}}
	}
	return Finding{"check-refused", Warning, "the host is not as it should be: " + r.Title,
		fmt.Sprintf("fate-installer check warns of it. Wanted: %s", cmp.Or(r.Wanted, r.Title)), r.Remedy, []Evidence{e}}
}

// history looks whether the last command that changed the host failed.
func (x *analysis) history() {
	entries, _ := document[[]audit.Entry](x, HistoryName)
	for _, e := range slices.Backward(entries) {
		if e.Command == "" || e.Result == audit.Unfinished { // a request to the supervisor, or diagnose itself
			continue
		}
		if e.Result == audit.Failed && x.lately(e.Began) {
			remedy := "put right what its error says, then run it again; fate-installer history has what it printed"
			if audit.IsID(e.ID) {
				remedy = fmt.Sprintf("put right what its error says, then run it again; fate-installer history show %s has "+
					"what it printed", e.ID)
			}
			x.found(Finding{"command-failed", Fault, "the last command that changes this host failed",
				"What it was to do is not done, or was taken back.", remedy,
				[]Evidence{{File: HistoryName, Text: e.Command + ": " + e.Error, needle: fmt.Sprintf("%q", e.ID)}}})
		}
		return
	}
}

// survey looks for parts of the installation that are not as install made them, besides files of the configuration.
func (x *analysis) survey() {
	const file = "plan.json"
	lines, _ := document[[]engine.SurveyLine](x, file)
	for _, l := range lines {
		if l.Done || !l.Drift || strings.HasPrefix(l.ID, "file:") && x.bundle.entry(EditsDir+strings.TrimPrefix(l.ID,
			"file:")+".diff") != nil {
			continue
		}
		x.found(Finding{"installation-differs", Warning, "parts of the installation are not as install made them",
			"They were changed or removed since.", "fate-installer install repairs them; fate-installer plan shows what it would do",
			[]Evidence{x.said(file, fmt.Sprintf("%q", l.ID), l.Title+": "+l.Why)}})
	}
}
