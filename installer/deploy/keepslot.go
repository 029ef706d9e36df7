package deploy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"time"

	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/host"
)

// copyInfix is between the name of the data directory and the slot's ID in the name of a copy of the database.
const copyInfix = ".before-"

// discardInfix is behind the name of the data directory in the name of a database that a failed upgrade has changed.
const discardInfix = ".discarded"

// keepSlot keeps the present state of the installation aside, with the trees of the components in replaced. The slot
// appears by one rename. The database is kept apart, by guardDatabase.
func (r *Replacement) keepSlot(ctx context.Context, replaced []string) (*slot, error) {
	// The installed components are where the present configuration says, which may not be where the new one has them.
	was, err := r.d.specOf(r.d.stored)
	if err != nil {
		return nil, err
	}
	s := &slot{Schema: SiteSchema, ID: time.Now().UTC().Format(slotTime), Site: *r.d.stored,
		Trees: map[string]string{}}
	r.warn(r.sweep()) // what is left of earlier ones takes room
	staging := path.Join(slotsDir(r.Layout()), "."+s.ID)
	if err := r.host.MkdirAll(staging, host.FileMode{Perm: 0o700}); err != nil {
		return nil, err
	}
	err = r.fillSlot(ctx, s, staging, was, replaced)
	if err == nil {
		err = r.host.Rename(staging, s.dir(r.Layout()))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot keep the present state: %w", err), r.host.RemoveAll(staging))
	}
	return s, nil
}

// findSlot returns the slot with an ID, or nil when there is none.
func (p *place) findSlot(id string) (*slot, error) {
	slots, err := loadSlots(p.host, p.Layout())
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(slots, func(s *slot) bool { return s.ID == id }); i >= 0 {
		return slots[i], nil
	}
	return nil, nil
}

func (r *Replacement) fillSlot(ctx context.Context, s *slot, staging string, was *cluster.Spec,
	replaced []string) error {
	for _, name := range replaced {
		tree := was.UnpackTarget(name)
		if !r.host.Exists(tree) || tree != r.d.spec.UnpackTarget(name) {
			continue
		}
		kept, err := r.staysInTree(name, tree)
		if err != nil {
			return err
		}
		skip := func(rel string) bool { return slices.Contains(kept, rel) }
		err = r.host.CopyTree(ctx, tree, path.Join(staging, name), host.CopyOptions{Link: true, Skip: skip})
		if err != nil {
			return err
		}
		s.Trees[name] = tree
	}
	return r.writeSlot(s, staging)
}

func (p *place) writeSlot(s *slot, dir string) error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("cannot encode %s: %w", slotFile, err)
	}
	return p.host.WriteFile(path.Join(dir, slotFile), append(data, '\n'), host.FileMode{Perm: 0o600})
}

// guardDatabase copies the data of the stopped database server: a newer server, or a newer release with its tables,
// changes it so that the older one cannot use it any more. The programs of the newer release have not run yet, so that
// a copy that was cut off can be made again.
func (p *place) guardDatabase(ctx context.Context, s *slot) error {
	data := p.Layout().DatabaseData()
	if pid, running, err := p.host.LockHolder(path.Join(data, "ibdata1")); err != nil || running {
		return errors.Join(err, fmt.Errorf("cannot copy the database: a server still runs on it (pid %d)", pid))
	}
	guard := p.copyOf(s)
	if err := p.host.CopyTree(ctx, data, guard, host.CopyOptions{}); err != nil {
		return exit.Repeat(err, "make room for a copy of the database, then", "")
	}
	s.Database = guard
	return p.writeSlot(s, s.dir(p.Layout()))
}

// copyOf is where the database of a slot is kept.
func (p *place) copyOf(s *slot) string {
	return p.Layout().DatabaseData() + copyInfix + s.ID
}

// discarded is where the database is that a failed upgrade has changed, until it is removed.
func (p *place) discarded() string { return p.Layout().DatabaseData() + discardInfix }

// swapDatabase puts the database that is kept at kept in place, and the present one aside. Which of the two renames
// were made shows in what is there, so that a swap that was cut off is completed by doing it again, and one that is
// complete is left alone.
func (p *place) swapDatabase(kept, aside string) error {
	data := p.Layout().DatabaseData()
	if !p.host.Exists(kept) {
		if p.host.Exists(data) {
			return nil
		}
		return fmt.Errorf("cannot exchange the database: neither %s nor %s is there", data, kept)
	}
	if p.host.Exists(data) {
		if err := p.host.Rename(data, aside); err != nil {
			return err
		}
	}
	return p.host.Rename(kept, data)
}

// discardDatabase puts the database that is kept at kept in place of the present one, which is not needed any more.
func (p *place) discardDatabase(kept string) error {
	if p.host.Exists(kept) && p.host.Exists(p.Layout().DatabaseData()) { // a discarded one is of an earlier change
		if err := p.host.RemoveAll(p.discarded()); err != nil {
			return err
		}
	}
	return p.swapDatabase(kept, p.discarded())
}

// settleDatabase completes a swap that was cut off between its renames, for commands other than the interrupted one:
// without its directory a database would be taken for one that is yet to be made.
func (t *transition) settleDatabase() error {
	data := t.Layout().DatabaseData()
	if t.state.Change == nil || t.host.Exists(data) {
		return nil
	}
	for _, id := range []string{t.state.Change.Slot, t.state.Change.Kept} {
		s, err := t.findSlot(id)
		if err != nil {
			return err
		}
		if s != nil && s.Database != "" && t.host.Exists(s.Database) {
			return t.host.Rename(s.Database, data)
		}
	}
	return nil
}

// slotPayload gives the components of a slot to the steps that unpack them.
type slotPayload struct {
	host   *host.Host
	layout cluster.Layout
	slot   *slot
}

// Extract copies a tree out of the slot, so that the slot is whole until the run has succeeded.
func (p slotPayload) Extract(ctx context.Context, component, target string, _, _ int,
	progress func(done, total int64)) error {
	if _, ok := p.slot.Trees[component]; !ok {
		return fmt.Errorf("cannot bring %s back: its tree was not kept", component)
	}
	size := p.slot.Site.Components[component].Size
	return p.host.CopyTree(ctx, path.Join(p.slot.dir(p.layout), component), p.host.Within(target), host.CopyOptions{
		Link: true, Progress: func(done int64) { progress(done, max(done, size)) },
	})
}
