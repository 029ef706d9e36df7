package host

import (
	"errors"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"fate-installer/installer/host/beneath"
)

// PathFact describes one path and the filesystem it is, or will be, on. Sizes are in bytes.
type PathFact struct {
	Path       string   `json:"path"`
	Exists     bool     `json:"exists"`
	Directory  bool     `json:"directory"`
	Empty      bool     `json:"empty"`    // an existing directory without entries
	Ancestor   string   `json:"ancestor"` // the path itself, or its closest existing parent
	UID        int      `json:"uid"`      // owner of Ancestor
	GID        int      `json:"gid"`      //
	Mode       uint32   `json:"mode"`     // permission bits of Ancestor
	Mount      string   `json:"mount"`    // mount point of the filesystem
	Type       string   `json:"type"`     // xfs, ext4, overlay
	Options    []string `json:"options"`  // of the mount
	Device     uint64   `json:"device"`   // tells filesystems apart
	Size       uint64   `json:"size"`     //
	Free       uint64   `json:"free"`     // what a user other than root may still use
	Inodes     uint64   `json:"inodes"`   // 0 on filesystems that make them as needed (btrfs)
	InodesFree uint64   `json:"inodes_free"`
	NoDType    bool     `json:"no_dtype"`             // directory entries carry no type: xfs made with ftype=0
	Unwritable string   `json:"unwritable,omitempty"` // why not even root can write into Ancestor

	// attribute of Ancestor that keeps root from changing it: i or a, as chattr has them
	Guard  string `json:"guard,omitempty"`
	Broken string `json:"broken,omitempty"` // the path, or a directory above it, that is a link to nothing
	Target string `json:"target,omitempty"` // of Broken, as it is written
	// directories that Ancestor is really reached through, where a link leads there
	Way []PathWay `json:"way,omitempty"`
}

// PathWay is a directory on the way to a path.
type PathWay struct {
	Path string `json:"path"`
	UID  int    `json:"uid"`
	GID  int    `json:"gid"`
	Mode uint32 `json:"mode"` // permission bits
}

// ReadOnly reports whether nothing can be written.
func (p PathFact) ReadOnly() bool { return slices.Contains(p.Options, "ro") }

// NoExec reports whether programs there cannot be started.
func (p PathFact) NoExec() bool { return slices.Contains(p.Options, "noexec") }

// PathFact gives the facts of a path that Gather was asked for.
func (f *Facts) PathFact(name string) (PathFact, bool) {
	i := slices.IndexFunc(f.Paths, func(p PathFact) bool { return p.Path == name })
	if i < 0 {
		return PathFact{}, false
	}
	return f.Paths[i], true
}

func (g *gatherer) paths(wanted []string) {
	if len(wanted) == 0 {
		return
	}
	mounts := parseMountInfo(string(g.read("mounts", "/proc/self/mountinfo")))
	for _, name := range wanted {
		fact, err := g.path(path.Clean(name), mounts)
		if err != nil {
			g.unknown("path "+name, err)
		}
		fact.Path = name
		g.f.Paths = append(g.f.Paths, fact)
	}
}

func (g *gatherer) path(name string, mounts []mount) (PathFact, error) {
	var fact PathFact
	fact.Ancestor = name
	info, err := g.h.Stat(name)
	for errors.Is(err, fs.ErrNotExist) && fact.Ancestor != "/" {
		if target, err := g.h.Readlink(fact.Ancestor); err == nil {
			fact.Broken, fact.Target = fact.Ancestor, target
		}
		fact.Ancestor = path.Dir(fact.Ancestor)
		info, err = g.h.Stat(fact.Ancestor)
	}
	if err != nil {
		return fact, err
	}
	fact.Exists = fact.Ancestor == name
	fact.Directory = fact.Exists && info.IsDir()
	fact.Mode = uint32(info.Mode().Perm())
	if fact.Directory {
		entries, err := g.h.ReadDir(name)
		fact.Empty = err == nil && len(entries) == 0
	}
	var st unix.Stat_t
	real := g.h.Path(fact.Ancestor)
	if err := unix.Stat(real, &st); err != nil {
		return fact, &fs.PathError{Op: "stat", Path: real, Err: err}
	}
	fact.UID, fact.GID, fact.Device = int(st.Uid), int(st.Gid), uint64(st.Dev)
	if m, ok := mountOf(mounts, g.real(fact.Ancestor)); ok {
		fact.Mount, fact.Type, fact.Options = m.point, m.fstype, m.options
	}
	if way := g.real(fact.Ancestor); way != fact.Ancestor {
		fact.Way = wayTo(way)
	}
	if err := unix.Access(real, unix.W_OK); errors.Is(err, unix.EROFS) || errors.Is(err, unix.EPERM) {
		fact.Unwritable = err.Error() // EPERM: it is marked as immutable
	}
	fact.Guard, err = g.h.guard(fact.Ancestor)
	g.unreadable("attributes", err)
	err = statfs(real, &fact)
	return fact, err
}

// real follows symbolic links on the running machine, where /data may lead to another disk; a tree's mounts are
// fixtures.
func (g *gatherer) real(name string) string {
	if g.f.Rooted {
		return name
	}
	if target, err := filepath.EvalSymlinks(name); err == nil {
		return target
	}
	return name
}

// wayTo lists the directories of a path without links, from the outermost to itself.
func wayTo(real string) []PathWay {
	var out []PathWay
	for dir := real; dir != "/" && dir != "."; dir = path.Dir(dir) {
		var st unix.Stat_t
		if unix.Stat(dir, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR {
			out = append(out, PathWay{Path: dir, UID: int(st.Uid), GID: int(st.Gid), Mode: st.Mode & 0o7777})
		}
	}
	slices.Reverse(out)
	return out
}

func statfs(real string, fact *PathFact) error {
	var st unix.Statfs_t
	if err := unix.Statfs(real, &st); err != nil {
		return &fs.PathError{Op: "statfs", Path: real, Err: err}
	}
	fact.Size, fact.Free = sizes(&st)
	fact.Inodes, fact.InodesFree = st.Files, st.Ffree
	// The flags are this path's own even when the mount table is not to be read (chroot, hidepid).
	for flag, option := range map[int64]string{unix.ST_RDONLY: "ro", unix.ST_NOEXEC: "noexec",
		unix.ST_NOSUID: "nosuid"} {
		if int64(st.Flags)&flag != 0 && !slices.Contains(fact.Options, option) {
			fact.Options = append(fact.Options, option)
		}
	}
	fact.NoDType = fact.Type == "xfs" && lacksDType(real)
	return nil
}

// sizes returns the size of a filesystem and what is free for a user other than root, both in bytes. Bfree would count
// what the filesystem reserves for root, 5 % on ext4: FATE's programs do not run as root.
func sizes(st *unix.Statfs_t) (size, free uint64) {
	block := uint64(st.Frsize)
	if block == 0 {
		block = uint64(st.Bsize)
	}
	return st.Blocks * block, st.Bavail * block
}

// lacksDType reads a directory the way the C library does and looks whether even "." has no type.
func lacksDType(dir string) bool {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	buf := make([]byte, 4096)
	n, err := unix.Getdents(fd, buf)
	// linux_dirent64: inode (8), offset (8), record length (2), type (1).
	const typeOffset = 18
	return err == nil && n > typeOffset && buf[typeOffset] == unix.DT_UNKNOWN
}

// mount is one line of /proc/self/mountinfo.
type mount struct {
	point, fstype string
	options       []string // of the mount point, and ro of the super options
	super         []string // of the file system as a whole
}

// parseMountInfo reads the format of proc(5): id, parent, device, root, mount point, options, optional fields, "-",
// filesystem type, source, super options.
func parseMountInfo(text string) []mount {
	var mounts []mount
	for line := range strings.Lines(text) {
		before, after, ok := strings.Cut(line, " - ")
		left, right := strings.Fields(before), strings.Fields(after)
		if !ok || len(left) < 6 || len(right) < 1 {
			continue
		}
		options := strings.Split(left[5], ",")
		var super []string
		if len(right) > 2 {
			super = strings.Split(right[2], ",")
		}
		// A filesystem that is read-only as a whole says so only in the super options.
		if slices.Contains(super, "ro") && !slices.Contains(options, "ro") {
			options = append(options, "ro")
		}
		mounts = append(mounts, mount{beneath.Unescape(left[4]), right[0], options, super})
	}
	return mounts
}

// mountOf finds the mount that a path is on: the longest mount point above it and, of two at the same point, the later,
// which hides the earlier.
func mountOf(mounts []mount, name string) (mount, bool) {
	best, found := mount{}, false
	for _, m := range mounts {
		if (m.point == "/" || name == m.point || strings.HasPrefix(name, m.point+"/")) &&
			len(m.point) >= len(best.point) {
			best, found = m, true
		}
	}
	return best, found
}
