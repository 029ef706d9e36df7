package tasks

import (
	"io/fs"
	"reflect"
	"slices"
	"syscall"
	"testing"
)

func TestGroupsFromTheInnermost(t *testing.T) {
	for text, want := range map[string][]string{
		"": nil,
		"0::/system.slice/x.service\n": {"/sys/fs/cgroup/system.slice/x.service",
			"/sys/fs/cgroup/system.slice", "/sys/fs/cgroup"},
		"3:cpu:/y\n4:pids:/docker/x\n": {"/sys/fs/cgroup/pids/docker/x", "/sys/fs/cgroup/pids/docker",
			"/sys/fs/cgroup/pids"},
		"0::/../out\nnonsense\n": nil,
	} {
		if got := Groups(text); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

func TestReadAllLimits(t *testing.T) {
	files := map[string]string{
		"/sys/fs/cgroup/a/b/pids.max": "max\n", "/sys/fs/cgroup/a/pids.max": "100\n",
		"/sys/fs/cgroup/a/pids.current": "95\n",
		ThreadsMax:                      "60000\n", PIDMax: "32768\n", loadavg: "0.20 0.18 0.12 1/80 11206\n",
	}
	read := func(file string) ([]byte, error) {
		if text, ok := files[file]; ok {
			return []byte(text), nil
		}
		return nil, &fs.PathError{Op: "open", Path: file, Err: syscall.ENOENT}
	}
	groups := Groups("0::/a/b\n")
	want := []Limit{{100, 95, "/sys/fs/cgroup/a/pids.max"}, {60000, 80, ThreadsMax}, {32768, 80, PIDMax}}
	limits, err := Read(append(groups, groups...), read)
	if err != nil || !reflect.DeepEqual(limits, want) {
		t.Errorf("%+v, %v; want %+v", limits, err, want)
	}
	if l, ok := Tightest(limits); !ok || l.Free() != 5 {
		t.Errorf("the tightest is %+v", l)
	}
	if _, ok := Tightest(nil); ok {
		t.Error("a limit of nothing")
	}
	closed := func(file string) ([]byte, error) {
		return nil, &fs.PathError{Op: "open", Path: file, Err: syscall.EACCES}
	}
	if limits, err := Read(groups, closed); err == nil || len(limits) != 0 {
		t.Errorf("of closed files: %+v, %v", limits, err)
	}
	if limits, err := Read(groups, func(string) ([]byte, error) { return []byte("x y z"), nil }); err != nil ||
		len(limits) != 0 {
		t.Errorf("of nonsense: %+v, %v", limits, err)
	}
}

func TestFreeIsNeverNegative(t *testing.T) {
	if free := (Limit{Max: 10, Used: 12}).Free(); free != 0 {
		t.Error(free)
	}
}
