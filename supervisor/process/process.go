package process

import (
	"context"
	"errors"
	"os"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"fate-installer/installer/host/beneath"
)

// Identity tells a process from any other that has had, or will have, the same pid.
type Identity struct {
	PID   int            `json:"pid"`
	Start uint64         `json:"start"` // clock ticks from boot
	Boot  string         `json:"boot"`
	Exe   beneath.FileID `json:"exe"` // of the file that was to be executed
}

// matches reports whether the process that has the pid now is the one the identity was taken from. The pid and the
// start time of one boot name a process already; the executable, or the marker in its environment where the program
// executes another file in its place (a script its interpreter, a wrapper the real thing), is the seal on it.
func (id Identity) matches(boot, marker string) bool {
	if id.PID <= 1 || id.Boot != boot {
		return false
	}
	st, err := ReadStat(id.PID)
	if err != nil || st.Start != id.Start || st.Dead() {
		return false
	}
	if exe, err := exeOf(id.PID); err == nil && exe == id.Exe {
		return true
	}
	return HasMarker(id.PID, marker)
}

// Tree is a program's running process: a child of this daemon, or one adopted from an earlier daemon.
type Tree struct {
	ID     Identity
	Marker string // NAME=value in the environment of the program and all it starts
	Cgroup *Cgroup
	reaper *Reaper
	table  *Table
	child  bool
	pidfd  int // of an adopted process; -1 where the kernel has none
}

// Adopt finds the process again that an earlier daemon started; nil if it is gone.
func (h Host) Adopt(id Identity, marker, cgroupDir string) *Tree {
	if !id.matches(h.Boot, marker) {
		return nil
	}
	p := &Tree{ID: id, Marker: marker, Cgroup: openCgroup(cgroupDir), reaper: h.Reaper, table: h.Table, pidfd: -1}
	if fd, err := unix.PidfdOpen(id.PID, unix.PIDFD_NONBLOCK); err == nil {
		p.pidfd = fd
	} else if fd, err := unix.PidfdOpen(id.PID, 0); err == nil {
		p.pidfd = fd
		_ = unix.SetNonblock(fd, true)
	}
	// The pidfd is of whatever had the pid when it was opened; only if that is still the same process is it right.
	if !id.matches(h.Boot, marker) {
		p.Close()
		return nil
	}
	return p
}

// Gone describes a process that has ended while no daemon ran, for what it may have left behind.
func (h Host) Gone(id Identity, marker, cgroupDir string) *Tree {
	return &Tree{
		ID: id, Marker: marker, Cgroup: openCgroup(cgroupDir), reaper: h.Reaper, table: h.Table, pidfd: -1,
	}
}

// Watch has the end of an adopted process reported, if it is a child of this daemon, and reports whether it is.
func (p *Tree) Watch(onExit func(Exit)) bool {
	p.child = p.reaper.watch(p.ID.PID, onExit)
	return p.child
}

// Wait returns a function that waits until an adopted process has ended, or a context has. It may be called after the
// process is closed.
func (p *Tree) Wait() func(ctx context.Context) {
	fd := -1
	if p.pidfd >= 0 {
		if dup, err := unix.FcntlInt(uintptr(p.pidfd), unix.F_DUPFD_CLOEXEC, 3); err == nil {
			fd = dup
		}
	}
	id := p.ID
	return func(ctx context.Context) { waitEnd(ctx, id, fd) }
}

// Close gives back the descriptor of an adopted process. Nothing else of p changes.
func (p *Tree) Close() {
	if p.pidfd >= 0 {
		_ = unix.Close(p.pidfd)
		p.pidfd = -1
	}
}

// pollInterval is how often a process is looked at that is no child: an adopted one where the kernel has no pidfd
// (before 5.3).
const pollInterval = 100 * time.Millisecond

// waitEnd returns when the process has ended, or the context has. It takes over the pidfd, if there is one (-1 if not),
// and then costs a goroutine but no thread: a pidfd is readable when its process has ended, so the runtime's poller
// can wait for it.
func waitEnd(ctx context.Context, id Identity, pidfd int) {
	if pidfd >= 0 && waitReadable(ctx, pidfd) {
		return
	}
	_ = AwaitEnd(ctx, id.PID, id.Start) // an error says only that the context has ended
}

// AwaitEnd returns when the process with a pid and a start time has ended, in clock ticks from boot; or with the cause
// when the context ends. One that its parent has not taken note of has ended, too.
func AwaitEnd(ctx context.Context, pid int, start uint64) error {
	for {
		st, err := ReadStat(pid)
		if err != nil || st.Start != start || st.Dead() {
			return nil
		}
		select {
		case <-time.After(pollInterval):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// waitReadable waits for a descriptor through the runtime's poller and closes it. It reports false when the poller
// cannot wait for such a descriptor.
func waitReadable(ctx context.Context, fd int) bool {
	f := os.NewFile(uintptr(fd), "pidfd")
	defer f.Close()
	if f.SetReadDeadline(time.Time{}) != nil {
		return false
	}
	stop := context.AfterFunc(ctx, func() { _ = f.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	conn, err := f.SyscallConn()
	if err != nil {
		return false
	}
	err = conn.Read(func(fd uintptr) bool {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, 0)
		return err == nil && n > 0
	})
	return err == nil || ctx.Err() != nil
}

// Signal sends a signal to the process itself.
func (p *Tree) Signal(sig syscall.Signal) error {
	if p.child {
		return p.reaper.signal(p.ID.PID, sig)
	}
	if p.pidfd >= 0 {
		if err := unix.PidfdSendSignal(p.pidfd, sig, nil, 0); !errors.Is(err, unix.ENOSYS) {
			return err
		}
	}
	st, err := ReadStat(p.ID.PID)
	if err != nil || st.Start != p.ID.Start {
		return unix.ESRCH
	}
	return unix.Kill(p.ID.PID, sig)
}

// SignalGroup sends a signal to the process and everything in its group.
func (p *Tree) SignalGroup(sig syscall.Signal) error {
	if p.child {
		return p.reaper.signal(-p.ID.PID, sig)
	}
	if st, err := ReadStat(p.ID.PID); err == nil && st.Start == p.ID.Start {
		return unix.Kill(-p.ID.PID, sig)
	}
	for _, pid := range p.Leftovers() {
		_ = unix.Kill(pid, sig)
	}
	return nil
}

// settlePause and settleLooks bound how long a look waits for what is between two states.
const (
	settlePause = time.Millisecond
	settleLooks = 50
)

// Leftovers lists the living processes the program started that are not itself. It is exact where the program has a
// control group; else it finds what is in its session or group, and what ran away into another session by the
// marker in its environment.
//
// A process that is just executing a file, or ending, has no environment, and one that ends may have forked while we
// looked: as long as there is such a one, the look is repeated.
func (p *Tree) Leftovers() []int {
	for range settleLooks {
		live, settled := p.look()
		if len(live) > 0 || settled {
			return live
		}
		time.Sleep(settlePause)
	}
	return nil
}

func (p *Tree) look() (live []int, settled bool) {
	if p.Cgroup != nil {
		members := p.Cgroup.PIDs()
		settled = true
		for _, pid := range members {
			if pid == p.ID.PID || pid == os.Getpid() {
				continue
			}
			if st, err := ReadStat(pid); err == nil && !st.Dead() {
				live = append(live, pid)
			} else if err != nil {
				settled = false // it has ended since, and may have left a child
			}
		}
		return live, settled
	}
	if st, err := ReadStat(p.ID.PID); err == nil && st.Start != p.ID.Start {
		return nil, true // the number has gone to someone else: so has that of the group
	}
	rows := p.table.scan()
	settled = true
	for _, row := range rows {
		switch {
		case row.PID == p.ID.PID || row.PID == os.Getpid() || row.Start < p.ID.Start || row.Dead():
		case row.Session == p.ID.PID || row.PGRP == p.ID.PID || row.marker == p.Marker:
			live = append(live, row.PID)
		case row.blank && !hasOtherParent(rows, row.PPID):
			settled = false
		}
	}
	return live, settled
}

// hasOtherParent reports whether a process's parent is there and plainly none of ours, so that the process cannot be
// either. The parents of orphans tell nothing.
func hasOtherParent(rows []row, ppid int) bool {
	if ppid == 1 || ppid == os.Getpid() {
		return false
	}
	i := slices.IndexFunc(rows, func(r row) bool { return r.PID == ppid })
	return i >= 0 && !rows[i].Dead() && !rows[i].blank && rows[i].marker == ""
}

// KillAll sends KILL to the process and to everything it started.
func (p *Tree) KillAll() {
	_ = p.Signal(unix.SIGKILL)
	if p.Cgroup != nil {
		p.Cgroup.kill()
		return
	}
	for _, pid := range p.Leftovers() {
		_ = unix.Kill(pid, unix.SIGKILL)
	}
}

// Release lets the pid go, after which nothing may be signalled any more.
func (p *Tree) Release() {
	p.Close()
	if p.child {
		p.reaper.release(p.ID.PID)
	}
}

// Owns reports whether a process is the program's, or was started by it.
func (p *Tree) Owns(pid int) bool {
	if pid == p.ID.PID {
		return true
	}
	if st, err := ReadStat(pid); err == nil && (st.Session == p.ID.PID || st.PGRP == p.ID.PID) {
		return true
	}
	return HasMarker(pid, p.Marker)
}
