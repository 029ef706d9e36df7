package host

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"

	"fate-installer/installer/host/beneath"
)

// Mkdir makes one directory with exactly this mode, whatever the umask. It appears with its mode, by a rename. It fails
// when something is there.
func (h *Host) Mkdir(abs string, mode FileMode) error {
	if err := h.mayChange("mkdir", abs); err != nil {
		return err
	}
	h.dirs.Lock()
	defer h.dirs.Unlock()
	if h.Exists(abs) {
		return &fs.PathError{Op: "mkdir", Path: abs, Err: fs.ErrExist}
	}
	if mode.Perm == 0 {
		mode.Perm = 0o755
	}
	return h.files.at("mkdir", abs, func(p *beneath.Place) error {
		temp := p.Sibling(filepath.Base(TempName(abs)))
		if err := h.makeTemp(temp, p, abs, mode); err != nil {
			return errors.Join(err, temp.Drop())
		}
		return h.syncPlace(p, abs)
	})
}

func (h *Host) makeTemp(temp, p *beneath.Place, abs string, mode FileMode) error {
	if err := h.try(OpMkdir, abs); err != nil {
		return err
	}
	if err := temp.Drop(); err != nil { // of a run that was cut off
		return err
	}
	if err := temp.Mkdir(0o700); err != nil {
		return err
	}
	if err := h.chownPlace(temp, TempName(abs), mode.Owner, mode.Group); err != nil {
		return err
	}
	if err := h.chmodPlace(temp, TempName(abs), mode); err != nil {
		return err
	}
	if err := h.try(OpRename, abs); err != nil {
		return err
	}
	return h.renamePlace(temp, TempName(abs), p, abs)
}

// MkdirAll makes a directory and its missing parents, all with this mode. What exists is not changed.
func (h *Host) MkdirAll(abs string, mode FileMode) error {
	if err := h.mayChange("mkdir", abs); err != nil {
		return err
	}
	fi, err := h.files.stat(abs)
	switch {
	case err == nil && fi.IsDir():
		return nil
	case err == nil:
		return &fs.PathError{Op: "mkdir", Path: abs, Err: syscall.ENOTDIR}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := h.MkdirAll(filepath.Dir(filepath.Clean(abs)), mode); err != nil {
		return err
	}
	err = h.Mkdir(abs, mode)
	if errors.Is(err, fs.ErrExist) { // made by a step that runs at the same time
		return nil
	}
	return err
}

// SetMode changes owner and permission where they differ; zero fields are left alone.
func (h *Host) SetMode(abs string, mode FileMode) error {
	if err := h.mayChange("chmod", abs); err != nil {
		return err
	}
	return h.files.at("chmod", abs, func(p *beneath.Place) error {
		if err := h.chownPlace(p, abs, mode.Owner, mode.Group); err != nil {
			return err
		}
		return h.chmodPlace(p, abs, mode)
	})
}

func (h *Host) chmodPlace(p *beneath.Place, abs string, mode FileMode) error {
	fi, err := p.Lstat()
	if err != nil {
		return err
	}
	if mode.Perm == 0 || fi.Mode()&fs.ModeSymlink != 0 || fi.Mode().Perm() == mode.Perm && mode.Owner == "" &&
		mode.Group == "" {
		return nil
	}
	if err := h.try(OpChmod, abs); err != nil {
		return err
	}
	return p.Chmod(mode.Perm)
}

// Rename moves a file or directory and makes the move durable.
func (h *Host) Rename(from, to string) error {
	if err := errors.Join(h.mayChange("rename", from), h.mayChange("rename", to)); err != nil {
		return err
	}
	if err := h.try(OpRename, to); err != nil {
		return err
	}
	return h.files.both("rename", from, to, func(source, target *beneath.Place) error {
		if err := h.renamePlace(source, from, target, to); err != nil {
			return err
		}
		if err := h.syncPlace(target, to); err != nil {
			return err
		}
		if filepath.Dir(from) == filepath.Dir(to) {
			return nil
		}
		return h.syncPlace(source, from)
	})
}

// Symlink makes abs a link to target, replacing a link or file in one step.
func (h *Host) Symlink(target, abs string) error {
	if err := h.mayChange("symlink", abs); err != nil {
		return err
	}
	if err := h.try(OpSymlink, abs); err != nil {
		return err
	}
	return h.files.at("symlink", abs, func(p *beneath.Place) error {
		temp := p.Sibling(filepath.Base(TempName(abs)))
		if err := temp.Drop(); err != nil {
			return err
		}
		if err := temp.Symlink(target); err != nil {
			return err
		}
		if err := h.renamePlace(temp, TempName(abs), p, abs); err != nil {
			return errors.Join(err, temp.Drop())
		}
		return h.syncPlace(p, abs)
	})
}

// Remove removes a file, a link or an empty directory. It is no error when nothing is there.
func (h *Host) Remove(abs string) error { return h.removeWith(abs, (*beneath.Place).Remove) }

// RemoveAll removes a tree. It is no error when nothing is there. When a file system is mounted in it, nothing is
// removed and the error is a [*MountError].
func (h *Host) RemoveAll(abs string) error { return h.removeWith(abs, (*beneath.Place).RemoveAll) }

func (h *Host) removeWith(abs string, remove func(*beneath.Place) error) error {
	if err := h.mayChange("remove", abs); err != nil {
		return err
	}
	if filepath.Clean(abs) == "/" {
		return fmt.Errorf("cannot remove /: it is the root of the host")
	}
	return beneath.IgnoreAbsent(h.files.at("remove", abs, func(p *beneath.Place) error {
		if _, err := p.Lstat(); err != nil {
			return err
		}
		if err := h.try(OpRemove, abs); err != nil {
			return err
		}
		if err := remove(p); err != nil {
			return err
		}
		if err := h.owners.removed(abs); err != nil {
			return err
		}
		return h.syncPlace(p, abs)
	}))
}
