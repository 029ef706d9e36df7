package host

import (
	"reflect"
	"testing"

	"fate-installer/installer/host/tasks"
)

// TestTasksAreThoseOfServices: the supervisor is below the groups of process 1 and of system services, and not below
// init.scope, to which systemd moves itself.
func TestTasksAreThoseOfServices(t *testing.T) {
	type files = map[string]string
	for name, c := range map[string]struct {
		files files
		want  []tasks.Limit
	}{
		"none": {files{"/sys/fs/cgroup/pids.max": "max\n"}, nil},
		"container": {files{"/sys/fs/cgroup/pids.max": "110\n", "/sys/fs/cgroup/pids.current": "30\n"},
			[]tasks.Limit{{Max: 110, Used: 30, File: "/sys/fs/cgroup/pids.max"}}},
		"system services": {files{"/sys/fs/cgroup/system.slice/pids.max": "200\n", "/proc/1/cgroup": "0::/init.scope\n",
			"/sys/fs/cgroup/init.scope/pids.max": "5\n"},
			[]tasks.Limit{{Max: 200, File: "/sys/fs/cgroup/system.slice/pids.max"}}},
		"version 1": {files{"/proc/1/cgroup": "4:pids:/docker/x\n3:cpu:/y\n",
			"/sys/fs/cgroup/pids/docker/x/pids.max": "300\n",
			"/sys/fs/cgroup/pids/docker/pids.max":   "200\n", "/sys/fs/cgroup/y/pids.max": "5\n"},
			[]tasks.Limit{{Max: 300, File: "/sys/fs/cgroup/pids/docker/x/pids.max"},
				{Max: 200, File: "/sys/fs/cgroup/pids/docker/pids.max"}}},
		"machine": {files{"/proc/sys/kernel/threads-max": "4000\n", "/proc/loadavg": "0 0 0 1/90 7\n"},
			[]tasks.Limit{{Max: 4000, Used: 90, File: "/proc/sys/kernel/threads-max"}}},
	} {
		g := gatherer{h: newTree(t, c.files), f: &Facts{Unknown: Unknown{}}}
		g.tasks()
		if !reflect.DeepEqual(g.f.Tasks, c.want) {
			t.Errorf("%s: %+v, want %+v", name, g.f.Tasks, c.want)
		}
	}
}
