package process

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Cgroups makes a control group for each program where the machine lets us. A control group is the only fence no
// process can climb: whatever a program forks, in whatever session, is in it. Nothing is limited by it.
//
// With cgroup v2 the programs' groups lie below the daemon's own, which the boot unit has systemd delegate
// (Delegate=yes). With v1 they lie in the freezer hierarchy, which systemd leaves alone and which can hold a fork bomb
// still while it is killed.
type Cgroups struct {
	base   string // the directory the groups are made in
	prefix string
	v1     bool
}

// Where the hierarchies are mounted on every distribution of interest; cgroups(7).
const (
	cgroupRoot    = "/sys/fs/cgroup"
	cgroupFreezer = "/sys/fs/cgroup/freezer"
)

// FindCgroups returns nil when there is no hierarchy this process may change. tag distinguishes two supervisors.
func FindCgroups(tag string) *Cgroups {
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil
	}
	for _, c := range cgroupCandidates(string(own)) {
		c.prefix = "fate-" + tag + ".prog-"
		probe := filepath.Join(c.base, c.prefix+"probe")
		if err := os.Mkdir(probe, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			continue
		}
		_, err := os.Stat(filepath.Join(probe, "cgroup.procs"))
		_ = os.Remove(probe)
		if err == nil {
			return &c
		}
	}
	return nil
}

// cgroupCandidates reads /proc/self/cgroup, whose lines are hierarchy:controllers:path.
func cgroupCandidates(own string) []Cgroups {
	var out []Cgroups
	for line := range strings.Lines(own) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 || strings.Contains(parts[2], "..") {
			continue
		}
		if parts[0] == "0" && parts[1] == "" && isCgroup2(cgroupRoot) {
			out = append(out, Cgroups{base: filepath.Join(cgroupRoot, ownCgroup(parts[2]))})
		}
		for _, controller := range strings.Split(parts[1], ",") {
			if controller == "freezer" {
				out = append(out, Cgroups{base: filepath.Join(cgroupFreezer, parts[2]), v1: true})
			}
		}
	}
	return out
}

// ownCgroup steps out of a program's group: a daemon that was started by hand from within one must not nest.
func ownCgroup(path string) string {
	if strings.HasPrefix(filepath.Base(path), "fate-") && strings.Contains(filepath.Base(path), ".prog-") {
		return filepath.Dir(path)
	}
	return path
}

func isCgroup2(dir string) bool {
	var st unix.Statfs_t
	return unix.Statfs(dir, &st) == nil && st.Type == unix.CGROUP2_SUPER_MAGIC
}

// Cgroup is the control group of one program.
type Cgroup struct {
	Dir string
	v1  bool
}

func (c *Cgroups) dir(program string) string { return filepath.Join(c.base, c.prefix+program) }

// Create makes the program's group, or finds it from an earlier run.
func (c *Cgroups) Create(program string) (*Cgroup, error) {
	g := &Cgroup{Dir: c.dir(program), v1: c.v1}
	if err := os.Mkdir(g.Dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("cannot make the control group of %s: %w", program, err)
	}
	return g, nil
}

// openCgroup finds the group a program was put in by an earlier daemon; nil if it is gone.
func openCgroup(dir string) *Cgroup {
	if dir == "" || !strings.HasPrefix(filepath.Clean(dir), cgroupRoot+"/") {
		return nil
	}
	if _, err := os.Stat(filepath.Join(dir, "cgroup.procs")); err != nil {
		return nil
	}
	return &Cgroup{Dir: dir, v1: strings.HasPrefix(dir, cgroupFreezer+"/")}
}

func (g *Cgroup) write(file, text string) error {
	return os.WriteFile(filepath.Join(g.Dir, file), []byte(text), 0)
}

// Tasks is the file by which a thread enters the group itself; "" where none can. That takes a tenth of a millisecond.
// To move another process, the kernel waits until no thread of the machine forks or ends, which takes ten milliseconds
// and more. Only v1 has such a file in a group with processes.
func (g *Cgroup) Tasks() string {
	if !g.v1 {
		return ""
	}
	return filepath.Join(g.Dir, "tasks")
}

// Add puts a process into the group.
func (g *Cgroup) Add(pid int) error { return g.write("cgroup.procs", strconv.Itoa(pid)) }

// PIDs lists the living processes in the group, those in groups below it included.
func (g *Cgroup) PIDs() []int {
	var out []int
	_ = filepath.WalkDir(g.Dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return nil
		}
		data, _ := readProc(filepath.Join(path, "cgroup.procs"))
		for _, word := range strings.Fields(string(data)) {
			if pid, err := strconv.Atoi(word); err == nil {
				out = append(out, pid)
			}
		}
		return nil
	})
	return out
}

// kill sends KILL to everything in the group: by the kernel's own means from 5.14 on, else one by one, with the group
// frozen until then where it can be, so that nothing forks away.
func (g *Cgroup) kill() {
	if !g.v1 && g.write("cgroup.kill", "1") == nil {
		return
	}
	if g.v1 {
		_ = g.write("freezer.state", "FROZEN")
		defer func() { _ = g.write("freezer.state", "THAWED") }()
	}
	for _, pid := range g.PIDs() {
		_ = unix.Kill(pid, unix.SIGKILL)
	}
}

// Remove deletes the group of a program that is down for good. The kernel needs a moment for the last zombie; a group
// that cannot be deleted is empty and costs nothing.
func (c *Cgroups) Remove(program string) {
	for wait := time.Millisecond; wait < 100*time.Millisecond; wait *= 2 {
		if err := os.Remove(c.dir(program)); err == nil || errors.Is(err, os.ErrNotExist) {
			return
		}
		time.Sleep(wait)
	}
}

// OOMKills is how often the kernel killed something in the group for want of memory; -1 if it does not say.
func (g *Cgroup) OOMKills() int {
	data, err := os.ReadFile(filepath.Join(g.Dir, "memory.events"))
	if err != nil {
		return -1
	}
	for line := range strings.Lines(string(data)) {
		if n, ok := strings.CutPrefix(line, "oom_kill "); ok {
			count, _ := strconv.Atoi(strings.TrimSpace(n))
			return count
		}
	}
	return -1
}
