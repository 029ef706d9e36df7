package supervisor

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"fate-installer/installer/host/tasks"
	"fate-installer/supervisor/config"
	"fate-installer/supervisor/process"
	"fate-installer/supervisor/shim"
)

// TestFewTasksDegrade: with less than a tenth of a limit left, every program runs on and is degraded, and the limit is
// named.
func TestFewTasksDegrade(t *testing.T) {
	b := newBench(t)
	var used atomic.Uint64
	b.opts.tasksOf = func() []tasks.Limit {
		return []tasks.Limit{{Max: 60000, Used: 300, File: tasks.ThreadsMax},
			{Max: 1000, Used: used.Load(), File: "/sys/fs/cgroup/x/pids.max"}}
	}
	sup := b.run(b.child("db", "sleep"), b.child("other", "sleep"))
	b.start("db", "other")
	for _, c := range []struct {
		used     uint64
		degraded bool
	}{{900, false}, {901, true}, {890, true}, {875, false}, {1000, true}} {
		used.Store(c.used)
		sup.lookAtRoom()
		for _, name := range []string{"db", "other"} {
			if st := b.status(name); st.Degraded != c.degraded || st.Ready == c.degraded ||
				(st.LowTasks != "") != c.degraded || st.PID == 0 {
				t.Errorf("%s with %d used: %+v", name, c.used, st)
			}
		}
	}
	want := "the limit on processes and threads is nearly reached: 1000 of 1000 are in use, limit in " +
		"/sys/fs/cgroup/x/pids.max"
	if st := b.status("db"); st.Why != "degraded: "+want || st.LowTasks != want {
		t.Errorf("why: %q, low_tasks %q", st.Why, st.LowTasks)
	}
	chain, err := sup.Why("db")
	if err != nil || len(chain) != 1 || !strings.Contains(chain[0].Advice, "TasksMax=") || !chain[0].Root {
		t.Errorf("why: %+v, %v", chain, err)
	}
}

// TestShortageIsNamedOfWhatIsNotReady looks at programs that are not ready while the host has too little of something.
// Each may lack just that: a probe that is a command cannot be started without a free task.
func TestShortageIsNamedOfWhatIsNotReady(t *testing.T) {
	b := newBench(t)
	var used atomic.Uint64
	b.opts.tasksOf = func() []tasks.Limit {
		return []tasks.Limit{{Max: 1000, Used: used.Load(), File: "/sys/fs/cgroup/x/pids.max"}}
	}
	sup := b.run(
		b.child("unready", "sleep", func(p *config.Program) {
			p.ReadyTCP, p.ReadyTimeout = "127.0.0.1:1", time.Hour
		}),
		b.child("behind", "sleep", func(p *config.Program) { p.Needs = []string{"unready"} }),
		b.child("failed", "exit 3", func(p *config.Program) { p.StartRetries, p.StartSecs = 0, 60 }),
		b.child("stopped", "sleep"))
	if err := sup.Start(testContext(t), []string{"unready", "behind", "failed"}, false); err != nil {
		t.Fatal(err)
	}
	b.until("failed", "FATAL", func(st Status) bool { return st.State == Fatal })
	b.until("behind", "RUNNING", func(st Status) bool { return st.State == Running })
	b.until("unready", "probed", func(st Status) bool { return st.State == Running && st.Probe != "" })
	used.Store(1000)
	sup.lookAtRoom()
	const lacks = "the limit on processes and threads is nearly reached: 1000 of 1000 are in use, limit in " +
		"/sys/fs/cgroup/x/pids.max"
	for _, name := range []string{"unready", "failed"} {
		if st := b.status(name); st.Ready || st.Degraded || st.LowTasks != lacks {
			t.Errorf("%s: %+v", name, st)
		}
	}
	if st := b.status("unready"); !strings.HasPrefix(st.Why, "not ready yet: ") ||
		!strings.HasSuffix(st.Why, "; "+lacks) {
		t.Errorf("why of unready: %q", st.Why)
	}
	if st := b.status("stopped"); st.LowTasks != "" || strings.Contains(st.Why, lacks) {
		t.Errorf("a program that is not to run lacks nothing: %+v", st)
	}
	for _, name := range []string{"unready", "behind", "failed"} {
		chain, err := sup.Why(name)
		if err != nil || len(chain) == 0 {
			t.Fatalf("why %s: %+v, %v", name, chain, err)
		}
		last := chain[len(chain)-1]
		if !last.Root || !strings.Contains(last.Text, lacks) || !strings.Contains(last.Advice, "TasksMax=") {
			t.Errorf("why %s: %+v", name, chain)
		}
	}
	used.Store(10)
	sup.lookAtRoom()
	if st := b.status("unready"); st.LowTasks != "" || strings.Contains(st.Why, lacks) {
		t.Errorf("the limit is named when there is room again: %+v", st)
	}
}

func TestTaskLimitsOfThisProcess(t *testing.T) {
	for _, l := range taskLimits() {
		if l.Max == 0 || l.File == "" {
			t.Errorf("%+v", l)
		}
	}
}

// TestStartNamesTheTaskLimit: what keeps a process from being made is named, and the start is tried again.
func TestStartNamesTheTaskLimit(t *testing.T) {
	full := []tasks.Limit{{Max: 100, Used: 97, File: "/sys/fs/cgroup/x/pids.max"}}
	spec := &shim.Spec{Limits: []shim.Limit{{Name: "limit_nproc", Resource: unix.RLIMIT_NPROC, Soft: 50}}}
	for name, c := range map[string]struct {
		limits []tasks.Limit
		spec   *shim.Spec
		err    error
		want   string
	}{
		"fork": {full, nil, fmt.Errorf("cannot fork: %w", unix.EAGAIN),
			"resource temporarily unavailable: task limit 100 of /sys/fs/cgroup/x/pids.max reached"},
		"a silent end": {full, spec, fmt.Errorf("cannot execute x: %w", process.ErrEnded),
			"resource temporarily unavailable: task limit 100 of /sys/fs/cgroup/x/pids.max reached"},
		"of the user": {nil, spec, &shim.Error{Step: "execute x", Errno: unix.EAGAIN},
			"task limit 50 of limit_nproc, which counts all that its user has reached"},
		"killed": {nil, spec, fmt.Errorf("cannot execute x: %w", process.ErrEnded),
			"cannot execute x: the new process ended before"},
		"another reason": {full, spec, errors.New("no such file"), "no such file"},
	} {
		sup := &Supervisor{tasksOf: func() []tasks.Limit { return c.limits }}
		err := sup.taskShortage(c.err, c.spec)
		if !strings.HasSuffix(err.Error(), c.want) {
			t.Errorf("%s: %q, want %q", name, err, c.want)
		}
		if got, want := mayPass(err), name != "another reason"; got != want {
			t.Errorf("%s: may pass %v", name, got)
		}
	}
	if err := (&Supervisor{}).taskShortage(nil, spec); err != nil {
		t.Error(err)
	}
}

// starvingUser has no process on any machine, so that its limit counts this test's only.
const starvingUser = 61234

// starve lets more goroutines wait in the kernel than the process has threads, at a limit that allows no more.
func starve(prepared bool) {
	if prepared {
		makeThreads(threadsKept)
	}
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		fmt.Println(err)
		return
	}
	most := uint64(len(threads))
	if err := unix.Setrlimit(unix.RLIMIT_NPROC, &unix.Rlimit{Cur: most, Max: most}); err != nil {
		fmt.Println(err)
		return
	}
	if err := syscall.Setuid(starvingUser); err != nil {
		fmt.Println(err)
		return
	}
	var pipe [2]int
	if err := unix.Pipe(pipe[:]); err != nil {
		fmt.Println(err)
		return
	}
	// The runtime gives each of them a thread when it sees that the one before waits in the kernel.
	var begun atomic.Int32
	for range threadsKept - 6 {
		go func() {
			begun.Add(1)
			_, _ = unix.Read(pipe[0], make([]byte, 1))
		}()
	}
	for begun.Load() < threadsKept-6 {
		time.Sleep(time.Millisecond)
	}
	_, err = os.StartProcess("/proc/self/exe", []string{"x"}, &os.ProcAttr{Env: []string{}})
	fmt.Println("alive:", err)
}

// TestThreadsMadeBeforeKeepTheDaemonAlive: Go ends a process that cannot have a thread for a goroutine. With those that
// the daemon makes when it starts, it lives on at a limit, and a fork that fails is an error like others.
func TestThreadsMadeBeforeKeepTheDaemonAlive(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("to become a user with a limit of its own takes root")
	}
	for how, alive := range map[string]bool{"prepared": true, "bare": false} {
		cmd := exec.Command("/proc/self/exe")
		cmd.Dir = filepath.Dir(t.TempDir())
		cmd.Env = append(os.Environ(), "FATE_TEST_CHILD=starve "+how, "GOMAXPROCS=2")
		out, err := cmd.CombinedOutput()
		lived := err == nil && strings.Contains(string(out),
			"alive: fork/exec /proc/self/exe: resource temporarily unavailable")
		if lived != alive {
			t.Errorf("%s: lived %v (%v):\n%.600s", how, lived, err, out)
		}
		if !alive && !strings.Contains(string(out), "emporarily unavailable") {
			t.Errorf("%s: ended otherwise than was meant:\n%.600s", how, out)
		}
	}
}
