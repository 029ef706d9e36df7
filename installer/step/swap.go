package step

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"fate-installer/installer/engine"
	"fate-installer/installer/host"
)

// Swap is a swap file that is in use, now and after each boot. In a container there is nothing to do: swap space is its
// machine's.
type Swap struct {
	Path string
	Size int64 // bytes; a multiple of the page size
}

// swapBefore is the state before Swap.
type swapBefore struct {
	Path   string      `json:"path"`
	Fstab  blockBefore `json:"fstab"`
	Exists bool        `json:"exists,omitempty"` // the file, of an earlier run of ours
	Dirs   []string    `json:"parents,omitempty"`
}

// swapLabel in the header of a swap area says that it is ours.
const swapLabel = "fate-installer"

// ID implements [engine.Step].
func (s Swap) ID() string { return kindSwap + ":" + s.Path }

// Describe implements [engine.Describer].
func (s Swap) Describe() string {
	return fmt.Sprintf("swap file %s of %s, in use now and at boot", s.Path, bytesText(s.Size))
}

func bytesText(n int64) string {
	if n >= 1<<30 {
		return fmt.Sprintf("%.4g GiB", float64(n)/(1<<30))
	}
	return fmt.Sprintf("%.4g MiB", float64(n)/(1<<20))
}

func (s Swap) fstab() Block {
	return Block{Path: "/etc/fstab", Name: "swap " + s.Path, Lines: []string{fstabField(s.Path) + " none swap sw 0 0"}}
}

// fstabField writes a path as fstab(5) wants it.
func fstabField(path string) string {
	return strings.NewReplacer(" ", `\040`, "\t", `\011`, "\\", `\134`).Replace(path)
}

// Check implements [engine.Step].
func (s Swap) Check(ctx context.Context, env *engine.Env) (engine.Finding, error) {
	if c := env.Host.Container(); c != "" && env.Host.Live() {
		return engine.Finding{Done: true, Note: "no swap file is made: swap space belongs to the machine that this " +
			c + " container is on"}, nil
	}
	before := swapBefore{Path: s.Path}
	line, err := s.fstab().Check(ctx, env)
	if err != nil {
		return engine.Finding{}, err
	}
	if !line.Done {
		if before.Fstab, err = decode[blockBefore](line.Before); err != nil {
			return engine.Finding{}, err
		}
	}
	mark := s.fstab().mark()
	have, err := readSwap(env, s.Path)
	switch {
	case notExist(err):
		if before.Dirs, err = env.Host.MissingParents(dirOf(s.Path)); err != nil {
			return engine.Finding{}, err
		}
		return todo("it does not exist", before, mark), nil
	case err != nil:
		return engine.Finding{}, err
	case !have.ours:
		return engine.Finding{}, fmt.Errorf("cannot make swap file %s: the file exists and is not from this installer",
			s.Path)
	}
	before.Exists = true
	active, err := swapActive(env, s.Path)
	switch {
	case err != nil:
		return engine.Finding{}, err
	case have.size != s.Size:
		return todo(fmt.Sprintf("it has %s, want %s", bytesText(have.size), bytesText(s.Size)), before, mark), nil
	case !line.Done:
		return todo("it is not in /etc/fstab", before, mark), nil
	case env.Host.Live() && !active:
		return todo("it is not in use", before, mark), nil
	}
	return engine.Finding{Done: true}, nil
}

// Apply implements [engine.Step].
func (s Swap) Apply(ctx context.Context, env *engine.Env) error {
	have, err := readSwap(env, s.Path)
	if err != nil && !notExist(err) {
		return err
	}
	if err != nil || have.size != s.Size {
		if err := s.make(ctx, env); err != nil {
			return fmt.Errorf("cannot make swap file %s: %w", s.Path, err)
		}
	}
	if err := s.fstab().Apply(ctx, env); err != nil {
		return err
	}
	if !env.Host.Live() {
		return nil
	}
	if active, err := swapActive(env, s.Path); err != nil || active {
		return err
	}
	_, err = env.Host.Run(ctx, host.Cmd{Args: []string{"swapon", s.Path}})
	return err
}

// make puts a file with a swap area at Path. It is made under another name, so that a file at Path is always whole.
func (s Swap) make(ctx context.Context, env *engine.Env) error {
	if err := swapOff(ctx, env, s.Path); err != nil {
		return err
	}
	if err := makeParents(env, s.Path); err != nil {
		return err
	}
	allocation, err := s.allocation(env)
	if err != nil {
		return err
	}
	staging := aside(s.Path, "new")
	if err := env.Host.Remove(staging); err != nil {
		return err
	}
	if err := env.Host.Allocate(ctx, staging, allocation, env.ProgressOf(s)); err != nil {
		return err
	}
	header, err := swapHeader(s.Size, os.Getpagesize())
	if err == nil {
		err = env.Host.WriteAt(staging, header, 0)
	}
	if err == nil {
		err = env.Host.Rename(staging, s.Path)
	}
	if err != nil {
		return errors.Join(err, env.Host.Remove(staging))
	}
	return nil
}

func (s Swap) allocation(env *engine.Env) (host.Allocation, error) {
	a := host.Allocation{Size: s.Size}
	if !env.Host.Live() {
		return a, nil // the file system of an image is not the one that it will be on
	}
	kind, err := env.Host.FileSystemType(s.Path)
	if err != nil || kind == "" {
		return a, err
	}
	release, err := env.Host.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil && !notExist(err) {
		return a, err
	}
	return swapAllocation(kind, strings.TrimSpace(string(release)), s.Size)
}

// swapAllocation decides how the blocks of a swap file are made, from swapon(8): a swap file must have no holes, and
// what a file system reserves without writing counts as a hole for xfs before Linux 4.18. btrfs has swap files since
// 5.0, and only without copy-on-write.
func swapAllocation(fstype, kernel string, size int64) (host.Allocation, error) {
	a := host.Allocation{Size: size}
	switch fstype {
	case "ext4":
	case "ext2", "ext3":
		a.Write = true
	case "xfs":
		a.Write = host.CompareVersions(kernel, "4.18") < 0
	case "btrfs":
		if host.CompareVersions(kernel, "5.0") < 0 {
			return a, errors.New("btrfs has swap files since Linux 5.0, and this is " + kernel)
		}
		a.NoCOW = true
	default:
		return a, fmt.Errorf("a %s file system cannot hold swap files; choose a path on ext4 or xfs", fstype)
	}
	return a, nil
}

// The layout of a swap area's first page: union swap_header of linux/swap.h.
const (
	swapInfoAt  = 1024 // version, last page, number of bad pages, uuid[16], label[16]
	swapLabelAt = swapInfoAt + 12 + 16
	swapMagic   = "SWAPSPACE2" // at the end of the page
)

// swapHeader is the first page of a swap area of size bytes, as mkswap(8) writes it.
func swapHeader(size int64, page int) ([]byte, error) {
	pages := size / int64(page)
	if pages < 10 || pages > 1<<32 || size%int64(page) != 0 {
		return nil, fmt.Errorf("%d bytes are no size for a swap area", size)
	}
	b := make([]byte, page)
	binary.NativeEndian.PutUint32(b[swapInfoAt:], 1)
	binary.NativeEndian.PutUint32(b[swapInfoAt+4:], uint32(pages-1))
	copy(b[swapLabelAt:], swapLabel)
	copy(b[page-len(swapMagic):], swapMagic)
	return b, nil
}

// swapFile describes the path of a swap file.
type swapFile struct {
	size int64
	ours bool
}

func readSwap(env *engine.Env, path string) (swapFile, error) {
	fi, err := env.Host.Lstat(path)
	if err != nil || !fi.Mode().IsRegular() {
		return swapFile{}, err
	}
	page := os.Getpagesize()
	head, err := env.Host.ReadAt(path, page, 0)
	if err != nil || len(head) < page {
		return swapFile{size: fi.Size()}, nil
	}
	ours := bytes.HasSuffix(head, []byte(swapMagic)) && bytes.HasPrefix(head[swapLabelAt:], []byte(swapLabel+"\x00"))
	return swapFile{size: fi.Size(), ours: ours}, nil
}

// swapActive reports whether the kernel uses a file for swap. The kernel's table has its real path, escaped as in
// fstab.
func swapActive(env *engine.Env, path string) (bool, error) {
	table, err := env.Host.ReadFile("/proc/swaps")
	if notExist(err) {
		return false, nil
	}
	real, rerr := env.Host.Resolve(path)
	if err := errors.Join(err, rerr); err != nil {
		return false, err
	}
	for line := range strings.Lines(string(table)) {
		if f := strings.Fields(line); len(f) > 0 && f[0] == fstabField(real) {
			return true, nil
		}
	}
	return false, nil
}

func swapOff(ctx context.Context, env *engine.Env, path string) error {
	active, err := swapActive(env, path)
	if err != nil || !active || !env.Host.Live() {
		return err
	}
	_, err = env.Host.Run(ctx, host.Cmd{Args: []string{"swapoff", path}})
	return err
}

// Undo implements [engine.Undoer].
func (Swap) Undo(ctx context.Context, env *engine.Env, raw json.RawMessage) error {
	before, err := decode[swapBefore](raw)
	if err != nil {
		return err
	}
	s := Swap{Path: before.Path}
	if err := env.Host.Remove(aside(s.Path, "new")); err != nil {
		return err
	}
	have, err := readSwap(env, s.Path)
	if err != nil && !notExist(err) {
		return err
	}
	if before.Fstab.Path != "" {
		if err := s.fstab().putBack(env, before.Fstab, env.Ledger.Wrote(s.ID())); err != nil {
			return err
		}
	}
	switch {
	case notExist(err) || before.Exists:
	case !have.ours:
		return &engine.LeftError{What: s.Path, Why: "it was replaced after it was installed"}
	default:
		if err := swapOff(ctx, env, s.Path); err != nil {
			return err
		}
		if err := env.Host.Remove(s.Path); err != nil {
			return err
		}
	}
	return dropParents(env, before.Dirs)
}

// Remains implements [engine.Remainer].
func (Swap) Remains(ctx context.Context, env *engine.Env, raw json.RawMessage) ([]string, error) {
	before, err := decode[swapBefore](raw)
	if err != nil {
		return nil, err
	}
	var out []string
	if !before.Exists && env.Host.Exists(before.Path) {
		out = append(out, before.Path)
	}
	if before.Fstab.Path == "" {
		return out, nil
	}
	lines, err := Block{}.Remains(ctx, env, pack(before.Fstab))
	return slices.Concat(out, lines), err
}
