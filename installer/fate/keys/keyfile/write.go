package keyfile

import (
	"fmt"
	"path"
	"path/filepath"

	"fate-installer/installer/exit"
	"fate-installer/installer/fate/keys"
	"fate-installer/installer/host"
)

// Write writes keys below a directory, which is a new one unless they are added to it.
func Write(dir string, files []keys.File, isNew bool) error {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("cannot find the directory of %s: %w", dir, err)
	}
	h, err := host.New("/", nil)
	if err != nil {
		return err
	}
	defer h.Close()
	if isNew && h.Exists(abs) {
		return exit.With(exit.Hint(fmt.Errorf("cannot write keys to %s: it exists", dir),
			"choose a new directory: keys in use are not overwritten"), exit.Usage)
	}
	for _, f := range files {
		name := path.Join(abs, f.Name)
		if err := h.MkdirAll(path.Dir(name), host.FileMode{Perm: 0o700}); err != nil {
			return err
		}
		if err := h.WriteFile(name, f.Content, host.FileMode{Perm: 0o600}); err != nil {
			return err
		}
	}
	return nil
}
