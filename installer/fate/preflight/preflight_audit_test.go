package preflight

import (
	"slices"
	"strings"
	"testing"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/fatetest"
	"fate-installer/installer/host"
	"fate-installer/payload"
)

// lookedAtWithoutFacts are the checks that need nothing of the host.
var lookedAtWithoutFacts = []string{"socket-path"}

// unreadableFacts are those of a host on which nothing could be learned.
func unreadableFacts(s *cluster.Spec) *host.Facts {
	const why = "permission denied"
	f := &host.Facts{UID: 1000, Init: "systemd", Unknown: host.Unknown{}}
	for _, fact := range []string{"os", "kernel", "arch", "glibc", "init", "cpu", "memory", "swaps", "tasks", "limits",
		"session limits", "mounts", "addresses", "hostname", "hosts", "listeners", "processes", "users", "groups",
		"locale",
		"selinux", "firewall", "filter", "time", "programs", "libraries", "environment", "supervisor files"} {
		f.Unknown[fact] = why
	}
	for _, path := range Questions(s).Paths {
		f.Paths = append(f.Paths, host.PathFact{Path: path})
		f.Unknown["path "+path] = why
	}
	for _, l := range leastSettings {
		f.Unknown["sysctl "+l.key] = why
	}
	for _, m := range mostSettings {
		f.Unknown["sysctl "+m.key] = why
	}
	f.Unknown["sysctl net.ipv4.ip_local_port_range"] = why
	return f
}

// TestNothingIsOKThatWasNotLookedAt: where nothing could be learned, no check passes, and each that has a result says
// why.
func TestNothingIsOKThatWasNotLookedAt(t *testing.T) {
	s := fatetest.PreflightSpec(t, "192.168.0.1")
	needing := slices.Clone(fatetest.Components)
	for i := range needing {
		needing[i].Needs = &payload.Needs{Programs: []string{"libz.so.1"}}
	}
	seen := map[string]bool{}
	for name, in := range map[string]Input{
		"sizes known": {Components: fatetest.Components, Platform: "linux/amd64"},
		"needs known": {Components: needing, Platform: "linux/amd64"},
		"no payload":  {},
	} {
		for _, r := range Run(s, unreadableFacts(s), in) {
			kind, _, _ := strings.Cut(r.ID, ":")
			seen[kind] = true
			if slices.Contains(lookedAtWithoutFacts, kind) || r.Status == StatusRefused && kind == "root" {
				continue
			}
			if r.Status != StatusSkipped {
				t.Errorf("%s: %s is %s: %q", name, r.ID, r.Status, r.Measured)
			}
			if !strings.Contains(r.Measured, "not ") {
				t.Errorf("%s: %s does not say why it was not looked at: %q", name, r.ID, r.Measured)
			}
		}
	}
	// A check that has no result at all where nothing is known would look as if it were not there.
	for _, r := range Run(s, goodFacts(s), Input{Components: needing, Platform: "linux/amd64"}) {
		kind, _, _ := strings.Cut(r.ID, ":")
		switch kind {
		// "disk" says it for their file systems
		case "disk-data", "disk-root", "disk-logs", "reserve", "inodes", "writable":
		case "reach", "cpu-flags": // what was not tried, and what only some processors have
		default:
			if !seen[kind] {
				t.Errorf("%s has no result where nothing can be read", r.ID)
			}
		}
	}
}
