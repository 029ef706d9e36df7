package host

import "testing"

func TestTasksAreThoseOfTheTightestGroup(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  Tasks
	}{
		"none": {map[string]string{"/sys/fs/cgroup/pids.max": "max\n"}, Tasks{}},
		"container": {map[string]string{"/sys/fs/cgroup/pids.max": "110\n", "/sys/fs/cgroup/pids.current": "30\n"},
			Tasks{110, 30, "/sys/fs/cgroup"}},
		"system services": {map[string]string{"/sys/fs/cgroup/pids.max": "4000\n",
			"/sys/fs/cgroup/system.slice/pids.max": "200\n"},
			Tasks{200, 0, "/sys/fs/cgroup/system.slice"}},
		"version 1": {map[string]string{"/proc/1/cgroup": "4:pids:/docker/x\n3:cpu:/y\n",
			"/sys/fs/cgroup/pids/docker/x/pids.max": "300\n",
			"/sys/fs/cgroup/pids/docker/pids.max":   "200\n", "/sys/fs/cgroup/y/pids.max": "5\n"},
			Tasks{200, 0, "/sys/fs/cgroup/pids/docker"}},
	} {
		g := gatherer{h: newTree(t, c.files), f: &Facts{Unknown: Unknown{}}}
		g.tasks()
		if g.f.Tasks != c.want {
			t.Errorf("%s: %+v, want %+v", name, g.f.Tasks, c.want)
		}
	}
}
