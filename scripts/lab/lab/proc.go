package lab

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"fate-installer/installer/host/procstat"
)

// process is a line of the process table as the reader's /proc shows it.
type process struct {
	pid, parent int
	dead        bool // ended, but not yet waited for
}

func processes() []process {
	paths, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is well formed
	var list []process
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		if st, err := procstat.Parse(data); err == nil {
			list = append(list, process{pid: st.PID, parent: st.PPID, dead: st.Dead()})
		}
	}
	return list
}

// initBelow finds the first process of the container that the given systemd-nspawn
// runs: its child that is number 1 in a pid namespace of its own. It is 0 until
// there is one.
func initBelow(nspawn int) int {
	for _, p := range processes() {
		if p.parent != nspawn || p.dead {
			continue
		}
		status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.pid), "status"))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(status)) {
			if numbers, ok := strings.CutPrefix(line, "NSpid:"); ok {
				if f := strings.Fields(numbers); len(f) > 1 && f[len(f)-1] == "1" {
					return p.pid
				}
			}
		}
	}
	return 0
}
