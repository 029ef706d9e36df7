package host

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// Container names the container manager that h runs under, by the marks that container managers leave for systemd and
// others to find: docker, lxc, systemd-nspawn. It is "" on a machine of its own.
func (h *Host) Container() string {
	if data, err := h.ReadFile("/run/systemd/container"); err == nil && len(strings.TrimSpace(string(data))) > 0 {
		return strings.TrimSpace(string(data))
	}
	if h.Exists("/.dockerenv") {
		return "docker"
	}
	if h.Exists("/run/.containerenv") {
		return "podman"
	}
	return ""
}

// OutOfReach tells why a file with which the kernel is set, such as one below /proc/sys, cannot be written from here,
// or returns "": containers see the settings of their machine, most of them through a mount that is read-only. Where it
// is unknown it returns "", and writing will tell.
func (h *Host) OutOfReach(abs string) string {
	m, err := h.mountOf(abs)
	if err != nil || !slices.Contains(m.options, "ro") {
		return ""
	}
	if c := h.Container(); c != "" {
		return "it belongs to the machine that this " + c + " container is on"
	}
	return m.point + " is mounted read-only"
}

// mountOf finds the mount that abs is, or would be, on. It is the zero value when the tree has no mount table.
func (h *Host) mountOf(abs string) (mount, error) {
	table, err := h.ReadFile("/proc/self/mountinfo")
	if errors.Is(err, fs.ErrNotExist) {
		return mount{}, nil
	}
	if err != nil {
		return mount{}, fmt.Errorf("cannot find the file system of %s: %w", abs, err)
	}
	real, err := h.Resolve(abs)
	if err != nil {
		return mount{}, err
	}
	m, ok := mountOf(parseMountInfo(string(table)), real)
	if !ok {
		return mount{}, fmt.Errorf("cannot find the file system of %s: no mount holds it", abs)
	}
	return m, nil
}
