package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

func cgroupName(lab string) string { return "fate-lab." + lab }

// removeCgroup removes a cgroup and those below it. The kernel empties a cgroup a
// moment after the last process in it has died, hence the second tries.
func removeCgroup(dir string) error {
	for deadline := time.Now().Add(cgroupTimeout); ; time.Sleep(50 * time.Millisecond) {
		err := removeCgroupOnce(dir)
		if err == nil {
			return nil
		}
		if !errors.Is(err, unix.EBUSY) || time.Now().After(deadline) {
			return fmt.Errorf("cannot remove cgroup %s: %w", dir, err)
		}
	}
}

// cgroupTimeout is for processes that have been killed and need the processor to end, on a machine under load.
const cgroupTimeout = time.Minute

func removeCgroupOnce(dir string) error {
	var dirs []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && d.IsDir() {
			dirs = append(dirs, path)
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, d := range slices.Backward(dirs) { // children come after their parents
		if err := unix.Rmdir(d); err != nil && !errors.Is(err, unix.ENOENT) {
			return err
		}
	}
	return nil
}

// removeLeftCgroups removes what a killed keeper left in the machine's own cgroup
// v2 tree, if one is mounted.
func removeLeftCgroups(lab string) error {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return fmt.Errorf("cannot find the cgroup tree: %w", err)
	}
	for line := range strings.Lines(string(mounts)) {
		before, after, _ := strings.Cut(line, " - ")
		if f := strings.Fields(before); strings.HasPrefix(after, "cgroup2 ") && len(f) > 4 {
			return removeCgroup(filepath.Join(f[4], cgroupName(lab)))
		}
	}
	return nil
}
