package gc

import (
	"context"
	"errors"
	"io/fs"
	"path"

	"fate-installer/installer/host"
)

// Remover removes items that a [Finder] has found.
type Remover struct {
	Host    *host.Host
	Records Records
	// Slots removes the earlier versions that no rollback needs, all of them, and says what it could not remove.
	Slots    func() []string
	Progress func(bytes int64) // called with what an item has freed; may be nil
}

// Done is what became of items.
type Done struct {
	Removed []Item
	Left    []Left // what was not removed, and why
	Failed  bool   // whether something of Left is an error

	Unrecorded int // jobs without a record whose files were removed
}

// run is a removal under way.
type run struct {
	*Remover
	ctx  context.Context
	dark error           // why jobs are not asked for any more
	kept map[string]bool // models that tables refer to; nil: they were not read yet
	used map[string]bool // jobs whose files were written to since they were measured
	lost map[string]bool // jobs of what was removed, of which there is no record
	inv  Inventory       // of what is left
	done Done
}

// Remove removes items, in their order, until the context ends. Each job is looked up again before its files are
// removed: it may have been started again in the meantime.
func (r *Remover) Remove(ctx context.Context, items []Item) Done {
	x := run{Remover: r, ctx: ctx, used: map[string]bool{}, lost: map[string]bool{}}
	var slots []Item
	for _, item := range items {
		if ctx.Err() != nil {
			break
		}
		if item.Kind == Slots {
			slots = append(slots, item)
			continue
		}
		x.item(item)
	}
	if len(slots) > 0 && ctx.Err() == nil {
		x.slots(slots)
	}
	x.done.Left, x.done.Unrecorded = x.inv.Left, len(x.lost)
	return x.done
}

func (x *run) item(item Item) {
	if item.Job != "" && !item.always && !x.hasEnded(item) {
		return
	}
	aside := item.aside
	if aside == "" {
		aside = path.Base(item.Path)
	}
	err := x.rests(item)
	if err == nil {
		err = x.Host.Discard(item.Path, item.usage, aside)
	}
	switch {
	case errors.Is(err, errWritten):
		x.used[item.Job] = item.Job != ""
		x.inv.leave(item.Kind, item.Path, item.Bytes, "%v", errWritten)
	case errors.Is(err, fs.ErrNotExist): // another has removed it
	case err != nil:
		x.inv.leave(item.Kind, item.Path, item.Bytes, "cannot be removed: %s", reason(err))
		x.done.Failed = true
	default:
		x.removed(item)
	}
}

var errWritten = errors.New("it was written to in the meantime")

// rests measures an item again. All of a job is left when something of it was written to.
func (x *run) rests(item Item) error {
	if item.always {
		return nil
	}
	if x.used[item.Job] {
		return errWritten
	}
	u, err := x.Host.Measure(x.ctx, item.Path, host.AnyOwner)
	if err == nil && u.ID == item.usage.ID && u.Newest.After(item.usage.Newest) {
		err = errWritten
	}
	return err
}

func (x *run) removed(item Item) {
	x.done.Removed = append(x.done.Removed, item)
	if x.Progress != nil {
		x.Progress(item.Bytes)
	}
}

// hasEnded reports whether an item's job has ended. Once that cannot be found out, nothing more is asked.
func (x *run) hasEnded(item Item) bool {
	over, known := false, false
	if x.dark == nil {
		over, known, x.dark = x.Records.Over(x.ctx, item.Job)
	}
	if over && !known && x.dark == nil {
		x.lost[item.Job] = true
	}
	if over && x.dark == nil && item.Kind == Models && !x.unused(item) {
		return false
	}
	switch {
	case x.dark != nil:
		x.inv.leave(item.Kind, item.Path, item.Bytes, "it is not known which jobs run: %v", x.dark)
		x.done.Failed = true
	case !over:
		x.inv.leave(item.Kind, item.Path, item.Bytes, "its job was started again")
	}
	return over && x.dark == nil
}

// unused reports whether no table refers to a model; the tables are read again before the first is removed.
func (x *run) unused(item Item) bool {
	if x.kept == nil && x.dark == nil {
		x.kept, x.dark = x.Records.ModelPaths(x.ctx)
	}
	dir, version := path.Split(item.Path)
	switch {
	case x.dark != nil:
		x.inv.leave(item.Kind, item.Path, item.Bytes,
			"it is not known which models FATE-Flow's tables refer to: %s", x.dark)
		x.done.Failed = true
	case x.kept[path.Base(dir)+"/"+version]:
		x.inv.leave(item.Kind, item.Path, item.Bytes, "FATE-Flow's tables refer to it")
	default:
		return true
	}
	return false
}

// slots removes earlier versions, and finds out what is left.
func (x *run) slots(items []Item) {
	warnings := x.Slots()
	for _, item := range items {
		if !x.Host.Exists(item.Path) {
			x.removed(item)
		}
	}
	for _, w := range warnings {
		x.inv.leave(Slots, "", 0, "%s", w)
		x.done.Failed = true
	}
}

// Backup is an older backup as an item.
func Backup(ctx context.Context, h *host.Host, file string) (Item, error) {
	u, err := h.Measure(ctx, file, host.AnyOwner)
	return Item{Kind: Backups, Path: file, Bytes: u.Bytes, Modified: u.Newest, usage: u}, err
}
