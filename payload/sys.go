package payload

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// checkFileSystem refuses, before anything is written, what cannot succeed.
func checkFileSystem(parent *os.File, size int64, o ExtractOptions) error {
	dir := parent.Name()
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(parent.Fd()), &st); err != nil {
		return &fs.PathError{Op: "statfs", Path: dir, Err: err}
	}
	if st.Flags&unix.ST_RDONLY != 0 {
		return &fs.PathError{Op: "create", Path: dir, Err: unix.EROFS}
	}
	if st.Flags&unix.ST_NOEXEC != 0 && !o.AllowNoExec {
		return &NoExecError{Path: dir}
	}
	// File systems that do not know their size say 0.
	if have := usable(&st, os.Geteuid(), o.UID); st.Blocks > 0 && have < size {
		return &SpaceError{Path: dir, Need: size, Have: have}
	}
	return nil
}

// usable returns how many bytes a process of a user may still write for the owner of the files. Root may use what is
// reserved for it, but not for the files of a user who would then have nothing left to work with.
func usable(st *unix.Statfs_t, euid, owner int) int64 {
	free := st.Bavail
	if euid == 0 && owner <= 0 {
		free = st.Bfree
	}
	return int64(free) * st.Bsize
}

// syncFileSystem writes everything on the file system of dir to disk: one call instead of one for each file.
func syncFileSystem(dir *os.File) error {
	return unix.Syncfs(int(dir.Fd()))
}

// renameNew renames a directory in dir to a name that does not exist.
func renameNew(dir int, from, to string) error {
	err := unix.Renameat2(dir, from, dir, to, unix.RENAME_NOREPLACE)
	// Before Linux 3.15, and on some file systems, there is no such call.
	if !errors.Is(err, unix.ENOSYS) && !errors.Is(err, unix.EINVAL) {
		if err != nil {
			return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
		}
		return nil
	}
	return renameOld(dir, from, to)
}

// renameOld is renameNew for systems that leave a moment between the check and the renaming, in which an empty
// directory of that name would be replaced.
func renameOld(dir int, from, to string) error {
	var st unix.Stat_t
	err := error(fs.ErrExist)
	if unix.Fstatat(dir, to, &st, unix.AT_SYMLINK_NOFOLLOW) != nil {
		err = unix.Renameat(dir, from, dir, to)
	}
	if err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

// preallocate reserves the blocks of a file that several workers write: they are contiguous then, and a full disk is
// seen before much is written. For a file that is written in one go it would only cost time. File systems that cannot
// do it go without.
func preallocate(fd int, size int64) error {
	err := unix.Fallocate(fd, 0, 0, size)
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) || errors.Is(err, unix.EFBIG) {
		return err
	}
	return nil
}

// startWriting has the kernel begin to write a part of a file to disk, so that less is left for the final sync.
func startWriting(fd int, offset, size int64) {
	// Only a hint: what fails here fails again in the final sync, and is reported there.
	_ = unix.SyncFileRange(fd, offset, size, unix.SYNC_FILE_RANGE_WRITE)
}

// readUmask returns the bits of a mode that open(2) and mkdir(2) in dir do not grant. All are returned where that
// cannot be known: before Linux 4.7, and in a directory with a default ACL. That is right but costs a call more for
// each file.
func readUmask(dir *os.File) uint32 {
	const all = 0o777
	if n, err := unix.Fgetxattr(int(dir.Fd()), "system.posix_acl_default", nil); err == nil && n > 0 {
		return all
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return all
	}
	for line := range strings.Lines(string(status)) {
		if s, ok := strings.CutPrefix(line, "Umask:"); ok {
			if n, err := strconv.ParseUint(strings.TrimSpace(s), 8, 32); err == nil {
				return uint32(n)
			}
		}
	}
	return all
}

// largePage is the size of a large page; where it is another one, the memory is merely aligned for nothing.
const largePage = 2 << 20

// newBuffer returns n bytes for a frame, in large pages where the system has them. Decoding copies from all over the
// last megabytes of its output, more of them than a processor remembers the small pages of: it is a twentieth slower
// there.
func newBuffer(n int64) []byte {
	if n < largePage {
		return make([]byte, n)
	}
	b := make([]byte, n+largePage)
	skip := -uintptr(unsafe.Pointer(&b[0])) % largePage // #nosec G103 -- only the address as a number
	b = b[skip:][:n]
	// The last page is left out if it is not this buffer's alone. Only a hint: there are systems without large pages.
	_ = unix.Madvise(b[:n/largePage*largePage], unix.MADV_HUGEPAGE)
	return b
}
