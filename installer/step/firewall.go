package step

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"fate-installer/installer/engine"
	"fate-installer/installer/host"
)

// Firewall opens ports in the firewall that the host's distribution manages, firewalld or ufw, or switches that
// firewall off. Where neither runs there is nothing to do. Rules made by other means are not touched.
type Firewall struct {
	Ports   []int // TCP ports to open
	Disable bool  // switch it off instead
}

// firewallBefore is the state before Firewall.
type firewallBefore struct {
	Tool    string `json:"tool"`
	Zone    string `json:"zone,omitempty"`    // of firewalld, that the ports are opened in
	Now     []int  `json:"now,omitempty"`     // ports that were closed
	Boot    []int  `json:"boot,omitempty"`    // ports that would have been closed after a boot; firewalld only
	Disable bool   `json:"disable,omitempty"` // it was running, and is switched off
	Enabled bool   `json:"enabled,omitempty"` // and it would have run after a boot
}

const (
	firewalld = "firewalld"
	ufw       = "ufw"
	ufwConfig = "/etc/ufw/ufw.conf"
)

// ID implements [engine.Step].
func (f Firewall) ID() string {
	if f.Disable {
		return kindFirewall + ":disable"
	}
	return kindFirewall + ":open"
}

// Describe implements [engine.Describer].
func (f Firewall) Describe() string {
	if f.Disable {
		return "firewall switched off, now and at boot"
	}
	return "firewall open for TCP ports " + portList(f.Ports)
}

func portList(ports []int) string {
	text := make([]string, len(ports))
	for i, p := range ports {
		text[i] = strconv.Itoa(p)
	}
	return strings.Join(text, " ")
}

// Check implements [engine.Step].
func (f Firewall) Check(ctx context.Context, env *engine.Env) (engine.Finding, error) {
	if !env.Host.Live() {
		return engine.Finding{Done: true, Note: "the firewall of a directory tree is not changed"}, nil
	}
	tool, err := runningFirewall(ctx, env)
	if err != nil {
		return engine.Finding{}, err
	}
	if tool == "" {
		return engine.Finding{Done: true}, nil // neither firewalld nor ufw is running
	}
	if f.Disable {
		before := firewallBefore{Tool: tool, Disable: true, Enabled: tool == ufw ||
			is(ctx, env, "is-enabled", firewalld)}
		return todo(tool+" is running", before, "disabled"), ctx.Err()
	}
	before, err := closedPorts(ctx, env, tool, f.Ports)
	if err != nil {
		return engine.Finding{}, err
	}
	missing := union(before.Now, before.Boot)
	if len(missing) == 0 {
		return engine.Finding{Done: true}, nil
	}
	return todo(fmt.Sprintf("%s does not let in TCP ports %s", tool, portList(missing)), before, portList(f.Ports)), nil
}

// runningFirewall returns the firewall that filters now, or "". It asks systemd and a file, because the firewalls' own
// programs take a third of a second to answer.
func runningFirewall(ctx context.Context, env *engine.Env) (string, error) {
	if is(ctx, env, "is-active", firewalld) {
		return firewalld, nil
	}
	if err := ctx.Err(); err != nil { // a cut-off command says nothing
		return "", err
	}
	config, err := env.Host.ReadFile(ufwConfig)
	if notExist(err) {
		return "", nil
	}
	for line := range strings.Lines(string(config)) {
		if strings.EqualFold(strings.TrimSpace(line), "ENABLED=yes") {
			return ufw, nil
		}
	}
	return "", err
}

// closedPorts returns which ports the firewall does not let in.
func closedPorts(ctx context.Context, env *engine.Env, tool string, ports []int) (firewallBefore, error) {
	before := firewallBefore{Tool: tool}
	closed := func(open []string) []int {
		return slices.DeleteFunc(slices.Clone(ports), func(p int) bool {
			return slices.ContainsFunc(open, func(o string) bool { return covers(o, p) })
		})
	}
	if tool == ufw {
		res, err := env.Host.Run(ctx, host.Cmd{Args: []string{"ufw", "status"}})
		before.Now = closed(ufwOpen(string(res.Stdout)))
		return before, err
	}
	res, err := env.Host.Run(ctx, host.Cmd{Args: []string{"firewall-cmd", "--list-all"}})
	if err != nil {
		return before, err
	}
	var open []string
	before.Zone, open = firewalldZone(string(res.Stdout))
	before.Now = closed(open)
	res, err = env.Host.Run(ctx,
		host.Cmd{Args: []string{"firewall-cmd", "--permanent", "--zone=" + before.Zone, "--list-ports"}})
	before.Boot = closed(strings.Fields(string(res.Stdout)))
	return before, err
}

// covers reports whether an entry such as 9370/tcp or 9000-9999/tcp is for a port.
func covers(entry string, port int) bool {
	ports, ok := strings.CutSuffix(entry, "/tcp")
	low, high, isRange := strings.Cut(ports, "-")
	if !isRange {
		high = low
	}
	from, err1 := strconv.Atoi(low)
	to, err2 := strconv.Atoi(high)
	return ok && err1 == nil && err2 == nil && from <= port && port <= to
}

// firewalldZone reads the output of "firewall-cmd --list-all": the zone begins the first line, its ports are in a
// line of their own.
func firewalldZone(text string) (zone string, open []string) {
	for line := range strings.Lines(text) {
		if zone == "" {
			zone, _, _ = strings.Cut(strings.TrimSpace(line), " ")
		}
		if ports, ok := strings.CutPrefix(strings.TrimSpace(line), "ports:"); ok {
			open = strings.Fields(ports)
		}
	}
	return zone, open
}

// ufwOpen reads the table of "ufw status": the port, what is done, and for whom.
func ufwOpen(text string) (open []string) {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) == 3 && f[1] == "ALLOW" && f[2] == "Anywhere" {
			open = append(open, strings.Replace(f[0], ":", "-", 1))
		}
	}
	return open
}

// Apply implements [engine.Step].
func (f Firewall) Apply(ctx context.Context, env *engine.Env) error {
	tool, err := runningFirewall(ctx, env)
	if err != nil || tool == "" {
		return err
	}
	if f.Disable {
		return switchOff(ctx, env, tool)
	}
	before, err := closedPorts(ctx, env, tool, f.Ports)
	if err != nil {
		return err
	}
	return before.change(ctx, env, "--add-port=", "allow")
}

func switchOff(ctx context.Context, env *engine.Env, tool string) error {
	if tool == ufw {
		_, err := env.Host.Run(ctx, host.Cmd{Args: []string{"ufw", "disable"}})
		return err
	}
	if _, err := systemctl(ctx, env, "disable", firewalld); err != nil {
		return err
	}
	_, err := systemctl(ctx, env, "stop", firewalld)
	return err
}

// change opens or closes the ports.
func (b firewallBefore) change(ctx context.Context, env *engine.Env, firewalldOption string, ufwVerb ...string) error {
	if b.Tool == ufw {
		for _, p := range b.Now {
			args := slices.Concat([]string{"ufw"}, ufwVerb, []string{fmt.Sprintf("%d/tcp", p)})
			if _, err := env.Host.Run(ctx, host.Cmd{Args: args}); err != nil {
				return err
			}
		}
		return nil
	}
	// One call for all ports of a list: each takes a third of a second.
	for _, list := range []struct {
		ports []int
		args  []string
	}{{b.Boot, []string{"--permanent"}}, {b.Now, nil}} {
		if len(list.ports) == 0 {
			continue
		}
		args := slices.Concat([]string{"firewall-cmd", "--quiet", "--zone=" + b.Zone}, list.args)
		for _, p := range list.ports {
			args = append(args, fmt.Sprintf("%s%d/tcp", firewalldOption, p))
		}
		if _, err := env.Host.Run(ctx, host.Cmd{Args: args}); err != nil {
			return err
		}
	}
	return nil
}

// Merge implements [engine.Merger].
func (Firewall) Merge(first, later json.RawMessage) (json.RawMessage, error) {
	a, err1 := decode[firewallBefore](first)
	b, err2 := decode[firewallBefore](later)
	if err := errors.Join(err1, err2); err != nil || a.Tool != b.Tool || a.Zone != b.Zone {
		return first, err // another firewall: the ports opened in it are its own matter
	}
	a.Now, a.Boot = union(a.Now, b.Now), union(a.Boot, b.Boot)
	return pack(a), nil
}

// Undo implements [engine.Undoer]. Ports that were open before stay open.
func (Firewall) Undo(ctx context.Context, env *engine.Env, raw json.RawMessage) error {
	before, err := decode[firewallBefore](raw)
	if err != nil || !env.Host.Live() {
		return err
	}
	if before.Disable {
		return before.switchOn(ctx, env)
	}
	tool, err := runningFirewall(ctx, env)
	if err != nil {
		return err
	}
	if tool != before.Tool {
		return &engine.LeftError{What: "ports opened in " + before.Tool, Why: "it is not running"}
	}
	open, err := before.stillOpen(ctx, env)
	if err != nil {
		return err
	}
	return open.change(ctx, env, "--remove-port=", "delete", "allow")
}

// stillOpen returns the part of the ports that is still open.
func (b firewallBefore) stillOpen(ctx context.Context, env *engine.Env) (firewallBefore, error) {
	closed, err := closedPorts(ctx, env, b.Tool, union(b.Now, b.Boot))
	b.Now = slices.DeleteFunc(slices.Clone(b.Now), func(p int) bool { return slices.Contains(closed.Now, p) })
	b.Boot = slices.DeleteFunc(slices.Clone(b.Boot), func(p int) bool { return slices.Contains(closed.Boot, p) })
	return b, err
}

func (b firewallBefore) switchOn(ctx context.Context, env *engine.Env) error {
	if b.Tool == ufw {
		_, err := env.Host.Run(ctx, host.Cmd{Args: []string{"ufw", "--force", "enable"}})
		return err
	}
	if b.Enabled {
		if _, err := systemctl(ctx, env, "enable", firewalld); err != nil {
			return err
		}
	}
	_, err := systemctl(ctx, env, "start", firewalld)
	return err
}

// Remains implements [engine.Remainer].
func (Firewall) Remains(ctx context.Context, env *engine.Env, raw json.RawMessage) ([]string, error) {
	before, err := decode[firewallBefore](raw)
	if err != nil || !env.Host.Live() {
		return nil, err
	}
	tool, err := runningFirewall(ctx, env)
	switch {
	case err != nil:
		return nil, err
	case before.Disable && tool != before.Tool:
		return []string{before.Tool + " is switched off"}, nil
	case before.Disable || tool != before.Tool:
		return nil, nil
	}
	open, err := before.stillOpen(ctx, env)
	var out []string
	for _, p := range union(open.Now, open.Boot) {
		out = append(out, fmt.Sprintf("TCP port %d is open in %s", p, tool))
	}
	return out, err
}
