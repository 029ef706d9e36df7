package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"fate-installer/installer/peer"
	"fate-installer/installer/problem"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"
)

// newProbeWorkerCommand is part of the readiness probe of FATE-Flow, whose web server answers also when no job can
// start.
func newProbeWorkerCommand() *cobra.Command {
	var conf, state string
	cmd := &cobra.Command{
		Use:    "probe-worker --conf FILE",
		Short:  "Check that a worker of this host's FATE-Flow is free",
		Hidden: true,
		Long: `Have a worker of this host's FATE-Flow answer a request for its version. FATE-Flow has five workers for each processor;
each job that hangs, because a nodemanager does not answer, keeps one. When none is left, no job can be submitted until
FATE-Flow is restarted.

With --state a success holds for a minute, because FATE-Flow writes each call into its logs.

EXIT STATUS
  0    a worker has answered
  1    none has, or FATE-Flow does not listen`,
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

func runProbeWorker(ctx context.Context, conf, stateFile string) error {
	addr, err := flowGRPCAddress(conf)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, workerTimeout)
	defer cancel()
	if stateFile == "" {
		return askWorker(ctx, addr)
	}
	now := time.Now()
	state := readWorkerState(stateFile, bootID(), now)
	if state.holds(now) {
		return nil
	}
	asked := askWorker(ctx, addr)
	state.note(errors.Is(asked, peer.ErrNoWorker), asked == nil, time.Now())
	if err := writeProbeState(stateFile, state); err != nil {
		return errors.Join(asked, fmt.Errorf("cannot keep when a worker answered: %w", err))
	}
	return asked
}

// askWorker says what follows for the party when no worker is free.
func askWorker(ctx context.Context, addr string) error {
	err := peer.AskFlow(ctx, addr)
	if errors.Is(err, peer.ErrNoWorker) {
		return fmt.Errorf("%w within %s: jobs that hang hold all of them, and no job can be submitted until it is restarted", err, workerTimeout)
	}
	return err
}

// flowGRPCAddress reads where FATE-Flow listens for gRPC.
func flowGRPCAddress(file string) (string, error) {
	data, err := problem.ReadRegular(file, probeFileLimit)
	if err != nil {
		return "", fmt.Errorf("cannot read FATE-Flow's configuration: %w", err)
	}
	var conf serviceConf
	if err := yaml.Unmarshal(data, &conf); err != nil {
		return "", fmt.Errorf("cannot understand %s: %w", file, errors.New(yaml.FormatError(err, false, false)))
	}
	if conf.FateFlow.Host == "" || conf.FateFlow.GRPCPort == 0 {
		return "", fmt.Errorf("%s has no fateflow.host or no fateflow.grpc_port", file)
	}
	return net.JoinHostPort(conf.FateFlow.Host, strconv.Itoa(conf.FateFlow.GRPCPort)), nil
}

// workerState is what the checks for a free worker have seen.
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
