package beneath

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// mountTable lists the mounts of this process, bind mounts among them, in the format of proc(5). Tests have another.
var mountTable = "/proc/self/mountinfo"

// MountsBelow lists the points at and below a resolved path where something is mounted, sorted. Where /proc is not
// mounted there are none to be seen.
func (r *Root) MountsBelow(path string) ([]string, error) {
	table, err := os.ReadFile(mountTable)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot see what is mounted below %s: %w", path, err)
	}
	return mountsBelow(string(table), r.dir, path), nil
}

// mountsBelow finds the mount points at and below path, which is below root. The points are given below root too.
func mountsBelow(table, root, path string) []string {
	top := filepath.Join(root, path)
	var out []string
	for line := range strings.Lines(table) {
		fields := strings.Fields(line)
		if len(fields) < 5 { // id, parent, device, root, mount point
			continue
		}
		point := Unescape(fields[4])
		if point != top && !strings.HasPrefix(point, strings.TrimSuffix(top, "/")+"/") {
			continue
		}
		if rel, err := filepath.Rel(root, point); err == nil {
			out = append(out, filepath.Join("/", rel))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Unescape undoes the \040 form that the kernel gives to blanks in its tables.
func Unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+4 <= len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
