package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"

	"fate-installer/installer/problem"
	"fate-installer/installer/registry"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"
)

// newProbeZooKeeperCommand is the readiness probe of ZooKeeper: the port opens long before it serves anybody.
func newProbeZooKeeperCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "probe-zookeeper HOST:PORT",
		Short:  "Ask a ZooKeeper whether it serves",
		Hidden: true,
		Long: `Ask a ZooKeeper what it is: leader, follower or standalone. One that runs without a majority of its ensemble is none.

EXIT STATUS
  0    it serves
  1    it does not`,
		Example: `  fate-installer svc probe-zookeeper 127.0.0.1:2181`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), registry.AskTimeout)
			defer cancel()
			_, err := registry.ServerMode(ctx, args[0])
			return err
		},
	}
}

// newProbeFlowCommand is the liveness probe of a FATE-Flow that registers.
func newProbeFlowCommand(g *globals) *cobra.Command {
	var file, workers string
	cmd := &cobra.Command{
		Use:    "probe-flow",
		Short:  "Look whether this host's FATE-Flow is still registered",
		Hidden: true,
		Long: `Look in ZooKeeper whether this host's FATE-Flow is still registered. It registers when it starts and never again: after
its session has expired, it runs on and no other FATE-Flow of the party knows of it. Only a restart helps.

When the registry cannot be asked nothing can be said, and nothing is: a FATE-Flow that is restarted without a registry
does not start.

With --worker-state, the file of svc probe-worker, it also fails when no worker of FATE-Flow has been free for two minutes.

EXIT STATUS
  0    it is registered, or that is not known
  1    it is not registered, or has had no free worker for two minutes`,
		Example: `  fate-installer svc probe-flow --conf /data/projects/fate/conf/service_conf.yaml`,
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runProbeFlow(cmd.Context(), g, file, workers) },
	}
	cmd.Flags().StringVar(&file, "conf", "", "FATE-Flow's service_conf.yaml `file`")
	cmd.Flags().StringVar(&workers, "worker-state", "", "`file` that svc probe-worker keeps")
	_ = cmd.MarkFlagRequired("conf")
	return cmd
}

// serviceConf is the part of FATE-Flow's configuration that the probe reads: it runs as the service user, who can read
// nothing else of the installation.
type serviceConf struct {
	UseRegistry bool `yaml:"use_registry"`
	FateFlow    struct {
		Host     string `yaml:"host"`
		GRPCPort int    `yaml:"grpc_port"`
	} `yaml:"fateflow"`
	Database struct {
		Name     string `yaml:"name"`
		User     string `yaml:"user"`
		Password string `yaml:"passwd"`
		Host     string `yaml:"host"`
		Port     int    `yaml:"port"`
	} `yaml:"database"`
	ZooKeeper struct {
		Hosts    []string `yaml:"hosts"`
		UseACL   bool     `yaml:"use_acl"`
		User     string   `yaml:"user"`
		Password string   `yaml:"password"`
	} `yaml:"zookeeper"`
}

func (c *serviceConf) registry() registry.Config {
	r := registry.Config{Servers: c.ZooKeeper.Hosts}
	if c.ZooKeeper.UseACL {
		r.User, r.Password = c.ZooKeeper.User, c.ZooKeeper.Password
	}
	return r
}

// probeFlowTimeout leaves the supervisor's time limit for a probe to probes that hang.
const probeFlowTimeout = 4 * time.Second

func runProbeFlow(ctx context.Context, g *globals, file, workers string) error {
	if workers != "" {
		now := bootClock()
		if long, ok := readWorkerState(workers, bootID(), now).exhausted(now); ok {
			return fmt.Errorf("it has had no free worker for %s: jobs that hang hold all of them",
				long.Round(time.Second))
		}
	}
	data, err := problem.ReadRegular(file, probeFileLimit)
	if err != nil {
		return fmt.Errorf("cannot read FATE-Flow's configuration: %w", err)
	}
	var conf serviceConf
	if err := yaml.Unmarshal(data, &conf); err != nil {
		return fmt.Errorf("cannot understand %s: %w", file, errors.New(yaml.FormatError(err, false, false)))
	}
	if !conf.UseRegistry {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, probeFlowTimeout)
	defer cancel()
	r, err := registry.Open(ctx, conf.registry())
	if err != nil {
		g.printf("cannot tell: %v\n", err)
		return nil
	}
	defer r.Close()
	instances, err := r.Instances()
	if err != nil {
		g.printf("cannot tell: %v\n", err)
		return nil
	}
	own := net.JoinHostPort(conf.FateFlow.Host, strconv.Itoa(conf.FateFlow.GRPCPort))
	if !slices.ContainsFunc(instances, func(i registry.Instance) bool { return i.Node == own }) {
		return fmt.Errorf("it is not registered in ZooKeeper any more as %s: its session has expired, and FATE-Flow "+
			"registers only when it starts", own)
	}
	return nil
}
