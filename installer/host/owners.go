package host

import (
	"io/fs"
	"os"
	"strconv"
	"syscall"

	"fate-installer/installer/host/beneath"
)

// Owner returns the names of the owner and the group of a file, or decimal ids where the tree has no name for them.
func (h *Host) Owner(abs string) (owner, group string, err error) {
	fi, err := h.Lstat(abs)
	if err != nil {
		return "", "", err
	}
	owner, group = h.ownerOf(abs, fi)
	return owner, group, nil
}

func (h *Host) ownerOf(abs string, fi fs.FileInfo) (owner, group string) {
	if h.owners != nil {
		e := h.owners.lookup(abs)
		return e.Owner, e.Group
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return "", ""
	}
	owner, group = strconv.Itoa(int(st.Uid)), strconv.Itoa(int(st.Gid))
	if u, err := h.LookupUser(owner); err == nil {
		owner = u.Name
	}
	if g, err := h.LookupGroup(group); err == nil {
		group = g.Name
	}
	return owner, group
}

// Chown gives a file (a link itself, not what it leads to) to an owner and a group; empty names are left alone.
func (h *Host) Chown(abs, owner, group string) error {
	if owner == "" && group == "" {
		return nil
	}
	if err := h.mayChange("chown", abs); err != nil {
		return err
	}
	return h.files.at("chown", abs, func(p *beneath.Place) error { return h.chownPlace(p, abs, owner, group) })
}

func (h *Host) chownPlace(p *beneath.Place, abs, owner, group string) error {
	if owner == "" && group == "" {
		return nil
	}
	if err := h.try(OpChown, abs); err != nil {
		return err
	}
	if h.owners != nil {
		return h.owners.set(abs, owner, group, false)
	}
	uid, gid, err := h.IDs(owner, group)
	if err != nil {
		return err
	}
	fi, err := p.Lstat()
	if err != nil {
		return err
	}
	if sameIDs(fi, uid, gid) {
		return nil // an unprivileged process may not even repeat it
	}
	return p.Chown(uid, gid)
}

// RecordOwners notes, in a tree that is not "/", that everything below abs belongs to an owner and a group. On the
// running machine the writer of the files sets their owner.
func (h *Host) RecordOwners(abs, owner, group string) error {
	if h.owners == nil {
		return nil
	}
	return h.owners.set(abs, owner, group, true)
}

// setOwner is Chown for an open new file.
func (h *Host) setOwner(temp string, f *os.File, mode FileMode) error {
	if mode.Owner == "" && mode.Group == "" {
		return nil
	}
	if h.owners != nil {
		return h.Chown(temp, mode.Owner, mode.Group)
	}
	uid, gid, err := h.IDs(mode.Owner, mode.Group)
	if err != nil {
		return err
	}
	fi, err := f.Stat()
	if err != nil || sameIDs(fi, uid, gid) {
		return err
	}
	return f.Chown(uid, gid)
}

func sameIDs(fi fs.FileInfo, uid, gid int) bool {
	st, ok := fi.Sys().(*syscall.Stat_t)
	return ok && (uid < 0 || uid == int(st.Uid)) && (gid < 0 || gid == int(st.Gid))
}
