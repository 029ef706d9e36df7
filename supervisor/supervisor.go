package supervisor

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"fate-installer/installer/host/tasks"
	"fate-installer/supervisor/config"
	"fate-installer/supervisor/process"
)

// Options are the inputs of a Supervisor besides its programs.
type Options struct {
	StateDir string // records of running programs; must survive the daemon, need not survive the machine
	Environ  []string
	Log      zerolog.Logger

	NoCgroups bool // do not make control groups
	// Subreaper makes the process the parent of what its descendants leave behind. It reaps every child that nothing
	// watches, so the process must have no children of its own.
	Subreaper bool

	bootNow func() time.Duration  // the boot clock; nil: the machine's
	roomOf  func(dir string) room // asks a file system; nil: the function of that name
	tasksOf func() []tasks.Limit  // reads the limits on tasks; nil: taskLimits
}

// Supervisor keeps programs running. It is made by New, knows no sockets and no signals, and is safe for concurrent
// use.
type Supervisor struct {
	log     zerolog.Logger
	environ []string
	tag     string // distinguishes this supervisor's programs from those of another on the host
	boot    string
	second  time.Duration // how long a second of startsecs and stopwaitsecs is; shorter in tests

	records     *recordStore
	reaper      *process.Reaper
	table       *process.Table
	cgroups     *process.Cgroups
	events      *eventLog
	probeClient *http.Client

	ctx    context.Context // ends with Close; probes and waits live by it
	cancel context.CancelFunc
	work   sync.WaitGroup // goroutines in the background

	stopping atomic.Bool  // everything is being stopped for good: nothing is started any more
	changes  sync.Mutex   // held while the set of programs changes
	rotating sync.Mutex   // held while a log is rotated: two rotations of one log would lose lines and double others
	looking  sync.Mutex   // held while file systems are looked at
	mu       sync.RWMutex // guards services; a leaf: no service is called with it held
	byName   map[string]*service
	closed   bool

	bootNow func() time.Duration
	roomOf  func(dir string) room    // asks a file system; another in tests
	tasksOf func() []tasks.Limit     // reads the limits on processes and threads; another in tests
	short   atomic.Pointer[shortage] // never nil

	conf    atomic.Pointer[config.Settings] // in force
	pending atomic.Pointer[config.Settings] // read, not applied
}

// New makes a supervisor for a configuration. It finds the programs again that an earlier one left running and takes
// them over; nothing is started before Autostart.
func New(cfg *config.Settings, o Options) (*Supervisor, error) {
	boot, err := process.BootID()
	if err != nil {
		return nil, err
	}
	records, err := openRecords(o.StateDir)
	if err != nil {
		return nil, err
	}
	old, err := records.load(boot)
	if err != nil {
		return nil, err
	}
	reaper, err := process.NewReaper(o.Subreaper)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(o.StateDir))
	sup := &Supervisor{
		log: o.Log, environ: o.Environ, tag: hex.EncodeToString(sum[:4]), boot: boot, second: time.Second,
		records: records, reaper: reaper, table: &process.Table{}, events: newEventLog(), probeClient: newProbeClient(),
		byName: make(map[string]*service), roomOf: o.roomOf, tasksOf: o.tasksOf,
	}
	if sup.bootNow = o.bootNow; sup.bootNow == nil {
		sup.bootNow = BootClock
	}
	if sup.roomOf == nil {
		sup.roomOf = roomOf
	}
	if sup.tasksOf == nil {
		sup.tasksOf = taskLimits
	}
	sup.short.Store(&shortage{})
	if !o.NoCgroups {
		sup.cgroups = process.FindCgroups(sup.tag)
	}
	sup.ctx, sup.cancel = context.WithCancel(context.Background())
	sup.conf.Store(cfg)
	sup.pending.Store(cfg)
	for _, p := range cfg.Programs {
		sup.byName[p.Name] = newService(sup, p)
	}
	sup.takeOver(old)
	sup.background(sup.rotateLogs)
	sup.background(sup.watchRoom)
	return sup, nil
}

// takeOver restores every program an earlier supervisor of this boot knew. Running ones are adopted; one that is no
// longer defined is stopped.
func (sup *Supervisor) takeOver(old map[string]*record) {
	var orphans []*service
	for _, name := range slices.Sorted(maps.Keys(old)) {
		s := sup.byName[name]
		if s == nil {
			s = newService(sup, orphanProgram(old[name]))
			s.gone = true
			sup.byName[name] = s
			orphans = append(orphans, s)
		}
		s.restore(old[name])
	}
	for _, s := range orphans {
		sup.background(func() { sup.discard(s) })
	}
}

// orphanProgram is a program that is only in a record: enough to stop it well.
func orphanProgram(r *record) config.Program {
	p := config.NewProgram(r.Name, r.Name)
	p.AutoStart, p.AutoRestart = false, "false"
	p.StopSignal, p.StopWaitSecs, p.StopAsGroup = r.StopWith, r.StopWait, r.StopGroup
	p.StdoutLogfile, p.StderrLogfile = "NONE", "NONE"
	return p
}

// discard stops a program that is no longer defined and forgets it.
func (sup *Supervisor) discard(s *service) {
	s.event(func() { s.gone, s.pending = true, pendingStop })
	s.stop(pendingStop)
	if s.settleDown(sup.ctx, false) != nil {
		return
	}
	s.mu.Lock()
	name, still := s.prog.Name, s.gone
	s.mu.Unlock()
	if still { // it has not been defined again in between
		sup.forget(name)
	}
}

// Autostart starts every program with autostart that is not running and was not stopped by hand since the boot, and
// finishes the requests that an earlier supervisor had begun.
func (sup *Supervisor) Autostart() {
	var names []string
	for _, s := range sup.services() {
		s.mu.Lock()
		if !s.gone && s.pending == pendingNothing && s.state == Stopped &&
			(s.resume || s.prog.AutoStart && !s.restored) {
			names = append(names, s.prog.Name)
		}
		s.mu.Unlock()
	}
	sup.background(func() { sup.startAll(names, nil) })
	sup.finishRequests()
}

// Close ends the supervisor and leaves the programs running, for a next one to take over.
func (sup *Supervisor) Close() {
	sup.mu.Lock()
	sup.closed = true
	sup.mu.Unlock()
	sup.cancel()
	for _, s := range sup.services() {
		s.detach()
	}
	sup.work.Wait()
	sup.reaper.Stop()
	sup.probeClient.CloseIdleConnections()
}

// background runs f in a goroutine that Close waits for; after Close it does nothing.
func (sup *Supervisor) background(f func()) {
	sup.mu.RLock()
	defer sup.mu.RUnlock()
	if sup.closed {
		return
	}
	sup.work.Go(f)
}

func (sup *Supervisor) config() *config.Settings { return sup.conf.Load() }

func (sup *Supervisor) seconds(n int) time.Duration { return time.Duration(n) * sup.second }

func (sup *Supervisor) service(name string) *service {
	sup.mu.RLock()
	defer sup.mu.RUnlock()
	return sup.byName[name]
}

func (sup *Supervisor) services() []*service {
	sup.mu.RLock()
	defer sup.mu.RUnlock()
	return slices.Collect(maps.Values(sup.byName))
}

// unready lists those of the names that programs which depend on them have to wait for: they do not serve, or are not
// there.
func (sup *Supervisor) unready(names []string) []string {
	var out []string
	for _, n := range names {
		if s := sup.service(n); s == nil || !s.status.Load().Serving {
			out = append(out, n)
		}
	}
	return out
}

// beganToServe tells the programs that depend on name. Whether they wait is asked under their own lock: one that is
// about to wait has looked at a status that is out of date by now. It also tells those that name depends on: it may be
// what one of them lacks.
func (sup *Supervisor) beganToServe(name string, needs []string) {
	for _, s := range sup.services() {
		st := s.status.Load()
		if slices.Contains(st.Depends, name) {
			sup.background(s.dependencyChanged)
		}
		if slices.Contains(needs, st.Name) {
			s.askSoon()
		}
	}
}

// dependantStarted makes the programs that a new process depends on prove their readiness, when it rests on that
// process.
func (sup *Supervisor) dependantStarted(name string, needs []string) {
	for _, s := range sup.services() {
		if slices.Contains(needs, s.status.Load().Name) {
			s.askAgain(name)
		}
	}
}

// definitions returns the programs in force by name.
func (sup *Supervisor) definitions() map[string]*config.Program {
	out := make(map[string]*config.Program)
	for _, s := range sup.services() {
		s.mu.Lock()
		p := s.prog
		s.mu.Unlock()
		out[p.Name] = &p
	}
	return out
}

// inOrder returns the named services (nil: all) in the order in which they can be started.
func (sup *Supervisor) inOrder(names []string) []*service {
	defs := sup.definitions()
	if names == nil {
		names = slices.Collect(maps.Keys(defs))
	}
	var out []*service
	for _, n := range startOrder(defs, names) {
		if s := sup.service(n); s != nil {
			out = append(out, s)
		}
	}
	return out
}

// Statuses returns a snapshot of every program, sorted by group and name. It never waits for a program.
func (sup *Supervisor) Statuses() []Status {
	all := sup.services()
	out := make([]Status, 0, len(all))
	for _, s := range all {
		out = append(out, sup.statusOf(s))
	}
	slices.SortFunc(out, compareStatus)
	return out
}

// Status returns the snapshot of one program.
func (sup *Supervisor) Status(name string) (Status, error) {
	s := sup.service(name)
	if s == nil {
		return Status{}, &UnknownError{Name: name}
	}
	return sup.statusOf(s), nil
}

// statusOf returns the status of a program as it is now, also where the programs that it needs have just changed.
func (sup *Supervisor) statusOf(s *service) Status {
	st := *s.status.Load()
	sup.judge(&st)
	sup.measure(&st)
	if st.PID > 0 {
		st.Memory = process.ResidentBytes(st.PID)
	}
	return st
}

// UnknownError says that there is no program, or group, of a name.
type UnknownError struct{ Name string }

func (e *UnknownError) Error() string { return fmt.Sprintf("there is no program %s", e.Name) }
