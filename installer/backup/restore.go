package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"fate-installer/installer/host"
)

// Restore puts the content of a backup on a host in three moves, each of which may be repeated after it was cut off:
//
//   - Stage loads the tables into a database of their own and the files into directories of their own. What is in use
//     is not touched.
//   - Swap lets both take the place of what is in use, which takes theirs. Nothing must use it during that.
//   - Clean removes what was in use before.
type Restore struct {
	Archive *Archive
	Sealed  *Sealed
	Tables  *Tables // nil: this host runs no database server
	Trees   *Trees  // nil: this host does not run FATE-Flow
	Bytes   func(done int64)

	Jobs int64 // ended by Stage, because they ran when the backup was made

	done int64
}

// Fits refuses a backup whose content the programs of this host cannot use.
func (r *Restore) Fits(ctx context.Context) error {
	if _, trees := r.has(); trees {
		for _, t := range r.Archive.manifest.Trees {
			if err := r.Trees.exchangeable(t.Name); err != nil {
				return err
			}
		}
	}
	db := r.Archive.manifest.Database
	if db == nil || r.Tables == nil {
		return nil
	}
	if db.Schema != r.Tables.Schema {
		return fmt.Errorf("its database is called %s, and the one here is %s", db.Schema, r.Tables.Schema)
	}
	flavour, version, err := r.Tables.Server(ctx)
	if err != nil {
		return err
	}
	return db.fits(flavour, version)
}

// FitsServer refuses a backup whose tables a server of this flavour, mysql or mariadb, and version cannot have.
func (m *Manifest) FitsServer(flavour, version string) error {
	if m.Database == nil {
		return nil
	}
	return m.Database.fits(flavour, version)
}

// has reports which parts of the backup have a place on this host.
func (r *Restore) has() (tables, trees bool) {
	return r.Tables != nil && r.Archive.manifest.Database != nil, r.Trees != nil && len(r.Archive.manifest.Trees) > 0
}

func (r *Restore) progress(n int64) {
	if r.done += n; r.Bytes != nil {
		r.Bytes(r.done)
	}
}

// Stage loads everything next to what is in use. What an earlier run has staged is removed first.
func (r *Restore) Stage(ctx context.Context) error {
	tables, trees := r.has()
	if trees {
		sink := &treeWriter{ctx: ctx, r: r}
		if err := r.Archive.stream(ctx, r.Sealed, streamFiles, func(in *recordReader) error {
			return readTrees(in, sink)
		}); err != nil {
			return err
		}
		if err := sink.count.compare(r.Archive.manifest.Trees); err != nil {
			return err
		}
		for _, t := range r.Archive.manifest.Trees {
			if err := r.Trees.Host.SyncAll(r.Trees.staged(t.Name)); err != nil {
				return err
			}
		}
	}
	if !tables {
		return nil
	}
	if err := r.Tables.clean(ctx); err != nil {
		return err
	}
	var loaded []Table
	if err := r.Archive.stream(ctx, r.Sealed, streamDatabase, func(in *recordReader) (err error) {
		loaded, err = r.Tables.load(ctx, in, r.progress)
		return err
	}); err != nil {
		return err
	}
	if err := (&tableCount{tables: loaded}).compare(r.Archive.manifest.Database); err != nil {
		return err
	}
	var err error
	r.Jobs, err = r.Tables.settle(ctx)
	return err
}

// Drop removes what an earlier run has staged. It is for a restore that has swapped nothing.
func (r *Restore) Drop(ctx context.Context) error {
	if r.Trees != nil {
		for _, name := range TreeNames() {
			if err := r.Trees.Host.RemoveAll(r.Trees.staged(name)); err != nil {
				return err
			}
		}
	}
	if r.Tables != nil {
		return r.Tables.exec(ctx, "DROP DATABASE IF EXISTS "+quote(r.Tables.staged()))
	}
	return nil
}

// Swap lets what is staged take the place of what is in use.
func (r *Restore) Swap(ctx context.Context) error {
	tables, trees := r.has()
	if tables {
		if err := r.Tables.swap(ctx); err != nil {
			return err
		}
	}
	if !trees {
		return nil
	}
	for _, t := range r.Archive.manifest.Trees {
		if err := r.Trees.swap(t.Name); err != nil {
			return fmt.Errorf("cannot put %s in its place: %w", t.Name, err)
		}
	}
	return nil
}

// Compare compares what is in use with what was restored.
func (r *Restore) Compare(ctx context.Context) error {
	if tables, _ := r.has(); tables {
		return r.Tables.compare(ctx, r.Archive.manifest.Database.Tables)
	}
	return nil
}

// Clean removes what was in use before the swap.
func (r *Restore) Clean(ctx context.Context) error {
	tables, trees := r.has()
	if trees {
		for _, t := range r.Archive.manifest.Trees {
			if err := r.Trees.clean(t.Name); err != nil {
				return err
			}
		}
	}
	if tables {
		return r.Tables.clean(ctx)
	}
	return nil
}

// staged is where a tree is until it takes its place, and where the former one is after that.
func (t Trees) staged(name string) string { return path.Join(t.Home, "."+name+".fate-restore") }

// exchangeable refuses a tree that cannot change places with a staged one, because it is on a file system of its own or
// has one in it.
func (t Trees) exchangeable(name string) error {
	live := path.Join(t.Home, name)
	if !t.Host.Exists(live) {
		return nil
	}
	home, err := t.Host.Device(t.Home)
	if err != nil {
		return err
	}
	own, err := t.Host.Device(live)
	if err != nil {
		return err
	}
	mounts, err := t.Host.Mounts(live)
	if err != nil {
		return err
	}
	if own == home && len(mounts) == 0 {
		return nil
	}
	return fmt.Errorf("%s has a file system of its own, and cannot change places with what is loaded: mount that file "+
		"system at %s or above it instead", live, t.Home)
}

// marker is a file in a restored tree, by which a later run tells it from the former one.
const marker = ".fate-restored"

// swap exchanges a tree with the one in use. It does nothing where that was done.
func (t Trees) swap(name string) error {
	live, staged := path.Join(t.Home, name), t.staged(name)
	if err := t.Host.MendExchange(live); err != nil {
		return err
	}
	if t.Host.Exists(path.Join(live, marker)) {
		return t.Host.EndExchange(live, staged)
	}
	if !t.Host.Exists(path.Join(staged, marker)) {
		return errors.New("what was staged is not there any more")
	}
	if !t.Host.Exists(live) {
		return t.Host.Rename(staged, live)
	}
	return t.Host.Exchange(live, staged)
}

// clean removes the former tree, and then the marker: without the marker a run would swap again.
func (t Trees) clean(name string) error {
	err := t.Host.EndExchange(path.Join(t.Home, name), t.staged(name))
	if err = errors.Join(err, t.Host.RemoveAll(t.staged(name))); err != nil {
		return fmt.Errorf("cannot remove the former %s: %w", name, err)
	}
	return t.Host.Remove(path.Join(t.Home, name, marker))
}

// treeWriter stages trees.
type treeWriter struct {
	ctx   context.Context
	r     *Restore
	root  string
	count treeCount
	seen  map[string]bool // directories that were made
}

func (w *treeWriter) mode(perm entryHead) host.FileMode {
	return host.FileMode{Perm: perm.Mode | 0o600, Owner: w.r.Trees.Owner, Group: w.r.Trees.Group}
}

func (w *treeWriter) tree(name string) error {
	t := w.r.Trees
	w.root, w.seen = t.staged(name), map[string]bool{".": true}
	if err := t.Host.RemoveAll(w.root); err != nil {
		return err
	}
	if err := t.Host.Mkdir(w.root, host.FileMode{Perm: 0o755, Owner: t.Owner, Group: t.Group}); err != nil {
		return err
	}
	if err := t.Host.WriteNew(path.Join(w.root, marker), w.mode(entryHead{}), func(io.Writer) error {
		return nil
	}); err != nil {
		return err
	}
	return w.count.tree(name)
}

func (w *treeWriter) dir(head entryHead) error {
	if err := w.ctx.Err(); err != nil {
		return context.Cause(w.ctx)
	}
	if err := w.inside(head); err != nil {
		return err
	}
	head.Mode |= 0o700
	w.seen[head.Path] = true
	return w.r.Trees.Host.Mkdir(path.Join(w.root, head.Path), w.mode(head))
}

// inside refuses an entry whose directory did not come before it.
func (w *treeWriter) inside(head entryHead) error {
	if !w.seen[path.Dir(head.Path)] {
		return fmt.Errorf("%.80q is out of place", head.Path)
	}
	return nil
}

func (w *treeWriter) file(head entryHead, content func(io.Writer) (bool, error)) error {
	if err := w.ctx.Err(); err != nil {
		return context.Cause(w.ctx)
	}
	if err := w.inside(head); err != nil {
		return err
	}
	target, whole := path.Join(w.root, head.Path), false
	err := w.r.Trees.Host.WriteNew(target, w.mode(head), func(out io.Writer) error {
		return w.count.file(head, func(n io.Writer) (bool, error) {
			var err error
			whole, err = content(io.MultiWriter(out, n, progressWriter{w.r}))
			return whole, err
		})
	})
	if err == nil && !whole { // it changed while it was read for the backup
		err = w.r.Trees.Host.Remove(target)
	}
	return err
}

// progressWriter reports bytes of files.
type progressWriter struct{ r *Restore }

func (p progressWriter) Write(b []byte) (int, error) {
	p.r.progress(int64(len(b)))
	return len(b), nil
}

// Describe says in one line what the backup is of.
func (m *Manifest) Describe() string {
	var b strings.Builder
	if m.Role == "exchange" {
		b.WriteString("exchange")
	} else {
		fmt.Fprintf(&b, "%s of party %d", m.Role, m.Party)
	}
	fmt.Fprintf(&b, " at %s, FATE %s, made %s UTC on %s", m.IP, m.FATE, m.Made.UTC().Format(time.DateTime), m.Host)
	return b.String()
}
