package host

import (
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Process is a running program.
type Process struct {
	PID  int      `json:"pid"`
	PPID int      `json:"ppid"`
	UID  int      `json:"uid"`
	Name string   `json:"name"` // the kernel's, of at most 15 bytes
	Exe  string   `json:"exe"`  // empty when it is not ours to see
	Args []string `json:"-"`    // not printed: other software has passwords there

	Files uint64 `json:"files,omitempty"` // its limit on open files; 0: not known
	Tasks uint64 `json:"tasks,omitempty"` // its limit on processes and threads of its user; 0: not known

	// Contained says that it runs in a container on this machine, that is, in another PID namespace: its paths are not
	// paths of this machine.
	Contained bool `json:"contained,omitempty"`
}

// Command is the path or name that the process was started by.
func (p Process) Command() string {
	if len(p.Args) > 0 {
		return p.Args[0]
	}
	return p.Name
}

// Process finds a process by its id.
func (f *Facts) Process(pid int) (Process, bool) {
	i := slices.IndexFunc(f.Processes, func(p Process) bool { return p.PID == pid })
	if i < 0 {
		return Process{}, false
	}
	return f.Processes[i], true
}

// pids lists the process directories of /proc.
func (g *gatherer) pids() []string {
	entries, err := g.h.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var pids []string
	for _, e := range entries {
		if _, err := strconv.Atoi(e.Name()); err == nil {
			pids = append(pids, e.Name())
		}
	}
	return pids
}

// processes reads every process. One that ends while it is read is left out.
func (g *gatherer) processes() {
	if !g.h.Exists("/proc/self") && !g.h.Exists("/proc/1") {
		g.f.Unknown["processes"] = "/proc is not mounted"
		return
	}
	if hide := g.f.Hardening.HidePID; hide != "" && g.f.UID != 0 && !g.f.Rooted {
		g.f.Unknown["processes"] = "/proc is mounted with hidepid=" + hide +
			", and shows this user its own processes only"
	}
	own, err := g.h.Readlink("/proc/self/ns/pid")
	for _, name := range g.pids() {
		if p, ok := g.process(name); ok {
			namespace, nsErr := g.h.Readlink(path.Join("/proc", name, "ns/pid"))
			p.Contained = err == nil && nsErr == nil && namespace != own
			g.f.Processes = append(g.f.Processes, p)
		}
	}
	slices.SortFunc(g.f.Processes, func(a, b Process) int { return a.PID - b.PID })
}

// Processes lists the running processes as [Gather] does, and nothing else. unknown says why they, or those of other
// users, could not be seen.
func Processes(h *Host) (list []Process, unknown string) {
	g := gatherer{h: h, f: &Facts{Unknown: Unknown{}, Rooted: !h.IsSystem(), UID: os.Geteuid()}}
	g.hardening()
	g.processes()
	return g.f.Processes, g.f.Unknown["processes"]
}

func (g *gatherer) process(name string) (Process, bool) {
	dir := path.Join("/proc", name)
	cmdline, err := g.h.ReadFile(path.Join(dir, "cmdline"))
	if err != nil || len(cmdline) == 0 { // an empty one is a thread of the kernel or a zombie
		return Process{}, false
	}
	p := Process{UID: -1}
	p.PID, _ = strconv.Atoi(name) // pids has seen to it
	p.Args = strings.Split(strings.TrimRight(string(cmdline), "\x00"), "\x00")
	p.Exe, _ = g.h.Readlink(path.Join(dir, "exe")) // other users' are hidden from a non-root caller
	p.Exe = strings.TrimSuffix(p.Exe, " (deleted)")
	for line := range strings.Lines(g.line(path.Join(dir, "limits"))) {
		if value, ok := strings.CutPrefix(line, "Max open files"); ok && len(strings.Fields(value)) > 0 {
			p.Files = limitValue(strings.Fields(value)[0])
		}
		if value, ok := strings.CutPrefix(line, "Max processes"); ok && len(strings.Fields(value)) > 0 {
			p.Tasks = limitValue(strings.Fields(value)[0])
		}
	}
	status, err := g.h.ReadFile(path.Join(dir, "status"))
	for line := range strings.Lines(string(status)) {
		key, value, _ := strings.Cut(line, ":")
		fields := strings.Fields(value)
		if len(fields) == 0 {
			continue
		}
		switch key {
		case "Name":
			p.Name = strings.TrimSpace(value)
		case "PPid":
			p.PPID, _ = strconv.Atoi(fields[0])
		case "Uid":
			p.UID, _ = strconv.Atoi(fields[0])
		}
	}
	return p, err == nil
}

// User finds a user by name.
func (f *Facts) User(name string) (User, bool) {
	i := slices.IndexFunc(f.Users, func(u User) bool { return u.Name == name })
	if i < 0 {
		return User{}, false
	}
	return f.Users[i], true
}

// Group finds a group by name.
func (f *Facts) Group(name string) (Group, bool) {
	i := slices.IndexFunc(f.Groups, func(g Group) bool { return g.Name == name })
	if i < 0 {
		return Group{}, false
	}
	return f.Groups[i], true
}

// accounts reads the local files, and asks the name service for the accounts that are wanted and are not there.
func (g *gatherer) accounts(users, groups []string) {
	var err error
	if g.f.Users, err = g.h.Users(); err != nil {
		g.unknown("users", err)
	}
	if g.f.Groups, err = g.h.Groups(); err != nil {
		g.unknown("groups", err)
	}
	for _, name := range users {
		if _, local := g.f.User(name); !local {
			if u, err := g.h.LookupUser(name); err == nil && u.Remote {
				g.f.Users = append(g.f.Users, u)
			}
		}
	}
	for _, name := range groups {
		if _, local := g.f.Group(name); !local {
			if group, err := g.h.LookupGroup(name); err == nil && group.Remote {
				g.f.Groups = append(g.f.Groups, group)
			}
		}
	}
}
