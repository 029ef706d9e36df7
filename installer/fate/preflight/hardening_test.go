package preflight

import (
	"slices"
	"strings"
	"testing"

	"fate-installer/installer/fate/fatetest"
	"fate-installer/installer/host"
	"fate-installer/installer/host/tasks"
)

func hardened(t *testing.T, results []Hardened, id string) Hardened {
	t.Helper()
	i := slices.IndexFunc(results, func(h Hardened) bool { return h.ID == id })
	if i < 0 {
		t.Fatalf("nothing is said of %s", id)
	}
	return results[i]
}

// TestHardening changes one thing at a time of a host without hardening.
func TestHardening(t *testing.T) {
	s := fatetest.PreflightSpec(t, "192.168.0.1")
	for name, c := range map[string]struct {
		change func(*host.Facts)
		id     string
		detail string // blank: not found
	}{
		"noexec /tmp": {func(f *host.Facts) {
			*pathOf(f, "/tmp") = host.PathFact{Path: "/tmp", Mount: "/tmp", Options: []string{"rw", "nosuid", "noexec"}}
		}, "mounts", "/tmp is noexec,nosuid"},
		"immutable": {func(f *host.Facts) {
			pathOf(f, "/etc/passwd").Guard, pathOf(f, "/etc/passwd").Ancestor = "i", "/etc/passwd"
		},
			"immutable", "/etc/passwd (i)"},
		"no filter": {func(*host.Facts) {}, "packet-filter", ""},
		"firewalld": {func(f *host.Facts) { f.Firewall = host.Firewall{Name: "firewalld", Active: true} },
			"packet-filter", "firewalld is active"},
		"a filter": {func(f *host.Facts) {
			f.Filter.Chains = []host.FilterChain{{Tool: "nft", Table: "inet site", Name: "in",
				Base: true, Policy: "drop"}}
		}, "packet-filter", "iptables-save and nft shows chains for incoming packets: in of table inet site (policy " +
			"drop, 0 rules)"},
		"hidepid": {func(f *host.Facts) { f.Hardening.HidePID = "2" }, "hidepid", "hidepid=2"},
		"a proxy": {func(f *host.Facts) {
			f.Environment = []string{"LANG", "PATH", "HTTPS_PROXY",
				"JAVA_TOOL_OPTIONS"}
		},
			"environment", "HTTPS_PROXY, JAVA_TOOL_OPTIONS; programs get them only where"},
		"no proxy": {func(f *host.Facts) { f.Environment = []string{"LANG", "PATH"} }, "environment", ""},
		"preload":  {func(f *host.Facts) { f.Hardening.Preload = []string{"/opt/a.so"} }, "preload", "/opt/a.so"},
		"tasks":    {func(*host.Facts) {}, "tasks", ""},
		"few tasks": {func(f *host.Facts) {
			f.Tasks = []tasks.Limit{{Max: 5000, Used: 30, File: "/sys/fs/cgroup/system.slice/pids.max"}}
		}, "tasks", "/sys/fs/cgroup/system.slice/pids.max is 5000, 30 in use"},
		"dead name server": {func(f *host.Facts) { f.Reverse[0].Late = true }, "name-service",
			"no answer within two seconds for 192.168.0.1"},
		"enforcing":    {func(f *host.Facts) { f.SELinux = "enforcing" }, "selinux", "enforcing"},
		"no SELinux":   {func(*host.Facts) {}, "selinux", ""},
		"AppArmor":     {func(f *host.Facts) { f.Hardening.AppArmor = "enabled" }, "apparmor", "enabled"},
		"FIPS":         {func(f *host.Facts) { f.Hardening.FIPS = true }, "fips", "on: "},
		"strict umask": {func(f *host.Facts) { f.Hardening.Umask = "0077" }, "umask", "0077"},
		"usual umask":  {func(f *host.Facts) { f.Hardening.Umask = "0022" }, "umask", ""},
	} {
		f := goodFacts(s)
		f.Reverse = []host.Reverse{{Addr: f.Addresses[0].IP}}
		c.change(f)
		results := Hardening(s, f, false)
		h := hardened(t, results, c.id)
		if want := map[bool]Finding{true: NotFound, false: Found}[c.detail == ""]; h.Finding != want ||
			!strings.Contains(h.Detail, c.detail) {
			t.Errorf("%s: %+v, want %s with %q", name, h, want, c.detail)
		}
		for _, h := range results {
			if h.Finding == NotLookedAt {
				t.Errorf("%s: %+v", name, h)
			}
		}
	}
}

// TestHardeningNotLookedAt: what could not be learned is neither found nor not found.
func TestHardeningNotLookedAt(t *testing.T) {
	s := fatetest.PreflightSpec(t, "192.168.0.1")
	f := unreadableFacts(s)
	for _, fact := range []string{"attributes", "hidepid", "preload", "apparmor", "fips", "umask"} {
		f.Unknown[fact] = "permission denied"
	}
	for _, h := range Hardening(s, f, false) {
		if h.Finding != NotLookedAt || h.Detail == "" {
			t.Errorf("%+v", h)
		}
	}
	f = goodFacts(s)
	f.Rooted = true
	if h := hardened(t, Hardening(s, f, false), "hidepid"); h.Finding != NotLookedAt {
		t.Errorf("of a tree: %+v", h)
	}
}

// TestGuidesNameWhatIsLookedAt: the guides have each row of the section.
func TestGuidesNameWhatIsLookedAt(t *testing.T) {
	for _, guide := range []string{"../../../release/docs/operators-guide.md",
		"../../../release/docs/operators-guide.zh.md"} {
		text := string(fatetest.ReadFile(t, guide))
		for _, h := range hardening {
			if !strings.Contains(text, "| `"+h.id+"` |") {
				t.Errorf("%s does not name %s", guide, h.id)
			}
		}
	}
}
