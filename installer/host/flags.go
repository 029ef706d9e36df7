package host

import (
	"errors"

	"golang.org/x/sys/unix"
)

// Flags of FS_IOC_GETFLAGS, which chattr(1) sets as i and a.
const (
	flagImmutable  = 0x10
	flagAppendOnly = 0x20
)

// Guard is the attribute of a file or directory that keeps root itself from changing it: "i" for immutable, "a" for
// append-only, as chattr(1) calls them, and blank when there is none. Where the file system has no attributes it is
// blank.
func (h *Host) Guard(abs string) string {
	guard, _ := h.guard(abs)
	return guard
}

// guard is Guard with the reason why the attributes are not known.
func (h *Host) guard(abs string) (string, error) {
	info, err := h.Stat(abs)
	if err != nil || !info.IsDir() && !info.Mode().IsRegular() {
		return "", err // to open a pipe would wait
	}
	f, err := h.Open(abs)
	if err != nil {
		return "", err
	}
	defer f.Close()
	flags, err := unix.IoctlGetInt(int(f.Fd()), unix.FS_IOC_GETFLAGS)
	switch {
	case errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES):
		return "", err
	case err != nil: // the file system has none
		return "", nil
	case flags&flagImmutable != 0:
		return "i", nil
	case flags&flagAppendOnly != 0:
		return "a", nil
	}
	return "", nil
}
