package preflight

import (
	"fmt"
	"net"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/render"
	"fate-installer/installer/host"
)

// address makes sure that the address this host has in the cluster is its own. FATE-Flow binds it, and the others tell
// it to each other.
func (p *preflight) address() {
	r := p.check("address", "the address in the cluster file is this host's", p.s.IP)
	if r.unknown("addresses") {
		return
	}
	var own []string
	for _, a := range p.f.Addresses {
		if !a.IP.IsLoopback() && !a.IP.IsLinkLocalUnicast() {
			own = append(own, a.IP.String())
		}
	}
	r.measured("%s", orNone(strings.Join(own, ", ")))
	ip, err := netip.ParseAddr(p.s.IP)
	switch {
	case err != nil:
		r.measured("%s is a name", p.s.IP).end(StatusSkipped)
	case p.f.HasAddress(ip):
		r.ok()
	default:
		r.refuse("correct the cluster file, or say with --ip which address of it this host has. Behind address " +
			"translation (NAT) the " +
			"cluster file has the address that this host itself has, and only the routes of the other parties have " +
			"the one that leads here")
	}
}

func (p *preflight) hostname() {
	r := p.check("hostname", "the host's own name has an address without asking the network", "a line in /etc/hosts")
	if r.unknown("hostname") || r.unknown("hosts") {
		return
	}
	name := p.f.Hostname
	if ownAddress(p.s, name.Addresses) {
		r.measured("%s is %s", name.Name, p.s.IP).ok()
		return
	}
	has := "none"
	if len(name.Addresses) > 0 {
		has = fmt.Sprintf("%s, not the address of the cluster", name.Addresses[0])
	}
	if named := p.s.OS.Names[p.s.IP]; named != "" && p.s.OS.Hostname != cluster.PolicyKeep {
		r.measured("%s has %s, and becomes %s", name.Name, has, named).prepare("hosts:names",
			"add the names of the cluster's hosts to /etc/hosts")
		return
	}
	r.measured("%s has %s", name.Name, has).prepare("hosts:own",
		"java programs wait for a name server otherwise: echo '%s %s' >> /etc/hosts", p.s.IP, name.Name)
}

// reverse warns of name servers that do not answer: programs that ask them for the name of a client wait each time.
func (p *preflight) reverse() {
	if len(p.f.Reverse) == 0 {
		return
	}
	r := p.check("name-service", "the name service answers for the addresses of the cluster",
		"an answer within two seconds, which may be that there is no name")
	var late []string
	for _, a := range p.f.Reverse {
		if a.Late {
			late = append(late, a.Addr.String())
		}
	}
	if len(late) == 0 {
		r.measured("it answers for every address of the cluster").ok()
		return
	}
	r.measured("no answer within two seconds for %s", strings.Join(late, ", ")).
		warn("remove name servers that cannot be reached from /etc/resolv.conf, or name the cluster's hosts with os: " +
			"{names: {ADDRESS: NAME}}")
}

// ModulePort is a port and the module that listens on it.
type ModulePort struct {
	Module cluster.Module
	Port   int
}

// Ports lists every TCP port this host listens on, by module in start order.
func Ports(s *cluster.Spec) []ModulePort {
	var out []ModulePort
	for _, program := range render.Programs(s) {
		m, _ := cluster.ModuleOf(program.Name)
		for _, port := range program.Ports {
			out = append(out, ModulePort{m, port})
		}
	}
	return out
}

// ports checks each port twice: by really binding it, and by looking who has it.
func (p *preflight) ports() {
	for _, port := range Ports(p.s) {
		number := strconv.Itoa(port.Port)
		r := p.check("port:"+number, fmt.Sprintf("port %s is free for %s", number, port.Module), "free")
		addr := bindAddress(p.s, port)
		owners := slices.DeleteFunc(p.f.ListenersOn(addr), p.isOurListener)
		bind, tried := p.f.Bind(addr)
		switch {
		case len(owners) > 0:
			names := make([]string, len(owners))
			for i, l := range owners {
				names[i] = listenerText(l)
			}
			r.measured("taken by %s", strings.Join(names, " and ")).refuse(
				"give %s another port in the cluster file; or, if it need not run here, %s", port.Module,
				stopHint(owners[0]))
		case tried && bind.InUse && len(p.f.ListenersOn(addr)) > 0:
			r.measured("taken by this installation").ok()
		case tried && bind.InUse && len(p.f.ConnectionsOn(addr)) > 0:
			c := p.f.ConnectionsOn(addr)[0]
			r.measured("held by a connection to %s of %s", c.Peer,
				listenerText(c)).refuse("wait until it is closed, or %s; install then reserves the port, so that "+
				"no connection is given it; or give %s another port in the cluster file", stopHint(c), port.Module)
		case tried && bind.InUse:
			r.measured("taken, by a process that cannot be seen from here").refuse(
				"look outside this container, or give %s another port in the cluster file", port.Module)
		case tried && bind.Error != "" && p.f.HasAddress(addr.Addr()):
			r.measured("cannot be bound: %s", bind.Error).refuse("give %s another port in the cluster file",
				port.Module)
		case !tried && r.unknown("listeners"):
		case tried && bind.Error != "": // an address that is not ours is a matter of another check
			r.measured("not looked at: %s cannot be bound here: %s", addr, bind.Error).end(StatusSkipped)
		case !tried && !p.f.Rooted:
			r.measured("not looked at: it was not bound").end(StatusSkipped)
		default:
			r.measured("free").ok()
		}
	}
}

func listenerText(l host.Listener) string {
	if l.PID == 0 {
		return fmt.Sprintf("a process of uid %d on %s", l.UID, l.Addr)
	}
	return fmt.Sprintf("%s (pid %d) on %s", l.Process, l.PID, l.Addr)
}

// stopHint says how another's program is stopped: by what started it. Killing it would lose its work, and what started
// it may start it again.
func stopHint(l host.Listener) string {
	if l.PID == 0 {
		return "stop that program with what started it"
	}
	return fmt.Sprintf("stop %s with what started it (systemctl status %d names its unit)", l.Process, l.PID)
}

// isOurListener reports whether a listener belongs to the installation that is already here.
func (p *preflight) isOurListener(l host.Listener) bool {
	if !p.in.Installed {
		return false
	}
	process, ok := p.f.Process(l.PID)
	return ok && p.isOurs(process)
}

// isOurs reports whether a process runs a program of this installation, or for it: FATE-Flow's and eggroll's workers
// are pythons and javas of our trees.
func (p *preflight) isOurs(process host.Process) bool {
	base := p.s.Layout.Projects() + "/"
	return strings.HasPrefix(process.Exe, base) || strings.HasPrefix(process.Command(), base)
}

// portRange finds ports that the kernel may give to an outgoing connection just when their program wants to listen. The
// default range starts far above ours, but tuning guides widen it.
func (p *preflight) portRange() {
	low, high, ok := localPorts(p.f)
	if !ok {
		p.notMeasured("port-range", "no port of ours is one that the kernel gives to outgoing connections",
			"sysctl net.ipv4.ip_local_port_range")
		return
	}
	r := p.check("port-range", "no port of ours is one that the kernel gives to outgoing connections",
		"outside of ip_local_port_range").measured("%d to %d", low, high)
	inside := unreservedPorts(p.s, p.f)
	if len(inside) == 0 {
		r.ok()
		return
	}
	r.prepare("sysctl:"+reservedPorts, "reserve them: sysctl -w %s=%s", reservedPorts,
		withPorts(p.f.Sysctls[reservedPorts], inside))
}

// localPorts are the ports that the kernel gives to outgoing connections.
func localPorts(f *host.Facts) (low, high int, ok bool) {
	bounds := strings.Fields(f.Sysctls["net.ipv4.ip_local_port_range"])
	if len(bounds) != 2 {
		return 0, 0, false
	}
	low, err1 := strconv.Atoi(bounds[0])
	high, err2 := strconv.Atoi(bounds[1])
	return low, high, err1 == nil && err2 == nil
}

// unreservedPorts are the ports of this host that an outgoing connection might take.
func unreservedPorts(s *cluster.Spec, f *host.Facts) []int {
	low, high, ok := localPorts(f)
	if !ok {
		return nil
	}
	var inside []int
	reserved := parseRanges(f.Sysctls[reservedPorts])
	for _, port := range Ports(s) {
		if port.Port >= low && port.Port <= high && !slices.Contains(reserved, port.Port) {
			inside = append(inside, port.Port)
		}
	}
	return inside
}

// parseRanges reads the kernel's notation 80,8080-8090. What is no number is left out.
func parseRanges(ranges string) []int {
	var out []int
	for part := range strings.SplitSeq(ranges, ",") {
		from, to, isRange := strings.Cut(strings.TrimSpace(part), "-")
		if !isRange {
			to = from
		}
		low, err1 := strconv.Atoi(from)
		high, err2 := strconv.Atoi(to)
		if err1 != nil || err2 != nil || high > 65535 {
			continue
		}
		for port := low; port <= high; port++ {
			out = append(out, port)
		}
	}
	return out
}

// withPorts adds ports to ranges and writes them as the kernel prints them: sorted, neighbours together. A value that
// the kernel gives back otherwise would look as if it had not been taken.
func withPorts(ranges string, ports []int) string {
	all := slices.Compact(slices.Sorted(slices.Values(append(parseRanges(ranges), ports...))))
	var out []string
	for i := 0; i < len(all); {
		j := i
		for j+1 < len(all) && all[j+1] == all[j]+1 {
			j++
		}
		text := strconv.Itoa(all[i])
		if j > i {
			text += "-" + strconv.Itoa(all[j])
		}
		out = append(out, text)
		i = j + 1
	}
	return strings.Join(out, ",")
}

// targets are the remote ends that this host's programs connect to: the next hops of its rollsite, and the modules of
// its own side on other hosts.
func targets(s *cluster.Spec) []host.Target {
	var out []host.Target
	add := func(name, ip string, port int, secure bool) {
		t := host.Target{Name: name, Addr: net.JoinHostPort(ip, strconv.Itoa(port)), TLS: secure}
		if ip != "" && ip != s.IP && !slices.ContainsFunc(out, func(o host.Target) bool { return o.Addr == t.Addr }) {
			out = append(out, t)
		}
	}
	if s.Runs(cluster.Rollsite) {
		for _, party := range s.Side.Rollsite.RouteTables {
			for _, route := range party.Routes {
				if !slices.Contains(s.Side.Addresses(), route.IP) {
					add("party "+party.ID, route.IP, route.Port, route.IsSecure)
				}
			}
		}
	}
	for _, m := range s.Modules() {
		for _, need := range s.WantsForJobs(m) {
			for _, e := range s.Side.EndsOf(need) {
				add(string(need), e.IP, e.Port, false)
				if need == cluster.MySQL && len(out) > 0 && out[len(out)-1].Name == string(cluster.MySQL) {
					out[len(out)-1].Greets = true
				}
			}
		}
	}
	return out
}

// peers only warns: the other hosts are often installed later.
func (p *preflight) peers() {
	for _, reach := range p.f.Peers {
		wanted := "answers"
		if reach.TLS {
			wanted = "answers and speaks TLS"
		}
		r := p.check("reach:"+reach.Addr, fmt.Sprintf("%s at %s can be reached", reach.Name, reach.Addr), wanted)
		switch {
		case !reach.Connected:
			r.measured("%s", reach.Error).warn(
				"no matter if it is installed later; otherwise look for a firewall on the way")
		case reach.TLS && !reach.Shaken:
			r.measured("answers, but without TLS: %s", reach.Error).warn(
				"one side has is_secure and the other has not, or the port is the plain one (9370 instead of 9371)")
		default:
			r.measured("answers").ok()
		}
	}
}

// processes finds what an earlier or another installation still runs. Upstream's own check for it never fires.
func (p *preflight) processes() {
	r := p.check("processes", "no process of an earlier installation", "none")
	if r.unknown("processes") {
		return
	}
	var found []string
	for _, process := range p.f.Processes {
		if why := p.leftover(process); why != "" {
			found = append(found, fmt.Sprintf("%s (pid %d)", why, process.PID))
		}
	}
	if len(found) == 0 {
		r.measured("none").ok()
		return
	}
	r.measured("%s", strings.Join(found, ", ")).refuse(
		"use another host; or, if that installation is to end, stop its programs with its own supervisor " +
			"(supervisorctl stop all, " +
			"or service.sh stop all in the directory of its supervisord.conf), and then the supervisor")
}

// leftover names a process that would be in the way; empty for others.
func (p *preflight) leftover(process host.Process) string {
	if process.Contained {
		return ""
	}
	if p.in.Installed && (p.isOurs(process) || p.isSupervisor(process)) {
		return ""
	}
	if p.isOurs(process) {
		return path.Base(process.Command())
	}
	for _, arg := range process.Args {
		if name := cluster.ProcessMark(arg); name != "" {
			return name
		}
		if strings.HasPrefix(arg, p.s.Layout.Supervisor()+"/") {
			return "supervisord"
		}
	}
	return ""
}

// isSupervisor recognises our own daemon, which runs from /usr/local/bin.
func (p *preflight) isSupervisor(process host.Process) bool {
	return process.Exe == p.s.Layout.Binary() || process.Command() == p.s.Layout.Binary()
}
