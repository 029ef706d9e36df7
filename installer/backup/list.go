package backup

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Extension ends the name of a backup's file.
const Extension = ".fatebackup"

// TimeFormat is how names have the time.
const TimeFormat = "20060102T150405Z"

// FileName is how the file of a backup is called when its user says nothing else.
func (m *Manifest) FileName() string {
	return fmt.Sprintf("fate-%s-%d-%s-%s%s", m.Role, m.Party, m.Host, m.Made.UTC().Format(TimeFormat), Extension)
}

// TempName is how the file is called until it is complete.
func TempName(name string) string { return "." + name + tempSuffix }

// OwnsTemp reports whether a name is that of an incomplete backup of the same host.
func (m *Manifest) OwnsTemp(name string) bool {
	at, ok := strings.CutPrefix(name, fmt.Sprintf(".fate-%s-%d-%s-", m.Role, m.Party, m.Host))
	if !ok {
		return false
	}
	at, ok = strings.CutSuffix(at, Extension+tempSuffix)
	_, err := time.Parse(TimeFormat, at)
	return ok && err == nil
}

// SameHost reports whether two backups are of the same machine and party. Machines of one name differ by their address.
func (m *Manifest) SameHost(other *Manifest) bool {
	return m.Host == other.Host && m.IP == other.IP && m.Role == other.Role && m.Party == other.Party
}

// Found is a file that is called as a backup is.
type Found struct {
	File     string
	Size     int64
	Split    bool      // into parts
	Manifest *Manifest // nil: it cannot be read
	Err      error     // why
}

// Older picks the backups that leave when keep of one host stay, from what [List] has found. The one in file was just
// made, and is the first to stay, whatever the times of the others are: the clock may have been ahead for them. One in
// which files are missing is none of those that stay; it leaves when as many complete ones are newer.
func Older(found []Found, file string, made *Manifest, keep int) []Found {
	kept := 1
	var out []Found
	for _, f := range found { // the latest first
		if f.File == file || f.Split || f.Manifest == nil || !f.Manifest.SameHost(made) {
			continue
		}
		complete := f.Manifest.Missing() == 0
		if complete {
			kept++
		}
		if kept > keep || kept == keep && !complete {
			out = append(out, f)
		}
	}
	return out
}

// clockSkew is how far ahead the clock may have been when a backup was made.
const clockSkew = 5 * time.Minute

// Surplus picks the backups of a host that leave when the keep latest stay, from what [List] has found. As the latest
// counts a complete one that was not made in the future; one that was stays, and is none of those that are kept.
func Surplus(found []Found, own *Manifest, keep int, now time.Time) []Found {
	ahead := func(f Found) bool { return f.Manifest != nil && f.Manifest.Made.After(now.Add(clockSkew)) }
	past := slices.DeleteFunc(slices.Clone(found), ahead)
	latest := slices.IndexFunc(past, func(f Found) bool {
		return !f.Split && f.Manifest != nil && f.Manifest.SameHost(own) && f.Manifest.Missing() == 0
	})
	if latest < 0 {
		return nil
	}
	return Older(past[latest:], past[latest].File, own, keep)
}

// List finds the backups in a directory, the latest first. It looks at what they say of themselves and not at the rest.
func List(dir string) ([]Found, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("cannot list backups: %w", err)
	}
	var out []Found
	for _, e := range entries {
		name := strings.TrimSuffix(e.Name(), ".part001")
		if !strings.HasSuffix(name, Extension) || strings.HasPrefix(name, ".") || !e.Type().IsRegular() {
			continue
		}
		f := Found{File: filepath.Join(dir, name), Split: name != e.Name()}
		a, err := Open(f.File)
		if err != nil {
			f.Err = err
		} else {
			f.Size, f.Manifest = a.Size(), a.Manifest()
			_ = a.Close()
		}
		out = append(out, f)
	}
	slices.SortStableFunc(out, func(a, b Found) int {
		switch {
		case a.Manifest == nil || b.Manifest == nil:
			return cmp.Compare(b.File, a.File)
		case !a.Manifest.Made.Equal(b.Manifest.Made):
			return b.Manifest.Made.Compare(a.Manifest.Made)
		}
		return cmp.Compare(b.File, a.File)
	})
	return out, nil
}
