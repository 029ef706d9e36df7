package supervisor

import (
	"testing"
	"time"

	"fate-installer/supervisor/config"
)

// TestProbePause: a program that becomes ready is noticed soon, and what it costs to ask it stays small.
func TestProbePause(t *testing.T) {
	const ms = time.Millisecond
	for _, tt := range []struct{ late, took, interval, want time.Duration }{
		{0, 0, time.Second, 20 * ms},
		{10 * ms, 0, time.Second, 20 * ms},
		{300 * ms, ms, time.Second, 300 * ms},
		{6 * time.Second, ms, time.Second, time.Second},
		{10 * ms, 40 * ms, time.Second, 200 * ms}, // a command
		{6 * time.Second, 5 * time.Second, time.Second, time.Second},
		{0, 0, 10 * ms, 10 * ms}, // an interval of the program file
	} {
		if got := probePause(tt.late, tt.took, tt.interval); got != tt.want {
			t.Errorf("noticed late by %v, asked in %v, interval %v: pause %v, want %v", tt.late, tt.took, tt.interval,
				got, tt.want)
		}
	}
}

// TestDependantServes: a program that becomes ready by what its dependants do is asked when one of them begins to
// serve, without the pause that has grown while it was not ready. One that is ready is not asked, and keeps its state.
func TestDependantServes(t *testing.T) {
	for name, tt := range map[string]struct {
		after string
		ready bool
		want  bool
	}{
		"becomes ready by its dependants": {config.DependantsListening, false, true},
		"is ready":                        {config.DependantsListening, true, false},
		"becomes ready by itself":         {config.DependantsReady, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			sup := b.run(
				b.child("manager", "sleep", func(p *config.Program) {
					p.ReadyTCP, p.DependantsAfter = freeAddr(t), tt.after
				}),
				b.child("node", "sleep", func(p *config.Program) { p.DependsOn = []string{"manager"} }),
				b.child("other", "sleep"),
			)
			manager := sup.service("manager")
			manager.run.again = make(chan struct{}, 1)
			for other, want := range map[string]bool{"other": false, "node": tt.want} {
				manager.ready = tt.ready
				s := sup.service(other)
				s.event(func() { s.serves = true })
				if asked := len(manager.run.again) > 0; asked != want || manager.ready != tt.ready {
					t.Errorf("%s began to serve: asked %v, ready %v; want %v, %v", other, asked, manager.ready, want,
						tt.ready)
				}
				for len(manager.run.again) > 0 {
					<-manager.run.again
				}
			}
			manager.ready = false
		})
	}
}
