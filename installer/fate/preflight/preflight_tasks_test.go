package preflight

import (
	"slices"
	"strings"
	"testing"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/fatetest"
	"fate-installer/installer/host"
	"fate-installer/installer/host/tasks"
)

// TestTasksComparesEveryLimit: whatever limits processes and threads is compared with the same need, and named.
func TestTasksComparesEveryLimit(t *testing.T) {
	s := fatetest.PreflightSpec(t, "192.168.0.1")
	in := Input{Components: fatetest.Components, Platform: "linux/amd64"}
	installed := in
	installed.Installed = true
	limit := func(file string, most, used uint64) func(*host.Facts) {
		return func(f *host.Facts) { f.Tasks = []tasks.Limit{{Max: most, Used: used, File: file}} }
	}
	keep := *s
	keep.OS.Sysctl = cluster.PolicyKeep
	for name, c := range map[string]struct {
		s                *cluster.Spec
		change           func(*host.Facts)
		in               Input
		status           Status
		measured, remedy string
	}{
		"no limit": {s, func(*host.Facts) {}, in, StatusOK, "pids.max of the control groups is unlimited", ""},
		"all are named": {s, limit("/proc/sys/kernel/threads-max", 90000, 300), in, StatusOK,
			"/proc/sys/kernel/threads-max is 90000, 300 in use; pids.max of the control groups is unlimited; " +
				"RLIMIT_NPROC of programs (limit_nproc of the supervisor) is 65535", ""},
		"few in a group": {s, limit("/sys/fs/cgroup/pids.max", 110, 30), in, StatusRefused,
			"/sys/fs/cgroup/pids.max is 110, 30 in use", "TasksMax="},
		"some in a group": {s, limit("/sys/fs/cgroup/pids.max", 512, 0), in, StatusWarning,
			"/sys/fs/cgroup/pids.max is 512", "enough for a trial"},
		"mostly ours": {s, limit("/sys/fs/cgroup/pids.max", 4000, 3900), installed, StatusOK, "", ""},
		"few threads": {&keep, limit("/proc/sys/kernel/threads-max", 400, 300), in, StatusRefused,
			"/proc/sys/kernel/threads-max is 400, 300 in use", "sysctl -w kernel.threads-max=65535"},
		"few threads, raised by install": {s, limit("/proc/sys/kernel/threads-max", 400, 300), in, StatusOK,
			"65535, 300 in use", ""},
		"few threads in a container": {s, func(f *host.Facts) {
			limit("/proc/sys/kernel/pid_max", 400, 300)(f)
			f.Container = "docker"
		}, in, StatusRefused, "/proc/sys/kernel/pid_max is 400",
			"on the machine that this docker container is on: sysctl -w kernel.pid_max="},
		"limit of a container": {s, func(f *host.Facts) {
			f.Limits[1].Hard, f.Unraisable = 200, map[string]string{"nproc": "operation not permitted"}
		}, in, StatusRefused, "which cannot be raised: operation not permitted) is 200",
			"docker run --ulimit nproc=65535"},
		"program with few": {s, func(f *host.Facts) {
			f.Processes = append(f.Processes, host.Process{PID: 7, Name: "java",
				Exe: "/data/projects/fate/common/jdk/jdk-8u345/bin/java", Tasks: 100})
		}, installed, StatusRefused, "RLIMIT_NPROC of java (pid 7) in /proc/7/limits is 100", "svc restart all"},
		"few for logins": {s, func(f *host.Facts) {
			f.SessionLimits = limitLines("/etc/security/limits.d/zz.conf app hard nproc 100")
		}, in, StatusWarning,
			`nproc of logins of app ("app hard nproc 100" in /etc/security/limits.d/zz.conf, line 1) is 100`,
			"write 65535 in line 1"},
		"loses to ours": {s, func(f *host.Facts) {
			f.SessionLimits = limitLines("/etc/security/limits.d/20-nproc.conf * soft nproc 100")
		}, in, StatusOK, "", ""},
		"groups not read": {s, func(f *host.Facts) { f.Unknown["tasks"] = "permission denied" }, in, StatusSkipped,
			"not looked at: permission denied", ""},
		"logins not read": {s, func(f *host.Facts) { f.Unknown["session limits"] = "permission denied" }, in,
			StatusSkipped, "not looked at: permission denied", ""},
		"low and not read": {s, func(f *host.Facts) {
			limit("/sys/fs/cgroup/pids.max", 110, 30)(f)
			f.Unknown["session limits"] = "permission denied"
		}, in, StatusRefused, "110, 30 in use; not looked at: permission denied", "TasksMax="},
	} {
		f := goodFacts(c.s)
		c.change(f)
		results := Run(c.s, f, c.in)
		r := results[slices.IndexFunc(results, func(r CheckResult) bool { return r.ID == "tasks" })]
		if r.Status != c.status || !strings.Contains(r.Measured, c.measured) || !strings.Contains(r.Remedy, c.remedy) {
			t.Errorf("%s: %+v\nwant %s with %q and the remedy %q", name, r, c.status, c.measured, c.remedy)
		}
		sameLimits(t, name, r, hardened(t, Hardening(c.s, f, c.in.Installed), "tasks"))
	}
}

// sameLimits wants the section of the hardening to judge the limits as the check does.
func sameLimits(t *testing.T, name string, r CheckResult, h Hardened) {
	t.Helper()
	within, text := h.Detail, r.Measured // a check that refuses or warns measures only what is low
	switch {
	case h.Finding == NotLookedAt:
		return
	case r.Status == StatusOK:
		within, text = r.Measured, h.Detail
	}
	for limit := range strings.SplitSeq(text, "; ") {
		if !strings.Contains(within, limit) {
			t.Errorf("%s: %q is not in %q", name, limit, within)
		}
	}
}
