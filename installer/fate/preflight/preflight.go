package preflight

import (
	"cmp"
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"fate-installer/installer/backup"
	"fate-installer/installer/database"
	"fate-installer/installer/engine"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/keys"
	"fate-installer/installer/fate/render"
	"fate-installer/installer/host"
	"fate-installer/installer/problem"
	"fate-installer/payload"
)

// Status is the outcome of one check of the preflight.
type Status string

// The outcomes, from good to bad.
const (
	StatusOK      Status = "ok"
	StatusSkipped Status = "skipped" // could not be decided; Measured says why
	StatusPlanned Status = "planned" // not so yet: install does it
	StatusWarning Status = "warning" // works, but worse than it should
	StatusWaived  Status = "waived"  // refused, and overridden by the operator with --waive
	StatusRefused Status = "refused" // cannot work
)

// CheckResult is the result of one check of the preflight. A check that passed is listed, too, so that a report shows
// what was looked at.
type CheckResult struct {
	// stable: a kind, and the object after a colon where the kind has several, as in port:3306
	ID       string `json:"id"`
	Title    string `json:"title"`              // what should be so
	Status   Status `json:"status"`             // ok, skipped, planned, warning, waived or refused
	Measured string `json:"measured"`           // what was found
	Wanted   string `json:"wanted,omitempty"`   // what should have been found
	Remedy   string `json:"remedy,omitempty"`   // what to do, when it is not so
	Fixable  bool   `json:"fixable"`            // check --fix does it
	Final    bool   `json:"final,omitempty"`    // cannot be waived: nothing would run, or see Protects
	Protects string `json:"protects,omitempty"` // not blank: what a waiver would harm
	Reason   string `json:"reason,omitempty"`   // given with a waiver

	Shown bool `json:"-"` // also without --all when it passed: what was found is of use by itself

	// Fix are the steps that put it right. They are undone with the installation.
	Fix []engine.Step `json:"-"`
}

// Bad reports whether there is something to be done.
func (r CheckResult) Bad() bool { return r.Status == StatusWarning || r.Status == StatusRefused }

// Input has the inputs of Preflight besides the Spec and the Facts.
type Input struct {
	Components []payload.Component // of the payload; none: its sizes are not known
	Platform   string              // what the payload is built for, as GOOS/GOARCH; blank: not known
	// this host has an installation of ours: its processes, files and ports are no obstacles
	Installed bool
	Unpacked  map[string]string // component -> digest of the tree that is in place
	Database  *database.Facts   // the answer to Spec.DatabaseQuestion; nil: it was not asked
	// SupervisorFaults has the problems of the supervisor's files as they will be, with those of others that are there.
	SupervisorFaults []string
	Kept             map[string]bool // paths of trees and files that an uninstall of ours left, and installing takes up
	// Certificates are those that rollsite uses here, or will use.
	Certificates []keys.Certificate
	// Backups is what this host knows of its backups, at the time Now.
	Backups backup.Record
	Now     time.Time
	// Rollback: the former version comes back with the certificates that are there, which it cannot renew.
	Rollback bool
}

// Questions lists the facts that Preflight needs about a host.
func Questions(s *cluster.Spec) host.FactsQuery {
	q := host.FactsQuery{
		Paths: []string{"/", systemdRun, s.Layout.Base, s.Layout.Temp(), s.Layout.Projects(), s.Layout.Data(),
			s.Layout.Logs(), s.Layout.State()},
		Programs: queriedPrograms(),
		Users:    []string{s.User},
		Groups:   []string{s.Group},
	}
	if render.CallsTools(s) {
		q.Trials = toolTrials()
	}
	add := func(paths ...string) {
		for _, p := range paths {
			if p != "" && !slices.Contains(q.Paths, p) {
				q.Paths = append(q.Paths, p)
			}
		}
	}
	add(hardPaths...)
	add(aboveBase(s.Layout)...)
	add(written(s)...)
	for _, name := range s.Components() {
		add(s.UnpackTarget(name))
	}
	if s.Runs(cluster.MySQL) {
		add(s.Layout.DatabaseData(), datadirMark(s))
		add(optionFiles...)
	}
	for _, p := range render.Programs(s) {
		add(programFile(s, p.Name))
	}
	for _, p := range Ports(s) {
		q.Binds = append(q.Binds, bindAddress(s, p))
	}
	if own, err := netip.ParseAddr(s.IP); err == nil {
		q.Own = own
	}
	for _, side := range s.Cluster.Sides() {
		for _, a := range side.Addresses() {
			if ip, err := netip.ParseAddr(a); err == nil && !slices.Contains(q.Reverse, ip) {
				q.Reverse = append(q.Reverse, ip)
			}
		}
	}
	for name, wanted := range map[string]string{"nofile": render.LimitFiles, "nproc": render.LimitProcesses} {
		if n, err := strconv.ParseUint(wanted, 10, 64); err == nil {
			q.Raise = append(q.Raise, host.Limit{Name: name, Hard: n})
		}
	}
	q.Peers = targets(s)
	return q
}

// datadirMark is the file by which a data directory of ours is known.
func datadirMark(s *cluster.Spec) string {
	return path.Join(s.Layout.DatabaseData(), "fate-installer.json")
}

func programFile(s *cluster.Spec, program string) string {
	return path.Join(s.Layout.SupervisorPrograms(), program+".conf")
}

// bindAddress is the address that a module binds.
func bindAddress(s *cluster.Spec, p ModulePort) netip.AddrPort {
	addr := netip.IPv4Unspecified()
	if own, err := netip.ParseAddr(s.IP); err == nil && p.Module.BindsOwn() {
		addr = own
	}
	return netip.AddrPortFrom(addr, uint16(p.Port))
}

// Run holds a host against what is to be installed on it. It is pure, and it finds everything at once: an
// operator who has to walk to the machine room for each problem wants to go there once.
func Run(s *cluster.Spec, f *host.Facts, in Input) []CheckResult {
	p := &preflight{s: s, f: f, in: in, prepared: Preparations(s, f, in.Components)}
	for _, check := range []func(){
		p.root, p.platform, p.distribution, p.libc, p.bootSystem,
		p.processors, p.memory, p.swap, p.tasks, p.limits, p.kernelSettings,
		p.address, p.hostname, p.reverse, p.ports, p.portRange, p.peers,
		p.database, p.space, p.reserve, p.filling,
		p.runSpace, p.inodes, p.mountOptions, p.links, p.baseOwner, p.passable,
		p.sockets, p.writable,
		p.accounts, p.directories, p.datadir, p.optionFiles, p.processes, p.programFiles, p.supervisorLoads,
		p.locale, p.environment, p.selinux, p.firewall, p.clock, p.certificates, p.backups, p.programs, p.libraries,
		p.modelStore,
	} {
		check()
	}
	return p.results
}

// preflight collects results.
type preflight struct {
	s        *cluster.Spec
	f        *host.Facts
	in       Input
	prepared []Preparation // what install does about the system
	results  []CheckResult
}

// draft is a check under construction. Each check says what should be so and what was measured, and then either that
// it is, or what follows from its not being so.
type draft struct {
	p *preflight
	CheckResult
}

func (p *preflight) check(id, title, wanted string) *draft {
	return &draft{p, CheckResult{ID: id, Title: title, Wanted: wanted}}
}

func (r *draft) measured(format string, args ...any) *draft {
	r.Measured = fmt.Sprintf(format, args...)
	return r
}

// prepare leaves it to the preparation of the system with that ID. Where its policy keeps things as they are, it is a
// warning with what to do by hand.
func (r *draft) prepare(id string, format string, args ...any) {
	i := slices.IndexFunc(r.p.prepared, func(p Preparation) bool { return p.ID() == id })
	if i < 0 {
		r.warn(format, args...)
		return
	}
	r.Fix = []engine.Step{r.p.prepared[i].Step}
	r.Remedy = "install does this"
	if d, ok := r.Fix[0].(engine.Describer); ok {
		r.Remedy += ": " + d.Describe()
	}
	r.end(StatusPlanned)
}

func (r *draft) end(status Status) {
	r.Status = status
	if status != StatusPlanned && !r.Bad() {
		r.Remedy = ""
	}
	r.Fixable = len(r.Fix) > 0
	r.p.results = append(r.p.results, r.CheckResult)
}

func (r *draft) ok() { r.end(StatusOK) }

func (r *draft) warn(format string, args ...any) {
	r.Remedy = fmt.Sprintf(format, args...)
	r.end(StatusWarning)
}

func (r *draft) refuse(format string, args ...any) {
	r.Remedy = fmt.Sprintf(format, args...)
	r.end(StatusRefused)
}

// final refuses what no waiver can make work.
func (r *draft) final(format string, args ...any) {
	r.Final = true
	r.refuse(format, args...)
}

// protect refuses what a waiver would harm.
func (r *draft) protect(harm, format string, args ...any) {
	r.Protects = harm
	r.final(format, args...)
}

// unknown skips the check when the named fact could not be learned.
func (r *draft) unknown(fact string) bool {
	reason, ok := r.p.f.Unknown[fact]
	if ok {
		r.measured("not looked at: %s", reason).end(StatusSkipped)
	}
	return ok
}

// notMeasured adds a result for a fact that could not be learned, where a check has an ID of its own for each object
// that it finds. It reports whether that is so.
func (p *preflight) notMeasured(id, title, fact string) bool {
	why, unknown := p.f.Unknown[fact]
	if unknown {
		p.check(id, title, "").measured("not looked at: %s", why).end(StatusSkipped)
	}
	return unknown
}

// notLookedAt skips the check when one of the paths could not be looked at, as without root below a directory that is
// closed: that nothing was found there means nothing.
func (r *draft) notLookedAt(paths ...string) bool {
	for _, name := range paths {
		if reason, unknown := r.p.f.Unknown["path "+path.Clean(name)]; unknown {
			r.measured("%s not looked at: %s", name, reason).end(StatusSkipped)
			return true
		}
	}
	return false
}

// Waiver lets one refused check pass.
type Waiver struct {
	ID     string `json:"id"` // a check's ID, or its kind for all of them
	Reason string `json:"reason"`
}

// ParseWaiver reads ID=reason. The reason is not optional: a later reader has to understand it.
func ParseWaiver(text string) (Waiver, error) {
	id, reason, _ := strings.Cut(text, "=")
	w := Waiver{strings.TrimSpace(id), strings.TrimSpace(reason)}
	if w.ID == "" || w.Reason == "" {
		return Waiver{}, fmt.Errorf("cannot waive %q: write it as ID=reason", text)
	}
	return w, nil
}

// Waive marks refused checks as waived. A waiver for a check that does not exist, or that nothing can be done without,
// is an error; one for a check that passed is not, so that a script can always give it.
func Waive(results []CheckResult, waivers []Waiver) ([]CheckResult, error) {
	out := slices.Clone(results)
	for _, w := range waivers {
		known := false
		for i := range out {
			r := &out[i]
			kind, _, _ := strings.Cut(r.ID, ":")
			if w.ID != r.ID && w.ID != kind {
				continue
			}
			known = true
			switch {
			case r.Status == StatusRefused && r.Final:
				return nil, fmt.Errorf("cannot waive %s: %s (%s)", r.ID, cmp.Or(r.Protects, "nothing would run"),
					r.Measured)
			case r.Status == StatusRefused:
				r.Status, r.Reason = StatusWaived, w.Reason
			}
		}
		if !known {
			return nil, &UnknownCheckError{w.ID, problem.Near(w.ID, checkIDs(out))}
		}
	}
	return out, nil
}

// UnknownCheckError is a waiver for a check that is not made.
type UnknownCheckError struct {
	ID   string
	Near []string // checks with similar names
}

func (e *UnknownCheckError) Error() string {
	return strings.TrimSpace("cannot waive " + e.ID + ": there is no such check " + problem.DidYouMean(e.Near))
}

// checkIDs lists the names of the checks, and of their kinds.
func checkIDs(results []CheckResult) []string {
	var ids []string
	for _, r := range results {
		kind, _, _ := strings.Cut(r.ID, ":")
		for _, id := range []string{kind, r.ID} {
			if !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// Refused lists the checks that forbid to install.
func Refused(results []CheckResult) []CheckResult {
	return slices.DeleteFunc(slices.Clone(results), func(r CheckResult) bool { return r.Status != StatusRefused })
}

// Units of sizes.
const (
	kibibyte = 1 << 10
	mebibyte = 1 << 20
	gibibyte = 1 << 30
)

// size prints bytes as an operator compares them with df -h.
func size(bytes uint64) string {
	switch {
	case bytes >= gibibyte:
		return strconv.FormatFloat(float64(bytes)/gibibyte, 'f', 1, 64) + " GiB"
	case bytes >= mebibyte:
		return strconv.FormatFloat(float64(bytes)/mebibyte, 'f', 0, 64) + " MiB"
	}
	return strconv.FormatFloat(float64(bytes)/kibibyte, 'f', 0, 64) + " KiB"
}
