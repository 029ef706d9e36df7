package host

import (
	"context"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"fate-installer/installer/host/tcptable"
)

// Address is one address of one interface.
type Address struct {
	Interface string     `json:"interface"` // empty when read from a directory tree
	IP        netip.Addr `json:"ip"`
}

// HasAddress reports whether ip is one of the machine's own.
func (f *Facts) HasAddress(ip netip.Addr) bool {
	return slices.ContainsFunc(f.Addresses, func(a Address) bool { return a.IP == ip.Unmap() })
}

func (g *gatherer) addresses() {
	var err error
	if g.f.Rooted {
		g.f.Addresses = g.treeAddresses()
	} else {
		g.f.Addresses, err = interfaceAddresses()
	}
	if err != nil {
		g.unknown("addresses", err)
	} else if len(g.f.Addresses) == 0 {
		g.f.Unknown["addresses"] = "no interface has an address"
	}
}

func interfaceAddresses() ([]Address, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("cannot list the network interfaces: %w", err)
	}
	var out []Address
	for _, i := range interfaces {
		if i.Flags&net.FlagUp == 0 {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			return nil, fmt.Errorf("cannot list the addresses of %s: %w", i.Name, err)
		}
		for _, a := range addrs {
			if prefix, err := netip.ParsePrefix(a.String()); err == nil {
				out = append(out, Address{i.Name, prefix.Addr().Unmap()})
			}
		}
	}
	return out, nil
}

// treeAddresses reads the kernel's tables instead of asking it: /proc/net/fib_trie prints each local IPv4 address on
// the line before the word "host LOCAL", /proc/net/if_inet6 one IPv6 address per line in 32 hexadecimal digits.
func (g *gatherer) treeAddresses() []Address {
	var out []Address
	previous := ""
	for line := range strings.Lines(g.line("/proc/net/fib_trie")) {
		line = strings.TrimSpace(line)
		if ip, err := netip.ParseAddr(previous); err == nil && strings.HasSuffix(line, "host LOCAL") {
			if a := (Address{IP: ip}); !slices.Contains(out, a) { // the main and the local table repeat each other
				out = append(out, a)
			}
		}
		previous = strings.TrimPrefix(line, "|-- ")
	}
	for line := range strings.Lines(g.line("/proc/net/if_inet6")) {
		fields := strings.Fields(line)
		if len(fields) < 6 {
			continue
		}
		raw, err := hex.DecodeString(fields[0])
		if ip, ok := netip.AddrFromSlice(raw); err == nil && ok {
			out = append(out, Address{fields[5], ip})
		}
	}
	return out
}

// Hostname is the machine's own name and what /etc/hosts, or on the running machine the resolver, makes of it.
type Hostname struct {
	Name      string       `json:"name"`
	Addresses []netip.Addr `json:"addresses"`
}

func (g *gatherer) hostname() {
	hn := &g.f.Hostname
	if hn.Name = g.line("/proc/sys/kernel/hostname"); hn.Name == "" || g.f.Rooted {
		if name := g.line("/etc/hostname"); name != "" {
			hn.Name = name
		}
	}
	if hn.Name == "" {
		g.f.Unknown["hostname"] = "neither the kernel nor /etc/hostname has a name"
		return
	}
	data, err := g.h.ReadFile("/etc/hosts")
	if err != nil {
		g.unknown("hosts", err)
	}
	hn.Addresses = parseHosts(string(data), hn.Name)
}

// parseHosts gives the addresses of a name in hosts(5) form. The name service is not asked: on a host without a network
// it answers only after its time-out, and a cluster must not depend on what it would say.
func parseHosts(text, name string) []netip.Addr {
	var out []netip.Addr
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		if len(fields) < 2 || !slices.ContainsFunc(fields[1:],
			func(f string) bool { return strings.EqualFold(f, name) }) {
			continue
		}
		if ip, err := netip.ParseAddr(fields[0]); err == nil {
			out = append(out, ip)
		}
	}
	return out
}

// Listener is a TCP socket that waits for connections, and whose it is.
type Listener struct {
	Addr    netip.AddrPort `json:"addr"` // the unspecified address means every one
	UID     int            `json:"uid"`
	PID     int            `json:"pid"` // 0 when the owner could not be found: not root, or in another PID namespace
	Process string         `json:"process"`

	// Peer is the other end of a socket that does not listen: one of an outgoing connection, most often.
	Peer  netip.AddrPort `json:"peer,omitzero"`
	inode string
}

// ListenersOn gives the listeners that keep others from binding addr. A socket for all addresses and one for a specific
// address exclude each other; so does an IPv6 socket for all addresses, which takes IPv4 too unless it says otherwise.
func (f *Facts) ListenersOn(addr netip.AddrPort) []Listener { return socketsOn(f.Listeners, addr) }

// ConnectionsOn gives the sockets that do not listen and whose own end is addr. They keep others from binding it, too.
func (f *Facts) ConnectionsOn(addr netip.AddrPort) []Listener { return socketsOn(f.Connections, addr) }

func socketsOn(sockets []Listener, addr netip.AddrPort) []Listener {
	var out []Listener
	for _, l := range sockets {
		same := l.Addr.Addr().Unmap() == addr.Addr().Unmap()
		if l.Addr.Port() == addr.Port() && (same || l.Addr.Addr().IsUnspecified() || addr.Addr().IsUnspecified()) {
			out = append(out, l)
		}
	}
	return out
}

// A port that is taken, with no owner to be seen, may be one that a program got, or gave back, while we looked. So the
// look is repeated after pauses. Where the kernel lists the socket and only its process is unknown, as behind the wall
// of a container, the first pauses settle it. A socket in no list is one that is bound and does not listen: a program
// that starts on a busy host can stay between the two for a second, so that look goes on for three.
var (
	ownerPauses  = []time.Duration{50 * time.Millisecond, 50 * time.Millisecond}
	listenPauses = append(slices.Clone(ownerPauses), 200*time.Millisecond, 400*time.Millisecond, 800*time.Millisecond,
		1600*time.Millisecond)
)

// sockets finds out which ports can be had, who listens where, and what processes there are. In this order each look
// explains the one before: who has a port listens, and who listens is a process.
func (g *gatherer) sockets(ctx context.Context, addrs []netip.AddrPort) {
	for look := 0; ; look++ {
		g.f.Binds, g.f.Listeners, g.f.Connections, g.f.Processes = nil, nil, nil, nil
		g.binds(ctx, addrs)
		g.listeners()
		g.processes()
		g.socketOwners()
		pauses := ownerPauses
		if slices.ContainsFunc(g.f.Binds, g.f.unlisted) {
			pauses = listenPauses
		}
		if look >= len(pauses) || !slices.ContainsFunc(g.f.Binds, g.f.ownerUnknown) {
			return
		}
		time.Sleep(pauses[look])
	}
}

// ownersOf are the sockets that keep others from binding addr.
func (f *Facts) ownersOf(addr netip.AddrPort) []Listener {
	return append(f.ListenersOn(addr), f.ConnectionsOn(addr)...)
}

// unlisted reports whether a port is taken by a socket that the kernel does not list.
func (f *Facts) unlisted(b Bind) bool { return b.InUse && len(f.ownersOf(b.Addr)) == 0 }

// ownerUnknown reports whether a port is taken and no process is seen to have it.
func (f *Facts) ownerUnknown(b Bind) bool {
	return f.unlisted(b) ||
		b.InUse && slices.ContainsFunc(f.ownersOf(b.Addr), func(l Listener) bool { return l.PID == 0 })
}

func (g *gatherer) listeners() {
	for _, file := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		data, err := g.h.ReadFile(file)
		if err != nil {
			if file == "/proc/net/tcp" { // a kernel without IPv6 has only this one
				g.unknown("listeners", err)
			}
			continue
		}
		for _, l := range parseTCP(string(data)) {
			wanted := func(b Bind) bool { return b.InUse && b.Addr.Port() == l.Addr.Port() }
			if !l.Peer.IsValid() {
				g.f.Listeners = append(g.f.Listeners, l)
			} else if slices.ContainsFunc(g.f.Binds, wanted) { // a busy host has many thousands of others
				g.f.Connections = append(g.f.Connections, l)
			}
		}
	}
	slices.SortFunc(g.f.Listeners, func(a, b Listener) int { return a.Addr.Compare(b.Addr) })
}

// parseTCP reads the sockets of /proc/net/tcp or tcp6.
func parseTCP(text string) []Listener {
	var out []Listener
	for line := range strings.Lines(text) {
		if s, ok := tcptable.Parse(line); ok && s.State != tcptable.TimeWait {
			out = append(out, Listener{Addr: s.Addr, Peer: s.Peer, UID: s.UID, inode: s.Inode})
		}
	}
	return out
}

// socketOwners finds the process of each listener by the sockets among its open files. That walks the descriptors of
// the whole machine, but stops as soon as every listener has its owner.
func (g *gatherer) socketOwners() {
	missing := map[string][]*Listener{}
	for _, sockets := range [][]Listener{g.f.Listeners, g.f.Connections} {
		for i := range sockets {
			l := &sockets[i]
			if l.inode != tcptable.Orphan {
				missing["socket:["+l.inode+"]"] = append(missing["socket:["+l.inode+"]"], l)
			}
		}
	}
	for _, p := range g.f.Processes {
		if len(missing) == 0 {
			return
		}
		dir := path.Join("/proc", strconv.Itoa(p.PID), "fd")
		entries, err := g.h.ReadDir(dir)
		if err != nil { // not ours to see, or gone
			continue
		}
		for _, e := range entries {
			target, err := g.h.Readlink(path.Join(dir, e.Name()))
			if err != nil {
				continue
			}
			for _, l := range missing[target] {
				l.PID, l.Process = p.PID, p.Name
			}
			delete(missing, target)
		}
	}
}
