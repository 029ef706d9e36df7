package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"fate-installer/installer/exit"
	"fate-installer/installer/host"
	"fate-installer/installer/host/beneath"
)

// outFile is a report that a command writes where its user says. The directory may be one that others may write, such
// as /tmp, so the file is reached through the directory's descriptor and no link at its name is followed.
type outFile struct {
	*os.File
	place *beneath.Place
}

// createOut makes a new file of mode 0600 for a report that is not for everybody. It fails when something has its name.
func createOut(name string) (*outFile, error) {
	out, err := openOut(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, takenName(err)
	}
	return out, err
}

// replaceOut opens a file for a report, emptied if it exists, mode 0644 if it does not. A link, a pipe or a device is
// refused, and so is a hard link in a directory that others may write.
func replaceOut(name string) (*outFile, error) {
	return openOut(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
}

// checkOuts refuses, before anything is done, files that createOut and replaceOut could not open. Both decide again:
// what is there can change.
func checkOuts(create, replace []string) error {
	seen := map[string]bool{}
	for i, name := range slices.Concat(create, replace) {
		place, err := placeOf(name)
		if err != nil {
			return exit.With(err, exit.Usage)
		}
		_, err = place.Lstat()
		there, path := err == nil, place.Path()
		switch {
		case i < len(create) && there:
			err = takenName(&fs.PathError{Op: "open", Path: path, Err: syscall.EEXIST})
		case there: // a link, a pipe and a directory are refused
			var file *os.File
			if file, err = place.Open(os.O_WRONLY, 0); err == nil {
				err = file.Close()
			}
		case errors.Is(err, fs.ErrNotExist):
			err = nil
		}
		err = errors.Join(err, place.Close())
		if err == nil && seen[path] {
			err = fmt.Errorf("cannot write two reports to %s", path)
		}
		if err != nil {
			return exit.With(err, exit.Usage)
		}
		seen[path] = true
	}
	return nil
}

// takenName is the error of a new file whose name something has.
func takenName(err error) error {
	return exit.With(exit.Hint(err, "name a file that does not exist"), exit.Usage)
}

// placeOf finds where a file is to be. Its directory has to exist.
func placeOf(name string) (*beneath.Place, error) {
	abs, err := filepath.Abs(name)
	if err != nil {
		return nil, err
	}
	root, err := beneath.System()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return root.Exact("create", abs)
}

func openOut(name string, flag int, perm fs.FileMode) (*outFile, error) {
	place, err := placeOf(name)
	if err != nil {
		return nil, err
	}
	file, err := place.Open(flag, perm)
	if err != nil {
		return nil, errors.Join(err, place.Close())
	}
	return &outFile{file, place}, nil
}

// finish closes the file after err, the result of writing it. A file that is not whole is removed.
func (o *outFile) finish(err error) error {
	err = errors.Join(err, o.Close())
	if err != nil {
		if wrong := o.place.Remove(); wrong != nil {
			err = errors.Join(err, fmt.Errorf("half a file is left: %w", wrong))
		}
	}
	return errors.Join(err, o.place.Close())
}

// writeNewFile refuses to overwrite: the file would take its passwords along.
func writeNewFile(name string, data []byte) error {
	abs, err := absolute(name)
	if err != nil {
		return err
	}
	h, err := host.New("/", nil)
	if err != nil {
		return err
	}
	defer h.Close()
	if h.Exists(abs) {
		return exit.Hint(fmt.Errorf("cannot write %s: it exists", name),
			"choose another name, or remove it; its passwords may be in use")
	}
	return h.WriteFile(abs, data, host.FileMode{Perm: 0o600})
}

func absolute(name string) (string, error) {
	abs, err := filepath.Abs(name)
	if err != nil {
		return "", fmt.Errorf("cannot find the directory of %s: %w", name, err)
	}
	return abs, nil
}
