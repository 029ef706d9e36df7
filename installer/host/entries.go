package host

import (
	"io/fs"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func (f *fileSystem) eachEntry(abs string, visit func(fs.DirEntry) error) error {
	dir, err := f.root.OpenReadDir(abs)
	if err != nil {
		return err
	}
	defer dir.Close()
	entries, err := readDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := visit(dirEntry{e, dir}); err != nil {
			return err
		}
	}
	return nil
}

// dirEntry is an entry of an open directory. The entries that package os lists are looked up by their whole paths.
type dirEntry struct {
	fs.DirEntry
	dir *os.File
}

// Info describes the entry, which is not followed when it is a link.
func (e dirEntry) Info() (fs.FileInfo, error) {
	info := &entryInfo{name: e.Name()}
	for {
		err := unix.Fstatat(int(e.dir.Fd()), e.Name(), &info.st, unix.AT_SYMLINK_NOFOLLOW)
		switch err {
		case nil:
			return info, nil
		case unix.EINTR:
		default:
			return nil, &fs.PathError{Op: "lstat", Path: e.dir.Name() + "/" + e.Name(), Err: err}
		}
	}
}

// entryInfo is what fstatat(2) says of an entry, without its owner: Sys is nil.
type entryInfo struct {
	name string
	st   unix.Stat_t
}

func (i *entryInfo) Name() string       { return i.name }
func (i *entryInfo) Size() int64        { return i.st.Size }
func (i *entryInfo) ModTime() time.Time { return time.Unix(i.st.Mtim.Unix()) }
func (i *entryInfo) IsDir() bool        { return i.Mode().IsDir() }
func (i *entryInfo) Sys() any           { return nil }

// Mode has the bits of inode(7) as package os has them.
func (i *entryInfo) Mode() fs.FileMode {
	mode := fs.FileMode(i.st.Mode & 0o777)
	switch i.st.Mode & syscall.S_IFMT {
	case syscall.S_IFDIR:
		mode |= fs.ModeDir
	case syscall.S_IFLNK:
		mode |= fs.ModeSymlink
	case syscall.S_IFIFO:
		mode |= fs.ModeNamedPipe
	case syscall.S_IFSOCK:
		mode |= fs.ModeSocket
	case syscall.S_IFBLK:
		mode |= fs.ModeDevice
	case syscall.S_IFCHR:
		mode |= fs.ModeDevice | fs.ModeCharDevice
	}
	if i.st.Mode&syscall.S_ISUID != 0 {
		mode |= fs.ModeSetuid
	}
	if i.st.Mode&syscall.S_ISGID != 0 {
		mode |= fs.ModeSetgid
	}
	if i.st.Mode&syscall.S_ISVTX != 0 {
		mode |= fs.ModeSticky
	}
	return mode
}
