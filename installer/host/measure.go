package host

import (
	"context"
	"path"

	"fate-installer/installer/host/beneath"
)

// Usage is what a file or a directory takes on its file system.
type Usage = beneath.Usage

// AnyOwner as the owner of what is measured takes directories of every user.
const AnyOwner = beneath.AnyOwner

// Causes for which something is not removed; see package beneath.
var (
	ErrOtherOwner = beneath.ErrOtherOwner
	ErrReplaced   = beneath.ErrReplaced
)

// Measure adds up what a file or a directory with all that is below it takes. It follows no link and stays on the file
// system. All directories have to belong to the user with the ID owner, unless that is [AnyOwner].
func (h *Host) Measure(ctx context.Context, abs string, owner int) (u Usage, err error) {
	if err := checkAbs("measure", abs); err != nil {
		return Usage{}, err
	}
	err = h.files.at("measure", abs, func(p *beneath.Place) error {
		u, err = p.Measure(ctx, owner)
		return err
	})
	return u, err
}

// Discard removes what [Host.Measure] has found at a path, and nothing that has taken its place since. A directory is
// renamed to aside first, a name in the same directory: a run that is killed leaves it whole, or under that name. Of
// the directories in it only those of its owner are removed.
func (h *Host) Discard(abs string, u Usage, aside string) error {
	if err := h.mayChange("remove", abs); err != nil {
		return err
	}
	return h.files.at("remove", abs, func(p *beneath.Place) error {
		if err := h.try(OpRename, abs); err != nil {
			return err
		}
		if err := p.Discard(u, aside); err != nil {
			return err
		}
		return h.owners.removed(path.Clean(abs))
	})
}
