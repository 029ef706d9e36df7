// Package tcptable reads the kernel's tables of TCP sockets, /proc/net/tcp and /proc/net/tcp6.
package tcptable

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"
)

// State is a state of a socket, as the tables have it.
type State string

// The states that matter here. A socket in TimeWait keeps nothing from binding with SO_REUSEADDR, as servers do.
const (
	Listen   State = "0A"
	TimeWait State = "06"
)

// Orphan is the inode of a socket that no process has any more.
const Orphan = "0"

// Socket is a line of a table.
type Socket struct {
	Addr  netip.AddrPort // of this end
	Peer  netip.AddrPort // the other end; not valid for one that listens
	State State
	UID   int
	Inode string
}

// Parse reads a line: "sl local_address rem_address st queues timer retransmits uid timeout inode". It reports false
// for anything else, such as the heading.
func Parse(line string) (Socket, bool) {
	f := strings.Fields(line)
	if len(f) < 10 {
		return Socket{}, false
	}
	s := Socket{State: State(f[3]), Inode: f[9]}
	var ok bool
	if s.Addr, ok = parseAddr(f[1]); !ok {
		return Socket{}, false
	}
	if s.State != Listen {
		if s.Peer, ok = parseAddr(f[2]); !ok {
			return Socket{}, false
		}
	}
	uid, err := strconv.Atoi(f[7])
	s.UID = uid
	return s, err == nil
}

// parseAddr reads ADDRESS:PORT in hexadecimal; the address is printed as 32-bit words in the byte order of the machine,
// which is little-endian on everything FATE runs on.
func parseAddr(s string) (netip.AddrPort, bool) {
	hexAddr, hexPort, _ := strings.Cut(s, ":")
	raw, err := hex.DecodeString(hexAddr)
	if err != nil || len(raw)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(raw); i += 4 {
		binary.BigEndian.PutUint32(raw[i:], binary.LittleEndian.Uint32(raw[i:]))
	}
	ip, ok := netip.AddrFromSlice(raw)
	port, err := strconv.ParseUint(hexPort, 16, 16)
	return netip.AddrPortFrom(ip, uint16(port)), ok && err == nil
}
