package host

import (
	"slices"
	"strconv"
	"strings"
)

// conditions collects what a rule asks of a packet.
type conditions struct {
	never    bool // no new TCP connection over IPv4 is meant
	unclear  bool
	loopback *bool
	ports    [][2]int // nil: any
	notPorts bool
}

func (c *conditions) rule(text, verdict, target string) FilterRule {
	copied := *c
	return FilterRule{Text: text, Verdict: verdict, Target: target, Unclear: c.unclear, match: copied.matches}
}

func (c *conditions) matches(p Incoming) bool {
	if c.never || c.loopback != nil && *c.loopback != p.Loopback {
		return false
	}
	if c.ports == nil {
		return true
	}
	in := slices.ContainsFunc(c.ports, func(r [2]int) bool { return r[0] <= p.Port && p.Port <= r[1] })
	return in != c.notPorts
}

// onInterface asks for an interface. A wildcard or another name than lo leaves open which one an outside connection
// uses.
func (c *conditions) onInterface(name string, not bool) {
	name = strings.Trim(name, `"`)
	if name == "lo" {
		yes := !not
		c.loopback = &yes
		return
	}
	if !not {
		no := false
		c.loopback = &no
	}
	c.unclear = true
}

// states asks for states of the connection; a first packet has the state new.
func (c *conditions) states(names []string, not bool) {
	isNew := slices.ContainsFunc(names, func(s string) bool { return strings.EqualFold(s, "new") })
	c.never = c.never || isNew == not
}

// onPorts asks for ports, each a number or a range; a name leaves it open.
func (c *conditions) onPorts(words []string, separator string, not bool) {
	c.ports, c.notPorts = [][2]int{}, not
	for _, w := range words {
		from, to, isRange := strings.Cut(w, separator)
		if !isRange {
			to = from
		}
		low, err1 := strconv.Atoi(from)
		high, err2 := strconv.Atoi(to)
		if err1 != nil || err2 != nil { // ssh, http: none of them is a port of ours
			continue
		}
		c.ports = append(c.ports, [2]int{low, high})
	}
}

// parseIPTables reads the chains of iptables-save that a packet for this host goes through.
func parseIPTables(text string) []FilterChain {
	var out []FilterChain
	table := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		words := splitQuoted(line)
		switch {
		case strings.HasPrefix(line, "*"):
			table = line[1:]
		case table != "filter" || len(words) < 2:
		case strings.HasPrefix(line, ":"):
			c := FilterChain{Tool: "iptables", Table: table, Name: words[0][1:], Base: words[0] == ":INPUT"}
			if c.Base {
				c.Policy = strings.ToLower(words[1])
			}
			out = append(out, c)
		case words[0] == "-A":
			for i := range out {
				if out[i].Name == words[1] {
					out[i].Rules = append(out[i].Rules, iptablesRule(line, words[2:]))
				}
			}
		}
	}
	return out
}

func iptablesRule(text string, words []string) FilterRule {
	var c conditions
	verdict, target, not := "", "", false
	for i := 0; i < len(words); i++ {
		next := ""
		if i+1 < len(words) {
			next = words[i+1]
		}
		switch words[i] {
		case "!":
			not = true
			continue
		case "-i":
			c.onInterface(next, not)
			i++
		case "-p":
			c.never = c.never || (next == "tcp" || next == "all" || next == "6") == not
			i++
		case "-m":
			if !slices.Contains([]string{"tcp", "state", "conntrack", "multiport", "comment"}, next) {
				c.unclear = true
			}
			i++
		case "--state", "--ctstate":
			c.states(strings.Split(next, ","), not)
			i++
		case "--dport", "--dports":
			c.onPorts(strings.Split(next, ","), ":", not)
			i++
		case "--comment", "--reject-with", "--log-prefix", "--log-level":
			i++
		case "-j", "-g":
			verdict, target = iptablesVerdict(words[i], next)
			i++
		default:
			c.unclear = true
		}
		not = false
	}
	return c.rule(text, verdict, target)
}

func iptablesVerdict(how, target string) (verdict, chain string) {
	switch target {
	case "ACCEPT":
		return "accept", ""
	case "DROP", "REJECT":
		return "drop", ""
	case "RETURN":
		return "return", ""
	case "LOG", "NFLOG", "ULOG", "AUDIT", "MARK", "CONNMARK", "TRACE", "SET":
		return "", ""
	}
	if how == "-g" {
		return "goto", target
	}
	return "jump", target
}

// splitQuoted splits at blanks outside of double quotes.
func splitQuoted(s string) []string {
	var out []string
	start, quoted := -1, false
	for i, r := range s {
		if r == '"' {
			quoted = !quoted
		}
		switch blank := !quoted && (r == ' ' || r == '\t'); {
		case blank && start >= 0:
			out, start = append(out, s[start:i]), -1
		case !blank && start < 0:
			start = i
		}
	}
	if start >= 0 {
		out = append(out, s[start:])
	}
	return out
}

// parseNFT reads the chains of "nft list ruleset" that packets for this host may go through.
func parseNFT(text string) []FilterChain {
	var out []FilterChain
	table, family, depth := "", "", 0
	var chain *FilterChain
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		words := splitQuoted(line)
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case depth == 0 && len(words) >= 4 && words[0] == "table":
			family, table, depth = words[1], words[1]+" "+words[2], 1
		case depth == 1 && len(words) >= 3 && words[0] == "chain":
			out, depth = append(out, FilterChain{Tool: "nft", Table: table, Name: words[1]}), 2
			chain = &out[len(out)-1]
		case depth == 1 && strings.HasSuffix(line, "{"): // a set, map or counter
			chain, depth = nil, 2
		case line == "}":
			depth--
		case depth == 2 && chain == nil:
		case depth == 2 && words[0] == "type":
			chain.Base = slices.Contains(words, "filter") && slices.Contains(words, "input") &&
				(family == "ip" || family == "inet")
			chain.Policy = "accept"
			if strings.Contains(line, "policy drop") {
				chain.Policy = "drop"
			}
		case depth == 2:
			chain.Rules = append(chain.Rules, nftRule(line, words))
		}
	}
	return out
}
