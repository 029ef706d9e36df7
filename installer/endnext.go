package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"fate-installer/installer/deploy"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/preflight"
	"fate-installer/installer/fate/render"
	"fate-installer/installer/output"
)

// openPort is a port of this host that others connect to.
type openPort struct {
	Port   int            `json:"port"`   // TCP
	Module cluster.Module `json:"module"` // that listens on it
	For    string         `json:"for"`    // who connects to it, as text
	Hosts  []string       `json:"hosts"`  // their addresses, where the cluster file has them
}

// Who connects to a port.
const (
	forParty   = "hosts of this party"
	forOthers  = "other parties"
	forJobs    = "those who submit jobs"
	forViewers = "those who look at jobs"
)

// portsToOpen lists the ports of this host that a firewall has to let others in to, each with those it is for. One that
// is for two groups is listed twice.
func portsToOpen(s *cluster.Spec) []openPort {
	own := slices.DeleteFunc(s.Side.Addresses(), func(ip string) bool { return ip == s.IP })
	away := []string{}
	for _, r := range s.PartyRoutes() {
		if !r.Own && r.IP != s.IP && !slices.Contains(own, r.IP) && !slices.Contains(away, r.IP) {
			away = append(away, r.IP)
		}
	}
	out := []openPort{}
	for _, p := range preflight.Ports(s) {
		add := func(who string, hosts []string) { out = append(out, openPort{p.Port, p.Module, who, hosts}) }
		if len(own) > 0 && !p.Module.ForPeople() {
			add(forParty, own)
		}
		switch {
		case p.Module.ForPeople():
			add(forViewers, []string{})
		case p.Module == cluster.FateFlow && p.Port == s.Side.FateFlow.HTTPPort,
			p.Module == cluster.Nginx && p.Port == s.Side.Nginx.HTTPPort:
			add(forJobs, []string{})
		// with TLS, other parties have a port of their own
		case p.Module == cluster.Rollsite && (!s.Side.Secure() || p.Port == s.Side.Rollsite.SecurePort):
			add(forOthers, away)
		}
	}
	return out
}

// client is how people use FATE's own tools on a host.
type client struct {
	User    string   `json:"user"`     // of the host, as whom they are used
	InitEnv string   `json:"init_env"` // the file to source first
	IP      string   `json:"ip"`       // of FATE-Flow
	Port    int      `json:"port"`     // of FATE-Flow's HTTP interface
	Files   []string `json:"files"`    // configuration of the flow and pipeline clients, which name that address
	Signed  bool     `json:"signed"`   // FATE-Flow accepts signed requests only
}

// clientOf is how people use FATE on this host; nil where FATE-Flow does not run.
func clientOf(s *cluster.Spec) (*client, error) {
	if !s.Runs(cluster.FateFlow) {
		return nil, nil
	}
	files, err := render.Files(s)
	if err != nil {
		return nil, err
	}
	c := &client{User: s.User, InitEnv: s.Layout.InitEnv(), IP: s.IP, Port: s.Side.FateFlow.HTTPPort, Files: []string{},
		Signed: !s.Side.FateFlow.SecretKey.IsZero()}
	for _, f := range files {
		if strings.Contains(f.Path, "/fate_client/") {
			c.Files = append(c.Files, f.Path)
		}
	}
	return c, nil
}

// addNext adds what has to be done outside this host, and by whom.
func addNext(d *deploy.Deployment, end *endReport) error {
	spec := d.Spec()
	end.Ports = portsToOpen(spec)
	end.OtherHosts = slices.DeleteFunc(spec.Side.Addresses(), func(ip string) bool { return ip == spec.IP })
	var err error
	end.Client, err = clientOf(spec)
	return err
}

// What the lines of the end of an install are about.
//
//language:labels
const (
	endFirewall = "firewall"
	endJobs     = "jobs"
	endHosts    = "hosts"
)

// endLabel is the width of the words before the lines of the end of an install.
const endLabel = 11

// printNext prints what has to be done outside this host. Commands are on lines of their own, which are not wrapped.
func printNext(g *globals, end endReport) {
	columns := deviceOf(g.Stdout).Columns
	label := ""
	begin := func(word string) { label = g.language.Padded(word, endLabel) }
	line := func(text string, width int) {
		g.raw(output.Indented(label, g.text(text), width) + "\n")
		label = strings.Repeat(" ", endLabel)
	}
	begin(endFirewall)
	for _, text := range portLines(end.Ports) {
		line(text, columns)
	}
	if c := end.Client; c != nil {
		begin(endJobs)
		line(fmt.Sprintf("as user %s, before FATE's tools:", c.User), columns)
		line(". "+c.InitEnv, 0)
		if len(c.Files) > 0 {
			line("the flow and pipeline clients of this host are configured; elsewhere:", columns)
		} else {
			line("configure the flow and pipeline clients:", columns)
		}
		keys := ""
		if c.Signed {
			keys = " --app-key KEY --secret-key KEY"
		}
		line(fmt.Sprintf("flow init --ip %s --port %d%s", c.IP, c.Port, keys), 0)
		line(fmt.Sprintf("pipeline init --ip %s --port %d%s", c.IP, c.Port, keys), 0)
	}
	if len(end.OtherHosts) > 0 {
		begin(endHosts)
		line("install on "+strings.Join(end.OtherHosts, ", ")+", too, where that is not done: the same file with the "+
			"same cluster file", columns)
	}
}

// portLines groups the ports by those they are for.
func portLines(ports []openPort) []string {
	var order []string
	numbers := map[string][]string{}
	for _, p := range ports {
		who := p.For
		if len(p.Hosts) > 0 {
			who += " (" + strings.Join(p.Hosts, ", ") + ")"
		}
		if numbers[who] == nil {
			order = append(order, who)
		}
		numbers[who] = append(numbers[who], strconv.Itoa(p.Port))
	}
	if len(order) == 0 {
		return []string{"no host but this one connects to its ports"}
	}
	out := []string{"open these TCP ports, to these only:"}
	for _, who := range order {
		out = append(out, strings.Join(numbers[who], ", ")+": "+who)
	}
	return out
}
