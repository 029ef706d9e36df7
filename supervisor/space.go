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

// Reserve returns what should stay free on a file system of a size, both in bytes: 512 MiB, or 5 % of a smaller one than
// 10 GiB.
func Reserve(size uint64) uint64 { return min(reserveBytes, size/reserveShare) }

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
			return room{size: st.Blocks * block, free: st.Bavail * block, files: st.Files, filesFree: st.Ffree, dir: dir}
		}
		if up := filepath.Dir(dir); err == unix.ENOENT && up != dir {
			dir = up
			continue
		}
		return room{dir: dir, unknown: true}
	}
}

// lack says what a file system has too little of; "" when it has enough. What was low before has to have a quarter more
// than the reserve, so that a program does not come and go with each line of a log.
func (r room) lack(wasLow bool) string {
	bytes, files := Reserve(r.size), min(reserveFiles, r.files/reserveShare)
	if wasLow {
		bytes, files = bytes+bytes/4, files+files/4
	}
	switch {
	case r.unknown || r.size == 0:
		return ""
	case r.free < bytes:
		return fmt.Sprintf("the file system of %s is nearly full: %s are free, below the reserve of %s", r.dir, mebibytes(r.free), mebibytes(Reserve(r.size)))
	case r.files > 0 && r.filesFree < files:
		return fmt.Sprintf("the file system of %s is nearly full: %d more files can be made, below the reserve of %d",
			r.dir, r.filesFree, min(reserveFiles, r.files/reserveShare))
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

// watchSpace looks at file systems until the supervisor is closed.
func (sup *Supervisor) watchSpace() {
	for {
		sup.lookAtSpace()
		if !sleep(sup.ctx, spaceEvery) {
			return
		}
	}
}

// lookAtSpace notes which programs write to a file system that is nearly full.
func (sup *Supervisor) lookAtSpace() {
	sup.looking.Lock()
	defer sup.looking.Unlock()
	before, now := sup.programsLow(), map[string]string{}
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
			if lack := r.lack(before[p.Name] != ""); lack != "" {
				now[p.Name] = lack
				break
			}
		}
	}
	sup.lowSpace.Store(&now)
	for _, s := range sup.services() {
		if name := s.status.Load().Name; (before[name] == "") != (now[name] == "") {
			s.event(func() {}) // publishes a new status
		}
	}
}

// programsLow says by program which file system has less than its reserve. It is not to be changed.
func (sup *Supervisor) programsLow() map[string]string {
	if low := sup.lowSpace.Load(); low != nil {
		return *low
	}
	return nil
}

// lacksSpace says what a program has no room for; "" when it has.
func (sup *Supervisor) lacksSpace(name string) string { return sup.programsLow()[name] }
