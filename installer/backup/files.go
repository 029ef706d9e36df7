package backup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"fate-installer/installer/host"
)

// TreeNames lists the directories that a backup may have, in the home of FATE-Flow: trained models, and the files of
// jobs.
func TreeNames() []string { return []string{"model_local_cache", "jobs"} }

type treeHead struct {
	Name string `json:"name"`
}

// entryHead begins a file or a directory.
type entryHead struct {
	Path string      `json:"path"` // below the tree
	Mode fs.FileMode `json:"mode"` // permission
}

// Trees are the directories of FATE-Flow on a host. They belong to the service user, who may change them at any moment:
// no link in them is followed.
type Trees struct {
	Host  *host.Host
	Home  string // the directory that they are in
	Owner string // of the files
	Group string

	limit int // of the entries of a directory; 0: entriesLimit
}

// entriesLimit is how many entries a directory may have.
const entriesLimit = 1 << 21

// Size adds up the files that will be written.
func (t Trees) Size(ctx context.Context) (bytes int64, err error) {
	for _, name := range TreeNames() {
		root := path.Join(t.Home, name)
		top, err := t.Host.Lstat(root)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return 0, err
		}
		owner := t.ownerOf(top)
		err = t.walk(ctx, root, "", func(rel string, info fs.FileInfo) error {
			if err := checkEntry(rel, info.IsDir()); err != nil {
				return skip(info)
			}
			if info.Mode().IsRegular() && checkFile(info, owner) == nil {
				bytes = Sum(bytes, info.Size())
			}
			return nil
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return 0, err
		}
	}
	return bytes, nil
}

// skip leaves out what is in a directory.
func skip(info fs.FileInfo) error {
	if info.IsDir() {
		return fs.SkipDir
	}
	return nil
}

// walk calls visit for everything below a directory, a directory before what is in it, which is left out when visit
// returns [fs.SkipDir]. What is removed by then is left out.
func (t Trees) walk(ctx context.Context, root, rel string, visit func(rel string, info fs.FileInfo) error) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	limit := cmp.Or(t.limit, entriesLimit)
	entries, err := t.Host.ListPlain(path.Join(root, rel), limit)
	if err != nil {
		if rel != "" && errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	if len(entries) >= limit {
		return fmt.Errorf("the directory %.200q has %d entries or more", path.Join(root, rel), limit)
	}
	for _, e := range entries {
		name := path.Join(rel, e.Name())
		info, err := t.Host.Lstat(path.Join(root, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		err = visit(name, info)
		if info.IsDir() && errors.Is(err, fs.SkipDir) {
			continue
		}
		if err != nil {
			return err
		}
		if info.IsDir() {
			if err := t.walk(ctx, root, name, visit); err != nil {
				return err
			}
		}
	}
	return nil
}

// Write writes all trees. A file that changes while it is read is read again; one that goes on changing is named in the
// manifest, and so is what is no file.
func (t Trees) Write(ctx context.Context, m *Manifest, w *RecordWriter, progress func(int64)) error {
	for _, name := range TreeNames() {
		root := path.Join(t.Home, name)
		top, err := t.Host.Lstat(root)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("cannot back up %s: %w", root, err)
		}
		if err := w.json(recordTree, treeHead{name}); err != nil {
			return err
		}
		d := treeDump{ctx: ctx, trees: t, root: root, owner: t.ownerOf(top), m: m, w: w, tree: Tree{Name: name},
			progress: progress}
		if err := t.walk(ctx, root, "", d.entry); err != nil {
			return fmt.Errorf("cannot back up %s: %w", root, err)
		}
		m.Trees = append(m.Trees, d.tree)
	}
	return nil
}

// treeDump writes one tree.
type treeDump struct {
	ctx      context.Context
	trees    Trees
	root     string
	owner    uint32 // of the files
	m        *Manifest
	w        *RecordWriter
	tree     Tree
	progress func(int64)
}

func (d *treeDump) entry(rel string, info fs.FileInfo) error {
	regular := info.Mode().IsRegular()
	if err := checkEntry(rel, info.IsDir()); err != nil {
		if (regular || info.IsDir()) && !errors.Is(err, errMarker) {
			d.m.lack(d.tree.Name, rel, err)
		} else {
			d.m.leaveOut(d.tree.Name, rel, err)
		}
		return skip(info)
	}
	head := entryHead{rel, info.Mode().Perm()}
	switch {
	case info.IsDir():
		return d.w.json(recordDir, head)
	case !regular:
		d.m.leaveOut(d.tree.Name, rel, errNotRegular)
		return nil
	}
	size, err := d.writeFile(head)
	var left *leftOutError
	switch {
	case errors.As(err, &left):
		d.m.lack(d.tree.Name, rel, left.why)
		return nil
	case err != nil:
		return err
	case size >= 0:
		d.tree.Files++
		d.tree.Bytes += size
		d.progress(size)
	}
	return nil
}

// A file that changes is read this many times, with a pause between.
const (
	readTries = 4
	readPause = 250 * time.Millisecond
)

// writeFile writes a file. The size is -1 when it was removed before it was read.
func (d *treeDump) writeFile(head entryHead) (size int64, err error) {
	for range readTries {
		f, err := d.trees.Host.OpenPlain(path.Join(d.root, head.Path))
		if errors.Is(err, fs.ErrNotExist) {
			return -1, nil
		}
		if err != nil {
			return 0, &leftOutError{err}
		}
		size, same, err := d.writeOpen(f, head)
		if err = errors.Join(err, f.Close()); err != nil || same {
			return size, err
		}
		select {
		case <-d.ctx.Done():
			return 0, context.Cause(d.ctx)
		case <-time.After(readPause):
		}
	}
	return 0, &leftOutError{errors.New("it changes all the time")}
}

// writeOpen writes an open file, and reports whether it stayed the same.
func (d *treeDump) writeOpen(f *os.File, head entryHead) (size int64, same bool, err error) {
	before, err := f.Stat()
	if err != nil {
		return 0, false, &leftOutError{err}
	}
	if err := checkFile(before, d.owner); err != nil {
		return 0, false, &leftOutError{err}
	}
	head.Mode = before.Mode().Perm()
	if err := d.w.json(recordFile, head); err != nil {
		return 0, false, err
	}
	buf := make([]byte, min(chunkSize, before.Size()+1))
	var failed error
	for failed == nil && size <= before.Size() {
		if d.ctx.Err() != nil {
			return 0, false, context.Cause(d.ctx)
		}
		var n int
		n, failed = f.Read(buf)
		size += int64(n)
		if n > 0 {
			if err := d.w.put(recordChunk, buf[:n]); err != nil {
				return 0, false, err
			}
		}
	}
	after, err := f.Stat()
	if failed != nil && !errors.Is(failed, io.EOF) || err != nil {
		return 0, false, errors.Join(d.w.put(recordVoid, nil), &leftOutError{errors.Join(failed, err)})
	}
	if size != before.Size() || after.Size() != size || !after.ModTime().Equal(before.ModTime()) {
		return 0, false, d.w.put(recordVoid, nil)
	}
	return size, true, d.w.put(recordWhole, nil)
}

// checkPath accepts a relative path that stays below its directory.
func checkPath(p string) error {
	if p == "" || len(p) > maxText || path.Clean(p) != p || path.IsAbs(p) || p == ".." || strings.HasPrefix(p, "../") {
		return fmt.Errorf("the path %.80q is impossible", p)
	}
	return checkText(p)
}

// treeSink takes trees as they are read.
type treeSink interface {
	tree(name string) error
	dir(entryHead) error
	// file is called with what copies the content of the file, and reports whether the file is whole. One that is not
	// does not count: it may come again.
	file(head entryHead, content func(io.Writer) (whole bool, err error)) error
}

// readTrees reads the stream of the files.
func readTrees(r *recordReader, sink treeSink) error {
	inTree := false
	for {
		kind, content, err := r.next()
		if err != nil {
			return err
		}
		switch {
		case kind == recordEnd:
			return nil
		case kind == recordTree:
			var t treeHead
			if err = decode(content, &t); err == nil && !slices.Contains(TreeNames(), t.Name) {
				err = fmt.Errorf("the directory %.40q is none of FATE-Flow's", t.Name)
			}
			if err == nil {
				err = sink.tree(t.Name)
			}
			inTree = true
		case (kind == recordDir || kind == recordFile) && inTree:
			err = readEntry(r, kind, content, sink)
		default:
			err = unexpected(kind)
		}
		if err != nil {
			return err
		}
	}
}

func readEntry(r *recordReader, kind byte, content []byte, sink treeSink) error {
	var head entryHead
	if err := decode(content, &head); err != nil {
		return err
	}
	if err := checkEntry(head.Path, kind == recordDir); err != nil {
		return fmt.Errorf("%.80q is out of place: %w", head.Path, err)
	}
	if head.Mode&^fs.ModePerm != 0 {
		return fmt.Errorf("the mode of %.80q is impossible", head.Path)
	}
	if kind == recordDir {
		return sink.dir(head)
	}
	read := false
	err := sink.file(head, func(w io.Writer) (whole bool, err error) {
		read = true
		return readContent(r, w)
	})
	if err == nil && !read {
		_, err = readContent(r, io.Discard)
	}
	return err
}

// readContent copies the content of a file, up to the record that ends it.
func readContent(r *recordReader, w io.Writer) (whole bool, err error) {
	for {
		kind, content, err := r.next()
		if err != nil {
			return false, err
		}
		switch kind {
		case recordChunk:
			if _, err := w.Write(content); err != nil {
				return false, err
			}
		case recordWhole, recordVoid:
			return kind == recordWhole, nil
		default:
			return false, unexpected(kind)
		}
	}
}

// treeCount counts what it is given.
type treeCount struct{ trees []Tree }

func (c *treeCount) tree(name string) error { c.trees = append(c.trees, Tree{Name: name}); return nil }
func (c *treeCount) dir(entryHead) error    { return nil }
func (c *treeCount) file(_ entryHead, content func(io.Writer) (bool, error)) error {
	var n countWriter
	whole, err := content(&n)
	if whole && err == nil {
		last := &c.trees[len(c.trees)-1]
		last.Files++
		last.Bytes += int64(n)
	}
	return err
}

// countWriter counts bytes.
type countWriter int64

func (n *countWriter) Write(p []byte) (int, error) {
	*n += countWriter(len(p))
	return len(p), nil
}

// compare refuses trees that are not those of the manifest.
func (c *treeCount) compare(want []Tree) error {
	if len(want) != len(c.trees) {
		return fmt.Errorf("the backup has %d directories, and should have %d", len(c.trees), len(want))
	}
	for i, t := range want {
		if c.trees[i] != t {
			return fmt.Errorf("the backup has %s with %d files and %d bytes, and should have %s with %d and %d",
				c.trees[i].Name, c.trees[i].Files, c.trees[i].Bytes, t.Name, t.Files, t.Bytes)
		}
	}
	return nil
}
