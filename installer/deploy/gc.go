package deploy

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"fate-installer/installer/backup"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/host"
	"fate-installer/installer/state"
)

// Cleaning is the removal of what an installation needs no more, while no other command changes the host.
type Cleaning struct{ t *transition }

// Clean calls clean under the lock of all changing commands.
func (i *Installation) Clean(clean func(*Cleaning) error) error {
	if err := i.Allows(state.Clean); err != nil {
		return err
	}
	unlock, err := i.begin("remove files")
	if err != nil {
		return err
	}
	defer unlock()
	t, err := i.decide(state.Clean)
	if err != nil {
		return err
	}
	return clean(&Cleaning{t})
}

// Unneeded lists the directories of earlier versions, and of databases, that no way back needs. It changes nothing.
func (i *Installation) Unneeded() ([]string, error) {
	t, err := i.decide(state.Clean)
	if err != nil {
		return nil, err
	}
	slots, out, err := t.unneededSlots()
	if err != nil {
		return nil, err
	}
	needed := map[string]bool{"": true} // databases
	for _, s := range slots {
		if !slices.Contains(out, s.dir(t.Layout())) {
			needed[s.Database] = true
		}
	}
	for _, s := range slots {
		if !needed[s.Database] && t.host.Exists(s.Database) {
			needed[s.Database] = true // it is listed once
			out = append(out, s.Database)
		}
	}
	if t.state.Change == nil && t.host.Exists(t.discarded()) {
		out = append(out, t.discarded())
	}
	return out, nil
}

// RemoveUnneeded removes what [Installation.Unneeded] lists, and says what it could not remove.
func (c *Cleaning) RemoveUnneeded() []string { return c.t.sweep() }

// Owner is the ID of the user that programs run as.
func (i *Installation) Owner(user string) (int, error) {
	u, err := i.host.LookupUser(user)
	if err != nil {
		return 0, exit.Hint(err, "fate-installer install repairs the installation")
	}
	return u.UID, nil
}

// OlderBackups lists the backups of this host in a directory but for the latest complete ones, and the one that is
// recorded as the last complete one. Those of other hosts, split ones and files that are no backup are not listed. Only
// root may write the directory.
func OlderBackups(dir string, h *host.Host, spec *cluster.Spec, keep int, now time.Time) (files []string, err error) {
	name, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("cannot tell the name of this machine: %w", err)
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	writer, err := writerIn(dir)
	if err != nil {
		return nil, err
	}
	if writer != "" {
		return nil, exit.With(fmt.Errorf("cannot remove backups in %s: others than root may write %s", dir, writer),
			exit.Usage)
	}
	return surplus(dir, h, spec, name, keep, now)
}

// surplus lists those of the machine of a name.
func surplus(dir string, h *host.Host, spec *cluster.Spec, name string, keep int, now time.Time) (
	files []string, err error) {
	found, err := backup.List(dir)
	if err != nil {
		return nil, err
	}
	own := &backup.Manifest{Host: name, IP: spec.IP, Role: string(spec.Role), Party: spec.PartyID}
	last, err := lastBackup(h, spec)
	if err != nil {
		return nil, err
	}
	for _, f := range backup.Surplus(found, own, keep, now) {
		if is, err := os.Lstat(f.File); err == nil && last != nil && os.SameFile(is, last) {
			continue
		}
		files = append(files, f.File)
	}
	return files, nil
}

// lastBackup is the file of the last complete backup that is recorded; nil: there is none.
func lastBackup(h *host.Host, spec *cluster.Spec) (os.FileInfo, error) {
	success, err := loadRecord(h, backupSuccessPath(spec.Layout), decodeJSON[backup.Success])
	if err != nil || success == nil {
		return nil, err
	}
	info, err := os.Stat(success.File)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return info, err
}
