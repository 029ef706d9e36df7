package beneath

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/unix"
)

// CopyOptions say how [Place.CopyTree] copies.
type CopyOptions struct {
	Link        bool                  // files share their content with the original, where both are on one file system
	Skip        func(rel string) bool // leaves out a file or directory, by its path below the tree; may be nil
	Progress    func(done int64)      // bytes of files that were dealt with; may be nil
	Interrupted func() error          // why to stop, or nil
}

// CopyTree copies a directory with permissions, owners, times and links to a place where nothing is. Until it is
// complete no other user can enter the copy. Sockets, pipes and devices are left out. After an error the copy is
// not complete.
func (p *Place) CopyTree(to *Place, o CopyOptions) error {
	c := copier{CopyOptions: o}
	return c.dir(p.fd(), p.name, to.fd(), to.name, "", p.real())
}

// copier is a copy under way.
type copier struct {
	CopyOptions
	done  int64
	depth int
}

// errTooDeep is the cause when directories are nested deeper than any installed tree is.
var errTooDeep = errors.New("directories are nested too deep")

// dir copies the directory name of from to the new directory target of to.
func (c *copier) dir(from int, name string, to int, target, rel, path string) error {
	if err := c.Interrupted(); err != nil {
		return err
	}
	if c.depth++; c.depth > maxDepth {
		return &fs.PathError{Op: "copy", Path: path, Err: errTooDeep}
	}
	defer func() { c.depth-- }()
	fd, err := openat(from, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return &fs.PathError{Op: "copy", Path: path, Err: err}
	}
	source := os.NewFile(uintptr(fd), path)
	defer source.Close()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return &fs.PathError{Op: "copy", Path: path, Err: err}
	}
	if err := unix.Mkdirat(to, target, 0o700); err != nil {
		return &fs.PathError{Op: "mkdir", Path: path, Err: err}
	}
	into, err := openat(to, target, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return &fs.PathError{Op: "copy", Path: path, Err: err}
	}
	defer unix.Close(into)
	for {
		names, err := source.Readdirnames(1000) // a directory may have any number of entries
		for _, name := range names {
			if err := c.entry(fd, name, into, filepath.Join(rel, name), filepath.Join(path, name)); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	// Last, since the mode may lock this user out, and the owner may change what is below.
	if err := attributes(into, &st); err != nil {
		return &fs.PathError{Op: "copy", Path: path, Err: err}
	}
	return nil
}

func (c *copier) entry(from int, name string, to int, rel, path string) error {
	if c.Skip != nil && c.Skip(rel) {
		return nil
	}
	var st unix.Stat_t
	if err := unix.Fstatat(from, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return &fs.PathError{Op: "copy", Path: path, Err: err}
	}
	var err error
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return c.dir(from, name, to, name, rel, path)
	case unix.S_IFLNK:
		err = copyLink(from, name, to, &st)
	case unix.S_IFREG:
		err = c.file(from, name, to, path, &st)
	default:
		return nil // sockets and pipes are made by the programs that use them
	}
	if _, ok := err.(unix.Errno); ok {
		return &fs.PathError{Op: "copy", Path: path, Err: err}
	}
	return err
}

func copyLink(from int, name string, to int, st *unix.Stat_t) error {
	target, err := readlinkat(from, name)
	if err != nil {
		return err
	}
	if err := unix.Symlinkat(target, to, name); err != nil || os.Geteuid() != 0 {
		return err
	}
	return unix.Fchownat(to, name, int(st.Uid), int(st.Gid), unix.AT_SYMLINK_NOFOLLOW)
}

// ownedLikeDirectory reports whether a file may get a second name: one that is not of the owner of its directory, such
// as root's record in the tree of a component, is not read by root any more once it has one.
func ownedLikeDirectory(dir int, file *unix.Stat_t) bool {
	var st unix.Stat_t
	return unix.Fstat(dir, &st) == nil && st.Uid == file.Uid
}

func (c *copier) file(from int, name string, to int, path string, found *unix.Stat_t) error {
	if err := c.Interrupted(); err != nil {
		return err
	}
	c.done += found.Size
	if c.Progress != nil {
		defer func() { c.Progress(c.done) }()
	}
	if c.Link && ownedLikeDirectory(from, found) {
		if err := unix.Linkat(from, name, to, name, 0); err != unix.EXDEV {
			return err
		}
	}
	// The owner of the tree may have put something else in the place of the file by now: what is opened is looked at
	// again, and the copy gets the owner of what was really read.
	fd, err := openat(from, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return err
	}
	in := os.NewFile(uintptr(fd), path)
	defer in.Close()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return &fs.PathError{Op: "copy", Path: path, Err: ErrNotFile}
	}
	fd, err = openat(to, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	out := os.NewFile(uintptr(fd), path)
	err = copyData(out, in, &st)
	if err == nil {
		err = attributes(fd, &st)
	}
	return errors.Join(err, out.Close())
}

// copyData copies the content of a file, as long as it was when it was looked at: its owner may make it longer, and go
// on with that. Holes stay holes: a file of any length that uses no space must not fill the disk.
func copyData(out, in *os.File, st *unix.Stat_t) error {
	if st.Blocks*512 >= st.Size {
		_, err := io.CopyN(out, in, st.Size) // by the kernel, which shares the blocks where the file system can
		if err == io.EOF {
			return nil // it became shorter
		}
		return err
	}
	for at := int64(0); at < st.Size; {
		data, err := unix.Seek(int(in.Fd()), at, unix.SEEK_DATA)
		switch {
		case err == unix.ENXIO: // nothing but a hole is left
			return out.Truncate(st.Size)
		case err != nil:
			return err
		}
		end, err := unix.Seek(int(in.Fd()), data, unix.SEEK_HOLE)
		if err != nil {
			return err
		}
		if end = min(end, st.Size); end <= data {
			break // it became longer
		}
		if _, err := out.Seek(data, io.SeekStart); err != nil {
			return err
		}
		if _, err := in.Seek(data, io.SeekStart); err != nil {
			return err
		}
		if _, err := io.CopyN(out, in, end-data); err != nil && err != io.EOF {
			return err
		}
		at = end
	}
	return out.Truncate(st.Size)
}

// attributes gives an open copy the owner, permission and times of its original, in this order: a change of owner takes
// set-uid bits away. Only root can change the owner, and needs to.
func attributes(fd int, st *unix.Stat_t) error {
	if os.Geteuid() == 0 {
		if err := unix.Fchown(fd, int(st.Uid), int(st.Gid)); err != nil {
			return err
		}
	}
	if err := unix.Fchmod(fd, st.Mode&0o7777); err != nil {
		return err
	}
	// utimensat of an open file is futimens(3), which package unix does not have.
	times := [2]unix.Timespec{st.Mtim, st.Mtim}
	// #nosec G103 -- utimensat(2) takes two times, which live until it returns
	_, _, errno := unix.Syscall6(unix.SYS_UTIMENSAT, uintptr(fd), 0, uintptr(unsafe.Pointer(&times)), 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}
