package supervisor

import (
	"slices"
	"strings"
	"testing"

	"fate-installer/supervisor/config"
)

// party is a database, what depends on it, and what needs that without waiting for it.
func (b *bench) party() {
	b.t.Helper()
	b.run(
		b.child("db", "say up;sleep", func(p *config.Program) { p.ReadyLog, p.AutoRestart = "up", "true" }),
		b.child("flow", "sleep", func(p *config.Program) { p.DependsOn = []string{"db"} }),
		b.child("board", "sleep", func(p *config.Program) { p.Needs = []string{"flow"} }),
		b.child("site", "sleep"),
	)
	b.start("board", "site") // and with board all that it needs
}

// TestDegraded stops what others need: they go on and are not ready, until it is back.
func TestDegraded(t *testing.T) {
	b := newBench(t)
	b.party()
	before := map[string]int{}
	for _, name := range []string{"flow", "board", "site"} {
		before[name] = b.status(name).PID
	}
	from := b.sup.events.last()
	b.stop("db")
	for _, name := range []string{"flow", "board"} {
		st := b.status(name) // at once: a status that lags would be a wrong answer
		if st.Ready || !st.Degraded || st.State != Running || !slices.Equal(st.DegradedBy, []string{"db"}) ||
			st.Why != "degraded: db is stopped" {
			t.Errorf("%+v", st)
		}
	}
	if st := b.status("site"); !st.Ready || st.Degraded || st.Why != "" {
		t.Errorf("%+v", st)
	}
	b.untilEvent(from, "flow", "degraded: db is ")
	b.start("db")
	for name, pid := range before {
		if st := b.status(name); !st.Ready || st.Degraded || st.PID != pid || st.Why != "" || st.Restarts != 0 {
			t.Errorf("%+v", st)
		}
	}
}

// untilEvent waits until a program's event after a number whose text begins so.
func (b *bench) untilEvent(from uint64, name, text string) {
	b.t.Helper()
	ctx := testContext(b.t)
	for ctx.Err() == nil {
		events, last := b.sup.Events(ctx, from)
		for _, e := range events {
			if e.Name == name && strings.HasPrefix(e.Text, text) {
				return
			}
		}
		from = last
	}
	b.t.Errorf("no event of %s says %q", name, text)
}

// TestDependencyFlaps has what others need crash again and again: none of them is restarted.
func TestDependencyFlaps(t *testing.T) {
	b := newBench(t)
	b.party()
	flow, board := b.status("flow").PID, b.status("board").PID
	for range 10 {
		pid := b.status("db").PID
		_ = b.sup.Signal("db", 9)
		b.until("db", "ready with a new process", func(st Status) bool { return st.Ready && st.PID != pid })
	}
	for name, pid := range map[string]int{"flow": flow, "board": board} {
		if st := b.until(name, "ready", func(st Status) bool { return st.Ready }); st.PID != pid || st.Restarts != 0 {
			t.Errorf("%+v", st)
		}
	}
}

// TestWhyOfADegradedProgram walks from a program that runs to the one that was stopped, and says by whom.
func TestWhyOfADegradedProgram(t *testing.T) {
	b := newBench(t)
	b.party()
	ctx := WithRequester(testContext(t), Requester{User: "root", Login: "alice", PID: 4711,
		Command: "fate-installer svc stop db"})
	if err := b.sup.Stop(ctx, []string{"db"}, true); err != nil {
		t.Fatal(err)
	}
	check := func() {
		t.Helper()
		chain, err := b.sup.Why("board")
		if err != nil || len(chain) != 3 {
			t.Fatalf("%+v, %v", chain, err)
		}
		for i, want := range []string{"and cannot work: it needs flow", "and cannot work: it needs db",
			", by root (logged in as alice): fate-installer svc stop db"} {
			if !strings.Contains(chain[i].Text, want) || chain[i].Root != (i == 2) {
				t.Errorf("%+v, want %q", chain[i], want)
			}
		}
		if last := chain[2]; len(last.LastLog) > 0 || last.Exit != "" || last.Advice != "fate-installer svc start db" {
			t.Errorf("%+v", last)
		}
	}
	check()
	b.sup.Close()
	b.open() // a new supervisor knows it, too
	check()
	b.start("db")
	if chain, err := b.sup.Why("board"); err != nil || len(chain) != 1 || !chain[0].Ready || chain[0].Root {
		t.Errorf("%+v, %v", chain, err)
	}
}

// TestStartWithoutWhatItNeeds says what is missing instead of waiting for it.
func TestStartWithoutWhatItNeeds(t *testing.T) {
	b := newBench(t)
	b.run(
		b.child("flow", "complain no space;exit 1", func(p *config.Program) { p.StartSecs, p.StartRetries = 1000, 0 }),
		b.child("board", "sleep", func(p *config.Program) { p.Needs = []string{"flow"} }),
	)
	err := b.sup.Start(testContext(t), []string{"board"}, true)
	if err == nil || !strings.Contains(err.Error(),
		"board: depends on flow, which is not ready: exited with status 1") {
		t.Errorf("Start: %v", err)
	}
	if st := b.status("board"); st.State != Running || !st.Degraded {
		t.Errorf("%+v", st)
	}
}

func TestDependants(t *testing.T) {
	b := newBench(t)
	b.party()
	if got := b.sup.Dependants([]string{"db"}); !slices.Equal(got, []string{"board", "flow"}) {
		t.Errorf("db is needed by %v", got)
	}
	if got := b.sup.Dependants([]string{"site", "board"}); len(got) > 0 {
		t.Errorf("site and board are needed by %v", got)
	}
	if err := b.sup.Stop(testContext(t), append(b.sup.Dependants([]string{"db"}), "db"), true); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"db", "flow", "board"} {
		if st := b.status(name); st.State != Stopped || st.Degraded {
			t.Errorf("%+v", st)
		}
	}
	if st := b.status("site"); !st.Ready {
		t.Errorf("%+v", st)
	}
}

// TestStateTexts: each state has a sentence.
func TestStateTexts(t *testing.T) {
	for _, s := range []State{Stopped, Waiting, Starting, Running, Stopping, Killing, Backoff, Exited, Fatal} {
		if strings.Count(stateTexts[s], "%s") != 1 {
			t.Errorf("%s: %q", s, stateTexts[s])
		}
	}
}
