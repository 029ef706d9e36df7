package deploy

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"fate-installer/installer/engine"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/host"
	"fate-installer/installer/step"
)

// noMounts refuses a run that would remove or replace trees in which a file system is mounted: removing it would empty
// a volume that the installer knows nothing of, and leave the run half done at the directory that cannot be removed. It
// names all of them, before anything is changed.
func noMounts(h *host.Host, trees ...string) error {
	var errs []error
	for _, tree := range trees {
		errs = append(errs, h.NoMounts(tree))
	}
	return mountsRefused(errs)
}

func mountsRefused(errs []error) error {
	errs = slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	if len(errs) == 0 {
		return nil
	}
	var points []string
	for _, err := range errs {
		var mounted *host.MountError
		if !errors.As(err, &mounted) {
			return err
		}
		points = append(points, mounted.Mounts...)
	}
	slices.Sort(points)
	points = slices.Compact(points)
	slices.Reverse(points) // the deepest first
	return exit.With(exit.Repeat(
		fmt.Errorf("file systems are mounted in what would be removed or replaced: %s; nothing was changed",
			strings.Join(points, ", ")),
		"umount "+strings.Join(points, " ")+", then", ""), exit.Preflight)
}

// mountsInTheWay is noMounts for an uninstall. A directory that was there before the installation may be a mount point
// of its own: with --purge-data it is emptied, and stays. Anything else that is mounted in what will be removed is
// refused.
func (i *Installation) mountsInTheWay(journal *engine.Journal, purge bool) error {
	roots := []string{i.Layout().SupervisorRun()}
	if purge {
		roots = append(roots, purgedRoots(i.Layout())...)
	}
	trees := []string{slotsDir(i.Layout())}
	var errs []error
	for _, e := range journal.Ledger().Entries() {
		if target, ok := strings.CutPrefix(e.Step, step.Unpack{}.ID()); ok {
			trees = append(trees, target)
		}
		dir, ok := strings.CutPrefix(e.Step, step.Dir{}.ID())
		if !ok || !isAtOrBelow(dir, roots) {
			continue
		}
		mounts, err := i.host.Mounts(dir)
		if err != nil {
			return err
		}
		if !step.MadeDir(e.Before) {
			mounts = slices.DeleteFunc(mounts, func(m string) bool { return m == dir })
		}
		if len(mounts) > 0 {
			errs = append(errs, &host.MountError{Path: dir, Mounts: mounts})
		}
	}
	for _, tree := range trees {
		errs = append(errs, i.host.NoMounts(tree))
	}
	return mountsRefused(errs)
}

// purgedRoots are the directories whose content --purge-data removes.
func purgedRoots(l cluster.Layout) []string { return []string{l.Data(), l.Logs(), l.Temp()} }

func isAtOrBelow(dir string, roots []string) bool {
	return slices.ContainsFunc(roots, func(root string) bool { return dir == root || strings.HasPrefix(dir, root+"/") })
}
