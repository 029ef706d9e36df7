package preflight

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/host"
)

func (p *preflight) root() {
	r := p.check("root", "run as root", "uid 0").measured("uid %d", p.f.UID)
	switch {
	case p.f.Rooted:
		r.measured("a directory tree needs no root").end(StatusSkipped)
	case p.f.UID == 0:
		r.ok()
	default:
		r.final("run the same command with sudo")
	}
}

// platform compares the processor with what the payload's programs are built for.
func (p *preflight) platform() {
	r := p.check("platform", "the appliance is for this kind of processor", p.in.Platform)
	if r.unknown("arch") {
		return
	}
	r.measured("linux/%s", p.f.Arch)
	if p.in.Platform == "" {
		r.end(StatusSkipped)
		return
	}
	wrong := ""
	for _, c := range p.in.Components {
		if c.Platform != "" && c.Platform != "linux/"+p.f.Arch && slices.Contains(p.s.Components(), c.Name) {
			wrong = c.Name + " is for " + c.Platform
		}
	}
	switch {
	case p.in.Platform != "linux/"+p.f.Arch:
		r.final("bring the appliance for linux/%s", p.f.Arch)
	case wrong != "":
		r.measured("linux/%s, but %s", p.f.Arch, wrong).final(
			"bring an appliance whose components are all for linux/%s", p.f.Arch)
	default:
		r.ok()
	}
}

// distributions are the oldest versions on which FATE 1.x and what it brings are known to run. FATE's guide names
// CentOS
// 7.2 and Ubuntu 16.04; the others have newer system libraries than those two.
var distributions = []struct{ id, oldest string }{
	{"centos", "7.2"}, {"rhel", "7.2"}, {"ubuntu", "16.04"}, {"debian", "9"}, {"openEuler", "20.03"}, {"kylin", ""},
	{"uos", ""},
	{"anolis", ""}, {"tencentos", ""}, {"rocky", ""}, {"almalinux", ""},
}

func (p *preflight) distribution() {
	r := p.check("os", "a Linux distribution that FATE is known to run on",
		"CentOS 7.2 or later, Ubuntu 16.04 or later, or of their families")
	if r.unknown("os") {
		return
	}
	os := p.f.OS
	r.measured("%s", os.Pretty)
	i := slices.IndexFunc(distributions,
		func(d struct{ id, oldest string }) bool { return strings.EqualFold(d.id, os.ID) })
	switch {
	case i < 0 && !os.Is("rhel") && !os.Is("debian"):
		r.warn("untested distribution; glibc and kernel are checked separately")
	case i >= 0 && distributions[i].oldest != "" && os.Version == "":
		r.warn("/etc/os-release has no VERSION_ID, as on Debian testing and sid; glibc and kernel are checked " +
			"separately")
	case i >= 0 && distributions[i].oldest != "" && host.CompareVersions(os.Version, distributions[i].oldest) < 0:
		r.refuse("%s is too old: upgrade to %s or later", os.Version, distributions[i].oldest)
	default:
		r.ok()
	}
}

// oldestGlibc is the glibc that manylinux2014 wheels and the el7 builds of MySQL and the JDK need, whatever the payload
// says of itself; oldestKernel came with it.
const (
	oldestGlibc  = "2.17"
	oldestKernel = "3.10"
)

func (p *preflight) libc() {
	oldest, component := p.neededGlibc()
	r := p.check("glibc", "a C library that FATE's programs can be loaded with", "GNU C library "+oldest+" or later")
	if !r.unknown("glibc") {
		r.measured("%s", p.f.Glibc)
		switch {
		case host.CompareVersions(p.f.Glibc, oldestGlibc) < 0:
			r.refuse("use a newer distribution")
		case host.CompareVersions(p.f.Glibc, oldest) < 0:
			r.refuse("use a newer distribution, or an appliance whose %s was built on an older one", component)
		default:
			r.ok()
		}
	}
	r = p.check("kernel", "a kernel that FATE's programs can run on", oldestKernel+" or later")
	if !r.unknown("kernel") {
		r.measured("%s", p.f.Kernel)
		if host.CompareVersions(p.f.Kernel, oldestKernel) < 0 {
			r.refuse("use a newer distribution")
		} else {
			r.ok()
		}
	}
}

// neededGlibc is the version that the components of this host need, and which of them does; it is recorded when an
// appliance is built.
func (p *preflight) neededGlibc() (version, component string) {
	version = oldestGlibc
	for _, c := range p.in.Components {
		if c.Needs != nil && slices.Contains(p.s.Components(), c.Name) &&
			host.CompareVersions(c.Needs.Glibc, version) > 0 {
			version, component = c.Needs.Glibc, c.Name
		}
	}
	return version, component
}

// BootLine is the command to run at boot on a host whose init is unknown. It stays in the foreground, as the command of
// a container has to.
func BootLine(l cluster.Layout) string {
	return fmt.Sprintf("%s --base %s svc run", l.Binary(), l.Base)
}

// bootSystem says what starts the supervisor at boot: it is never refused, since install starts it itself.
func (p *preflight) bootSystem() {
	r := p.check("init", "an init system that can start the supervisor at boot", "systemd, System V, OpenRC or upstart")
	if r.unknown("init") {
		return
	}
	switch p.f.Boot {
	case host.BootSystemd:
		r.measured("systemd").ok()
	case host.BootSystemV:
		r.measured("System V; it starts a supervisor that has ended only at the next boot").ok()
	case host.BootNone:
		r.measured("process 1 is %s, and starts nothing at boot", p.f.Init).
			warn("install starts the supervisor; have this host, or the container's command, run at boot: %s",
				BootLine(p.s.Layout))
	default:
		r.measured("%s", p.f.Boot).ok()
	}
}

// What FATE's guide asks for. Less works as long as the data is small, so it is never refused.
const (
	wantedCPUs   = 8
	wantedMemory = cluster.AmplyMemory
	wantedSwap   = 128 * gibibyte
	wantedDisk   = 500 * gibibyte
	wantedRoot   = 20 * gibibyte
)

// leastMemory is less than the processes of even the smallest side need together.
const leastMemory = 512 * mebibyte

func (p *preflight) processors() {
	r := p.check("cpu", "enough processors", fmt.Sprint(wantedCPUs))
	if !r.unknown("cpu") {
		r.measured("%d", p.f.CPU.Count)
		if p.f.CPU.Count < wantedCPUs {
			r.warn("fine for a trial; jobs of real data will be slow")
		} else {
			r.ok()
		}
	}
	if p.f.Arch != "amd64" || !slices.Contains(p.s.Components(), "python") {
		return
	}
	r = p.check("cpu-flags", "a processor with AVX, which tensorflow needs", "avx")
	switch {
	case r.unknown("cpu"):
	case p.f.CPU.Has("avx"):
		r.measured("avx").ok()
	default:
		r.measured("no avx").warn(
			"neural network components of FATE will crash; others work. In a virtual machine, pass the host's " +
				"processor through")
	}
}

// swap wants what FATE's guide asks for, less what the machine has in memory beyond its 16 GiB, as upstream's check
// does.
func (p *preflight) swap() {
	r := p.check("swap", "swap space for computations in memory", "128 GiB of memory and swap together")
	if r.unknown("swaps") || r.unknown("memory") {
		return
	}
	swap := "no swap"
	if p.f.Memory.SwapTotal > 0 {
		swap = size(p.f.Memory.SwapTotal) + " of swap"
	}
	r.measured("%s, %s of memory", swap, size(p.f.Memory.Total))
	if p.f.Memory.SwapTotal+p.f.Memory.Total >= wantedSwap {
		r.ok()
		return
	}
	if p.f.Container != "" {
		r.measured("%s, %s of memory, both of the machine that this %s container is on", swap,
			size(p.f.Memory.Total), p.f.Container).
			warn("fine for a trial; for real data add swap space on that machine")
		return
	}
	r.prepare("swap", "fine for a trial; for real data add a swap file, with os: {swap: 128G} in the cluster file")
}

func (p *preflight) kernelSettings() {
	for _, l := range leastSettings {
		text, ok := p.f.Sysctls[l.key]
		if !ok {
			p.notMeasured("sysctl:"+l.key, "kernel setting "+l.key+" is large enough", "sysctl "+l.key)
			continue // this kernel, or this tree, has no such setting
		}
		r := p.check("sysctl:"+l.key, "kernel setting "+l.key+" is large enough",
			fmt.Sprintf("at least %d", l.want)).measured("%s", text)
		// file-max may be larger than an int64 on a machine with much memory; what cannot be read as small is not
		// small.
		have, err := strconv.ParseInt(text, 10, 64)
		if err != nil || have >= int64(l.want) {
			r.ok()
			continue
		}
		if p.f.Container != "" {
			r.warn("on the machine that this %s container is on: sysctl -w %s=%d", p.f.Container, l.key, l.want)
			continue
		}
		r.prepare("sysctl:"+l.key, "sysctl -w %s=%d", l.key, l.want)
	}
	for _, m := range mostSettings {
		text, ok := p.f.Sysctls[m.key]
		if !ok {
			p.notMeasured("sysctl:"+m.key, "kernel setting "+m.key+" keeps idle connections alive", "sysctl "+m.key)
			continue
		}
		r := p.check("sysctl:"+m.key, "kernel setting "+m.key+" keeps idle connections between parties alive",
			fmt.Sprintf("at most %d", m.want)).measured("%s", text)
		if have, err := strconv.ParseInt(text, 10, 64); err == nil && have <= int64(m.want) {
			r.ok()
			continue
		}
		r.prepare("sysctl:"+m.key, "a firewall on the way may forget idle connections: sysctl -w %s=%d", m.key, m.want)
	}
}

func (p *preflight) locale() {
	r := p.check("locale", "a UTF-8 locale", "LANG ending in UTF-8")
	lang := p.f.Locale.System
	if lang == "" {
		if r.unknown("locale") {
			return
		}
		lang = p.f.Locale.Lang
	}
	r.measured("%s", orNone(lang))
	bare := strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(lang))
	if strings.HasSuffix(bare, "utf8") {
		r.ok()
		return
	}
	r.warn("FATE's programs are started with C.UTF-8; set LANG for sessions in which you use FATE's command line tools")
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func (p *preflight) selinux() {
	r := p.check("selinux", "SELinux does not stop programs below "+p.s.Layout.Base,
		"permissive, disabled or absent").measured("%s", p.f.SELinux)
	if r.unknown("selinux") {
		return
	}
	if p.f.SELinux != "enforcing" {
		r.ok()
		return
	}
	r.prepare("selinux", "as FATE's guide says: setenforce 0, and SELINUX=permissive in /etc/selinux/config")
}

// clock matters between hosts: FATE-Flow's signatures are good for 60 seconds, and certificates for a while.
func (p *preflight) clock() {
	r := p.check("time", "the clock is kept right", "synchronized")
	if p.f.Rooted {
		r.measured("a directory tree has no clock").end(StatusSkipped)
		return
	}
	if r.unknown("time") {
		return
	}
	if p.f.Time.Synchronized {
		r.measured("synchronized (%s)", orNone(p.f.Time.Service)).ok()
		return
	}
	r.measured("not synchronized (service: %s)", orNone(p.f.Time.Service)).warn(
		"let chronyd or ntpd follow a time server of your network: requests between hosts whose clocks differ by a " +
			"minute are refused")
}
