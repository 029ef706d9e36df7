package supervisor

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"pgregory.net/rapid"

	"fate-installer/supervisor/config"
	"fate-installer/supervisor/process"
)

// modelProgram is the model of a program: whether it is wanted and what should have become of it.
type modelProgram struct {
	name    string
	depends string
	restart string // autorestart
	state   State
	pid     int // of the process it must still have; 0 when a new one is due
	gone    int // of a process that was killed: it must be noticed
}

// model is the state machine as its users understand it, without processes, timers or locks. After each action the
// real supervisor must come to the same states, and each program must have exactly the processes it should.
type model struct {
	t        *rapid.T
	b        *bench
	programs map[string]*modelProgram
	actions  *int
}

var modelNames = []string{"db", "flow", "board", "once", "deaf"}

func newModel(t *rapid.T, b *bench, actions *int) *model {
	return &model{t: t, b: b, actions: actions, programs: map[string]*modelProgram{
		"db":    {name: "db", restart: "true", state: Running},
		"flow":  {name: "flow", depends: "db", restart: "unexpected", state: Running},
		"board": {name: "board", depends: "flow", restart: "true", state: Running},
		"once":  {name: "once", restart: "false", state: Running},
		"deaf":  {name: "deaf", restart: "true", state: Running},
	}}
}

func (m *model) ready(name string) bool { return name == "" || m.programs[name].state == Running }

// works reports whether a program and all that it depends on run.
func (m *model) works(name string) bool {
	return name == "" || m.ready(name) && m.works(m.programs[name].depends)
}

// settle lets what waits for a dependency run when it is there.
func (m *model) settle() {
	for range m.programs {
		for _, p := range m.programs {
			if p.state == Waiting && m.ready(p.depends) {
				p.state = Running
			}
		}
	}
}

func (m *model) start(name string) {
	p := m.programs[name]
	if p.depends != "" {
		m.start(p.depends)
	}
	if p.state != Running {
		p.state, p.pid = Running, 0
	}
}

func (m *model) stop(name string) {
	if p := m.programs[name]; p.state != Exited {
		p.state, p.pid = Stopped, 0
	}
}

// killed is the end of a process that others kill.
func (m *model) killed(name string) {
	p := m.programs[name]
	p.gone, p.pid = p.pid, 0
	switch {
	case p.restart == "false":
		p.state = Exited
	case m.ready(p.depends):
		p.state = Running
	default:
		p.state = Waiting
	}
}

// modelTimeout is how long the supervisor may take to do what the model says.
const modelTimeout = 60 * time.Second

// compare waits until the supervisor agrees with the model, and then counts processes.
func (m *model) compare(t *rapid.T) {
	deadline := time.Now().Add(modelTimeout)
	for _, name := range modelNames {
		p := m.programs[name]
		for {
			st, err := m.b.sup.Status(name)
			if err != nil {
				t.Fatal(err)
			}
			if st.State == p.state && st.Ready == m.works(name) && (p.pid == 0 || p.pid == st.PID) &&
				(st.PID == 0 || st.PID != p.gone) {
				p.pid = st.PID
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s is %s (ready %v, pid %d), the model says %s (pid %d)", name, st.State, st.Ready,
					st.PID, p.state, p.pid)
			}
			time.Sleep(time.Millisecond)
		}
	}
	live := m.b.census()
	for _, name := range modelNames {
		want := 0
		if m.programs[name].state == Running {
			want = 1
		}
		if len(live[name]) != want {
			t.Fatalf("%s has the processes %v, want %d", name, live[name], want)
		}
		if want == 1 && live[name][0] != m.programs[name].pid {
			t.Fatalf("%s runs as %d, its status says %d", name, live[name][0], m.programs[name].pid)
		}
	}
}

// census lists the living processes of each program by the marker in their environment.
func (b *bench) census() map[string][]int {
	live := make(map[string][]int)
	for _, pid := range ownChildren() {
		for _, name := range modelNames {
			if isAlive(pid) && process.HasMarker(pid, b.sup.marker(name)) {
				live[name] = append(live[name], pid)
			}
		}
	}
	return live
}

// reopen closes the supervisor, whose programs go on, and makes a new one.
func (m *model) reopen() {
	m.b.sup.Close()
	sup, err := New(m.b.cfg, m.b.opts)
	if err != nil {
		m.t.Fatal(err)
	}
	sup.second = 20 * time.Millisecond
	m.b.sup = sup
	sup.Autostart()
}

// TestModel carries out random commands and accidents on five real programs: a chain of three, one that is not
// restarted, one that ignores the stop signal.
func TestModel(t *testing.T) {
	checks := "45" // about 1,100 actions
	if testing.Short() {
		checks = "3"
	}
	if f := flag.Lookup("rapid.checks"); f != nil && f.Value.String() == f.DefValue {
		_ = f.Value.Set(checks)
		defer func() { _ = f.Value.Set(f.DefValue) }()
	}
	actions := 0
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp("", "supervisor-model-")
		if err != nil {
			rt.Fatal(err)
		}
		defer os.RemoveAll(dir)
		b := &bench{t: t, dir: dir, opts: Options{
			StateDir: filepath.Join(dir, "state"), Environ: os.Environ(), NoCgroups: true, Log: zerolog.Nop(),
		}}
		m := newModel(rt, b, &actions)
		m.open(t)
		defer func() {
			ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
			defer cancel()
			if err := b.sup.Shutdown(ctx, false); err != nil {
				rt.Errorf("Shutdown: %v", err)
			}
			live := b.census()
			b.sup.Close()
			if len(live) > 0 {
				rt.Fatalf("after Shutdown these live: %v", live)
			}
		}()
		rt.Repeat(m.moves())
	})
	t.Logf("%d actions", actions)
}

func (m *model) open(t *testing.T) {
	b := m.b
	var programs []config.Program
	for _, name := range modelNames {
		mp := m.programs[name]
		script := "sleep"
		if name == "deaf" {
			script = "ignore;sleep"
		}
		programs = append(programs, b.child(name, script, func(p *config.Program) {
			p.AutoRestart, p.StopWaitSecs = mp.restart, 1
			p.RestartDelay, p.RestartDelayMax = 0, 0
			if mp.depends != "" {
				p.DependsOn = []string{mp.depends}
			}
		}))
	}
	b.write(programs...)
	cfg, _, err := config.Load(filepath.Join(b.dir, "supervisord.conf"), b.opts.Environ)
	if err != nil {
		t.Fatal(err)
	}
	b.cfg = cfg
	if b.sup, err = New(cfg, b.opts); err != nil {
		t.Fatal(err)
	}
	b.sup.second = 20 * time.Millisecond
	b.sup.Autostart()
}

func (m *model) moves() map[string]func(*rapid.T) {
	pick := func(t *rapid.T) string {
		*m.actions++
		return rapid.SampledFrom(modelNames).Draw(t, "program")
	}
	ctx := context.Background()
	return map[string]func(*rapid.T){
		"": m.compare,
		"start": func(t *rapid.T) {
			name := pick(t)
			if err := m.b.sup.Start(ctx, []string{name}, true); err != nil {
				t.Fatalf("start %s: %v", name, err)
			}
			m.start(name)
			m.settle()
		},
		"stop": func(t *rapid.T) {
			name := pick(t)
			if err := m.b.sup.Stop(ctx, []string{name}, true); err != nil {
				t.Fatalf("stop %s: %v", name, err)
			}
			m.stop(name)
		},
		"restart": func(t *rapid.T) {
			name := pick(t)
			if err := m.b.sup.Restart(ctx, []string{name}, false, true); err != nil {
				t.Fatalf("restart %s: %v", name, err)
			}
			m.stop(name)
			m.programs[name].state = Stopped
			m.start(name)
			m.settle()
		},
		"start and stop at once": func(t *rapid.T) {
			name := pick(t)
			done := make(chan struct{})
			go func() { _ = m.b.sup.Start(ctx, []string{name}, true); done <- struct{}{} }()
			go func() { _ = m.b.sup.Stop(ctx, []string{name}, true); done <- struct{}{} }()
			<-done
			<-done
			// Whichever came last has won. A start and a stop make the outcome known again.
			if err := m.b.sup.Start(ctx, []string{name}, true); err != nil {
				t.Fatal(err)
			}
			m.programs[name].pid = 0
			m.start(name)
			m.settle()
			m.compare(t)
			if err := m.b.sup.Stop(ctx, []string{name}, true); err != nil {
				t.Fatal(err)
			}
			m.stop(name)
		},
		"kill": func(t *rapid.T) {
			name := pick(t)
			p := m.programs[name]
			if p.state != Running || p.pid == 0 {
				t.Skip("has no process")
			}
			if err := syscall.Kill(p.pid, rapid.SampledFrom([]syscall.Signal{syscall.SIGKILL, syscall.SIGSEGV}).Draw(t,
				"signal")); err != nil {
				t.Fatal(err)
			}
			m.killed(name)
			m.settle()
		},
		"new supervisor": func(t *rapid.T) {
			*m.actions++
			m.reopen()
		},
	}
}

// TestSameTimeStops stops programs from many sides at once, with crashes in between.
func TestSameTimeStops(t *testing.T) {
	b := newBench(t)
	var names []string
	var programs []config.Program
	for i := range 8 {
		p := b.child(fmt.Sprintf("p%d", i), "fork-stubborn;sleep",
			func(p *config.Program) { p.AutoRestart = "true"; p.StopWaitSecs = 1 })
		names, programs = append(names, p.Name), append(programs, p)
	}
	b.run(programs...)
	for range 3 {
		b.start(names...)
		done := make(chan error, 4)
		for range 3 {
			go func() { done <- b.sup.Stop(testContext(t), names, true) }()
		}
		go func() {
			for _, n := range names {
				if st, err := b.sup.Status(n); err == nil && st.PID > 0 {
					_ = b.sup.Signal(n, syscall.SIGKILL)
				}
			}
			done <- nil
		}()
		for range 4 {
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}
		for _, n := range names {
			if st := b.status(n); st.State != Stopped {
				t.Errorf("%s is %s", n, st.State)
			}
		}
	}
}
