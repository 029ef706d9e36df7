package host

import "fate-installer/installer/host/beneath"

// ErrUntrustedLink is the cause when root would follow a link that another user may have put there. Most of what is
// installed belongs to the service user, who could otherwise replace a directory by a link to /etc and let the next run
// of the installer, which is root, change what is there. A link is followed only if it is root's and if no directory on
// the way to it may be written by anyone but root: so an administrator may make /data, or another directory of root's,
// a link, but not a directory below one of the service user.
var ErrUntrustedLink = beneath.ErrUntrustedLink

// MountError is the cause when a tree is not removed or replaced because a file system is mounted in it.
type MountError = beneath.MountError

// mayChange refuses a path that does not say where the change would happen, and in a tree first records what a process
// that was cut off has left open.
func (h *Host) mayChange(op, abs string) error {
	if err := checkAbs(op, abs); err != nil || h.IsSystem() {
		return err
	}
	return h.owners.settle()
}

// Mounts lists the points at and below abs where a file system, or a part of one, is mounted. It is empty when abs does
// not exist.
func (h *Host) Mounts(abs string) ([]string, error) {
	resolved, err := h.Resolve(abs)
	if err != nil {
		return nil, err
	}
	return h.files.root.MountsBelow(resolved)
}

// NoMounts returns a [*MountError] when something is mounted at or below one of the paths. It is for what will be
// removed or replaced, before the first change.
func (h *Host) NoMounts(paths ...string) error {
	for _, abs := range paths {
		mounts, err := h.Mounts(abs)
		if err != nil {
			return err
		}
		if len(mounts) > 0 {
			return &MountError{Path: abs, Mounts: mounts}
		}
	}
	return nil
}
