package supervisor

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"fate-installer/supervisor/config"
)

func TestPortsIn(t *testing.T) {
	log := []string{
		"java.net.BindException: Address already in use: bind failed for 0.0.0.0:4670",
		"OSError: [Errno 98] Address already in use: ('10.0.0.1', 9380)",
		"listening on port 8080", // not a complaint
		"nginx: [emerg] bind() to 0.0.0.0:9998 failed (98: Address already in use)",
	}
	got := portsIn(log)
	for _, want := range []int{4670, 9380, 9998} {
		if !slices.Contains(got, want) {
			t.Errorf("%v lacks %d", got, want)
		}
	}
	if slices.Contains(got, 8080) {
		t.Errorf("%v has a port without a problem", got)
	}
}

func TestBackoffDelay(t *testing.T) {
	for _, tt := range []struct {
		first, limit time.Duration
		failures     int
		want         time.Duration
	}{
		{time.Second, time.Minute, 1, time.Second},
		{time.Second, time.Minute, 4, 8 * time.Second},
		{time.Second, time.Minute, 1000, time.Minute},
		{time.Second, 0, 3, time.Second},
		{0, time.Minute, 5, 0},
		{time.Minute, time.Second, 1, time.Second},
	} {
		for range 50 {
			got := backoffDelay(tt.first, tt.limit, tt.failures)
			if got < tt.want*9/10 || got > tt.want*11/10 {
				t.Errorf("%v after %d failures, want %v within a tenth", got, tt.failures, tt.want)
			}
		}
	}
}

func TestDescription(t *testing.T) {
	now := time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)
	for _, tt := range []struct {
		st   Status
		want string
	}{
		{Status{State: Running, Ready: true, PID: 5, UpSeconds: 26*3600 + 61}, "pid 5, uptime 1 day, 2:01:01"},
		{Status{State: Running, Ready: true, PID: 5}, "pid 5, uptime 0:00:00"},
		{Status{State: Running, PID: 5, Why: "not ready yet"}, "pid 5, uptime 0:00:00, not ready yet"},
		{Status{State: Stopped}, "Not started"},
		{Status{State: Exited, Stopped: now}, "Jan 02 03:04 PM"},
		{Status{State: Backoff, Exit: &ExitInfo{}}, "Exited too quickly (process log may have details)"},
		{Status{State: Waiting, Why: "waits for a"}, "waits for a"},
	} {
		if got := tt.st.Description(); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.st.State, got, tt.want)
		}
	}
}

func TestStartOrder(t *testing.T) {
	programs := map[string]*config.Program{}
	add := func(name string, priority int, deps ...string) {
		p := config.NewProgram(name, "x")
		p.Priority, p.DependsOn = priority, deps
		programs[name] = &p
	}
	add("board", 1, "flow")
	add("flow", 2, "db", "cm")
	add("cm", 3, "db")
	add("db", 999)
	add("other", 0)
	if got := strings.Join(startOrder(programs, []string{"board", "db", "other", "flow", "cm"}),
		" "); got != "other db cm flow board" {
		t.Error(got)
	}
	if got := strings.Join(withDependencies(programs, []string{"flow"}), " "); got != "cm db flow" {
		t.Error(got)
	}
	if got := strings.Join(withDependants(programs, []string{"cm"}), " "); got != "board cm flow" {
		t.Error(got)
	}
}

func TestResolve(t *testing.T) {
	b := newBench(t)
	off := func(p *config.Program) { p.AutoStart = false }
	b.write(b.child("fate-mysql", "sleep", off), b.child("fate-flow", "sleep", off), b.child("other", "sleep", off))
	path := filepath.Join(b.dir, "supervisord.conf")
	data, _ := os.ReadFile(path)
	if err := os.WriteFile(path, append(data, "[group:fate]\nprograms = fate-mysql,fate-flow\n"...),
		0o600); err != nil {
		t.Fatal(err)
	}
	cfg, _, err := config.Load(path, b.opts.Environ)
	if err != nil {
		t.Fatal(err)
	}
	b.cfg = cfg
	b.open()
	for words, want := range map[string]string{
		"mysql": "fate-mysql", "fate-mysql": "fate-mysql", "fate": "fate-flow fate-mysql",
		"fate:*":         "fate-flow fate-mysql",
		"fate:fate-flow": "fate-flow", "all": "fate-flow fate-mysql other", "other mysql other": "fate-mysql other",
	} {
		got, err := b.sup.Resolve(strings.Fields(words))
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s: %v %v", words, got, err)
		}
	}
	for _, bad := range []string{"nosuch", "fate:nosuch", "nosuch:*", ""} {
		if got, err := b.sup.Resolve([]string{bad}); err == nil {
			t.Errorf("%q: %v", bad, got)
		}
	}
}

func TestEventLog(t *testing.T) {
	l := newEventLog()
	ctx, cancel := context.WithCancel(context.Background())
	for i := range 3 * eventsKept {
		l.add(Event{Name: strconv.Itoa(i)})
	}
	all := l.after(ctx, 0)
	if len(all) < eventsKept || all[len(all)-1].Seq != 3*eventsKept {
		t.Errorf("%d events, the last %d", len(all), all[len(all)-1].Seq)
	}
	if got := l.after(ctx, 3*eventsKept-2); len(got) != 2 || got[0].Seq != 3*eventsKept-1 {
		t.Errorf("%+v", got)
	}
	cancel()
	if got := l.after(ctx, l.last()); got != nil {
		t.Errorf("%+v", got)
	}
}

func TestRestartJobOutsideSystemd(t *testing.T) {
	d := &Daemon{}
	if d.restartJob() {
		t.Error("a daemon without systemd thinks it is restarted by it")
	}
}

// TestNotify speaks to a service manager.
func TestNotify(t *testing.T) {
	b := newBench(t)
	socket := filepath.Join(b.dir, "notify")
	conn := listenDatagrams(t, socket)
	b.write(b.child("a", "env NOTIFY_SOCKET;sleep"))
	d := startDaemon(b, "NOTIFY_SOCKET="+socket)
	d.until("a", "ready", isReady)
	buf := make([]byte, 1000)
	n, err := conn.Read(buf)
	if err != nil || !strings.HasPrefix(string(buf[:n]), "READY=1\nMAINPID="+strconv.Itoa(d.cmd.Process.Pid)) {
		t.Errorf("%q %v", buf[:n], err)
	}
	b.untilLog("a", "NOTIFY_SOCKET=")
	if log := b.log("a"); !strings.Contains(log, "NOTIFY_SOCKET=\n") {
		t.Errorf("the program got the address of the socket: %s", log)
	}
}
