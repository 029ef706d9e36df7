package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"fate-installer/installer/fate"
	"fate-installer/installer/peer"
)

// awayProgram is a program of this party on another host that takes no connection.
type awayProgram struct {
	Module  fate.Module
	Address string // host:port
	Err     error
}

func (a awayProgram) String() string {
	return fmt.Sprintf("%s is away: %s does not answer: %v", a.Module.Program(), a.Address, a.Err)
}

// programsAway asks the programs of this party on other hosts that jobs need, all at once, and returns those that take
// no connection: their host is off, or a firewall is between. With modules only these are asked.
func programsAway(ctx context.Context, spec *fate.Spec, modules ...fate.Module) []awayProgram {
	if len(modules) == 0 {
		modules = []fate.Module{fate.MySQL, fate.ClusterManager, fate.NodeManager, fate.Rollsite}
	}
	side := spec.Side
	var asked []awayProgram
	for _, m := range modules {
		ips, port := side.MySQL.IPs, side.MySQL.Port
		switch m {
		case fate.ClusterManager:
			ips, port = side.ClusterManager.IPs, side.ClusterManager.Port
		case fate.NodeManager:
			ips, port = side.NodeManager.IPs, side.NodeManager.Port
		case fate.Rollsite:
			ips, port = side.Rollsite.IPs, side.Rollsite.Port
		}
		for _, ip := range ips {
			if ip != spec.IP {
				asked = append(asked, awayProgram{Module: m, Address: net.JoinHostPort(ip, strconv.Itoa(port))})
			}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, needTimeout)
	defer cancel()
	var group sync.WaitGroup
	for i := range asked {
		group.Go(func() { asked[i].Err = dialTCP(ctx, asked[i].Address) })
	}
	group.Wait()
	var out []awayProgram
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

// askFlowWorker returns an error that wraps [peer.ErrNoWorker] when jobs that hang hold all workers of the FATE-Flow
// that jobs of this host are given to. What else is wrong with it is left to the next client.
func askFlowWorker(ctx context.Context, spec *fate.Spec) error {
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

// workersRemedy frees the workers of a FATE-Flow.
const workersRemedy = "on the host of that FATE-Flow: fate-installer svc restart fateflow; the jobs that hang fail, and new ones " +
	"run (heal: {fate_flow: true} in the cluster file does this without being asked)"

// checkJobsCanRun says before a test's job is submitted what it would hang on. A nodemanager that is away is no reason
// not to try: eggroll, or the check of the clustermanager, stops planning jobs on it.
func checkJobsCanRun(ctx context.Context, g *globals, spec *fate.Spec) error {
	away := programsAway(ctx, spec, fate.NodeManager)
	for _, a := range away {
		g.printf("%s\n", a)
	}
	err := askFlowWorker(ctx, spec)
	if err == nil {
		return nil
	}
	err = fmt.Errorf("cannot submit a job: %w", err)
	for _, a := range away {
		err = fmt.Errorf("%w\n%s", err, a)
	}
	return withHint(err, workersRemedy)
}
