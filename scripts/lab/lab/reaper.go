package lab

import (
	"context"
	"os"
	"os/exec"
	"os/signal"
	"sync"

	"golang.org/x/sys/unix"
)

// reaper collects the dead that have no other parent: the keeper is process 1 of
// its namespace, and a command whose nsenter was killed becomes its child. It must
// leave those alone that os/exec waits for.
type reaper struct {
	mu  sync.Mutex
	own map[int]bool
}

func newReaper() *reaper { return &reaper{own: make(map[int]bool)} }

func (r *reaper) start(cmd *exec.Cmd) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := cmd.Start(); err != nil {
		return err
	}
	r.own[cmd.Process.Pid] = true
	return nil
}

func (r *reaper) wait(cmd *exec.Cmd) error {
	err := cmd.Wait()
	r.mu.Lock()
	delete(r.own, cmd.Process.Pid)
	r.mu.Unlock()
	return err
}

func (r *reaper) run(ctx context.Context) {
	deaths := make(chan os.Signal, 1)
	signal.Notify(deaths, unix.SIGCHLD)
	defer signal.Stop(deaths)
	for {
		select {
		case <-ctx.Done():
			return
		case <-deaths:
			r.reap()
		}
	}
}

// reap collects each dead child that os/exec does not wait for.
func (r *reaper) reap() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range processes() {
		if p.parent == os.Getpid() && p.dead && !r.own[p.pid] {
			_, _ = unix.Wait4(p.pid, nil, unix.WNOHANG, nil) // gone already: as good
		}
	}
}
