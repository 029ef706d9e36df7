package step

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"fate-installer/installer/engine"
	"fate-installer/installer/host"
)

// ReplacedFiles is a directory in a tree with the files that an operator had changed and that were replaced by those of
// the component, below the time of the replacement. It is kept like data.
const ReplacedFiles = ".fate-replaced"

// replacedTime is the form of the names in ReplacedFiles, in UTC.
const replacedTime = "20060102T150405.000Z"

// inTheWayError means that a file cannot be put back because of what is in its place.
type inTheWayError struct{ at string }

func (e inTheWayError) Error() string {
	return fmt.Sprintf("cannot put %s back: a directory is in its place", e.at)
}

// Repeat says what to do before the command is run again.
func (e inTheWayError) Repeat() (before, after string) {
	return fmt.Sprintf("move it away: mv %s %s.old; then", e.at, e.at), ""
}

// repair puts what is missing or changed of the installed version back in its place, file by file, and touches nothing
// else. What was changed is moved to ReplacedFiles.
func (u Unpack) repair(ctx context.Context, env *engine.Env, inv inventory, state TreeState) error {
	wanted := slices.Concat(state.Missing, state.Changed)
	for i := range wanted {
		wanted[i] = strings.TrimSuffix(wanted[i], "/")
	}
	if inv == nil {
		wanted = nil // without a list: all that the component has
	}
	if err := u.extract(ctx, env, wanted); err != nil {
		return errors.Join(err, env.Host.RemoveAll(u.staging()))
	}
	brought, err := u.takeInventory(env, u.staging())
	if err != nil {
		return err
	}
	r := repairer{u: u, env: env, aside: path.Join(u.Target, ReplacedFiles, time.Now().UTC().Format(replacedTime))}
	if inv == nil {
		inv = inventory{}
		wanted = slices.Collect(maps.Keys(brought))
	}
	slices.Sort(wanted) // directories before what is in them
	for _, name := range wanted {
		if err := ctx.Err(); err != nil {
			return err
		}
		if what, ok := brought[name]; ok {
			if err := r.putBack(name, what); err != nil {
				return err
			}
			if inv[name], err = u.placed(env, name, what); err != nil {
				return err
			}
		}
	}
	if err := writeInventory(env, u.Target, inv); err != nil {
		return err
	}
	return env.Host.RemoveAll(u.staging())
}

// placed describes an entry as it is now in the tree: one with the right content may have another time.
func (u Unpack) placed(env *engine.Env, name string, what listed) (listed, error) {
	if what.kind != 'f' {
		return what, nil
	}
	fi, err := env.Host.Lstat(path.Join(u.Target, name))
	if err != nil {
		return what, err
	}
	if fi.Mode().IsRegular() && fi.Size() == what.size {
		what.mtime = fi.ModTime().Unix()
	}
	return what, nil
}

// repairer is a repair under way.
type repairer struct {
	u     Unpack
	env   *engine.Env
	aside string // directory for what is replaced
}

// putBack puts an entry of the staged part into the tree.
func (r *repairer) putBack(name string, what listed) error {
	from, to := path.Join(r.u.staging(), name), path.Join(r.u.Target, name)
	if err := makeDirsLike(r.env, path.Dir(name), r.u.staging(), r.u.Target); err != nil {
		return err
	}
	now, err := r.env.Host.Lstat(to)
	switch {
	case notExist(err):
	case err != nil:
		return err
	case what.kind == 'd' && now.IsDir():
		return nil
	case now.IsDir():
		return inTheWayError{to}
	case what.kind == 'f' && now.Mode().IsRegular():
		same, err := sameContent(r.env.Host, from, to)
		if err != nil {
			return err
		}
		if same {
			return r.env.Host.SetMode(to, host.FileMode{Perm: what.perm})
		}
		if isConfiguration(name) {
			return nil // an edit
		}
		fallthrough
	default:
		if err := r.setAside(name); err != nil {
			return err
		}
	}
	if what.kind == 'd' {
		return makeDirsLike(r.env, name, r.u.staging(), r.u.Target)
	}
	return r.env.Host.Rename(from, to)
}

// setAside moves a changed entry of the tree to the directory for what is replaced.
func (r *repairer) setAside(name string) error {
	return moveInto(r.env, r.u, path.Join(r.u.Target, name), path.Join(r.aside, name))
}

// moveInto moves a file or directory to a place in a directory of ours, whose directories are made.
func moveInto(env *engine.Env, u Unpack, from, to string) error {
	if err := env.Host.MkdirAll(path.Dir(to), host.FileMode{Perm: 0o750, Owner: u.Owner, Group: u.Group}); err != nil {
		return err
	}
	return env.Host.Rename(from, to)
}

// sameContent compares two files.
func sameContent(h *host.Host, a, b string) (bool, error) {
	first, err := h.Open(a)
	if err != nil {
		return false, err
	}
	defer first.Close()
	second, err := h.Open(b)
	if err != nil { // such as a hard link to a file from elsewhere: it is not the component's
		return false, nil
	}
	defer second.Close()
	one, two := make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		n, err1 := io.ReadFull(first, one)
		m, err2 := io.ReadFull(second, two)
		if n != m || string(one[:n]) != string(two[:m]) {
			return false, nil
		}
		end1, end2 := isEnd(err1), isEnd(err2)
		switch {
		case err1 != nil && !end1:
			return false, err1
		case err2 != nil && !end2:
			return false, err2
		case end1 || end2:
			return end1 == end2, nil
		}
	}
}

func isEnd(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }

// extract unpacks the component, or some entries of it, next to the target.
func (u Unpack) extract(ctx context.Context, env *engine.Env, entries []string) error {
	if env.Payload == nil {
		return fmt.Errorf("cannot unpack %s: there is no payload", u.Component)
	}
	if err := makeParents(env, u.Target); err != nil {
		return err
	}
	uid, gid := -1, -1
	if env.Host.IsSystem() {
		var err error
		if uid, gid, err = env.Host.IDs(u.Owner, u.Group); err != nil {
			return err
		}
	}
	target, progress := env.Host.Path(u.staging()), env.ProgressOf(u)
	var err error
	if parts, ok := env.Payload.(engine.PartPayload); ok && entries != nil {
		err = parts.ExtractFiles(ctx, u.Component, target, entries, uid, gid, progress)
	} else {
		err = env.Payload.Extract(ctx, u.Component, target, uid, gid, progress)
	}
	if err != nil {
		return fmt.Errorf("cannot unpack %s: %w", u.Component, err)
	}
	return env.Host.RecordOwners(u.staging(), u.Owner, u.Group)
}
