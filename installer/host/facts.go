package host

import (
	"context"
	"net/netip"

	"fate-installer/installer/host/tasks"
)

// Facts describes a machine before anything is done to it. It is plain data: the checks that judge it are
// pure, and a test writes the machine it wants. A fact that could not be learned is its zero value and named, with the
// reason, in Unknown; a zero is no measurement without looking there.
type Facts struct {
	OS        OSRelease `json:"os"`
	Kernel    string    `json:"kernel"`    // release, as uname -r prints it
	Arch      string    `json:"arch"`      // GOARCH's name: amd64, arm64
	Glibc     string    `json:"glibc"`     // version of the C library, such as 2.17; empty on musl
	Init      string    `json:"init"`      // systemd, or the name of process 1
	Boot      Boot      `json:"boot"`      // what starts programs at boot
	Container string    `json:"container"` // docker, lxc, systemd-nspawn; empty on a machine of its own
	UID       int       `json:"uid"`       // of this process
	Hostname  Hostname  `json:"hostname"`
	CPU       CPU       `json:"cpu"`
	Memory    Memory    `json:"memory"`
	// limits on processes and threads, of control groups and the machine
	Tasks      []tasks.Limit     `json:"tasks,omitempty"`
	Limits     []Limit           `json:"limits"`               // of this process
	Unraisable map[string]string `json:"unraisable,omitempty"` // limit -> why this process may not raise it
	Paths      []PathFact        `json:"paths"`                // one for each path asked for, in that order
	Addresses  []Address         `json:"addresses"`            // of every interface that is up
	Listeners  []Listener        `json:"listeners"`            // TCP sockets that wait for connections
	// other TCP sockets, on ports asked for that cannot be bound
	Connections []Listener `json:"connections,omitempty"`
	Binds       []Bind     `json:"binds"`           // outcome of binding each port asked for
	Dials       []Dial     `json:"dials,omitempty"` // outcome of connecting to this host's own ports
	// what the name service says of the addresses asked for
	Reverse   []Reverse `json:"reverse,omitempty"`
	Peers     []Reach   `json:"peers"`     // outcome of connecting to each target asked for
	Processes []Process `json:"processes"` // without the kernel's own threads
	Users     []User    `json:"users"`
	Groups    []Group   `json:"groups"`
	Locale    Locale    `json:"locale"`
	SELinux   string    `json:"selinux"` // absent, disabled, permissive or enforcing
	Firewall  Firewall  `json:"firewall"`
	Filter    Filter    `json:"filter,omitzero"` // rules of the kernel's packet filter
	Time      TimeSync  `json:"time"`
	Sysctls   Sysctls   `json:"sysctls"`  // those of sysctlsOfInterest that this kernel has
	Programs  Programs  `json:"programs"` // where each program asked for was found
	// programs that do not do what was tried with them
	Failing Failing `json:"failing,omitempty"`
	// shared libraries the dynamic linker finds; thousands, so never printed
	Libraries     Libraries      `json:"-"`
	SessionLimits []SessionLimit `json:"session_limits,omitempty"` // that pam_limits gives to sessions, in its order
	Hardening     Hardening      `json:"hardening,omitzero"`
	// names of the variables that systemd's manager gives to services
	Environment []string `json:"environment,omitempty"`
	Unknown     Unknown  `json:"unknown"` // facts that could not be learned, by name
	// these are facts of a directory tree and not of the running machine
	Rooted bool `json:"rooted"`
}

// Identity has the facts that a host's configuration depends on: which host of the cluster it is, and how large.
type Identity struct {
	Addresses []Address // of every interface that is up
	Memory    uint64    // bytes, of the machine or what the control group grants; 0 when not known
	CPUs      int       // that can be used at once
}

// Identify looks at no more of the machine than that, in the time that Gather takes for one of many looks.
func Identify(h *Host) Identity {
	g := gatherer{h: h, f: &Facts{Unknown: Unknown{}, Rooted: !h.IsSystem()}}
	g.cpu()
	g.memory()
	g.addresses()
	return Identity{g.f.Addresses, g.f.Memory.Total, g.f.CPU.Count}
}

// Unknown maps the name of a fact to the reason why it is not known.
type Unknown map[string]string

// Sysctls maps a kernel setting, written with dots, to its value with blanks squeezed.
type Sysctls map[string]string

// Programs maps a program's name to its absolute path, or to nothing when it is not installed.
type Programs map[string]string

// FactsQuery says what Gather should look at beyond what it always does.
type FactsQuery struct {
	Paths    []string         // filesystem facts are wanted for these absolute paths, which need not exist
	Binds    []netip.AddrPort // ports that should be free; only tried on the running machine
	Own      netip.Addr       // this host's address in the cluster; over it and over lo, the Binds are connected to
	Reverse  []netip.Addr     // whose names are asked for; only on the running machine
	Raise    []Limit          // hard limits that this process should be able to have; only tried on the running machine
	Peers    []Target         // remote ends that should answer; only tried on the running machine
	Programs []string         // looked up in the usual directories
	Trials   []Trial          // run on the running machine only
	Users    []string         // looked up in the name service, too, where /etc/passwd has them not
	Groups   []string         // likewise
}

// Gather looks at the machine below h.Root. It changes nothing, and it fails only when ctx ends: what cannot be learned
// is recorded in Facts.Unknown, since half a picture of a host is what a refused user most needs to see.
func Gather(ctx context.Context, h *Host, q FactsQuery) (*Facts, error) {
	g := gatherer{h: h, f: &Facts{Unknown: Unknown{}, Rooted: !h.IsSystem()}}
	for _, look := range []func(){
		g.osRelease, g.kernel, g.glibc, g.init, g.cpu, g.memory, g.tasks, g.limits, g.locale,
		g.selinux, g.hardening, g.firewall, g.timeSync, g.sysctls, g.sessionLimits,
		func() { g.accounts(q.Users, q.Groups) },
		func() { g.sockets(ctx, q.Binds) },
		func() { g.dials(ctx, q.Own) },
		func() { g.reverse(ctx, q.Reverse) },
		func() { g.raise(q.Raise) },
		g.addresses, g.hostname, g.libraries,
		func() { g.paths(q.Paths) },
		func() { g.programs(q.Programs) },
		func() { g.managerEnvironment(ctx) },
		func() { g.filter(ctx) },
		func() { g.trials(ctx, q.Trials) },
		func() { g.peers(ctx, q.Peers) },
	} {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		look()
	}
	return g.f, nil
}
