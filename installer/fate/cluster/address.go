package cluster

import (
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"
)

var hostName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(
		`^(?i:[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)(\.(?i:[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?))*$`)
})

// validAddress accepts an IPv4 address or a host name, which is what route tables, JDBC addresses and FATE-Flow
// carry.
func validAddress(s string) bool {
	if a, err := netip.ParseAddr(s); err == nil {
		return a.Is4()
	}
	last := s[strings.LastIndexByte(s, '.')+1:]
	if strings.Trim(last, "0123456789") == "" { // 192.168.1.300 is a mistyped address, not a name
		return false
	}
	return len(s) <= 253 && hostName().MatchString(s)
}

// isLoopback reports an address that means something else on every host.
func isLoopback(s string) bool {
	a, err := netip.ParseAddr(s)
	return s == "localhost" || err == nil && (a.IsLoopback() || a.IsUnspecified())
}

// addressFault says why s is no address that FATE's programs can use, and what to write instead. reason is blank
// for one that is.
func addressFault(s string) (reason, fix string) {
	host, port, splitErr := net.SplitHostPort(s)
	prefix, prefixErr := netip.ParsePrefix(s)
	addr, addrErr := netip.ParseAddr(strings.Trim(s, "[]"))
	switch {
	case validAddress(s):
		return "", ""
	case prefixErr == nil && prefix.Addr().Is4():
		return fmt.Sprintf("%q has a prefix length", s), "write " + prefix.Addr().String()
	case addrErr == nil && addr.Is6(), prefixErr == nil:
		return fmt.Sprintf("%q is an IPv6 address, and FATE's programs reach each other over IPv4 only",
			s), "write an IPv4 address of the host"
	case strings.Contains(s, "://"):
		return fmt.Sprintf("%q is a URL", s), "write the address or the host name alone"
	case splitErr == nil && port != "" && validAddress(host):
		return fmt.Sprintf("%q has a port", s), "write " + host + " here; the port is a value of its own"
	case severalAddresses(s):
		return fmt.Sprintf("%q is more than one address", s), "write one address"
	case strings.Contains(s, "_") && validAddress(strings.ReplaceAll(s, "_", "-")):
		return fmt.Sprintf("%q has an underscore, which no host name may have: Java's programs do not connect to it",
				s),
			"write the IPv4 address of the host, or rename it, for example to " + strings.ReplaceAll(s, "_", "-")
	}
	return fmt.Sprintf("%q is no IPv4 address and no host name", s), "write an IPv4 address or a host name"
}

func severalAddresses(s string) bool {
	list := strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(", ;", r) })
	return len(list) > 1 && !slices.ContainsFunc(list, func(a string) bool { return !validAddress(a) })
}
