package job

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/flow"
	"fate-installer/installer/peer"
)

// AwayProgram is a program of this party on another host that takes no connection.
type AwayProgram struct {
	Module  cluster.Module
	Address string // host:port
	Err     error
}

func (a AwayProgram) String() string {
	return fmt.Sprintf("%s is away: %s does not answer: %v", a.Module.Program(), a.Address, a.Err)
}

// ProgramsAway asks the programs of this party on other hosts that jobs need, all at once, and returns those that take
// no connection: their host is off, or a firewall is between. With modules only these are asked.
func ProgramsAway(ctx context.Context, spec *cluster.Spec, modules ...cluster.Module) []AwayProgram {
	if len(modules) == 0 {
		modules = cluster.ModulesForJobs()
	}
	var asked []AwayProgram
	for _, m := range modules {
		for _, e := range spec.Side.InstancesOf(m) {
			if e.IP != spec.IP {
				asked = append(asked, AwayProgram{Module: m, Address: net.JoinHostPort(e.IP, strconv.Itoa(e.Port))})
			}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	var group sync.WaitGroup
	for i := range asked {
		group.Go(func() { asked[i].Err = dial(ctx, asked[i].Address) })
	}
	group.Wait()
	var out []AwayProgram
	for _, a := range asked {
		if a.Err != nil {
			out = append(out, a)
		}
	}
	return out
}

// flowWorkerTimeout is how long a command waits for a worker of FATE-Flow: longer than the readiness probe, which is
// repeated.
const flowWorkerTimeout = 10 * time.Second

// AskFlowWorker returns an error that wraps [peer.ErrNoWorker] when jobs that hang hold all workers of the FATE-Flow
// that jobs of this host are given to. What else is wrong with it is left to the next client.
func AskFlowWorker(ctx context.Context, spec *cluster.Spec) error {
	address := flowAddress(spec)
	if address == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, flowWorkerTimeout)
	defer cancel()
	err := peer.AskFlow(ctx, net.JoinHostPort(address, strconv.Itoa(spec.Side.FateFlow.GRPCPort)))
	if errors.Is(err, peer.ErrNoWorker) {
		return fmt.Errorf("%w within %s: jobs that hang hold all of them", err, flowWorkerTimeout)
	}
	return nil
}

// dialTimeout is for the connections of one look; a firewall that swallows packets costs as much.
const dialTimeout = 3 * time.Second

// dial reports whether an address accepts TCP connections.
func dial(ctx context.Context, addr string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	return conn.Close()
}

// flowAddress is the address of the FATE-Flow that this host runs, or else of the first one of its side; blank when the
// side has none.
func flowAddress(spec *cluster.Spec) string {
	ips := spec.Side.FateFlow.IPs
	switch {
	case spec.Role == cluster.RoleExchange || len(ips) == 0:
		return ""
	case spec.Runs(cluster.FateFlow):
		return spec.IP
	}
	return ips[0]
}

// FlowClient reaches the FATE-Flow that this host runs, or else the first one of its side.
func FlowClient(spec *cluster.Spec) (*flow.Client, error) {
	address := flowAddress(spec)
	if address == "" {
		return nil, exit.Hint(fmt.Errorf("cannot run a job: this side has no fate_flow"),
			"run it on a host of the guest party")
	}
	settings := spec.Side.FateFlow
	return &flow.Client{
		BaseURL: "http://" + net.JoinHostPort(address, strconv.Itoa(settings.HTTPPort)),
		Key:     flow.Key{App: settings.AppKey, Secret: settings.SecretKey.Reveal()},
	}, nil
}
