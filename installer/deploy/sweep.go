package deploy

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"fate-installer/installer/host"
)

// sweep removes the slots and databases that no way back needs, at the end of every change, when the state of the host
// names the ones that are needed. It is no failure of the change when something cannot be removed: the warnings name
// it, and the end of the next change tries again.
func (t *transition) sweep() (warnings []string) {
	errs := t.sweepSlots()
	if t.state.Change == nil {
		if err := t.host.RemoveAll(t.discarded()); err != nil {
			errs = append(errs, cannotSweep(t.discarded(), err))
		}
	}
	for _, err := range errs {
		warnings = append(warnings, err.Error())
	}
	return warnings
}

// warn shows warnings of a command whose report has no place for them.
func (p *place) warn(warnings []string) {
	for _, w := range warnings {
		p.report.Warning(w)
	}
}

func cannotSweep(what string, err error) error {
	after := "the next command that changes this host tries again"
	var mounted *host.MountError
	if errors.As(err, &mounted) {
		after = "umount " + strings.Join(mounted.Mounts, " ") + "; " + after
	}
	return fmt.Errorf("cannot remove %s, which is not needed any more: %w; %s", what, err, after)
}

// sweepSlots removes slots that were cut off while they were made or removed, and those that the state of the host does
// not name.
func (t *transition) sweepSlots() (errs []error) {
	dir := slotsDir(t.Layout())
	slots, unneeded, err := t.unneededSlots()
	if err != nil {
		return []error{err} // which one is needed is not known
	}
	for _, at := range unneeded {
		if i := slices.IndexFunc(slots, func(s *slot) bool { return s.dir(t.Layout()) == at }); i >= 0 {
			err = t.dropSlot(slots[i], slots)
		} else {
			err = t.removeSwept(at)
		}
		if err != nil {
			errs = append(errs, err)
		}
	}
	if left, err := t.host.ReadDir(dir); err == nil && len(left) == 0 {
		if err := t.host.Remove(dir); err != nil {
			errs = append(errs, cannotSweep(dir, err))
		}
	}
	return errs
}

// unneededSlots lists all slots, and the directories of those that no way back needs.
func (t *transition) unneededSlots() (slots []*slot, unneeded []string, err error) {
	dir := slotsDir(t.Layout())
	if slots, err = loadSlots(t.host, t.Layout()); err != nil {
		return nil, nil, err
	}
	entries, err := t.host.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return slots, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("cannot look for earlier states: %w", err)
	}
	needed := []string{t.state.Slot}
	if c := t.state.Change; c != nil {
		needed = append(needed, c.Slot, c.Kept)
	}
	for _, e := range entries {
		cutOff := strings.HasPrefix(e.Name(), ".")
		if _, err := time.Parse(slotTime, e.Name()); err != nil && !cutOff || slices.Contains(needed, e.Name()) {
			continue // it is not ours, or needed
		}
		at := path.Join(dir, e.Name())
		if cutOff || slices.ContainsFunc(slots, func(s *slot) bool { return s.dir(t.Layout()) == at }) ||
			!t.host.Exists(path.Join(at, slotFile)) {
			unneeded = append(unneeded, at)
		}
	}
	return slots, unneeded, nil
}

// dropSlot removes a slot. The database that it keeps goes first, since only the slot says where that is; a database
// that another slot has, too, stays. The slot itself goes by one rename before it is removed: at no moment is there one
// without its description.
func (t *transition) dropSlot(s *slot, all []*slot) error {
	shared := slices.ContainsFunc(all, func(other *slot) bool {
		return other.ID != s.ID && other.Database == s.Database
	})
	if s.Database != "" && !shared {
		if err := t.removeSwept(s.Database); err != nil {
			return err
		}
	}
	gone := path.Join(slotsDir(t.Layout()), "."+s.ID)
	if err := t.host.Rename(s.dir(t.Layout()), gone); err != nil {
		return cannotSweep(s.dir(t.Layout()), err)
	}
	return t.removeSwept(gone)
}

func (p *place) removeSwept(what string) error {
	if err := p.host.RemoveAll(what); err != nil {
		return cannotSweep(what, err)
	}
	return nil
}
