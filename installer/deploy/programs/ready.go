package programs

import (
	"context"
	"errors"
	"net"
	"slices"
	"strconv"
	"time"

	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/render"
	"fate-installer/supervisor"
	"fate-installer/supervisor/rpc"
)

// readyPause is between two looks at programs that serve and are not ready, when nothing happens to any.
const readyPause = 500 * time.Millisecond

// AwaitReady waits, when every step is done, for programs that serve and become ready by what others do: for the
// clustermanager, until all nodemanagers are registered. One whose nodemanagers are on hosts that are not installed yet
// is left to the supervisor when the time to wait is over.
func (w *Waiter) AwaitReady(ctx context.Context, client *rpc.Client, spec *cluster.Spec) error {
	reported, limits := Event{}, readyLimits(spec)
	for began := time.Now(); ; {
		// An event that comes after this number ends the pause.
		last, err := client.LastEvent(ctx)
		if errors.As(err, new(*rpc.NotRunningError)) {
			return nil
		}
		if err != nil {
			return err
		}
		statuses, err := client.Status(ctx)
		if errors.As(err, new(*rpc.NotRunningError)) {
			return nil
		}
		if err != nil {
			return err
		}
		pending := servingUnready(statuses)
		if reported.Program != "" && (pending == nil || pending.Name != reported.Program) {
			w.tell(Event{Program: reported.Program, State: supervisor.Running, Ready: true})
		}
		if pending == nil {
			return nil
		}
		here := func(program string) bool { return w.elsewhere(program) == "" }
		if lost := givenUp(statuses, here); lost != nil {
			return exit.With(&notReadyError{[]rpc.Failure{*lost}}, exit.NotReady)
		}
		if pending.Status.Lacks() != "" {
			return exit.With(&notReadyError{[]rpc.Failure{*pending}}, exit.NotReady)
		}
		if e := (Event{Program: pending.Name, State: supervisor.Running, Text: pending.Text}); e != reported {
			reported = e
			w.tell(e)
		}
		missing := unreachableNodes(ctx, spec, pending.Name)
		switch {
		case missing != nil && !w.deadline().After(time.Now()):
			w.leave([]string{pending.Name}, Absence{Program: pending.Name, Needs: missing.String(),
				Remedy: missing.Remedy()})
			return nil
		case missing == nil && (pending.Status.TimedOut || time.Since(began) > limits[pending.Name]):
			return exit.With(&notReadyError{[]rpc.Failure{*pending}}, exit.NotReady)
		}
		if _, _, err := client.Events(ctx, last, readyPause); err != nil { // the next look says what is wrong
			select {
			case <-time.After(readyPause):
			case <-ctx.Done():
			}
		}
		if ctx.Err() != nil {
			return exit.Hint(context.Cause(ctx), "fate-installer svc status tells when all is ready")
		}
	}
}

// readyLimits is how long each program may take to become ready.
func readyLimits(spec *cluster.Spec) map[string]time.Duration {
	limits := map[string]time.Duration{}
	for _, p := range render.Programs(spec) {
		limits[p.Name] = p.ReadyTimeout
	}
	return limits
}

// servingUnready returns the first program that serves and is not ready; nothing when there is none.
func servingUnready(statuses []supervisor.Status) *rpc.Failure {
	for _, st := range statuses {
		if st.Serving && !st.Ready {
			return &rpc.Failure{Name: st.Name, Text: st.Why, Status: &st}
		}
	}
	return nil
}

// unreachableNodes is the need for nodemanagers on other hosts that do not answer; nothing when all do, or when the
// program is another than the clustermanager.
func unreachableNodes(ctx context.Context, spec *cluster.Spec, program string) *cluster.Need {
	if program != cluster.ClusterManager.Program() {
		return nil
	}
	var nodes, silent []string
	for _, ip := range spec.Side.NodeManager.IPs {
		if ip != spec.IP {
			nodes = append(nodes, net.JoinHostPort(ip, strconv.Itoa(spec.Side.NodeManager.Port)))
		}
	}
	slices.Sort(nodes)
	for i, err := range DialAll(ctx, nodes, needTimeout) {
		if err != nil {
			silent = append(silent, nodes[i])
		}
	}
	if len(silent) == 0 {
		return nil
	}
	return &cluster.Need{Module: cluster.NodeManager, Inside: true, Addrs: silent, AtLeast: len(silent)}
}
