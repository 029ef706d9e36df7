package fate

import (
	"fmt"
	"maps"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"fate-installer/installer/engine"
	"fate-installer/installer/host"
	"fate-installer/installer/step"
	"fate-installer/payload"
)

// OS are the policies for what an installation changes on the machine itself: the keys of os: in the cluster file. A
// blank is the first word of each.
type OS struct {
	Limits    string            `yaml:"limits"`    // set, or keep
	Sysctl    string            `yaml:"sysctl"`    // set, or keep
	Swap      string            `yaml:"swap"`      // auto, keep, or a size such as 128G
	SELinux   string            `yaml:"selinux"`   // permissive, or keep
	Firewall  string            `yaml:"firewall"`  // open (our ports), disable, or keep
	Names     map[string]string `yaml:"names"`     // address -> host name, of any hosts of the cluster
	Hostname  string            `yaml:"hostname"`  // set (this host's of names), or keep
	Hosts     string            `yaml:"hosts"`     // set (/etc/hosts), or keep
	Libraries string            `yaml:"libraries"` // link (names that programs ask for, to what is installed), or keep
	Sudoers   string            `yaml:"sudoers"`   // keep, or grant

	// PassEnvironment names variables of systemd's manager that FATE's programs get; they get no others of it.
	PassEnvironment []string `yaml:"pass_environment"`
}

// policy is one key of os: that can be kept as it is.
type policy struct {
	key   string
	value *string
	words []string // that are understood; the first is the default
}

const (
	policyKeep = "keep"
	swapAuto   = "auto"
)

func (o *OS) policies() []policy {
	return []policy{
		{"limits", &o.Limits, []string{"set", policyKeep}},
		{"sysctl", &o.Sysctl, []string{"set", policyKeep}},
		{"swap", &o.Swap, []string{swapAuto, policyKeep}},
		{"selinux", &o.SELinux, []string{"permissive", policyKeep}},
		{"firewall", &o.Firewall, []string{"open", "disable", policyKeep}},
		{"hostname", &o.Hostname, []string{"set", policyKeep}},
		{"hosts", &o.Hosts, []string{"set", policyKeep}},
		{"libraries", &o.Libraries, []string{"link", policyKeep}},
		{"sudoers", &o.Sudoers, []string{policyKeep, "grant"}},
	}
}

// complete fills in the defaults.
func (o *OS) complete() {
	for _, p := range o.policies() {
		if *p.value == "" {
			*p.value = p.words[0]
		}
	}
}

// OSPolicies lists the keys of os: that --skip-os takes.
func OSPolicies() []string {
	var out []string
	for _, p := range new(OS).policies() {
		out = append(out, p.key)
	}
	return out
}

// without is o with the named policies set to keep.
func (o OS) without(skip []string) OS {
	for _, p := range o.policies() {
		if slices.Contains(skip, p.key) {
			*p.value = policyKeep
		}
	}
	return o
}

// machineName matches names that sethostname(2) accepts and /etc/hosts can hold. An underscore is in no domain name,
// and yet in the examples of FATE's guide.
var machineName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_.-]{0,62}[A-Za-z0-9])?$`)

// variableName matches names that a shell accepts for a variable.
var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)

func (k *checker) osPolicies() {
	o := &k.c.OS
	for _, p := range o.policies() {
		at := "os." + p.key
		if p.value != &o.Swap {
			k.choice(at, *p.value, p.words...)
			continue
		}
		if _, ok := parseSize(o.Swap); !ok && !slices.Contains(p.words, o.Swap) {
			k.bad(at, "write auto, keep, or a size such as 128G", "os.swap must be auto, keep or a size, not %q",
				o.Swap)
		}
	}
	for i, name := range o.PassEnvironment {
		if !variableName.MatchString(name) {
			k.bad(fmt.Sprintf("os.pass_environment[%d]", i), "write names of environment variables, as in [http_proxy]",
				"os.pass_environment has %q, which no variable is called", name)
		}
	}
	for _, address := range slices.Sorted(maps.Keys(o.Names)) {
		at := "os.names." + address
		if _, err := netip.ParseAddr(address); err != nil {
			k.bad(at, "write the address of a host before its name, as in 192.168.0.1: party-a",
				"os.names has %q, which is no address", address)
		}
		if name := o.Names[address]; !machineName.MatchString(name) {
			k.bad(at, "use letters, digits, dots and hyphens", "os.names gives %s the name %q, which no host can have",
				address, name)
		}
	}
}

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
func (s *Spec) Preparations(f *host.Facts, components []payload.Component) []Preparation {
	var out []Preparation
	add := func(policy, object, title string, do engine.Step) {
		if *s.OS.policy(policy).value != policyKeep {
			out = append(out, Preparation{policy, object, title, do})
		}
	}
	if s.User != "root" {
		add("limits", "", "limits of user "+s.User, s.limits())
		add("sudoers", "", "sudo for user "+s.User, step.Sudoers{User: s.User})
	}
	for _, v := range s.kernelSettings(f) {
		add("sysctl", v.Key, "kernel setting "+v.Key, setSysctl(v))
	}
	if swap, ok := s.swapFile(f); ok {
		add("swap", "", "swap file", swap)
	}
	add("selinux", "", "SELinux", step.SELinux{})
	add("firewall", "", "firewall", step.Firewall{Ports: s.openPorts(), Disable: s.OS.Firewall == "disable"})
	if name := s.OS.Names[s.IP]; name != "" {
		add("hostname", "", "host name", step.Hostname{Name: name})
	}
	if entries := s.hostsEntries(); len(entries) > 0 {
		add("hosts", "names", "names of the cluster's hosts", step.Hosts(entries...))
	}
	if name := f.Hostname.Name; name != "" && !s.ownAddress(f.Hostname.Addresses) && s.OS.Names[s.IP] == "" {
		add("hosts", "own", "name of this host", ownName(s.IP, name))
	}
	for _, l := range s.compatLibraries(f, components) {
		add("libraries", path.Base(l.Path), "library "+path.Base(l.Path), l)
	}
	return out
}

func (o *OS) policy(key string) policy {
	all := o.policies()
	return all[slices.IndexFunc(all, func(p policy) bool { return p.key == key })]
}

// limits raises what sessions of the service user may open and start. The programs themselves get theirs from the
// supervisor and need no new login.
func (s *Spec) limits() step.Limits {
	entries := make([]step.Limit, 0, 4)
	for _, item := range []struct{ name, value string }{{"nofile", limitFiles}, {"nproc", limitProcesses}} {
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
func (s *Spec) kernelSettings(f *host.Facts) []step.SysctlValue {
	var out []step.SysctlValue
	for _, l := range leastSettings {
		out = append(out, step.SysctlValue{Key: l.key, Value: strconv.Itoa(l.want), AtLeast: true})
	}
	for _, m := range mostSettings {
		out = append(out, step.SysctlValue{Key: m.key, Value: strconv.Itoa(m.want), AtMost: true})
	}
	if ports := s.unreservedPorts(f); len(ports) > 0 {
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
func (s *Spec) swapFile(f *host.Facts) (step.Swap, bool) {
	file := step.Swap{Path: path.Join(s.Layout.Base, "swapfile")}
	if s.OS.Swap != swapAuto {
		size, ok := parseSize(s.OS.Swap)
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
func (s *Spec) openPorts() []int {
	several := len(s.Side.Addresses()) > 1
	var out []int
	for _, p := range s.Ports() {
		if several || p.Module.outward() {
			out = append(out, p.Port)
		}
	}
	return out
}

// hostsEntries are the lines of /etc/hosts for the names in the cluster file, in the order of the addresses.
func (s *Spec) hostsEntries() []step.HostsEntry {
	var out []step.HostsEntry
	for _, address := range slices.Sorted(maps.Keys(s.OS.Names)) {
		out = append(out, step.HostsEntry{IP: address, Names: []string{s.OS.Names[address]}})
	}
	return out
}

// ownAddress reports whether one of the addresses of the host's name is that of the cluster. Debian and Ubuntu write
// 127.0.1.1, which no other host can reach, and from which the name of the cluster's address does not follow.
func (s *Spec) ownAddress(addresses []netip.Addr) bool {
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
