package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

const (
	shellMake = `mkdir "$1" && `
	sizeSlack = 1.25 // of a tree on a disk over the bytes of its files
)

// inDir is a command that unpacks into a directory that must be there; it is a line of shell with the directory as $1
// and the archive as $2.
func inDir(line, archive string) func(dir string) []string {
	return func(dir string) []string { return []string{"sh", "-ec", shellMake + line, "sh", dir, archive} }
}

func (s *set) ours(args ...string) func(dir string) []string {
	return func(dir string) []string {
		return append([]string{s.program, "bundle", "extract", "--from", s.path(appliance), "all", dir}, args...)
	}
}

// measureMemory unpacks to a tmpfs: processors and system calls count, and nothing waits for a disk.
func measureMemory(ctx context.Context, s *set, o options) (err error) {
	unpack := func(name, archive string, slow bool, line string) subject {
		return subject{name, archive, slow, inDir(line, s.path(archive))}
	}
	const makeself = `sh "$2" --quiet --nox11 --noexec --target "$1"`
	subjects := []subject{
		unpack("tar -xf", plainTar, false, `tar -xf "$2" -C "$1"`),
		{"ours", appliance, false, s.ours()},
		unpack("tar --zstd -xf", tarZstd, false, `tar --zstd -xf "$2" -C "$1"`),
		unpack("tar --zstd -xf, of zstd -19", tarZstd19, false, `tar --zstd -xf "$2" -C "$1"`),
		unpack("tar -xzf", tarGzip, true, `tar -xzf "$2" -C "$1"`),
		unpack("unzip", zipFile, true, `unzip -q "$2" -d "$1"`),
		unpack("makeself (gzip)", selfGzip, true, makeself),
		unpack("tar -xJf", tarXZ, true, `tar -xJf "$2" -C "$1"`),
		unpack("makeself --xz", selfXZ, true, makeself),
	}
	if s.xz {
		subjects = append(subjects, subject{"ours, of --codec xz", applianceXZ, true, func(dir string) []string {
			return []string{s.program, "bundle", "extract", "--from", s.path(applianceXZ), "all", dir}
		}})
	}
	subjects = slices.DeleteFunc(subjects, func(u subject) bool { return !s.has(u.archive) })
	if err := needRoom(o.memory, int64(2*sizeSlack*float64(s.size))); err != nil {
		return err
	}
	out, err := newScratch(o.memory)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.remove()) }()
	// Memory that a virtual machine touches for the first time is slow.
	for _, i := range []int{0, 1} {
		dir := out.place()
		if _, err := once(ctx, subjects[i].argv(dir)); err != nil {
			return err
		}
		defer os.RemoveAll(dir)
	}
	samples, err := rounds(ctx, subjects, o, out.place, os.RemoveAll)
	if err == nil {
		printExtraction("Unpacking to memory", subjects, samples, 1)
	}
	return err
}

// measureDisk unpacks to a disk, until everything is on it and without waiting for that.
func measureDisk(ctx context.Context, s *set, o options) (err error) {
	const sync = ` && sync -f "$1"`
	subjects := []subject{
		{"tar -xf; sync", plainTar, false, inDir(`tar -xf "$2" -C "$1"`+sync, s.path(plainTar))},
		{"ours", appliance, false, s.ours()},
		{"tar --zstd -xf; sync", tarZstd, false, inDir(`tar --zstd -xf "$2" -C "$1"`+sync, s.path(tarZstd))},
	}
	unsynced := []subject{
		{"tar -xf", plainTar, false, inDir(`tar -xf "$2" -C "$1"`, s.path(plainTar))},
		{"ours --no-sync", appliance, false, s.ours("--no-sync")},
	}
	o.rounds = min(o.rounds, 3)
	runs := float64(o.rounds * (len(subjects) + len(unsynced)))
	if err := needRoom(o.disk, int64(runs*sizeSlack*float64(s.size))); err != nil {
		return err
	}
	out, err := newScratch(o.disk)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.remove()) }()
	keep := func(string) error { return nil }
	samples, err := rounds(ctx, subjects, o, out.place, keep)
	if err != nil {
		return err
	}
	printExtraction("Unpacking to a disk, until it is there", subjects, samples, 1)
	// What one run leaves to be written is no concern of the next.
	settle := func(dir string) error { return s.run(ctx, "sync", "-f", dir) }
	if samples, err = rounds(ctx, unsynced, o, out.place, settle); err != nil {
		return err
	}
	printExtraction("Unpacking to a disk, without waiting for it", unsynced, samples, 1)
	return nil
}

// warm reads all archives, so that every run finds them in memory.
func (s *set) warm() error {
	files, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, d := range files {
		if !d.Type().IsRegular() {
			continue
		}
		f, err := os.Open(s.path(d.Name()))
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, f)
		f.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// compare holds what we unpack against what Debian's dpkg-deb has unpacked: every file, byte by byte. Links are only
// counted, since those to absolute paths become relative in an appliance.
func (s *set) compare(ctx context.Context, memory string) (err error) {
	out, err := newScratch(memory)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.remove()) }()
	dir := out.place()
	if _, err := once(ctx, s.ours()(dir)); err != nil {
		return err
	}
	wanted, err := listTree(s.path(treeDir))
	if err != nil {
		return err
	}
	got, err := listTree(dir)
	if err != nil {
		return err
	}
	for name, kind := range wanted {
		if got[name] != kind {
			return fmt.Errorf("%s is %q in the packages and %q after unpacking the appliance", name, kind, got[name])
		}
	}
	if len(got) != len(wanted) {
		return fmt.Errorf("the packages have %d entries, the appliance %d", len(wanted), len(got))
	}
	for name, kind := range wanted {
		if kind.IsRegular() {
			if err := sameFile(filepath.Join(s.path(treeDir), name), filepath.Join(dir, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

func listTree(dir string) (map[string]fs.FileMode, error) {
	list := map[string]fs.FileMode{}
	return list, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil {
			list[strings.TrimPrefix(path, dir)] = d.Type()
		}
		return err
	})
}

// sameFile compares piece by piece: what this process holds counts as memory of the commands it starts.
func sameFile(a, b string) error {
	x, err := os.Open(a)
	if err != nil {
		return err
	}
	defer x.Close()
	y, err := os.Open(b)
	if err != nil {
		return err
	}
	defer y.Close()
	var p, q [32 << 10]byte
	for {
		n, errX := io.ReadFull(x, p[:])
		m, errY := io.ReadFull(y, q[:])
		switch {
		case !bytes.Equal(p[:n], q[:m]):
			return fmt.Errorf("%s and %s differ", a, b)
		case errX == io.EOF || errX == io.ErrUnexpectedEOF:
			return nil
		case errX != nil || errY != nil:
			return errors.Join(errX, errY)
		}
	}
}

// printMachine says what was measured, and where.
func printMachine(s *set) error {
	var files, jars int
	list, err := listTree(s.path(treeDir))
	if err != nil {
		return err
	}
	for name, kind := range list {
		if kind.IsRegular() {
			files++
			if strings.HasSuffix(name, ".jar") {
				jars++
			}
		}
	}
	load, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return err
	}
	fmt.Printf("%d Debian packages, %d files (%d of them jars) of %d MB; %d processors; load at the start %s\n\n",
		s.tree.packages(), files, jars, s.size/1e6, runtime.NumCPU(),
		strings.Join(strings.Fields(string(load))[:3], " "))
	return nil
}
