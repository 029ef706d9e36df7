package preflight

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/host"
	"fate-installer/supervisor"
)

// Finding is whether something of a host's hardening is there.
type Finding string

// The findings.
const (
	Found       Finding = "found"
	NotFound    Finding = "not found"
	NotLookedAt Finding = "not looked at"
)

// Hardened is one thing that hardening guides and monitoring do to hosts, and what was found of it on this one. It is
// shown always: what keeps a program from its work is mostly something that was not known to be there.
type Hardened struct {
	// stable: mounts, immutable, packet-filter, and those that the guide lists
	ID       string  `json:"id"`
	LookedAt string  `json:"looked_at"`        // what was looked at, for people
	Finding  Finding `json:"finding"`          // found, not found or not looked at
	Detail   string  `json:"detail,omitempty"` // what was found, or why it was not looked at
}

// hardening has everything that is looked at. The facts are those without which nothing can be said.
var hardening = []struct {
	id, lookedAt string
	live         bool // only a running machine has it
	facts        []string
	find         func(*preflight) (detail string, finding Finding)
}{
	{"mounts", "noexec and nosuid of the file systems that are used", false, []string{"mounts"},
		(*preflight).hardMounts},
	{"immutable", "attributes i and a of files and directories that are written", false, []string{"attributes"},
		(*preflight).hardFiles},
	{"packet-filter", "firewalld, ufw and the rules of the kernel's packet filter", true, []string{"filter"},
		(*preflight).hardFilter},
	{"hidepid", "option hidepid of /proc", true, []string{"hidepid"}, func(p *preflight) (string, Finding) {
		return foundIf(p.f.Hardening.HidePID != "", "hidepid="+p.f.Hardening.HidePID+
			": users see their own processes only")
	}},
	{"environment", "proxies and options of agents in the environment of systemd's manager", true,
		[]string{"environment"},
		(*preflight).hardEnvironment},
	{"preload", "/etc/ld.so.preload", false, []string{"preload"}, func(p *preflight) (string, Finding) {
		return foundIf(len(p.f.Hardening.Preload) > 0, "every program loads "+strings.Join(p.f.Hardening.Preload, ", "))
	}},
	{"tasks", "limits on processes and threads", true, []string{"tasks", "session limits"}, (*preflight).hardTasks},
	{"name-service", "name servers that do not answer", true, nil, (*preflight).hardNames},
	{"selinux", "mode of SELinux", false, []string{"selinux"}, func(p *preflight) (string, Finding) {
		return foundIf(p.f.SELinux == "enforcing" || p.f.SELinux == "permissive", p.f.SELinux)
	}},
	{"apparmor", "AppArmor in the kernel", true, []string{"apparmor"}, func(p *preflight) (string, Finding) {
		return foundIf(p.f.Hardening.AppArmor == "enabled",
			"enabled; programs of FATE have a profile only where one was made")
	}},
	{"fips", "FIPS mode of the kernel", true, []string{"fips"}, func(p *preflight) (string, Finding) {
		return foundIf(p.f.Hardening.FIPS, "on: programs may use approved ciphers only")
	}},
	{"umask", "umask of this session, stricter than 022", true, []string{"umask"},
		func(p *preflight) (string, Finding) {
			mask, err := strconv.ParseUint(p.f.Hardening.Umask, 8, 32)
			return foundIf(err == nil && mask&^0o022 != 0, p.f.Hardening.Umask+
				"; what install writes has its own modes")
		}},
}

func foundIf(found bool, detail string) (string, Finding) {
	if !found {
		return "", NotFound
	}
	return detail, Found
}

// Hardening says what of a host's hardening is there, what is not, and what was not looked at, with the reason.
// On an installed host the tasks of the programs are ours, as in the checks.
func Hardening(s *cluster.Spec, f *host.Facts, installed bool) []Hardened {
	p := &preflight{s: s, f: f, in: Input{Installed: installed}, prepared: Preparations(s, f, nil)}
	out := make([]Hardened, 0, len(hardening))
	for _, h := range hardening {
		result := Hardened{ID: h.id, LookedAt: h.lookedAt, Finding: NotLookedAt}
		i := slices.IndexFunc(h.facts, func(fact string) bool { return f.Unknown[fact] != "" })
		switch {
		case h.live && f.Rooted:
			result.Detail = "a directory tree does not run"
		case i >= 0:
			result.Detail = f.Unknown[h.facts[i]]
		default:
			result.Detail, result.Finding = h.find(p)
		}
		out = append(out, result)
	}
	return out
}

// hardPaths are directories of the system that programs write to, besides those of an installation.
var hardPaths = []string{"/tmp", "/var/tmp", "/dev/shm"}

func (p *preflight) hardMounts() (string, Finding) {
	l := p.s.Layout
	var found, seen []string
	for _, name := range append([]string{l.Base, l.Projects(), l.Data(), l.Logs(), l.Temp()}, hardPaths...) {
		if why, unknown := p.f.Unknown["path "+name]; unknown {
			return name + ": " + why, NotLookedAt
		}
		fact, ok := p.f.PathFact(name)
		if !ok || slices.Contains(seen, fact.Mount) {
			continue
		}
		seen = append(seen, fact.Mount)
		var options []string
		for _, option := range []string{"noexec", "nosuid"} {
			if slices.Contains(fact.Options, option) {
				options = append(options, option)
			}
		}
		if len(options) > 0 {
			found = append(found, fmt.Sprintf("%s is %s", fact.Mount, strings.Join(options, ",")))
		}
	}
	return foundIf(len(found) > 0, strings.Join(found, "; "))
}

func (p *preflight) hardFiles() (string, Finding) {
	var found []string
	for _, fact := range p.f.Paths {
		if text := fact.Ancestor + " (" + fact.Guard + ")"; fact.Guard != "" && !slices.Contains(found, text) {
			found = append(found, text)
		}
	}
	return foundIf(len(found) > 0, strings.Join(found, ", "))
}

func (p *preflight) hardFilter() (string, Finding) {
	looked := strings.Join(p.f.Filter.Looked, " and ")
	var bases []string
	for _, c := range p.f.Filter.Chains {
		if c.Base && (c.Policy == "drop" || len(c.Rules) > 0) {
			bases = append(bases,
				fmt.Sprintf("%s of table %s (policy %s, %d rules)", c.Name, c.Table, c.Policy, len(c.Rules)))
		}
	}
	switch {
	case p.f.Firewall.Active:
		return p.f.Firewall.Name + " is active", Found
	case looked == "":
		return "no tool showed the rules", NotLookedAt
	case len(bases) > 0:
		return fmt.Sprintf("%s shows chains for incoming packets: %s", looked, strings.Join(bases, ", ")), Found
	}
	return fmt.Sprintf("%s shows no rules for incoming packets", looked), NotFound
}

// agentVariables change what JVMs, Python and the dynamic linker do: monitoring agents are loaded by them.
var agentVariables = []string{"JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "CLASSPATH", "LD_PRELOAD",
	"LD_LIBRARY_PATH", "LD_AUDIT", "PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONUSERBASE"}

func (p *preflight) hardEnvironment() (string, Finding) {
	var found []string
	for _, name := range p.f.Environment {
		proxy := strings.HasSuffix(strings.ToLower(name), "_proxy")
		if !supervisor.Inherited(name) && (proxy || slices.Contains(agentVariables, name)) {
			found = append(found, name)
		}
	}
	return foundIf(len(found) > 0, strings.Join(found, ", ")+
		"; programs get them only where os.pass_environment names them")
}

func (p *preflight) hardTasks() (string, Finding) {
	limits, unread := p.taskLimits()
	if len(unread) > 0 {
		return strings.Join(unread, "; "), NotLookedAt
	}
	var found []string
	for _, l := range limits {
		if l.most != host.Unlimited && (path.Base(l.source) == "pids.max" || l.sessions || l.free < wantedTasks) {
			found = append(found, l.String())
		}
	}
	return foundIf(len(found) > 0, strings.Join(found, "; "))
}

func (p *preflight) hardNames() (string, Finding) {
	if len(p.f.Reverse) == 0 {
		return "the cluster has no address to ask for", NotLookedAt
	}
	var late []string
	for _, a := range p.f.Reverse {
		if a.Late {
			late = append(late, a.Addr.String())
		}
	}
	return foundIf(len(late) > 0, "no answer within two seconds for "+strings.Join(late, ", "))
}
