package programs

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"fate-installer/installer/fate/cluster"
	"fate-installer/supervisor"
	"fate-installer/supervisor/config"
	"fate-installer/supervisor/rpc"
)

// patient returns a Waiter whose program "manager" needs a database at addr, and whose "flow" needs the manager.
func patient(addr string, limit time.Duration, reports *[]string) *Waiter {
	flow := config.NewProgram("flow", "/bin/true")
	flow.DependsOn = []string{"manager"}
	return &Waiter{
		programs: []config.Program{config.NewProgram("manager", "/bin/true"), flow},
		needs: func(program string) []cluster.Need {
			if program != "manager" {
				return nil
			}
			return []cluster.Need{{Module: cluster.MySQL, Addrs: []string{addr}, AtLeast: 1, Inside: true}}
		},
		limit:   limit,
		tell:    func(e Event) { *reports = append(*reports, e.Program+" "+e.Text) },
		waiting: map[string]Absence{},
	}
}

func listener(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// TestProgramsAreLeftToTheSupervisorWhenAnotherHostIsMissing: the command ends, and nothing has failed.
func TestProgramsAreLeftToTheSupervisorWhenAnotherHostIsMissing(t *testing.T) {
	const addr = "127.0.0.1:1" // no test host has tcpmux
	var reports []string
	p := patient(addr, 0, &reports)
	started := false
	start := func() error { started = true; return nil }
	for _, name := range []string{"manager", "flow"} {
		if err := p.bring(t.Context(), []string{name}, start); err != nil {
			t.Fatal(err)
		}
		if got := p.elsewhere(name); got != "waits for mysql at "+addr {
			t.Errorf("%s: %q", name, got)
		}
	}
	if started {
		t.Error("a program was waited for although its database is missing")
	}
	err := &WaitError{p.Absences()}
	for _, want := range []string{"manager waits for mysql at " + addr, "flow waits for"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %q", want, err)
		}
	}
	if !strings.Contains(err.Hint(), "on 127.0.0.1 run the same file") ||
		strings.Count(err.Hint(), "cluster.yaml") != 1 {
		t.Errorf("hint %q", err.Hint())
	}
}

// TestAProgramIsStartedAgainUntilTheOtherHostIsComplete: a port that answers is not yet a database with its accounts.
func TestAProgramIsStartedAgainUntilTheOtherHostIsComplete(t *testing.T) {
	var reports []string
	p := patient(listener(t).Addr().String(), time.Hour, &reports)
	starts := 0
	err := p.bring(t.Context(), []string{"manager"}, func() error {
		if starts++; starts == 1 {
			return &notReadyError{[]rpc.Failure{{Name: "manager", Text: "access denied"}}}
		}
		return nil
	})
	if err != nil || starts != 2 || len(p.Absences()) != 0 {
		t.Errorf("%d starts, error %v, absences %v", starts, err, p.Absences())
	}
}

// TestFatalProgramIsNotStartedAgain: no other host changes that a program cannot be started as it is defined.
func TestFatalProgramIsNotStartedAgain(t *testing.T) {
	var reports []string
	p := patient(listener(t).Addr().String(), time.Hour, &reports)
	starts, fatal := 0, &supervisor.Status{State: supervisor.Fatal}
	err := p.bring(t.Context(), []string{"manager"}, func() error {
		starts++
		return &notReadyError{[]rpc.Failure{{Name: "manager", Text: "cannot open the log file", Status: fatal}}}
	})
	if !errors.As(err, new(*notReadyError)) || starts != 1 {
		t.Errorf("%d starts, error %v", starts, err)
	}
}

// TestAFailureThatNoOtherHostCanCureIsReportedAtOnce.
func TestAFailureThatNoOtherHostCanCureIsReportedAtOnce(t *testing.T) {
	var reports []string
	p := patient("", time.Hour, &reports)
	starts, broken := 0, &notReadyError{[]rpc.Failure{{Name: "flow", Text: "no module named fate_flow"}}}
	err := p.bring(t.Context(), []string{"flow"}, func() error { starts++; return broken })
	if !errors.Is(err, broken) || starts != 1 {
		t.Errorf("%d starts, error %v", starts, err)
	}
}
