package deploy

import (
	"path"
	"strings"

	"fate-installer/installer/engine"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/host"
	"fate-installer/installer/step"
)

// neededByData reports whether data that is kept is lost or misused without the result of a step: the passwords open
// the database, and without the account its files belong to the next user that gets the uid.
func neededByData(layout cluster.Layout, id string) bool {
	return id == step.File{Path: layout.Secrets()}.ID() ||
		strings.HasPrefix(id, step.User{}.ID()) || strings.HasPrefix(id, step.Group{}.ID())
}

// keepsData reports whether data of the installation stays when a failed run is undone: in a database, of which no step
// is undone, on the disk, or in the tree of a component. Logs count, too: they belong to the account.
func keepsData(h *host.Host, layout cluster.Layout, ledger *engine.Ledger) (bool, error) {
	for _, e := range ledger.Entries() {
		if _, undoable := step.Undoer(e.Step); !undoable || e.Left && strings.HasPrefix(e.Step, step.Unpack{}.ID()) {
			return true, nil
		}
	}
	for _, root := range []string{layout.Data(), path.Join(layout.Logs(), "fate")} {
		if found, err := hasFiles(h, root); found || err != nil {
			return found, err
		}
	}
	return false, nil
}

// hasFiles reports whether there is anything but directories in a directory, which need not exist.
func hasFiles(h *host.Host, dir string) (bool, error) {
	if fi, err := h.Stat(dir); err != nil || !fi.IsDir() {
		return err == nil, nil
	}
	entries, err := h.ReadDir(dir)
	if err != nil {
		return false, err
	}
	for _, e := range entries {
		if !e.IsDir() {
			return true, nil
		}
		if found, err := hasFiles(h, path.Join(dir, e.Name())); found || err != nil {
			return found, err
		}
	}
	return false, nil
}
