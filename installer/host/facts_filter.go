package host

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Filter says how the kernel's packet filter treats connections that come in over IPv4, as far as its rules were
// read.
type Filter struct {
	Looked []string `json:"looked,omitempty"` // tools that showed their rules: nft, iptables-save
	// chains that packets for this host go through, with those they lead to
	Chains []FilterChain `json:"chains,omitempty"`
}

// FilterChain is one chain of rules.
type FilterChain struct {
	Tool   string       `json:"tool"`             // nft or iptables
	Table  string       `json:"table"`            // of nft with its family: inet site
	Name   string       `json:"name"`             //
	Base   bool         `json:"base,omitempty"`   // packets for this host begin here; others are reached by a jump
	Policy string       `json:"policy,omitempty"` // what happens at the end of a base chain: accept or drop
	Rules  []FilterRule `json:"-"`
}

// FilterRule is one rule, as far as a new TCP connection to a port of this host is concerned.
type FilterRule struct {
	Text    string
	Verdict string // accept, drop, jump, goto, return, or blank: it only counts or logs
	Target  string // of jump and goto
	Unclear bool   // it has conditions that were not understood, such as an address
	match   func(p Incoming) bool
}

// Incoming is the first packet of a TCP connection to this host.
type Incoming struct {
	Loopback bool // over lo, from this host itself
	Port     int
}

// Verdict is the filter's decision about a connection.
type Verdict string

// The verdicts.
const (
	VerdictAccept  Verdict = "accept"
	VerdictDrop    Verdict = "drop" // or reject
	VerdictUnclear Verdict = "unclear"
)

// Verdict gives what becomes of a connection, and the chain and the rule (or "policy drop") that decide.
func (f *Filter) Verdict(p Incoming) (v Verdict, chain *FilterChain, rule string) {
	v = VerdictAccept
	for i := range f.Chains {
		if c := &f.Chains[i]; c.Base {
			got, text := f.walk(c, p, 0)
			if got == "" {
				got, text = Verdict(c.Policy), "policy "+c.Policy
			}
			if got == VerdictDrop {
				return got, c, text
			}
			if got == VerdictUnclear {
				v, chain, rule = got, c, text
			}
		}
	}
	return v, chain, rule
}

// maxJumps is how deep the kernel itself lets chains call each other.
const maxJumps = 16

// walk follows the rules of a chain; blank is its end. A rule that may decide makes the outcome unclear, unless what
// would follow is the same.
func (f *Filter) walk(c *FilterChain, p Incoming, depth int) (Verdict, string) {
	if depth > maxJumps {
		return VerdictUnclear, "chains that call each other"
	}
	for i, r := range c.Rules {
		if r.match != nil && !r.match(p) {
			continue
		}
		got, text := Verdict(""), r.Text
		switch r.Verdict {
		case "accept", "drop":
			got = Verdict(r.Verdict)
		case "return":
			if !r.Unclear {
				return "", ""
			}
			got = VerdictUnclear
		case "jump", "goto":
			if next := f.chain(c, r.Target); next != nil {
				got, text = f.walk(next, p, depth+1)
			} else {
				got = VerdictUnclear
			}
			if got == "" && r.Verdict == "goto" && !r.Unclear {
				return "", ""
			}
		}
		if got == "" {
			continue
		}
		if !r.Unclear {
			return got, text
		}
		rest := *c
		rest.Rules = c.Rules[i+1:]
		after, _ := f.walk(&rest, p, depth)
		if after == "" && c.Base {
			after = Verdict(c.Policy)
		}
		if after == got {
			return got, text
		}
		return VerdictUnclear, text
	}
	return "", ""
}

func (f *Filter) chain(from *FilterChain, name string) *FilterChain {
	i := slices.IndexFunc(f.Chains, func(c FilterChain) bool {
		return c.Tool == from.Tool &&
			c.Table == from.Table && c.Name == name
	})
	if i < 0 {
		return nil
	}
	return &f.Chains[i]
}

// filterWait bounds how long a tool may take to show its rules.
const filterWait = 5 * time.Second

// filter asks the tools that the host has for their rules. The rules of iptables are nft's too on newer systems, which
// shows them without their conditions: they are read from the tool that made them.
func (g *gatherer) filter(ctx context.Context) {
	if g.f.Rooted {
		return
	}
	const fact = "filter"
	if !g.h.Live() {
		g.f.Unknown[fact] = "the machine does not run"
		return
	}
	var failed []string
	ask := func(tool string, parse func(string) []FilterChain, args ...string) {
		limited, cancel := context.WithTimeout(ctx, filterWait)
		defer cancel()
		res, err := g.h.Run(limited, Cmd{Args: append([]string{tool}, args...), Grace: time.Second})
		switch {
		case errors.Is(err, ErrNotFound):
		case err != nil:
			failed = append(failed, err.Error())
		default:
			g.f.Filter.Looked = append(g.f.Filter.Looked, tool)
			g.f.Filter.Chains = append(g.f.Filter.Chains, parse(string(res.Stdout))...)
		}
	}
	ask("iptables-save", parseIPTables)
	byIPTables := len(g.f.Filter.Looked) > 0
	ask("nft", func(text string) []FilterChain {
		return slices.DeleteFunc(parseNFT(text), func(c FilterChain) bool {
			return byIPTables && (c.Table == "ip filter" || c.Table == "ip mangle") && strings.ToUpper(c.Name) == c.Name
		})
	}, "list", "ruleset")
	switch {
	case len(failed) > 0:
		g.f.Unknown[fact] = strings.Join(failed, "; ")
	case len(g.f.Filter.Looked) == 0:
		g.f.Unknown[fact] = "neither nft nor iptables-save is on this host to show the rules of a packet filter"
	}
}

// OpenCommand is the command that lets connections to ports in, or with no port everything over lo, before any other
// rule of the chain.
func (c *FilterChain) OpenCommand(ports []int) string {
	text := make([]string, len(ports))
	for i, p := range ports {
		text[i] = fmt.Sprint(p)
	}
	if c.Tool == "nft" {
		if len(ports) == 0 {
			return fmt.Sprintf("nft insert rule %s %s iif lo accept", c.Table, c.Name)
		}
		return fmt.Sprintf("nft insert rule %s %s tcp dport '{ %s }' accept", c.Table, c.Name, strings.Join(text, ", "))
	}
	if len(ports) == 0 {
		return fmt.Sprintf("iptables -I %s -i lo -j ACCEPT", c.Name)
	}
	var lines []string
	for part := range slices.Chunk(text, 15) { // as many as one match takes
		lines = append(lines, fmt.Sprintf("iptables -I %s -p tcp -m multiport --dports %s -j ACCEPT", c.Name,
			strings.Join(part, ",")))
	}
	return strings.Join(lines, " && ")
}
