package process

import (
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"fate-installer/installer/host/procstat"
)

// Usage is what a process uses.
type Usage struct {
	CPU     time.Duration // of all its threads, in user and in kernel mode, since it was started
	Threads int
	Files   int // open file descriptors; -1: not known, since another user's are not shown
}

// ReadUsage reads what a process uses. It fails for one that is gone.
func ReadUsage(pid int) (Usage, error) {
	st, err := ReadStat(pid)
	if err != nil {
		return Usage{}, err
	}
	return Usage{CPU: time.Duration(st.Busy) * time.Second / procstat.TicksPerSecond, Threads: st.Threads,
		Files: openFiles(pid)}, nil
}

// mostFiles bounds how many descriptors are counted one by one: a process may have a million.
const mostFiles = 1 << 16

// openFiles counts the descriptors of a process. Since Linux 6.2 their number is the size of the directory.
func openFiles(pid int) int {
	name := "/proc/" + strconv.Itoa(pid) + "/fd"
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1
	}
	dir := os.NewFile(uintptr(fd), name)
	defer dir.Close()
	var st unix.Stat_t
	if unix.Fstat(fd, &st) == nil && st.Size > 0 {
		return int(st.Size)
	}
	names, err := dir.Readdirnames(mostFiles)
	if err != nil && len(names) == 0 {
		return -1
	}
	return len(names)
}
