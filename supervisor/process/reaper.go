package process

import (
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Exit is how a process ended.
type Exit struct {
	Known  bool // false for an adopted process, whose parent got the status
	Code   int
	Signal syscall.Signal // 0 unless a signal ended it
	Core   bool
}

// Reaper waits for the daemon's children. One of them that ended is reported at once but stays a zombie until release:
// as long as it does, its pid, and with it the number of its process group, cannot go to another process, so that
// what it left in the group can be killed without a doubt whom it hits.
//
// It asks for its own children one by one, so that it takes no other package's child away. Only if it adopts does it
// also become the parent of what its descendants leave behind, and reap that: in a process that runs other children
// too, it would take those away.
type Reaper struct {
	mu       sync.Mutex
	children map[int]*waited
	adopts   bool // strays; fixed at the start

	signals chan os.Signal
	done    chan struct{}
}

type waited struct {
	onExit func(Exit) // nil: reap it and forget it
	exited bool
}

// NewReaper starts to wait for children. With adopts this process becomes the parent of what its descendants leave
// behind.
func NewReaper(adopts bool) (*Reaper, error) {
	if adopts {
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
			return nil, fmt.Errorf("cannot become a subreaper: %w", err)
		}
	}
	r := &Reaper{
		children: make(map[int]*waited), adopts: adopts,
		signals: make(chan os.Signal, 1), done: make(chan struct{}),
	}
	signal.Notify(r.signals, syscall.SIGCHLD)
	go r.run()
	return r, nil
}

// Stop ends the waiting. What was forgotten and has not ended yet is waited for, for about a second.
func (r *Reaper) Stop() {
	// A shim that could not become its program, or a probe's tool that was killed, may not have ended yet.
	for wait := time.Millisecond; wait < time.Second && r.anyForgotten(); wait *= 2 {
		time.Sleep(wait)
		r.sweep()
	}
	signal.Stop(r.signals)
	close(r.signals)
	<-r.done
}

func (r *Reaper) anyForgotten() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range r.children {
		if w.onExit == nil {
			return true
		}
	}
	return false
}

func (r *Reaper) run() {
	defer close(r.done)
	for range r.signals {
		r.sweep()
	}
}

// start forks through fork and watches the child. The lock is held across both, so that a child which ends at once is
// not missed.
func (r *Reaper) start(fork func() (int, error), onExit func(Exit)) (int, error) {
	r.mu.Lock()
	pid, err := fork()
	if err == nil {
		r.children[pid] = &waited{onExit: onExit}
	}
	r.mu.Unlock()
	return pid, err
}

// watch takes over a child that exists already: one started before this process executed a new version of itself.
// It reports false if pid is no child of this process.
func (r *Reaper) watch(pid int, onExit func(Exit)) bool {
	var info siginfo
	if err := waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT); err != nil {
		return false
	}
	r.mu.Lock()
	r.children[pid] = &waited{onExit: onExit}
	r.mu.Unlock()
	r.sweep()
	return true
}

// Signal sends a signal to a child, or with a negative pid to its group. The lock keeps release away until then.
func (r *Reaper) signal(pid int, sig syscall.Signal) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.children[max(pid, -pid)] == nil {
		return unix.ESRCH
	}
	return unix.Kill(pid, sig)
}

// release lets the pid of a child that has ended go.
func (r *Reaper) release(pid int) {
	r.mu.Lock()
	w := r.children[pid]
	if w != nil && w.exited {
		reap(pid)
		delete(r.children, pid)
	}
	r.mu.Unlock()
	if r.adopts {
		r.sweepStrays()
	}
}

// Forget reaps the child as soon as it has ended, without telling anyone.
func (r *Reaper) Forget(pid int) {
	r.mu.Lock()
	if w := r.children[pid]; w != nil {
		w.onExit = nil
		if w.exited {
			reap(pid)
			delete(r.children, pid)
		}
	}
	r.mu.Unlock()
	r.sweep()
}

// reap collects a zombie.
func reap(pid int) {
	for {
		_, err := unix.Wait4(pid, nil, unix.WNOHANG, nil)
		if err != unix.EINTR {
			return
		}
	}
}

// sweep reports every child that has ended since the last time.
func (r *Reaper) sweep() {
	type ended struct {
		onExit func(Exit)
		status Exit
	}
	var all []ended
	r.mu.Lock()
	for pid, w := range r.children {
		if w.exited {
			continue
		}
		var info siginfo
		err := waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT)
		if err != nil || info.pid != int32(pid) {
			continue
		}
		if w.onExit == nil {
			reap(pid)
			delete(r.children, pid)
			continue
		}
		w.exited = true
		all = append(all, ended{w.onExit, info.status()})
	}
	r.mu.Unlock()
	for _, e := range all {
		e.onExit(e.status)
	}
	if r.adopts {
		r.sweepStrays()
	}
}

// sweepStrays reaps zombies that are not watched. A zombie that is watched and not released yet hides those behind it;
// they are found when it is released.
func (r *Reaper) sweepStrays() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		var info siginfo
		if waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT) != nil || info.pid == 0 {
			return
		}
		if r.children[int(info.pid)] != nil {
			return
		}
		reap(int(info.pid))
	}
}

// siginfo is the part of siginfo_t that waitid fills, laid out as on every 64-bit Linux.
type siginfo struct {
	signo, errno, code int32
	_                  int32
	pid                int32
	uid                uint32
	value              int32 // exit code or signal
	_                  [100]byte
}

// Values of siginfo.code for SIGCHLD, from <asm-generic/siginfo.h>.
const (
	cldExited = 1
	cldDumped = 3
)

func (s *siginfo) status() Exit {
	if s.code == cldExited {
		return Exit{Known: true, Code: int(s.value)}
	}
	return Exit{Known: true, Code: -1, Signal: syscall.Signal(s.value), Core: s.code == cldDumped}
}

func waitid(kind, id int, info *siginfo, options int) error {
	for {
		// #nosec G103 -- the same memory; siginfo names the fields that unix.Siginfo hides
		err := unix.Waitid(kind, id, (*unix.Siginfo)(unsafe.Pointer(info)), options, nil)
		if err != unix.EINTR {
			return err
		}
	}
}
