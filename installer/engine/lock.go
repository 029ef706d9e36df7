package engine

import (
	"errors"

	"fate-installer/installer/host"
)

// Lock makes this the only run on the host. When there is another, the error is a [*LockedError] with its process.
// The lock ends with the process, so that none is ever stale. path is best in /run, which a reboot empties.
func Lock(h *host.Host, path string) (unlock func() error, err error) {
	release, holder, err := h.TryLock(path)
	if errors.Is(err, host.ErrLocked) {
		return nil, &LockedError{Path: path, PID: holder}
	}
	return release, err
}
