package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"fate-installer/installer/answer"
	"fate-installer/installer/peer"
	"fate-installer/installer/problem"

	"github.com/go-sql-driver/mysql"
	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"
)

// newProbeWorkerCommand is part of the readiness probe of FATE-Flow, whose web server answers also when no job can
// start.
func newProbeWorkerCommand() *cobra.Command {
	var conf, state string
	cmd := &cobra.Command{
		Use:    "probe-worker --conf FILE",
		Short:  "Check that this host's FATE-Flow can start a job",
		Hidden: true,
		Long: `Have a worker of this host's FATE-Flow answer a request for its version. FATE-Flow has five workers for each processor;
each job that hangs, because a nodemanager does not answer, keeps one. When none is left, no job can be submitted until
FATE-Flow is restarted.

Also log in to its database, as it does for every job. Its web server and its workers answer without one.

With --state a worker's answer holds for a minute, because FATE-Flow writes each call into its logs.

EXIT STATUS
  0    a worker has answered, and the database
  1    none has, FATE-Flow does not listen, or the database does not answer`,
		Example: `  fate-installer svc probe-worker --conf /data/projects/fate/conf/service_conf.yaml`,
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runProbeWorker(cmd.Context(), conf, state) },
	}
	cmd.Flags().StringVar(&conf, "conf", "", "FATE-Flow's service_conf.yaml `file`")
	cmd.Flags().StringVar(&state, "state", "", "`file` that keeps when a worker last answered")
	_ = cmd.MarkFlagRequired("conf")
	return cmd
}

// workerTimeout is how long a call may wait for a worker. It is less than the supervisor's time limit for a probe.
const workerTimeout = 3 * time.Second

func runProbeWorker(ctx context.Context, file, stateFile string) error {
	conf, err := readServiceConf(file)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, workerTimeout)
	defer cancel()
	database := make(chan error, 1)
	go func() { database <- conf.askDatabase(ctx) }()
	worker := probeWorker(ctx, conf.grpcAddress(), stateFile)
	return errors.Join(worker, <-database)
}

// probeWorker has a worker answer, unless one has within the last minute.
func probeWorker(ctx context.Context, addr, stateFile string) error {
	if stateFile == "" {
		return askWorker(ctx, addr)
	}
	now := bootClock()
	state := readWorkerState(stateFile, bootID(), now)
	if state.holds(now) {
		return nil
	}
	asked := askWorker(ctx, addr)
	state.note(errors.Is(asked, peer.ErrNoWorker), asked == nil, bootClock())
	if err := writeProbeState(stateFile, state); err != nil {
		return errors.Join(asked, fmt.Errorf("cannot keep when a worker answered: %w", err))
	}
	return asked
}

// askWorker says what follows for the party when no worker is free.
func askWorker(ctx context.Context, addr string) error {
	err := peer.AskFlow(ctx, addr)
	if errors.Is(err, peer.ErrNoWorker) {
		return fmt.Errorf("%w within %s: jobs that hang hold all of them, and no job can be submitted until it is "+
			"restarted", err, workerTimeout)
	}
	return err
}

// readServiceConf reads FATE-Flow's configuration.
func readServiceConf(file string) (*serviceConf, error) {
	data, err := problem.ReadRegular(file, probeFileLimit)
	if err != nil {
		return nil, fmt.Errorf("cannot read FATE-Flow's configuration: %w", err)
	}
	var conf serviceConf
	if err := yaml.Unmarshal(data, &conf); err != nil {
		return nil, fmt.Errorf("cannot understand %s: %w", file, errors.New(yaml.FormatError(err, false, false)))
	}
	if conf.FateFlow.Host == "" || conf.FateFlow.GRPCPort == 0 {
		return nil, fmt.Errorf("%s has no fateflow.host or no fateflow.grpc_port", file)
	}
	return &conf, nil
}

// grpcAddress is where FATE-Flow listens for gRPC.
func (c *serviceConf) grpcAddress() string {
	return net.JoinHostPort(c.FateFlow.Host, strconv.Itoa(c.FateFlow.GRPCPort))
}

// askDatabase logs in to FATE-Flow's database with its account. A configuration without one has nothing to ask.
func (c *serviceConf) askDatabase(ctx context.Context) error {
	d := c.Database
	if d.Host == "" || d.Port == 0 {
		return nil
	}
	config := mysql.NewConfig()
	config.Net, config.Addr, config.DBName = "tcp", net.JoinHostPort(d.Host, strconv.Itoa(d.Port)), d.Name
	config.User, config.Passwd = d.User, d.Password
	config.Timeout, config.ReadTimeout = workerTimeout, workerTimeout
	config.Logger = answer.Silent{}
	if err := selectOne(ctx, config); err != nil {
		return fmt.Errorf("its database at %s does not answer, and no job can start: %w", config.Addr, err)
	}
	return nil
}

// workerState has the results of the checks for a free worker.
type workerState struct {
	Boot     string    `json:"boot"`
	Checked  time.Time `json:"checked"`
	Answered bool      `json:"answered"`           // at the last check
	NoneFree time.Time `json:"none_free,omitzero"` // the first of the checks in a row that found no worker free
}

const (
	workerHolds   = time.Minute      // a success holds
	workerMemory  = 30 * time.Second // failed checks are some seconds apart; older ones do not count
	noWorkerLimit = 2 * time.Minute  // without a free worker, after which FATE-Flow is restarted when that is asked for
)

// readWorkerState reads what the last check has kept; nothing when that cannot be read or is of another boot.
func readWorkerState(file, boot string, now time.Time) *workerState {
	empty := &workerState{Boot: boot}
	data, err := problem.ReadRegular(file, probeFileLimit)
	if err != nil {
		return empty
	}
	var s workerState
	if err := json.Unmarshal(data, &s); err != nil || s.Boot != boot || s.Checked.After(now) {
		return empty
	}
	return &s
}

// holds reports whether the last check still tells that a worker is free.
func (s *workerState) holds(now time.Time) bool {
	return s.Answered && now.Sub(s.Checked) < workerHolds
}

// note takes down a check. A FATE-Flow that does not listen has no workers that are taken.
func (s *workerState) note(noneFree, answered bool, now time.Time) {
	switch {
	case !noneFree:
		s.NoneFree = time.Time{}
	case s.NoneFree.IsZero() || now.Sub(s.Checked) > workerMemory:
		s.NoneFree = now
	}
	s.Checked, s.Answered = now, answered
}

// exhausted returns since when no worker has been free, if that is long enough for a restart.
func (s *workerState) exhausted(now time.Time) (time.Duration, bool) {
	if s.NoneFree.IsZero() || now.Sub(s.Checked) > workerMemory {
		return 0, false
	}
	long := now.Sub(s.NoneFree)
	return long, long >= noWorkerLimit
}
