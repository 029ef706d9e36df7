package preflight

import (
	"maps"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"

	"fate-installer/installer/engine"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/render"
	"fate-installer/installer/host"
	"fate-installer/installer/step"
	"fate-installer/payload"
)

// Preparation is one thing about the operating system that an installation sees to. The preflight and the plan both
// take it from here, so that what the one announces the other does.
type Preparation struct {
	Policy string // the key of os: that decides about it
	Object string // what it is about, where a policy has several
	Title  string
	Step   engine.Step
}

// ID names a preparation: the policy, and the object where it has several.
func (p Preparation) ID() string {
	if p.Object == "" {
		return p.Policy
	}
	return p.Policy + ":" + p.Object
}

// Preparations lists what is done to the operating system of a host, as far as the policies allow. Most steps find for
// themselves whether there is something to do; those that depend on the machine are there when the facts call for them.
func Preparations(s *cluster.Spec, f *host.Facts, components []payload.Component) []Preparation {
	var out []Preparation
	add := func(policy, object, title string, do engine.Step) {
		if !s.OS.Keeps(policy) {
			out = append(out, Preparation{policy, object, title, do})
		}
	}
	if s.User != "root" {
		add("limits", "", "limits of user "+s.User, limits(s))
		add("sudoers", "", "sudo for user "+s.User, step.Sudoers{User: s.User})
	}
	for _, v := range kernelSettings(s, f) {
		add("sysctl", v.Key, "kernel setting "+v.Key, setSysctl(v))
	}
	if swap, ok := swapFile(s, f); ok {
		add("swap", "", "swap file", swap)
	}
	add("selinux", "", "SELinux", step.SELinux{})
	add("firewall", "", "firewall", step.Firewall{Ports: openPorts(s), Disable: s.OS.Firewall == "disable"})
	if name := s.OS.Names[s.IP]; name != "" {
		add("hostname", "", "host name", step.Hostname{Name: name})
	}
	if entries := hostsEntries(s); len(entries) > 0 {
		add("hosts", "names", "names of the cluster's hosts", step.Hosts(entries...))
	}
	if name := f.Hostname.Name; name != "" && !ownAddress(s, f.Hostname.Addresses) && s.OS.Names[s.IP] == "" {
		add("hosts", "own", "name of this host", ownName(s.IP, name))
	}
	for _, l := range compatLibraries(s, f, components) {
		add("libraries", path.Base(l.Path), "library "+path.Base(l.Path), l)
	}
	return out
}

// limits raises what sessions of the service user may open and start. The programs themselves get theirs from the
// supervisor and need no new login.
func limits(s *cluster.Spec) step.Limits {
	entries := make([]step.Limit, 0, 4)
	for _, item := range []struct{ name, value string }{{"nofile", render.LimitFiles},
		{"nproc", render.LimitProcesses}} {
		for _, kind := range []string{"soft", "hard"} {
			entries = append(entries, step.Limit{Domain: s.User, Type: kind, Item: item.name, Value: item.value})
		}
	}
	return step.Limits{Path: "/etc/security/limits.d/90-fate.conf", Entries: entries}
}

// leastSettings are the values of eggroll's own environment check. The worker processes of a node together open and map
// a lot.
var leastSettings = []struct {
	key  string
	want int
}{
	{"kernel.threads-max", 65535}, {"kernel.pid_max", 65535}, {"vm.max_map_count", 65535}, {"fs.file-max", 65535},
	{"fs.nr_open", 65535},
}

// mostSettings keep idle connections between the parties in the memory of firewalls, which forget them after 5 to 60
// minutes: eggroll's sockets have SO_KEEPALIVE, and the kernel's own 7200 seconds come too late. A lower value of the
// host's stays.
var mostSettings = []struct {
	key  string
	want int
}{
	{"net.ipv4.tcp_keepalive_time", 60}, {"net.ipv4.tcp_keepalive_intvl", 10}, {"net.ipv4.tcp_keepalive_probes", 6},
}

const reservedPorts = "net.ipv4.ip_local_reserved_ports"

// kernelSettings lists the values that the kernel should have: the least ones, and our ports where an outgoing
// connection might take them.
func kernelSettings(s *cluster.Spec, f *host.Facts) []step.SysctlValue {
	var out []step.SysctlValue
	for _, l := range leastSettings {
		out = append(out, step.SysctlValue{Key: l.key, Value: strconv.Itoa(l.want), AtLeast: true})
	}
	for _, m := range mostSettings {
		out = append(out, step.SysctlValue{Key: m.key, Value: strconv.Itoa(m.want), AtMost: true})
	}
	if ports := unreservedPorts(s, f); len(ports) > 0 {
		out = append(out, step.SysctlValue{Key: reservedPorts, Value: withPorts(f.Sysctls[reservedPorts], ports)})
	}
	return out
}

// setSysctl is a drop-in for one setting, so that each can be undone by itself.
func setSysctl(v step.SysctlValue) step.Sysctl {
	return step.Sysctl{Path: "/etc/sysctl.d/90-fate-" + strings.ReplaceAll(v.Key, ".", "-") + ".conf",
		Values: []step.SysctlValue{v}}
}

// swapFile is the swap file to make: of the size that the cluster file asks for, or, by itself, of what is missing from
// FATE's guide where the disk has plenty of room. On a small disk, in a container, or with enough memory there is none.
func swapFile(s *cluster.Spec, f *host.Facts) (step.Swap, bool) {
	file := step.Swap{Path: path.Join(s.Layout.Base, "swapfile")}
	if s.OS.Swap != cluster.SwapAuto {
		size, ok := cluster.ParseSize(s.OS.Swap)
		file.Size = size
		return file, ok
	}
	have := f.Memory.Total + f.Memory.SwapTotal
	if f.Memory.Total == 0 || f.Container != "" || have >= wantedSwap {
		return file, false
	}
	const share = 3 // of the free space, at most one part for swap
	file.Size = int64((wantedSwap - have + gibibyte - 1) / gibibyte * gibibyte)
	fs, ok := f.PathFact(s.Layout.Base)
	return file, ok && slices.Contains(swapFileSystems, fs.Type) && fs.Free/share >= uint64(file.Size)
}

// swapFileSystems are those on which a swap file needs nothing special of the kernel.
var swapFileSystems = []string{"ext4", "ext3", "xfs"}

// openPorts are the ports that other hosts connect to. The database and eggroll's managers are among them
// only when the side has several hosts.
func openPorts(s *cluster.Spec) []int {
	several := len(s.Side.Addresses()) > 1
	var out []int
	for _, p := range Ports(s) {
		if several || p.Module.Outward() {
			out = append(out, p.Port)
		}
	}
	return out
}

// hostsEntries are the lines of /etc/hosts for the names in the cluster file, in the order of the addresses.
func hostsEntries(s *cluster.Spec) []step.HostsEntry {
	var out []step.HostsEntry
	for _, address := range slices.Sorted(maps.Keys(s.OS.Names)) {
		out = append(out, step.HostsEntry{IP: address, Names: []string{s.OS.Names[address]}})
	}
	return out
}

// ownAddress reports whether one of the addresses of the host's name is that of the cluster. Debian and Ubuntu write
// 127.0.1.1, which no other host can reach, and from which the name of the cluster's address does not follow.
func ownAddress(s *cluster.Spec, addresses []netip.Addr) bool {
	own, err := netip.ParseAddr(s.IP)
	if err != nil {
		return len(addresses) > 0
	}
	return slices.Contains(addresses, own)
}

// ownName lets a host that has a name find its address. It is apart from the names of the cluster file, since it is
// only wanted as long as nothing else has the name.
func ownName(ip, name string) step.Block {
	return step.Block{Path: "/etc/hosts", Name: "hostname", Lines: []string{ip + " " + name}}
}
