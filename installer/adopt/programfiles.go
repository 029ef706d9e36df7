package adopt

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"fate-installer/installer/host"
)

// The service user owns the directory of the program files, and can fill it. AnsibleFATE writes at most six files of
// less than 1 KiB.
const (
	maxProgramFiles  = 200
	programFileLimit = 1 << 20  // bytes of one file
	programsLimit    = 32 << 20 // bytes of all files together
)

// loadPrograms reads the program files, FATE's own first: others do not crowd them out.
func (ds *documents) loadPrograms(r *reader, dir string) {
	names, err := r.names(dir)
	if err != nil {
		ds.skipped = append(ds.skipped, Skipped{dir, rootCause(err).Error()})
	}
	names = slices.DeleteFunc(names, func(name string) bool { return !strings.HasSuffix(name, ".conf") })
	slices.SortStableFunc(names, func(a, b string) int { return programFileOrder(a) - programFileOrder(b) })
	if more := len(names) - maxProgramFiles; more > 0 {
		names = names[:maxProgramFiles]
		ds.skipped = append(ds.skipped, Skipped{dir, fmt.Sprintf("it has %d program files more than the %d that are read",
			more, maxProgramFiles)})
	}
	left := programsLimit
	for _, name := range names {
		file := path.Join(dir, name)
		limit := min(programFileLimit, left)
		data, err := r.readUpTo(file, limit)
		if errors.Is(err, host.ErrTooLong) {
			err = fmt.Errorf("it has more than %d bytes", limit)
			if limit < programFileLimit {
				err = fmt.Errorf("with it, the program files have more than %d bytes together", programsLimit)
			}
		}
		left -= len(data)
		if d := ds.take(kindProgram, file, data, err); d != nil {
			d.program = programOf(d, name)
		}
	}
}

func programFileOrder(name string) int {
	if isFATEProgram(strings.TrimSuffix(name, ".conf")) {
		return 0
	}
	return 1
}

// programOf is the program of a file. The section says what it is, whatever the file is called.
func programOf(d *document, name string) string {
	for _, e := range d.entries {
		if section, _, ok := strings.Cut(e.key, "."); ok && strings.HasPrefix(section, "program:") {
			return strings.TrimPrefix(section, "program:")
		}
	}
	return strings.TrimSuffix(name, ".conf")
}
