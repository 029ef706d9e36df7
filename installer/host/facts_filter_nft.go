package host

import (
	"slices"
	"strings"
)

// nftScanner goes through the words of one rule.
type nftScanner struct {
	words []string
	c     conditions
}

func (s *nftScanner) next() string {
	if len(s.words) == 0 {
		return ""
	}
	w := s.words[0]
	s.words = s.words[1:]
	return w
}

// operator takes != or ==.
func (s *nftScanner) operator() (not bool) {
	if len(s.words) > 0 && (s.words[0] == "!=" || s.words[0] == "==") {
		return s.next() == "!="
	}
	return false
}

// values takes one value, a list a,b or a set { a, b }.
func (s *nftScanner) values() []string {
	if len(s.words) == 0 {
		return nil
	}
	if s.words[0] != "{" {
		return strings.Split(s.next(), ",")
	}
	s.next()
	var out []string
	for len(s.words) > 0 {
		w := s.next()
		if w == "}" {
			break
		}
		if w = strings.TrimSuffix(w, ","); w != "" {
			out = append(out, w)
		}
	}
	return out
}

// nftRule reads one rule as nft prints it. What it does not know makes the rule unclear.
func nftRule(text string, words []string) FilterRule {
	s := &nftScanner{words: slices.Clone(words)}
	for len(s.words) > 0 {
		switch w := s.next(); w {
		case "accept", "drop", "return":
			return s.c.rule(text, w, "")
		case "reject":
			return s.c.rule(text, "drop", "")
		case "jump", "goto":
			return s.c.rule(text, w, s.next())
		case "continue":
			return s.c.rule(text, "", "")
		case "counter":
			if len(s.words) >= 4 && s.words[0] == "packets" {
				s.words = s.words[4:]
			}
		case "comment":
			s.next()
		case "log":
			s.logOptions()
		case "meta":
		case "iif", "iifname":
			not := s.operator()
			if names := s.values(); len(names) == 1 {
				s.c.onInterface(names[0], not)
			} else {
				s.c.unclear = true
			}
		case "ct":
			if verdict, decided := s.ctState(); decided {
				return s.c.rule(text, verdict, "")
			}
		case "tcp", "th":
			s.tcp()
		case "l4proto", "protocol":
			not := s.operator()
			s.c.never = s.c.never || slices.ContainsFunc(s.values(),
				func(v string) bool { return v == "tcp" || v == "6" }) == not
		case "nfproto":
			not := s.operator()
			s.c.never = s.c.never || slices.Contains(s.values(), "ipv4") == not
		// of other packets than TCP over IPv4
		case "udp", "icmp", "icmpv6", "sctp", "dccp", "igmp", "ip6", "arp", "ether":
			s.c.never = s.c.never || w != "ether"
			s.c.unclear = s.c.unclear || w == "ether"
			s.skip()
		case "ip":
			if len(s.words) > 0 && s.words[0] == "protocol" {
				continue
			}
			s.c.unclear = true
			s.skip()
		default:
			s.c.unclear = true
		}
	}
	return s.c.rule(text, "", "")
}

// skip passes over the field, the operator and the values of a condition.
func (s *nftScanner) skip() {
	s.next()
	s.operator()
	s.values()
}

func (s *nftScanner) logOptions() {
	for len(s.words) >= 2 && slices.Contains([]string{"prefix", "level", "flags", "group", "snaplen",
		"queue-threshold"}, s.words[0]) {
		s.words = s.words[2:]
	}
}

// ctState reads "state new" and "state vmap { new : accept }". A map decides, or leaves the packet to the next rule.
func (s *nftScanner) ctState() (verdict string, decided bool) {
	if len(s.words) == 0 || s.words[0] != "state" {
		s.c.unclear = true
		s.skip()
		return "", false
	}
	s.next()
	if len(s.words) == 0 || s.words[0] != "vmap" {
		not := s.operator()
		s.c.states(s.values(), not)
		return "", false
	}
	s.next()
	items := s.values() // new : accept, as three words each
	for i := 0; i+2 < len(items); i += 3 {
		if items[i] != "new" {
			continue
		}
		if items[i+2] == "accept" || items[i+2] == "drop" {
			return items[i+2], true
		}
		s.c.unclear = true
		return "accept", true
	}
	s.c.never = true
	return "", true
}

func (s *nftScanner) tcp() {
	if len(s.words) < 2 || s.words[0] != "dport" || s.words[1] == "vmap" || strings.HasPrefix(s.words[1], "@") {
		s.c.unclear = true
		s.skip()
		return
	}
	s.next()
	not := s.operator()
	s.c.onPorts(s.values(), "-", not)
}
