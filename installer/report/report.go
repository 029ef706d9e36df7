// Package report has the report of a preflight: a page for people to read, print and sign, and a JSON file with the
// same data, whose digest and signature prove that it is unchanged. It reads and writes bytes only.
package report

import (
	"encoding/json"
	"errors"
	"time"

	"fate-installer/installer/fate/preflight"
	"fate-installer/installer/peer"
	"fate-installer/payload"
)

// Kind is the value of the key kind in every report. A signature of another kind of document is so none of a report.
const Kind = "fate-installer preflight report"

// Report is what a preflight found on one host.
type Report struct {
	Kind      string               `json:"kind"`      // always "fate-installer preflight report"
	Time      time.Time            `json:"time"`      // of the checks, in UTC
	Version   string               `json:"version"`   // of fate-installer
	Command   string               `json:"command"`   // that made the report
	By        Person               `json:"by"`        // who ran it
	Host      Host                 `json:"host"`      // that was checked
	Role      string               `json:"role"`      // of the host: host, guest or exchange
	Party     int                  `json:"party"`     // party ID; 0 for an exchange without one
	Address   string               `json:"address"`   // of the host in the cluster
	FATE      string               `json:"fate"`      // version of FATE that is to be installed; blank: not known
	StandIns  bool                 `json:"stand_ins"` // the appliance carries test doubles of FATE
	Appliance *Appliance           `json:"appliance"` // null when the program carries no payload
	Installed bool                 `json:"installed"` // an installation is on the host
	Summary   Summary              `json:"summary"`   // numbers of checks
	Checks    []Check              `json:"checks"`    // every check, in a stable order
	Hardening []preflight.Hardened `json:"hardening"` // what hardening guides and monitoring did to the host
	Links     *Links               `json:"links"`     // results of party test; null when none were given
	Notes     []string             `json:"notes"`     // about the configuration, as text
}

// Person is a user of the host.
type Person struct {
	UID   int    `json:"uid"`             // user ID
	User  string `json:"user"`            // name of the user
	Login string `json:"login,omitempty"` // the user who logged in, when that is another one
}

// String is the name of the person, with that of the login.
func (p Person) String() string {
	switch {
	case p.Login != "" && p.Login != p.User:
		return p.Login + " (" + p.User + ")"
	case p.User == "":
		return "?"
	}
	return p.User
}

// Host is the machine that was checked.
type Host struct {
	Name      string   `json:"name"`      // host name
	OS        string   `json:"os"`        // name and version of the distribution
	Kernel    string   `json:"kernel"`    // release, as uname -r prints it
	Arch      string   `json:"arch"`      // of the processor: amd64, arm64
	CPUs      int      `json:"cpus"`      // processors that can be used at once
	Memory    uint64   `json:"memory"`    // bytes; 0 when not known
	Addresses []string `json:"addresses"` // of every interface that is up
	Tree      bool     `json:"tree"`      // a directory tree was checked, and no machine that runs
}

// Appliance is the file whose software is to be installed.
type Appliance struct {
	Path      string    `json:"path"`              // of the file
	FATE      string    `json:"fate"`              // version of FATE that it carries
	Platform  string    `json:"platform"`          // as in GOOS/GOARCH: linux/amd64
	Revision  int64     `json:"revision"`          // of its release; 0 for none
	Digest    string    `json:"digest"`            // sha256 of the manifest, which has the digest of each part
	Signature Signature `json:"signature"`         // what is known of it: none, unchecked, good or wrong
	KeyID     string    `json:"key_id,omitempty"`  // of the key that it names
	Comment   string    `json:"comment,omitempty"` // that it covers
	Refused   string    `json:"refused,omitempty"` // why install refuses the appliance, as text; blank: it does not
}

// NewAppliance describes a payload. key is the public key that is trusted here, nil for none; refusal is why install
// refuses the appliance, nil when it does not.
func NewAppliance(p *payload.Payload, key *payload.PublicKey, refusal error) *Appliance {
	m := p.Manifest()
	a := &Appliance{Path: p.Path(), FATE: m.Release.FATE, Platform: m.Release.Platform, Revision: m.Release.Revision,
		Digest: p.Digest(), Signature: Unsigned}
	if s, signed := p.Signature(); signed {
		a.Signature, a.KeyID, a.Comment = Unchecked, s.KeyID, s.Comment
		if key != nil {
			a.Signature = Good
			if p.CheckSignature(*key) != nil {
				a.Signature = Wrong
			}
		}
	}
	if refusal != nil {
		a.Refused = refusal.Error()
	}
	return a
}

// Signature is what is known of a signature.
type Signature string

// The states of a signature.
const (
	Unsigned  Signature = "none"
	Unchecked Signature = "unchecked" // there is one, and no public key to check it with
	Good      Signature = "good"      // it is by the public key that is trusted here
	Wrong     Signature = "wrong"     // it is by another key, or of another content
)

// Summary counts the checks by their outcome.
type Summary struct {
	Total    int `json:"total"`    // of all checks
	OK       int `json:"ok"`       // as they should be
	Planned  int `json:"planned"`  // not so yet; install does it
	Warnings int `json:"warnings"` // works, but worse than it should
	Refused  int `json:"refused"`  // cannot work
	Waived   int `json:"waived"`   // refused, and overridden
	Skipped  int `json:"skipped"`  // could not be decided
}

// Check is a check of the preflight, with who overrode it.
type Check struct {
	preflight.CheckResult
	WaivedBy *Person `json:"waived_by,omitempty"` // who overrode the refusal
}

// Links are the results of party test, which looks at the network between parties.
type Links struct {
	Time    time.Time     `json:"time"`    // of the test
	Role    string        `json:"role"`    // of the side that tested
	Party   int           `json:"party"`   // of the side that tested; 0 for an exchange without one
	IP      string        `json:"ip"`      // of the host that tested
	Version string        `json:"version"` // of the fate-installer that tested
	OK      bool          `json:"ok"`      // no check failed
	Results []peer.Result `json:"results"` // of every check
}

// ParseLinks reads what party test -o json has printed.
func ParseLinks(data []byte) (*Links, error) {
	var links Links
	err := json.Unmarshal(data, &links)
	if err == nil && (links.Time.IsZero() || links.IP == "") {
		err = errors.New("it names no time and no host")
	}
	return &links, err
}

// Add takes over the results of checks, overridden ones as overridden by the person, and counts them.
func (r *Report) Add(results []preflight.CheckResult, by Person) {
	for _, result := range results {
		c := Check{CheckResult: result}
		r.Summary.Total++
		switch result.Status {
		case preflight.StatusOK:
			r.Summary.OK++
		case preflight.StatusPlanned:
			r.Summary.Planned++
		case preflight.StatusWarning:
			r.Summary.Warnings++
		case preflight.StatusRefused:
			r.Summary.Refused++
		case preflight.StatusWaived:
			r.Summary.Waived++
			c.WaivedBy = &by
		case preflight.StatusSkipped:
			r.Summary.Skipped++
		}
		r.Checks = append(r.Checks, c)
	}
}
