package supervisor

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

// identity tells a process from any other that has had, or will have, the same pid.
type identity struct {
	PID   int            `json:"pid"`
	Start uint64         `json:"start"` // clock ticks from boot
	Boot  string         `json:"boot"`
	Exe   beneath.FileID `json:"exe"` // of the file that was to be executed
}

// matches reports whether the process that has the pid now is the one the identity was taken from. The pid and the
// start time of one boot name a process already; the executable, or the marker in its environment where the program
// executes another file in its place (a script its interpreter, a wrapper the real thing), is the seal on it.
func (id identity) matches(boot, marker string) bool {
	if id.PID <= 1 || id.Boot != boot {
		return false
	}
	st, err := readStat(id.PID)
	if err != nil || st.start != id.Start || st.dead() {
		return false
	}
	if exe, err := exeOf(id.PID); err == nil && exe == id.Exe {
		return true
	}
	return hasMarker(id.PID, marker)
}

// process is a program's running process: a child of this daemon, or one adopted from an earlier daemon.
type process struct {
	id     identity
	marker string // NAME=value in the environment of the program and all it starts
	cgroup *cgroup
	reaper *reaper
	table  *procTable
	child  bool
	pidfd  int // of an adopted process; -1 where the kernel has none
}

// adopt finds the process again that an earlier daemon started; nil if it is gone.
func adopt(id identity, marker, cgroupDir, boot string, r *reaper, t *procTable) *process {
	if !id.matches(boot, marker) {
		return nil
	}
	p := &process{id: id, marker: marker, cgroup: openCgroup(cgroupDir), reaper: r, table: t, pidfd: -1}
	if fd, err := unix.PidfdOpen(id.PID, unix.PIDFD_NONBLOCK); err == nil {
		p.pidfd = fd
	} else if fd, err := unix.PidfdOpen(id.PID, 0); err == nil {
		p.pidfd = fd
		_ = unix.SetNonblock(fd, true)
	}
	// The pidfd is of whatever had the pid when it was opened; only if that is still the same process is it right.
	if !id.matches(boot, marker) {
		p.close()
		return nil
	}
	return p
}

func (p *process) close() {
	if p.pidfd >= 0 {
		_ = unix.Close(p.pidfd)
		p.pidfd = -1
	}
}

// pollInterval is how often an adopted process is looked at where the kernel has no pidfd (before 5.3).
const pollInterval = 100 * time.Millisecond

// waitEnd returns when the process has ended, or the context has. It takes over the pidfd, if there is one (-1 if not),
// and then costs a goroutine but no thread: a pidfd is readable when its process has ended, so the runtime's poller
// can wait for it.
func waitEnd(ctx context.Context, id identity, pidfd int) {
	if pidfd >= 0 && waitReadable(ctx, pidfd) {
		return
	}
	for ctx.Err() == nil {
		st, err := readStat(id.PID)
		if err != nil || st.start != id.Start || st.dead() {
			return
		}
		sleep(ctx, pollInterval)
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

// signal sends a signal to the process itself.
func (p *process) signal(sig syscall.Signal) error {
	if p.child {
		return p.reaper.signal(p.id.PID, sig)
	}
	if p.pidfd >= 0 {
		if err := unix.PidfdSendSignal(p.pidfd, sig, nil, 0); !errors.Is(err, unix.ENOSYS) {
			return err
		}
	}
	st, err := readStat(p.id.PID)
	if err != nil || st.start != p.id.Start {
		return unix.ESRCH
	}
	return unix.Kill(p.id.PID, sig)
}

// signalGroup sends a signal to the process and everything in its group.
func (p *process) signalGroup(sig syscall.Signal) error {
	if p.child {
		return p.reaper.signal(-p.id.PID, sig)
	}
	if st, err := readStat(p.id.PID); err == nil && st.start == p.id.Start {
		return unix.Kill(-p.id.PID, sig)
	}
	for _, pid := range p.leftovers() {
		_ = unix.Kill(pid, sig)
	}
	return nil
}

// settlePause and settleLooks bound how long a look waits for what is between two states.
const (
	settlePause = time.Millisecond
	settleLooks = 50
)

// leftovers lists the living processes the program started that are not itself. It is exact where the program has a
// control group; else it finds what is in its session or group, and what ran away into another session by the
// marker in its environment.
//
// A process that is just executing a file, or ending, has no environment, and one that ends may have forked while we
// looked: as long as there is such a one, the look is repeated.
func (p *process) leftovers() []int {
	for range settleLooks {
		live, settled := p.look()
		if len(live) > 0 || settled {
			return live
		}
		time.Sleep(settlePause)
	}
	return nil
}

func (p *process) look() (live []int, settled bool) {
	if p.cgroup != nil {
		members := p.cgroup.pids()
		settled = true
		for _, pid := range members {
			if pid == p.id.PID || pid == os.Getpid() {
				continue
			}
			if st, err := readStat(pid); err == nil && !st.dead() {
				live = append(live, pid)
			} else if err != nil {
				settled = false // it has ended since, and may have left a child
			}
		}
		return live, settled
	}
	if st, err := readStat(p.id.PID); err == nil && st.start != p.id.Start {
		return nil, true // the number has gone to someone else: so has that of the group
	}
	rows := p.table.scan()
	settled = true
	for _, row := range rows {
		switch {
		case row.pid == p.id.PID || row.pid == os.Getpid() || row.start < p.id.Start || row.dead():
		case row.session == p.id.PID || row.pgrp == p.id.PID || row.marker == p.marker:
			live = append(live, row.pid)
		case row.blank && !hasOtherParent(rows, row.ppid):
			settled = false
		}
	}
	return live, settled
}

// hasOtherParent reports whether a process's parent is there and plainly none of ours, so that the process cannot be
// either. The parents of orphans tell nothing.
func hasOtherParent(rows []procRow, ppid int) bool {
	if ppid == 1 || ppid == os.Getpid() {
		return false
	}
	i := slices.IndexFunc(rows, func(r procRow) bool { return r.pid == ppid })
	return i >= 0 && !rows[i].dead() && !rows[i].blank && rows[i].marker == ""
}

// killAll sends KILL to the process and to everything it started.
func (p *process) killAll() {
	_ = p.signal(unix.SIGKILL)
	if p.cgroup != nil {
		p.cgroup.kill()
		return
	}
	for _, pid := range p.leftovers() {
		_ = unix.Kill(pid, unix.SIGKILL)
	}
}

// release lets the pid go, after which nothing may be signalled any more.
func (p *process) release() {
	p.close()
	if p.child {
		p.reaper.release(p.id.PID)
	}
}
