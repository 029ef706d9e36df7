// Package ldso asks the real dynamic loader which shared libraries a program would get on a host that has the GNU C
// library and nothing else, so that tests can hold package dynlink against it.
package ldso

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// ErrUnsupported is returned where there is no loader to ask, or no way to give it a root directory of its own.
var ErrUnsupported = errors.New("cannot run the dynamic loader in a root directory of its own here")

// loaders are where the loader has to be for the programs of an architecture.
var loaders = map[string]string{"amd64": "/lib64/ld-linux-x86-64.so.2", "arm64": "/lib/ld-linux-aarch64.so.1"}

// Host is a directory that has this machine's loader and C library at their places, and what a test adds.
type Host struct {
	Root   string
	Lib    string // what $LIB stands for to this machine's loader
	loader string
}

// NewHost puts the loader and the C library into the directory root.
func NewHost(root string) (*Host, error) {
	h := &Host{Root: root, loader: loaders[runtime.GOARCH], Lib: "lib64"}
	if h.loader == "" {
		return nil, ErrUnsupported
	}
	if err := h.copy(h.loader); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	triplet := map[string]string{"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}[runtime.GOARCH]
	dir := "/lib64"
	if _, err := os.Stat("/lib/" + triplet + "/libc.so.6"); err == nil {
		h.Lib, dir = "lib/"+triplet, "/lib/"+triplet
	}
	for _, name := range []string{"libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1",
		"libutil.so.1",
		"libresolv.so.2", "libanl.so.1", "libmvec.so.1", "libthread_db.so.1"} {
		if err := h.copy(dir + "/" + name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
	}
	return h, nil
}

// copy takes a file of the machine to the same place below the root.
func (h *Host) copy(file string) error {
	in, err := os.Open(file)
	if err != nil {
		return err
	}
	defer in.Close()
	target := filepath.Join(h.Root, file)
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	out, err := os.OpenFile(target, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// Library is a line of the loader's answer.
type Library struct {
	Name string
	Path string // where it was found; empty when it was not
}

// List asks the loader about an absolute path below the root, with the directories of LD_LIBRARY_PATH. It asks as ldd
// does: ld.so --list would end at the first library that it does not find.
func (h *Host) List(ctx context.Context, file string, libraryPath []string) (list []Library,
	complaints string, err error) {
	cmd := exec.CommandContext(ctx, h.loader, "--library-path", strings.Join(libraryPath, ":"), file)
	cmd.Path, cmd.Dir, cmd.Env = h.loader, "/", []string{"LD_TRACE_LOADED_OBJECTS=1"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: h.Root}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
	}
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err = cmd.Run()
	var ended *exec.ExitError
	switch {
	case errors.Is(err, syscall.EPERM):
		return nil, "", fmt.Errorf("%w: %w", ErrUnsupported, err)
	case err != nil && !errors.As(err, &ended):
		return nil, "", fmt.Errorf("cannot ask the loader about %s: %w", file, err)
	}
	for line := range strings.Lines(out.String()) {
		name, found, ok := strings.Cut(strings.TrimSpace(line), " => ")
		if !ok || strings.HasPrefix(found, "not found") {
			found = ""
		}
		if !ok && !strings.Contains(line, "(0x") || strings.HasPrefix(name, "linux-vdso") ||
			strings.HasPrefix(name, "/lib") && !ok {
			continue // what the kernel brings, and the loader itself
		}
		found, _, _ = strings.Cut(found, " (0x")
		name, _, _ = strings.Cut(name, " (0x")
		list = append(list, Library{name, found})
	}
	if len(list) == 0 && ended != nil && !strings.Contains(errOut.String(), "statically linked") {
		return nil, errOut.String(), nil
	}
	return list, errOut.String(), nil
}
