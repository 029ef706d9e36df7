package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"fate-installer/installer/deploy/programs"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/flow"
	"fate-installer/installer/peer"
	"fate-installer/installer/registry"
)

// moduleState is one instance of a module, as it is seen from this host.
type moduleState struct {
	Host       string         `json:"host"`                 // its address
	Module     cluster.Module `json:"module"`               // the module
	Address    string         `json:"address"`              // IP:PORT at which it listens
	Answers    bool           `json:"answers"`              // it does its work
	State      string         `json:"state"`                // what it answers: a version, leader, follower
	Registered *time.Time     `json:"registered,omitempty"` // since when a FATE-Flow is in the registry
	// it is a FATE-Flow that should be in the registry, and is not
	Missing bool   `json:"missing,omitempty"`
	Own     bool   `json:"own"`           // it is on this host
	Why     string `json:"why,omitempty"` // why it does not answer
}

// svcHostsReport is every instance of every module of a side. It is the JSON document of svc status --all-hosts.
type svcHostsReport struct {
	Modules  []moduleState       `json:"modules"`                    // every instance of every module
	Registry []registry.Instance `json:"registry,omitempty"`         // the FATE-Flows in ZooKeeper
	Problem  string              `json:"registry_problem,omitempty"` // why the registry could not be read
	Unknown  []registry.Instance `json:"unknown,omitempty"`          // registered, and not in the cluster file
}

// askTimeout is for one module; all are asked at once.
const askTimeout = 5 * time.Second

func runSvcStatusAllHosts(ctx context.Context, g *globals) error {
	spec, err := installed(g)
	if err != nil {
		return err
	}
	state := lookAtParty(ctx, spec)
	if g.Output == outputJSON {
		err = g.printJSON(state)
	} else {
		err = state.print(g)
	}
	if err == nil && !state.well() {
		err = exit.Silently(exit.Preflight) // 3: something does not answer
	}
	return err
}

func lookAtParty(ctx context.Context, spec *cluster.Spec) *svcHostsReport {
	state := &svcHostsReport{}
	var group sync.WaitGroup
	ends := spec.Ends()
	state.Modules = make([]moduleState, len(ends))
	for i, end := range ends {
		group.Go(func() { state.Modules[i] = askModule(ctx, spec, end) })
	}
	group.Go(func() { state.readRegistry(ctx, spec) })
	group.Wait()
	state.compare(spec)
	return state
}

// askModule speaks to one module in its own language where it has a simple one.
func askModule(ctx context.Context, spec *cluster.Spec, end cluster.ModuleEnd) moduleState {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	addr := net.JoinHostPort(end.IP, strconv.Itoa(end.Port))
	s := moduleState{Host: end.IP, Module: end.Module, Address: addr, Own: end.IP == spec.IP}
	var err error
	switch end.Module {
	case cluster.ZooKeeper:
		s.State, err = registry.ServerMode(ctx, addr)
	case cluster.FateFlow:
		s.State, err = flowVersion(ctx, addr)
		grpc := net.JoinHostPort(end.IP, strconv.Itoa(spec.Side.FateFlow.GRPCPort))
		if noWorker := askWorker(ctx, grpc); err == nil && errors.Is(noWorker, peer.ErrNoWorker) {
			err = noWorker
		}
	default:
		err = programs.DialTCP(ctx, addr)
	}
	s.Answers = err == nil
	if err != nil {
		s.Why = err.Error()
	}
	return s
}

// flowVersion is FATE's version as a FATE-Flow tells it. One that wants signed requests answers, too.
func flowVersion(ctx context.Context, addr string) (string, error) {
	client := &flow.Client{BaseURL: "http://" + addr, HTTP: flow.NewHTTP(askTimeout)}
	v, err := client.Version(ctx)
	var refused *flow.Error
	if errors.As(err, &refused) {
		return "", nil
	}
	return v, err
}

func (s *svcHostsReport) readRegistry(ctx context.Context, spec *cluster.Spec) {
	config, ok := registryConfig(spec)
	if !ok {
		return
	}
	r, err := openRegistry(ctx, config)
	if err == nil {
		defer r.Close()
		s.Registry, err = r.Instances()
	}
	if err != nil {
		s.Problem = err.Error()
	}
}

func registryConfig(spec *cluster.Spec) (registry.Config, bool) {
	servers, user, password, ok := spec.Registry()
	return registry.Config{Servers: servers, User: user, Password: password}, ok
}

// compare holds what is registered against what the cluster file lists.
func (s *svcHostsReport) compare(spec *cluster.Spec) {
	if _, _, _, ok := spec.Registry(); !ok || s.Problem != "" {
		return
	}
	listed := func(node string) bool {
		return slices.ContainsFunc(s.Modules,
			func(m moduleState) bool { return m.Module == cluster.FateFlow && flowNode(spec, m.Host) == node })
	}
	for i := range s.Modules {
		m := &s.Modules[i]
		if m.Module != cluster.FateFlow {
			continue
		}
		at := slices.IndexFunc(s.Registry, func(r registry.Instance) bool { return r.Node == flowNode(spec, m.Host) })
		if at >= 0 {
			m.Registered = &s.Registry[at].Since
			continue
		}
		m.Missing = true
		if m.Answers {
			m.Why = "it runs, but is not registered: the others take it for dead; its supervisor restarts it within " +
				"a minute"
		}
	}
	for _, r := range s.Registry {
		if !listed(r.Node) {
			s.Unknown = append(s.Unknown, r)
		}
	}
}

// flowNode is the name under which the FATE-Flow of a host registers.
func flowNode(spec *cluster.Spec, host string) string {
	return net.JoinHostPort(host, strconv.Itoa(spec.Side.FateFlow.GRPCPort))
}

func (s *svcHostsReport) well() bool {
	return s.Problem == "" && !slices.ContainsFunc(s.Modules,
		func(m moduleState) bool { return !m.Answers || m.Missing })
}

func (s *svcHostsReport) print(g *globals) error {
	t := g.newTable("HOST", "MODULE", "ADDRESS", "ANSWERS", "STATE", "REGISTERED", "WHY")
	for _, m := range s.Modules {
		host := m.Host
		if m.Own {
			host = fmt.Sprintf("%s (this)", host)
		}
		registered := "-"
		switch {
		case m.Registered != nil:
			registered = "for " + shortDuration(time.Since(*m.Registered))
		case m.Missing:
			registered = "no"
		}
		state := m.State
		if state == "" {
			state = "-"
		}
		t.row(host, string(m.Module), m.Address, yesNo(m.Answers), state, registered, m.Why)
	}
	if err := t.flush(); err != nil {
		return err
	}
	if s.Problem != "" {
		g.printf("\nregistry: %s\n", s.Problem)
	}
	for _, r := range s.Unknown {
		g.printf("\n%s is registered as %s (version %s), and the cluster file does not list it\n", r.Node, r.ID,
			r.Version)
	}
	return nil
}

// others are the FATE-Flows on other hosts that are registered and answer.
func (s *svcHostsReport) others() []string {
	var out []string
	for _, m := range s.Modules {
		if m.Module == cluster.FateFlow && !m.Own && m.Answers && m.Registered != nil {
			out = append(out, fmt.Sprintf("%s (FATE %s)", m.Host, m.State))
		}
	}
	return out
}
