package programs

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/render"
	"fate-installer/supervisor"
	"fate-installer/supervisor/config"
	"fate-installer/supervisor/rpc"
)

// Waiter waits for modules on other hosts that a program of this host needs. A program whose needs are not met in
// time is left to the supervisor, which goes on trying: the hosts of a party can be installed in any order, one after
// the other even, and no command has to be repeated.
type Waiter struct {
	programs []config.Program                    // of this host, in start order
	needs    func(program string) []cluster.Need // on other hosts
	limit    time.Duration                       // for all waiting of a run together
	tell     func(Event)                         // shown to the operator who waits

	mu      sync.Mutex
	until   time.Time
	waiting map[string]Absence // by program
}

// Absence is a dependency that is still missing when the time to wait is over.
type Absence struct {
	Program string `json:"program"` // the program that waits
	Needs   string `json:"needs"`   // what it waits for, as text
	Remedy  string `json:"remedy"`  // what to do
}

// String is the absence as text.
func (a Absence) String() string { return "waits for " + a.Needs }

// NewWaiter returns a Waiter for the programs of spec, whose waits together take at most limit. tell shows what it
// waits for.
func NewWaiter(spec *cluster.Spec, limit time.Duration, tell func(Event)) *Waiter {
	return &Waiter{programs: render.Programs(spec), needs: spec.Needs, limit: limit, tell: tell,
		waiting: map[string]Absence{}}
}

// completeTime is how long a database that answers may take until it has every schema and account.
const completeTime = time.Minute

// needPause is between two looks at another host.
const needPause = time.Second

// bring starts programs when other hosts are ready for it. start is tried again as long as there is time, because an
// address that answers is not yet a database with all its accounts.
func (w *Waiter) bring(ctx context.Context, names []string, start func() error) error {
	if a, ok := w.held(names); ok {
		w.leave(names, a)
		return nil
	}
	reported, complete := "", time.Time{} // until when the other hosts may complete what they have begun
	for {
		missing, needy := w.missing(ctx, names)
		if missing == nil {
			if complete.IsZero() {
				complete = time.Now().Add(min(completeTime, w.limit))
			}
			if err := start(); err == nil || !needy || !mayBecomeReady(err) || time.Now().After(complete) {
				return err
			}
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		switch late := !w.deadline().After(time.Now()); {
		case late && missing != nil:
			w.leave(names, Absence{Program: names[0], Needs: missing.String(), Remedy: missing.Remedy()})
			return nil
		case missing != nil && reported != missing.String():
			reported = missing.String()
			w.tell(Event{Program: strings.Join(names, ", "), Text: fmt.Sprintf("waits for %s, until %s; %s", missing,
				w.deadline().Format(time.TimeOnly), missing.Remedy())})
		}
		select {
		case <-time.After(needPause):
		case <-ctx.Done():
		}
	}
}

// mayBecomeReady reports whether a program that is not ready may be so by what another host does: one that is FATAL
// cannot be started as it is defined.
func mayBecomeReady(err error) bool {
	var notReady *notReadyError
	return errors.As(err, &notReady) && !slices.ContainsFunc(notReady.failed, func(f rpc.Failure) bool {
		return f.Status != nil && f.Status.State == supervisor.Fatal
	})
}

// missing is the first need of the programs that is not met; needy, whether they have any.
func (w *Waiter) missing(ctx context.Context, names []string) (missing *cluster.Need, needy bool) {
	for _, name := range names {
		for _, need := range w.needs(name) {
			needy = true
			if len(Unreachable(ctx, need)) > len(need.Addrs)-need.AtLeast {
				return &need, true
			}
		}
	}
	return nil, needy
}

// needTimeout is for one connection; a firewall that swallows packets costs as much.
const needTimeout = 3 * time.Second

// Unreachable tries all addresses of a need at once, and returns why each that does not answer does not.
func Unreachable(ctx context.Context, need cluster.Need) []error {
	return slices.DeleteFunc(DialAll(ctx, need.Addrs, needTimeout), func(err error) bool { return err == nil })
}

// DialAll connects to addresses at once, each for at most limit, and returns for each why that failed.
func DialAll(ctx context.Context, addrs []string, limit time.Duration) []error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	out := make([]error, len(addrs))
	var group sync.WaitGroup
	for i, addr := range addrs {
		group.Go(func() { out[i] = DialTCP(ctx, addr) })
	}
	group.Wait()
	return out
}

// DialTCP reports whether an address accepts TCP connections.
func DialTCP(ctx context.Context, addr string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	return conn.Close()
}

// deadline is when waiting ends; it runs from the first wait.
func (w *Waiter) deadline() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.until.IsZero() {
		w.until = time.Now().Add(w.limit)
	}
	return w.until
}

// held reports whether one of the programs depends on a program of this host that waits for another host.
func (w *Waiter) held(names []string) (Absence, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, program := range w.programs {
		if !slices.Contains(names, program.Name) {
			continue
		}
		for _, dependency := range program.DependsOn {
			if a, ok := w.waiting[dependency]; ok {
				a.Program = names[0]
				return a, true
			}
		}
	}
	return Absence{}, false
}

// leave gives programs into the supervisor's care.
func (w *Waiter) leave(names []string, a Absence) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, name := range names {
		w.waiting[name] = a
	}
}

// elsewhere says what a program was left waiting for; blank when it was not.
func (w *Waiter) elsewhere(name string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if a, ok := w.waiting[name]; ok {
		return a.String()
	}
	return ""
}

// Absences lists the programs that wait for other hosts, in start order. A run that starts nothing has no Waiter.
func (w *Waiter) Absences() []Absence {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []Absence
	for _, program := range w.programs {
		if a, ok := w.waiting[program.Name]; ok {
			out = append(out, a)
		}
	}
	return out
}

// WaitError says that this host is done and others are not.
type WaitError struct{ Absences []Absence }

func (e *WaitError) Error() string {
	var lines []string
	for _, a := range e.Absences {
		lines = append(lines, fmt.Sprintf("%s waits for %s", a.Program, a.Needs))
	}
	return "this host is installed, but other hosts are missing: " + strings.Join(lines, "; ")
}

// Hint names what to run, and where. Nothing has to be repeated here.
func (e *WaitError) Hint() string {
	var lines []string
	for _, a := range e.Absences {
		if !slices.Contains(lines, a.Remedy) {
			lines = append(lines, a.Remedy)
		}
	}
	return strings.Join(lines, "\n") +
		"\nthe programs here start by themselves when that is done: fate-installer svc status"
}
