package host

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
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
	temp := TempName(abs)
	if err := h.makeTemp(temp, abs, mode); err != nil {
		return errors.Join(err, h.dropTemp(temp))
	}
	return h.syncDir(filepath.Dir(abs))
}

func (h *Host) makeTemp(temp, abs string, mode FileMode) error {
	if err := h.try(OpMkdir, abs); err != nil {
		return err
	}
	if err := h.dropTemp(temp); err != nil { // of a run that was cut off
		return err
	}
	if err := h.files.mkdir(temp, 0o700); err != nil {
		return err
	}
	if err := h.SetMode(temp, mode); err != nil {
		return err
	}
	if err := h.try(OpRename, abs); err != nil {
		return err
	}
	return h.rename(temp, abs)
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
	if errors.Is(err, fs.ErrExist) { // made by a step that runs beside this one
		return nil
	}
	return err
}

// SetMode changes owner and permission where they differ; zero fields are left alone.
func (h *Host) SetMode(abs string, mode FileMode) error {
	if err := h.mayChange("chmod", abs); err != nil {
		return err
	}
	fi, err := h.Lstat(abs)
	if err != nil {
		return err
	}
	if err := h.Chown(abs, mode.Owner, mode.Group); err != nil {
		return err
	}
	if mode.Perm == 0 || fi.Mode()&fs.ModeSymlink != 0 || fi.Mode().Perm() == mode.Perm && mode.Owner == "" && mode.Group == "" {
		return nil
	}
	if err := h.try(OpChmod, abs); err != nil {
		return err
	}
	return h.files.chmod(abs, mode.Perm)
}

// Rename moves a file or directory and makes the move durable.
func (h *Host) Rename(from, to string) error {
	if err := errors.Join(h.mayChange("rename", from), h.mayChange("rename", to)); err != nil {
		return err
	}
	if err := h.try(OpRename, to); err != nil {
		return err
	}
	if err := h.rename(from, to); err != nil {
		return err
	}
	if err := h.syncDir(filepath.Dir(to)); err != nil {
		return err
	}
	if filepath.Dir(from) == filepath.Dir(to) {
		return nil
	}
	return h.syncDir(filepath.Dir(from))
}

func (h *Host) rename(from, to string) error {
	return h.owners.renaming(from, to, func() error { return h.files.rename(from, to) })
}

// Symlink makes abs a link to target, replacing a link or file in one step.
func (h *Host) Symlink(target, abs string) error {
	if err := h.mayChange("symlink", abs); err != nil {
		return err
	}
	if err := h.try(OpSymlink, abs); err != nil {
		return err
	}
	temp := TempName(abs)
	if err := h.dropTemp(temp); err != nil {
		return err
	}
	if err := h.files.symlink(target, temp); err != nil {
		return err
	}
	if err := h.rename(temp, abs); err != nil {
		return errors.Join(err, h.dropTemp(temp))
	}
	return h.syncDir(filepath.Dir(abs))
}

// Remove removes a file, a link or an empty directory. It is no error when nothing is there.
func (h *Host) Remove(abs string) error { return h.removeWith(abs, h.files.remove) }

// RemoveAll removes a tree. It is no error when nothing is there.
func (h *Host) RemoveAll(abs string) error { return h.removeWith(abs, h.files.removeAll) }

func (h *Host) removeWith(abs string, remove func(string) error) error {
	if err := h.mayChange("remove", abs); err != nil {
		return err
	}
	if filepath.Clean(abs) == "/" {
		return fmt.Errorf("cannot remove /: it is the root of the host")
	}
	if _, err := h.files.lstat(abs); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := h.try(OpRemove, abs); err != nil {
		return err
	}
	if err := remove(abs); err != nil {
		return err
	}
	if err := h.owners.removed(abs); err != nil {
		return err
	}
	return h.syncDir(filepath.Dir(abs))
}
