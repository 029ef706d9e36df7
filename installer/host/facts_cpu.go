package host

import (
	"bytes"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"

	"fate-installer/installer/host/beneath"
)

// CPU describes the processors that this machine, or the container it is, may use.
type CPU struct {
	Count int      `json:"count"`
	Model string   `json:"model"`
	Flags []string `json:"-"` // as in /proc/cpuinfo: avx, avx2, asimd
}

// Has reports whether the processor has the named feature.
func (c CPU) Has(flag string) bool { return slices.Contains(c.Flags, flag) }

// cpu counts the entries of /proc/cpuinfo, which names its lines differently on each architecture.
func (g *gatherer) cpu() {
	data := g.read("cpu", "/proc/cpuinfo")
	for line := range bytes.Lines(data) {
		key, value, _ := strings.Cut(string(line), ":")
		value = strings.TrimSpace(value)
		switch strings.TrimSpace(key) {
		case "processor":
			g.f.CPU.Count++
		case "model name", "Model Name":
			g.f.CPU.Model = value
		case "flags", "Features":
			g.f.CPU.Flags = strings.Fields(value)
		}
	}
	if quota := g.cpuQuota(); quota > 0 && quota < g.f.CPU.Count {
		g.f.CPU.Count = quota
	}
}

// cpuQuota is the number of processors that the control group grants, rounded up, or 0 for no limit.
func (g *gatherer) cpuQuota() int {
	fields := strings.Fields(g.line("/sys/fs/cgroup/cpu.max"))
	if len(fields) != 2 {
		fields = []string{g.line("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"), g.line("/sys/fs/cgroup/cpu/cpu.cfs_period_us")}
	}
	quota, err1 := strconv.ParseFloat(fields[0], 64)
	period, err2 := strconv.ParseFloat(fields[1], 64)
	if err1 != nil || err2 != nil || quota <= 0 || period <= 0 {
		return 0
	}
	return int(math.Ceil(quota / period))
}

// Memory is in bytes.
type Memory struct {
	Total     uint64     `json:"total"`           // of the machine, or of its control group
	Limit     uint64     `json:"limit,omitempty"` // what a control group grants, when that is less than the machine has
	Available uint64     `json:"available"`
	SwapTotal uint64     `json:"swap_total"`
	Swaps     []SwapArea `json:"swaps"`
}

// SwapArea is one line of /proc/swaps; the size is in bytes.
type SwapArea struct {
	Path string `json:"path"`
	Size uint64 `json:"size"`
}

func (g *gatherer) memory() {
	m := &g.f.Memory
	var free, cached uint64
	g.scan("memory", "/proc/meminfo", func(fields []string) {
		if len(fields) < 2 {
			return
		}
		kib, err := strconv.ParseUint(fields[1], 10, 64)
		if err != nil {
			return
		}
		switch fields[0] {
		case "MemTotal:":
			m.Total = kib << 10
		case "MemFree:":
			free = kib << 10
		case "Cached:":
			cached = kib << 10
		case "MemAvailable:":
			m.Available = kib << 10
		case "SwapTotal:":
			m.SwapTotal = kib << 10
		}
	})
	if m.Available == 0 { // before Linux 3.14
		m.Available = free + cached
	}
	if limit := g.memoryLimit(); limit > 0 && limit < m.Total {
		m.Total, m.Limit = limit, limit
		// What other processes of the machine use is no part of what the group grants.
		m.Available = min(limit-min(limit, g.memoryUsed()), m.Available)
	}
	g.swaps()
}

// memoryLimit is the limit of the control groups, in bytes, or 0 for no limit. Version 1 says "no limit" with a huge
// number.
func (g *gatherer) memoryLimit() uint64 {
	least := uint64(0)
	for _, group := range g.memoryGroups() {
		for _, file := range []string{"memory.max", "memory.limit_in_bytes"} {
			limit, err := strconv.ParseUint(g.line(path.Join(group, file)), 10, 64)
			if err == nil && (least == 0 || limit < least) {
				least = limit
			}
		}
	}
	return least
}

// memoryUsed is the memory of processes in the group of the machine or container as a whole, without what the kernel
// can take back; 0 when that is not known.
func (g *gatherer) memoryUsed() uint64 {
	for _, root := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/memory"} {
		used, cache := uint64(0), uint64(0)
		for _, file := range []string{"memory.current", "memory.usage_in_bytes"} {
			if n, err := strconv.ParseUint(g.line(path.Join(root, file)), 10, 64); err == nil {
				used = n
			}
		}
		for line := range strings.Lines(g.line(path.Join(root, "memory.stat"))) {
			fields := strings.Fields(line)
			if len(fields) == 2 && (fields[0] == "file" || fields[0] == "total_cache") {
				cache, _ = strconv.ParseUint(fields[1], 10, 64) // 0: nothing is known of it
			}
		}
		if used > 0 {
			return used - min(used, cache)
		}
	}
	return 0
}

// memoryGroups are the control groups that bound what the supervisor and its programs may take: the one that process 1
// is in and all above it, and that of system services. The session of the operator has limits of its own.
func (g *gatherer) memoryGroups() []string {
	groups := []string{"/sys/fs/cgroup", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/system.slice",
		"/sys/fs/cgroup/memory/system.slice"}
	for line := range strings.Lines(g.line("/proc/1/cgroup")) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) != 3 {
			continue
		}
		root := "/sys/fs/cgroup"
		switch {
		case slices.Contains(strings.Split(fields[1], ","), "memory"):
			root += "/memory"
		case fields[1] != "": // another controller of version 1
			continue
		}
		for group := path.Clean("/" + fields[2]); group != "/"; group = path.Dir(group) {
			groups = append(groups, root+group)
		}
	}
	return groups
}

func (g *gatherer) swaps() {
	g.scan("swaps", "/proc/swaps", func(fields []string) {
		if len(fields) < 3 || fields[0] == "Filename" {
			return
		}
		if kib, err := strconv.ParseUint(fields[2], 10, 64); err == nil {
			g.f.Memory.Swaps = append(g.f.Memory.Swaps, SwapArea{beneath.Unescape(fields[0]), kib << 10})
		}
	})
}

// Unlimited stands for a limit that does not exist.
const Unlimited = math.MaxUint64

// Limit is a resource limit of this process, as setrlimit(2) knows it.
type Limit struct {
	Name string `json:"name"` // nofile, nproc or core
	Soft uint64 `json:"soft"`
	Hard uint64 `json:"hard"`
}

// Limit gives the named limit.
func (f *Facts) Limit(name string) (Limit, bool) {
	i := slices.IndexFunc(f.Limits, func(l Limit) bool { return l.Name == name })
	if i < 0 {
		return Limit{}, false
	}
	return f.Limits[i], true
}

// limitNames maps the titles of /proc/self/limits to limits.conf's.
var limitNames = map[string]string{"Max open files": "nofile", "Max processes": "nproc", "Max core file size": "core"}

func (g *gatherer) limits() {
	data := g.read("limits", "/proc/self/limits")
	for line := range strings.Lines(string(data)) {
		for title, name := range limitNames {
			fields := strings.Fields(strings.TrimPrefix(line, title))
			if strings.HasPrefix(line, title) && len(fields) >= 2 {
				g.f.Limits = append(g.f.Limits, Limit{name, limitValue(fields[0]), limitValue(fields[1])})
			}
		}
	}
}

func limitValue(s string) uint64 {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return Unlimited // the word "unlimited"
	}
	return n
}
