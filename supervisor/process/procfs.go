package process

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"fate-installer/installer/host/beneath"
	"fate-installer/installer/host/procstat"
	"fate-installer/supervisor/logfile"
)

// readProc reads a file of /proc, or of a control group. It does without os.ReadFile, which offers each file to the
// runtime's poller: looking at all processes takes three system calls for each instead of eight.
func readProc(path string) ([]byte, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	data := make([]byte, 0, 1024)
	for {
		if len(data) == cap(data) {
			data = append(data, 0)[:len(data)]
		}
		n, err := unix.Read(fd, data[len(data):cap(data)])
		switch {
		case err == unix.EINTR:
		case err != nil:
			return nil, &os.PathError{Op: "read", Path: path, Err: err}
		case n == 0:
			return data, nil
		default:
			data = data[:len(data)+n]
		}
	}
}

// ReadStat reads /proc/PID/stat. A process that does not exist gives an error.
func ReadStat(pid int) (procstat.Stat, error) {
	data, err := readProc("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return procstat.Stat{}, err
	}
	return procstat.Parse(data)
}

// BootID tells one boot of the machine from another.
func BootID() (string, error) {
	data, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("cannot read the boot id: %w", err)
	}
	return strings.TrimSpace(string(data)), nil
}

// exeOf identifies the executable a process runs, also when the file was deleted or replaced since.
func exeOf(pid int) (beneath.FileID, error) {
	info, err := os.Stat("/proc/" + strconv.Itoa(pid) + "/exe")
	if err != nil {
		return beneath.FileID{}, err
	}
	return beneath.IDOf(info), nil
}

// MarkerVar is the variable in the environment of a program, and of all it starts, that says whose it is.
const MarkerVar = "FATE_SUPERVISOR="

// markerOf returns the entry of markerVar in a process's environment, "" if there is none. blank means that the
// process has no environment at all, and no arguments: it is just executing a file, or ending.
func markerOf(pid int) (marker string, blank bool) {
	data, err := readProc("/proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil {
		return "", false
	}
	for e := range bytes.SplitSeq(data, []byte{0}) {
		if bytes.HasPrefix(e, []byte(MarkerVar)) {
			return string(e), false
		}
	}
	return "", len(data) == 0 && CommandLine(pid) == ""
}

// HasMarker reports whether a process has the given marker.
func HasMarker(pid int, marker string) bool {
	got, _ := markerOf(pid)
	return got == marker
}

// AllPIDs lists the processes of the machine.
func AllPIDs() []int {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	pids := make([]int, 0, len(names))
	for _, n := range names {
		if pid, err := strconv.Atoi(n); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// row is the table's record of a process.
type row struct {
	procstat.Stat
	marker string
	blank  bool // see markerOf; threads of the kernel are not blank
}

// Table reads the state of all processes for many callers at once. When a thousand programs stop together, each
// has to know whether anything of it is left; they share a scan that began after they asked.
type Table struct {
	mu      sync.Mutex
	next    *tableScan // not begun; who joins it sees the present
	running bool
}

type tableScan struct {
	done chan struct{}
	rows []row
}

// kthreadd is the pid of the parent of all threads of the kernel.
const kthreadd = 2

// scan returns every process that existed throughout the call.
func (t *Table) scan() []row {
	t.mu.Lock()
	s := t.next
	if s == nil {
		s = &tableScan{done: make(chan struct{})}
		t.next = s
	}
	if !t.running {
		t.running = true
		t.next = nil
		t.mu.Unlock()
		t.run(s)
		return s.rows
	}
	t.mu.Unlock()
	<-s.done
	return s.rows
}

// run carries out s, and then what was requested while it ran.
func (t *Table) run(s *tableScan) {
	for s != nil {
		for _, pid := range AllPIDs() {
			st, err := ReadStat(pid)
			if err != nil || st.PPID == kthreadd || pid == kthreadd {
				continue
			}
			row := row{Stat: st}
			row.marker, row.blank = markerOf(pid)
			s.rows = append(s.rows, row)
		}
		close(s.done)
		t.mu.Lock()
		s, t.next = t.next, nil
		t.running = s != nil
		t.mu.Unlock()
	}
}

// ResidentBytes is the memory a process holds, 0 if it is gone.
func ResidentBytes(pid int) int64 {
	data, err := readProc("/proc/" + strconv.Itoa(pid) + "/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(data))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize())
}

// commandLineLength bounds a command line for people, in characters.
const commandLineLength = 200

// CommandLine is a process's argv as one line. It may be anybody's, so there may be anything in it.
func CommandLine(pid int) string {
	data, err := readProc("/proc/" + strconv.Itoa(pid) + "/cmdline")
	if err != nil {
		return ""
	}
	line := []rune(strings.Join(strings.Fields(strings.ReplaceAll(string(data), "\x00", " ")), " "))
	if len(line) > commandLineLength {
		line = append(line[:commandLineLength], []rune("...")...)
	}
	return logfile.Printable(string(line))
}

// OwnOOMScoreAdj is how much the kernel prefers (or, below zero, spares) this process when memory runs out.
func OwnOOMScoreAdj() int {
	data, err := os.ReadFile("/proc/self/oom_score_adj")
	if err != nil {
		return 0
	}
	n, _ := strconv.Atoi(strings.TrimSpace(string(data)))
	return n
}
