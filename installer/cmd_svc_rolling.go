package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"fate-installer/installer/deploy/programs"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/registry"
)

// turnName is the turn that hosts take for a restart of their FATE-Flow.
const turnName = "restart-fateflow"

// settleTime is how long a FATE-Flow is up before the next host may stop its own: nginx leaves one that has refused
// alone for fail_timeout, 5 s in the nginx.conf that is rendered here.
const settleTime = 7 * time.Second

// registerTimeout is for a FATE-Flow that has started to be found in the registry: the entry of its former process has
// to expire first, and FATE-Flow gives up its registration only then.
const registerTimeout = 2 * time.Minute

// runSvcRolling restarts this host's FATE-Flow when another one can take its place, and returns when it is back. Hosts
// that do it at the same time take turns.
func runSvcRolling(ctx context.Context, g *globals, words []string, restart func(context.Context) error) error {
	if len(words) != 1 || strings.TrimPrefix(words[0], "fate-") != string(cluster.FateFlow) {
		return exit.With(exit.Hint(
			errors.New("cannot restart these in turns: only FATE-Flow runs on several hosts behind one address"),
			"fate-installer svc restart --rolling fateflow"), exit.Usage)
	}
	spec, err := installed(g)
	if err != nil {
		return err
	}
	config, ok := registryConfig(spec)
	if !ok || !spec.Runs(cluster.FateFlow) || len(spec.Side.FateFlow.IPs) < 2 {
		return exit.With(exit.Hint(
			fmt.Errorf("cannot restart FATE-Flow in turns: this host has none, or it is the only one of its party"),
			"fate-installer svc restart fateflow"), exit.Usage)
	}
	r, err := openRegistry(ctx, config)
	if err != nil {
		return exit.With(err, exit.NotReady)
	}
	defer r.Close()
	g.printf("waiting for this host's turn\n")
	end, err := r.Lock(ctx, turnName)
	if err != nil {
		return exit.With(err, exit.NotReady)
	}
	defer end() // the session's end ends it, too
	others := lookAtParty(ctx, spec).others()
	if len(others) == 0 {
		return exit.With(exit.Hint(
			errors.New("cannot restart FATE-Flow: no other one of this party is registered and answers, and so jobs "+
				"would stop"),
			"fate-installer svc status --all-hosts shows them; svc restart fateflow restarts it all the same"),
			exit.NotReady)
	}
	g.printf("%s goes on running\n", strings.Join(others, ", "))
	client, err := g.supervisorClient()
	if err != nil {
		return err
	}
	defer client.Close()
	began := time.Now()
	if err := restart(ctx); err != nil {
		return err
	}
	isFlow := func(program string) bool { return program == cluster.FateFlow.Program() }
	err = programs.UnlessGivenUp(ctx, client, isFlow, func(ctx context.Context) error {
		return awaitRegistered(ctx, r, flowNode(spec, spec.IP), began)
	})
	if err != nil {
		return exit.With(err, exit.NotReady)
	}
	select {
	case <-time.After(settleTime):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	g.printf("restarted and registered again (%s)\n", time.Since(began).Round(time.Second))
	return nil
}

func openRegistry(ctx context.Context, config registry.Config) (*registry.Registry, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	return registry.Open(ctx, config)
}

// awaitRegistered returns when a process that started after began has registered as node.
func awaitRegistered(ctx context.Context, r *registry.Registry, node string, began time.Time) error {
	until := time.Now().Add(registerTimeout)
	for {
		instances, err := r.Instances()
		fresh := func(i registry.Instance) bool { return i.Node == node && !i.Since.Before(began) }
		if err == nil && slices.ContainsFunc(instances, fresh) {
			return nil
		}
		if time.Now().After(until) {
			return exit.Hint(fmt.Errorf("FATE-Flow is restarted, but has not registered as %s within %s",
				node, registerTimeout), "fate-installer svc why fateflow")
		}
		select {
		case <-time.After(rollingPause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// rollingPause is between two looks at what is waited for before the next program is restarted.
const rollingPause = time.Second
