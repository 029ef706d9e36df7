package deploy

import (
	"context"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"fate-installer/installer/engine"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/host"
	"fate-installer/installer/step"
	"fate-installer/supervisor"
)

// onDisk begins the ID of an item that was found on the disk and that no journal names.
const onDisk = "disk:"

// remainsOnDisk looks for what an installation leaves, also when its journal is gone. A directory counts when there is
// something in it.
func (i *Installation) remainsOnDisk() ([]engine.Remaining, error) {
	l := i.Layout()
	places := []string{
		l.Binary(), supervisor.SystemdPath, systemdUnits + backupService, systemdUnits + backupTimer, l.Project(),
		l.Data(), l.Supervisor(), l.State(), l.Tools(), l.Backups(), l.ZooKeeper(),
		l.Nginx(), path.Join(l.Logs(), "fate"), path.Dir(l.SupervisorLog()), l.DatabaseTemp(),
		l.JavaTemp(),
	}
	left, err := i.leftInTemp()
	if err != nil {
		return nil, err
	}
	var out []engine.Remaining
	for _, place := range append(places, left...) {
		fi, err := i.host.Lstat(place)
		if err != nil {
			continue // it is not there, or it cannot be seen; root sees all
		}
		if fi.IsDir() {
			entries, err := i.host.ReadDir(place)
			if err != nil {
				return nil, err
			}
			if len(entries) == 0 {
				continue
			}
		}
		out = append(out, engine.Remaining{ID: onDisk + place, Title: place, What: []string{place}})
	}
	return out, nil
}

// addUnnamed adds what is on the disk to what a journal names, as far as nothing of it is named already.
func addUnnamed(named, found []engine.Remaining) []engine.Remaining {
	for _, f := range found {
		place := f.What[0]
		if !slices.ContainsFunc(named, func(r engine.Remaining) bool {
			return slices.ContainsFunc(r.What, func(what string) bool { return isNamedIn(place, what) }) ||
				isNamedIn(place, r.ID)
		}) {
			named = append(named, f)
		}
	}
	return named
}

// isNamedIn reports whether a text names a path, or one below it.
func isNamedIn(place, text string) bool {
	_, after, found := strings.Cut(text, place)
	return found && (after == "" || strings.ContainsAny(after[:1], "/ :,"))
}

// tempDir is where a JVM makes its directory for jps, whatever java.io.tmpdir is, and where a Tomcat of an installation
// by an older release has its work directory.
const tempDir = "/tmp"

// leftInTemp lists what the installation's JVMs left in /tmp: directories of the service user, and no links.
func (i *Installation) leftInTemp() ([]string, error) {
	user, ports := i.cmd.User, []string{"8080"}
	if stored, err := LoadSite(i.host, i.Layout()); err == nil && stored != nil {
		user = stored.User
		if spec, err := storedSpec(i.host, i.cmd.Base, stored); err == nil {
			for _, m := range cluster.Modules() {
				if m.ForPeople() {
					ports = append(ports, strconv.Itoa(spec.Side.Port(m)))
				}
			}
		}
	}
	entries, err := i.host.ReadDir(tempDir)
	if err != nil {
		return nil, nil // a tree has none
	}
	var out []string
	for _, e := range entries {
		ours := e.Name() == "hsperfdata_"+user || slices.ContainsFunc(ports, func(port string) bool {
			return strings.HasPrefix(e.Name(), "tomcat."+port+".") ||
				strings.HasPrefix(e.Name(), "tomcat-docbase."+port+".")
		})
		at := path.Join(tempDir, e.Name())
		if !ours || !e.IsDir() {
			continue
		}
		owner, _, err := i.host.Owner(at)
		if err != nil {
			return nil, err
		}
		if owner == user {
			out = append(out, at)
		}
	}
	return out, nil
}

// clearTemp removes what leftInTemp found, when no JVM of the user runs any more: such a directory has a file for each,
// named by its process.
func (i *Installation) clearTemp(found []string) error {
	for _, dir := range found {
		entries, err := i.host.ReadDir(dir)
		if err != nil {
			continue // it is gone
		}
		if slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return i.isProcess(e.Name()) }) {
			continue
		}
		if err := i.host.RemoveAll(dir); err != nil {
			return err
		}
	}
	return nil
}

// isProcess reports whether a name is the number of a process that runs.
func (i *Installation) isProcess(name string) bool {
	pid, err := strconv.Atoi(name)
	return err == nil && i.host.Exists(path.Join("/proc", strconv.Itoa(pid)))
}

// laterProgram is a copy of the installed program that an uninstall leaves with the data, for the purge of the data.
func laterProgram(l cluster.Layout) string { return path.Join(l.State(), "fate-installer") }

// keepProgram copies the installed program to where the data's passwords are. Without one there is nothing to copy.
func (i *Installation) keepProgram() error {
	file, err := i.host.Open(i.Layout().Binary())
	if err != nil {
		return nil
	}
	defer file.Close()
	return i.host.WriteFrom(laterProgram(i.Layout()), host.FileMode{Perm: 0o755, Owner: "root", Group: "root"},
		func(w io.Writer) error { _, err := io.Copy(w, file); return err })
}

// purgeCommand is the command that removes what an uninstall kept.
func (i *Installation) purgeCommand() string {
	command := "fate-installer"
	if i.host.Exists(laterProgram(i.Layout())) {
		command = laterProgram(i.Layout())
	}
	if base := i.Layout().Base; base != StandardBase {
		command += " --base " + base
	}
	return command + " uninstall --purge-data --yes"
}

// Remaining lists what of the installation is still on the host, by its journal and by a look at the disk.
func (i *Installation) Remaining(ctx context.Context) ([]engine.Remaining, error) {
	journal, err := engine.ReadJournal(i.host, i.JournalPath())
	if err != nil {
		return nil, err
	}
	remaining, err := engine.Verify(ctx, i.undoEnv(), journal, step.Undoer)
	if err != nil {
		return nil, err
	}
	found, err := i.remainsOnDisk()
	if err != nil {
		return nil, err
	}
	return addUnnamed(remaining, found), nil
}
