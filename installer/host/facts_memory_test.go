package host

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestMemoryOfControlGroups: a limit on any level above the supervisor counts, one on the operator's session does not.
func TestMemoryOfControlGroups(t *testing.T) {
	const mib = 1 << 20
	meminfo := "MemTotal: 8388608 kB\nMemFree: 1048576 kB\nMemAvailable: 6291456 kB\n"
	for name, test := range map[string]struct {
		files                   map[string]string
		total, limit, available uint64 // MiB
	}{
		"no group":          {nil, 8192, 0, 6144},
		"no limit":          {map[string]string{"sys/fs/cgroup/memory.max": "max"}, 8192, 0, 6144},
		"a container's own": {map[string]string{"sys/fs/cgroup/memory.max": "1073741824"}, 1024, 1024, 1024},
		"what is used in it": {map[string]string{"sys/fs/cgroup/memory.max": "1073741824",
			"sys/fs/cgroup/memory.current": "805306368", "sys/fs/cgroup/memory.stat": "anon 1\nfile 268435456"}, 1024,
			1024, 512},
		"used beyond it": {map[string]string{"sys/fs/cgroup/memory.max": "1073741824",
			"sys/fs/cgroup/memory.current": "1073745920"}, 1024, 1024, 0},
		"system services": {map[string]string{"sys/fs/cgroup/system.slice/memory.max": "2147483648"}, 2048,
			2048, 2048},
		"the operator's session": {map[string]string{"sys/fs/cgroup/user.slice/memory.max": "2147483648"}, 8192, 0,
			6144},
		"above process 1": {map[string]string{"proc/1/cgroup": "0::/docker/abc",
			"sys/fs/cgroup/docker/memory.max": "1073741824", "sys/fs/cgroup/docker/abc/memory.max": "max"}, 1024, 1024,
			1024},
		"of process 1": {map[string]string{"proc/1/cgroup": "0::/docker/abc",
			"sys/fs/cgroup/docker/memory.max": "3221225472", "sys/fs/cgroup/docker/abc/memory.max": "2147483648"}, 2048,
			2048, 2048},
		"version 1": {map[string]string{"sys/fs/cgroup/memory/memory.limit_in_bytes": "2147483648"},
			2048, 2048, 2048},
		"version 1, no limit": {map[string]string{"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712"},
			8192, 0, 6144},
		"version 1, above process 1": {map[string]string{"proc/1/cgroup": "3:cpu:/x\n9:memory,freezer:/lxc/a\n",
			"sys/fs/cgroup/memory/lxc/a/memory.limit_in_bytes": "1073741824",
			"sys/fs/cgroup/memory/x/memory.limit_in_bytes":     "1"}, 1024, 1024, 1024},
		"more than there is": {map[string]string{"sys/fs/cgroup/memory.max": "1099511627776"}, 8192, 0, 6144},
	} {
		root := t.TempDir()
		files := map[string]string{"proc/meminfo": meminfo}
		for file, text := range test.files {
			files[file] = text
		}
		for file, text := range files {
			full := filepath.Join(root, file)
			if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		h, err := New(root, nil)
		if err != nil {
			t.Fatal(err)
		}
		g := gatherer{h: h, f: &Facts{Unknown: Unknown{}, Rooted: true}}
		g.memory()
		if m := g.f.Memory; m.Total != test.total*mib || m.Limit != test.limit*mib ||
			m.Available != test.available*mib {
			t.Errorf("%s: total %d, limit %d, available %d MiB", name, m.Total/mib, m.Limit/mib, m.Available/mib)
		}
		h.Close()
	}
}

func TestReservedSpaceIsNotFree(t *testing.T) {
	size, free := sizes(&unix.Statfs_t{Bsize: 4096, Frsize: 1024, Blocks: 1000, Bfree: 300, Bavail: 250})
	if size != 1000<<10 || free != 250<<10 {
		t.Errorf("size %d, free %d", size, free)
	}
}
