package bundle

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/google/renameio/v2"

	"fate-installer/installer/problem"
	"fate-installer/payload"
)

// FillOptions say which lock to complete.
type FillOptions struct {
	File   string   // the lock file
	Update []string // components whose sources are read again although they are locked; "all" for every one
	Fetch  Fetcher  // for url sources; may be nil when there are none
	Report Progress // may be nil
}

// FillResult has the digests and sizes that Fill measured.
type FillResult struct {
	Lock   *Lock
	Filled []Filled // sources whose digest or size was written
}

// Filled is a source that has been locked.
type Filled struct {
	Component, Source string
	payload.Blob
	Changed bool // it was locked to something else
}

// Fill completes a lock file: it reads every source that has no digest or size yet and writes them into the file,
// whose other text, comments included, stays as it is. A lock that is whole is not touched.
func Fill(ctx context.Context, o FillOptions) (FillResult, error) {
	data, err := problem.ReadFile(o.File, maxLockSize)
	if err != nil {
		return FillResult{}, fmt.Errorf("cannot read the lock file: %w", err)
	}
	lock, nodes, err := parseLock(o.File, data)
	if err != nil {
		return FillResult{}, err
	}
	for _, name := range o.Update {
		if name != "all" && !slices.ContainsFunc(lock.Components, func(c Component) bool { return c.Name == name }) {
			return FillResult{}, Problems{{File: o.File, Message: fmt.Sprintf("has no component %q to update", name)}}
		}
	}
	f := &filler{opener: opener{lock: o.File, fetch: o.Fetch}, o: o}
	defer f.nested.close()
	result := FillResult{Lock: lock}
	var edits editor
	for i := range lock.Components {
		c := &lock.Components[i]
		again := slices.Contains(o.Update, c.Name) || slices.Contains(o.Update, "all")
		for j := range c.Sources {
			s := &c.Sources[j]
			if s.Locked() && !again {
				continue
			}
			before := payload.Blob{Size: s.Size, SHA256: s.SHA256}
			got, err := f.measure(ctx, s, again, lock.Release.Env)
			if err != nil {
				return result, err
			}
			if got == before {
				continue
			}
			if s.SHA256 != "" && !again && s.SHA256 != got.SHA256 {
				return result, s.check(got, c.Name, o.File)
			}
			s.SHA256, s.Size = got.SHA256, got.Size
			edits.lock(nodes[i][j], got)
			result.Filled = append(result.Filled, Filled{c.Name, s.String(), got, before.SHA256 != ""})
		}
	}
	if len(result.Filled) == 0 {
		return result, nil
	}
	return result, f.save(data, &edits, lock)
}

type filler struct {
	opener
	o FillOptions
}

// measure reads a source to its end. When it has the release's fate.env in it, that must not contradict env: a lock may
// be written from what is known of a release, before the package was at hand, and its versions are proved here.
func (f *filler) measure(ctx context.Context, s *Source, again bool, env map[string]string) (payload.Blob, error) {
	if again {
		changed := *s
		changed.SHA256, changed.Size = "", 0
		s = &changed
	}
	in, err := f.open(ctx, s)
	if err != nil {
		return payload.Blob{}, err
	}
	defer in.close()
	var done int64
	d := newDigester(meter{contextReader{ctx, in}, func(n int64) {
		done += n
		f.o.Report.report(StageRead, s.String(), done, in.size)
	}})
	_, name, _ := strings.Cut(s.Member, "/")
	if row, _ := findOfficial(name); row != nil && hasFateEnv(row, name) {
		found, err := fateEnvOf(row, d)
		if err != nil {
			return payload.Blob{}, f.unreadable(s, err)
		}
		if err := f.compareEnv(s, env, found); err != nil {
			return payload.Blob{}, err
		}
	}
	if _, err := io.Copy(io.Discard, bufio.NewReaderSize(d, 1<<20)); err != nil {
		return payload.Blob{}, f.unreadable(s, err)
	}
	return d.blob(), nil
}

// unreadable tells an archive whose bytes are wrong, which another copy of it mends, from a disk that cannot be read.
func (f *filler) unreadable(s *Source, err error) error {
	var disk *fs.PathError
	if s.Member != "" && !errors.As(err, &disk) && !errors.Is(err, context.Canceled) &&
		!errors.Is(err, context.DeadlineExceeded) {
		return damagedArchive(s.String(), err)
	}
	return fmt.Errorf("cannot read source %s: %w", s, err)
}

// compareEnv refuses a package of another release than the lock says. What only one of the two mentions does not count.
func (f *filler) compareEnv(s *Source, want, got map[string]string) error {
	var differ []string
	for _, key := range slices.Sorted(maps.Keys(got)) {
		if value, ok := want[key]; ok && value != got[key] {
			differ = append(differ, fmt.Sprintf("%s is %s there and %s here", key, got[key], value))
		}
	}
	if differ == nil {
		return nil
	}
	return &ArchiveError{
		Archive: s.String(), Reason: fmt.Sprintf("its fate.env contradicts release.env of %s: %s", f.o.File,
			strings.Join(differ, ", ")),
		hint: "use the package the lock file is for, or write the lock file of this one with: fate-installer bundle " +
			"import",
	}
}

// save applies the edits and proves, before the file is replaced, that they say what they are meant to say.
func (f *filler) save(data []byte, edits *editor, want *Lock) error {
	text, err := edits.apply(data)
	if err != nil {
		return fmt.Errorf("cannot edit %s: %w", f.o.File, err)
	}
	got, err := ParseLock(f.o.File, text)
	if err != nil || !got.equal(want) {
		return &editError{f.o.File}
	}
	info, err := os.Stat(f.o.File)
	if err != nil {
		return fmt.Errorf("cannot write the lock file: %w", err)
	}
	if err := renameio.WriteFile(f.o.File, text, info.Mode().Perm()); err != nil {
		return fmt.Errorf("cannot write the lock file: %w", err)
	}
	return nil
}

// editError says that a lock is written in a way the editor does not master.
type editError struct{ file string }

func (e *editError) Error() string {
	return fmt.Sprintf("cannot edit %s: its layout is too unusual to add keys to", e.file)
}

// Hint says how to write it instead.
func (e *editError) Hint() string { return "write each source as a block with one key on each line" }
