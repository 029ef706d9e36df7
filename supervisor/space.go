package supervisor

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"fate-installer/supervisor/config"
	"fate-installer/supervisor/logfile"
)

// A program on a full file system mostly goes on and answers, and every job fails. So the file systems that programs
// write to are watched always, and a program is degraded while one of its own has less left than a reserve.

// reserveBytes is the reserve of a large file system: a job of a test writes up to some tens of MiB, a job of real data
// hundreds.
const reserveBytes = 512 << 20

// reserveShare is the part of a small file system that is its reserve, and the part of the inodes.
const reserveShare = 20

// reserveFiles is the reserve of inodes of a large file system.
const reserveFiles = 2000

// Reserve returns what should stay free on a file system of a size, both in bytes: 512 MiB, or 5 % of a smaller one
// than 10 GiB.
func Reserve(size uint64) uint64 { return min(reserveBytes, size/reserveShare) }

// fillingShare is the part of a file system that is free when it begins to be full.
const fillingShare = 5

// Filling reports whether 80 % or more of a file system is in use; both in bytes.
func Filling(size, free uint64) bool { return size > 0 && free <= size/fillingShare }

// spaceEvery is how often file systems are looked at.
const spaceEvery = 5 * time.Second

// room is the space that is left on a file system for users other than root.
type room struct {
	size, free       uint64 // bytes; size 0: it has no limit of its own
	files, filesFree uint64 // inodes; files 0: they are made as needed
	dir              string // an existing directory in it
	unknown          bool
}

// roomOf asks the file system of a directory, or of the nearest one above it that exists.
func roomOf(dir string) room {
	for {
		var st unix.Statfs_t
		err := unix.Statfs(dir, &st)
		if err == nil {
			block := uint64(st.Frsize)
			if block == 0 {
				block = uint64(st.Bsize)
			}
			return room{size: st.Blocks * block, free: st.Bavail * block, files: st.Files,
				filesFree: st.Ffree, dir: dir}
		}
		if up := filepath.Dir(dir); err == unix.ENOENT && up != dir {
			dir = up
			continue
		}
		return room{dir: dir, unknown: true}
	}
}

// below reports whether less is free than a reserve. What was low before has to have a quarter more than the reserve,
// so that a program does not come and go with each line of a log, or each thread.
func below(free, reserve uint64, wasLow bool) bool {
	if wasLow {
		reserve += reserve / 4
	}
	return free < reserve
}

// lack says what a file system has too little of; "" when it has enough.
func (r room) lack(wasLow bool) string {
	files := min(reserveFiles, r.files/reserveShare)
	switch {
	case r.unknown || r.size == 0:
		return ""
	case below(r.free, Reserve(r.size), wasLow):
		return fmt.Sprintf("the file system of %s is nearly full: %s are free, below the reserve of %s", r.dir,
			mebibytes(r.free), mebibytes(Reserve(r.size)))
	case r.files > 0 && below(r.filesFree, files, wasLow):
		return fmt.Sprintf("the file system of %s is nearly full: %d more files can be made, below the reserve of %d",
			r.dir, r.filesFree, files)
	}
	return ""
}

func mebibytes(n uint64) string {
	if n < 10<<20 {
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d MiB", n>>20)
}

// writesTo lists the directories that a program writes to, as far as its definition names them.
func writesTo(p *config.Program, paths logfile.Paths) []string {
	dirs := slices.Clone(p.DataDirs)
	for _, log := range paths.Distinct() {
		if !logfile.IsDevice(log) {
			dirs = append(dirs, filepath.Dir(log))
		}
	}
	for _, log := range p.LogFiles {
		dir := filepath.Dir(log)
		for strings.ContainsAny(dir, "*?[") {
			dir = filepath.Dir(dir)
		}
		dirs = append(dirs, dir)
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

// shortage says what programs have too little of.
type shortage struct {
	space map[string]string // by program, the file system that is nearly full
	tasks string            // the limit on processes and threads that is nearly reached; blank: none
}

// watchRoom looks at file systems and limits until the supervisor is closed.
func (sup *Supervisor) watchRoom() {
	for {
		sup.lookAtRoom()
		if !sleep(sup.ctx, spaceEvery) {
			return
		}
	}
}

// lookAtRoom notes which programs write to a file system that is nearly full, and whether tasks are running out.
func (sup *Supervisor) lookAtRoom() {
	sup.looking.Lock()
	defer sup.looking.Unlock()
	before := sup.short.Load()
	now := &shortage{space: map[string]string{}, tasks: lackTasks(sup.tasksOf(), before.tasks != "")}
	rooms := map[string]room{} // by directory
	for _, s := range sup.services() {
		s.mu.Lock()
		p, paths := s.prog.Clone(), s.run.paths
		s.mu.Unlock()
		for _, dir := range writesTo(&p, paths) {
			r, seen := rooms[dir]
			if !seen {
				r = sup.roomOf(dir)
				rooms[dir] = r
			}
			if lacks := r.lack(before.space[p.Name] != ""); lacks != "" {
				now.space[p.Name] = lacks
				break
			}
		}
	}
	sup.short.Store(now)
	for _, s := range sup.services() {
		name := s.status.Load().Name
		if (before.space[name] == "") != (now.space[name] == "") || (before.tasks == "") != (now.tasks == "") {
			s.event(func() {}) // publishes a new status
		}
	}
}
