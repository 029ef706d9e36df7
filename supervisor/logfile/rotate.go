package logfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/klauspost/compress/gzip"
	"golang.org/x/sys/unix"

	"fate-installer/installer/host/beneath"
	"fate-installer/supervisor/account"
)

// Programs write to their log files themselves, so that they can go on writing when there is no supervisor. The price
// is paid here: a file that another process holds open cannot be rotated by renaming it. What has grown too large is
// copied out and then cut off the front of the file: on ext4 and XFS with FALLOC_FL_COLLAPSE_RANGE, which loses nothing
// of what is written at that time; elsewhere by truncating the file right after the last look at its end, where what is
// written in the few microseconds between the two is lost. The writers append (O_APPEND), so their next line goes to
// where the end then is. A reader that follows the file may see the lines of the last block twice.

// Limits say how large a log may become.
type Limits struct {
	Max      int64 // rotate beyond; 0 never
	Backups  int
	Compress bool
	Total    int64 // of the log and its backups together; 0 no limit
}

// Threshold is the size beyond which the log is rotated: low enough that a rotated part fits into the total too.
func (l Limits) Threshold() int64 {
	if l.Total > 0 && (l.Max == 0 || l.Max > l.Total/2) {
		return max(1, l.Total/2)
	}
	return l.Max
}

// File is a log file with the user it belongs to.
type File struct {
	Path   string
	User   account.User
	Limits Limits
	PID    int            // of the process that writes to it; 0 when there is none
	Held   beneath.FileID // what that process was started with
}

// Rotate moves what is in the log to its first backup. With a full disk the oldest backup makes room; when there is
// none left the log is emptied: that it stays below its limit is what its owner relies on.
func (l File) Rotate() error {
	if !l.User.Self && onlyRootWrites(l.Path) {
		l.User.Self = true
	}
	return l.User.Do(func() error {
		p, err := place(l.Path, l.User, false)
		if err != nil {
			return fmt.Errorf("%s: %w", l.Path, beneath.WithoutPath(err))
		}
		defer p.Close()
		return opened{l, p}.rotate()
	})
}

// opened is a log with its directory open. Everything is done there with the rights of the program's user, or with
// root's where only root can have put anything on the way.
type opened struct {
	File
	at *beneath.Place
}

func (l opened) rotate() error {
	moved, err := l.rotateOnce()
	for errors.Is(err, unix.ENOSPC) && l.dropOldest() {
		moved, err = l.rotateOnce()
	}
	if errors.Is(err, unix.ENOSPC) {
		return errors.Join(fmt.Errorf("%s was emptied: %w", l.Path, err), l.empty())
	}
	if err != nil {
		return fmt.Errorf("%s: %w", l.Path, beneath.WithoutPath(err))
	}
	l.enforceTotal()
	if moved != nil {
		return fmt.Errorf("%s was rotated, and lines of its backups may be lost: %w", l.Path, moved)
	}
	return nil
}

func (l opened) empty() error {
	f, err := openPlace(l.at, l.User, os.O_WRONLY)
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(0), f.Close())
}

// rotateOnce tries to rotate the log. moved says which older backups could not be moved.
func (l opened) rotateOnce() (moved, err error) {
	f, err := openPlace(l.at, l.User, os.O_RDWR)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() == 0 {
		return nil, nil
	}
	if l.Limits.Backups == 0 {
		return nil, l.keepTail(f, info.Size())
	}
	tmp := l.sibling(".rotating")
	// Of a supervisor that was killed. What is in it must not become the beginning of this backup.
	if err := tmp.Drop(); err != nil {
		return nil, err
	}
	end := wholeBlocks(f, info.Size())
	if end == 0 {
		end = info.Size()
	}
	copied, err := l.copyOut(f, tmp, 0, end, info.Mode().Perm())
	if err != nil {
		return nil, errors.Join(err, tmp.Drop())
	}
	moved = l.shift()
	if err := tmp.Rename(l.backup(1, l.Limits.Compress)); err != nil {
		return moved, errors.Join(err, tmp.Drop())
	}
	// From here on the copy has its place: whatever happens next, nothing is lost, at worst something is there twice.
	return moved, l.cut(f, copied)
}

// keptTail is how much of a log without backups remains when it has grown too large, in bytes: what a program says
// before it dies is at the end.
const keptTail = 64 << 10

// keepTail cuts all but the end off a log that has no backups.
func (l opened) keepTail(f *os.File, size int64) error {
	keep := min(keptTail, size)
	if l.Limits.Max > 0 {
		keep = min(keep, max(1, l.Limits.Max/2))
	}
	if end := wholeBlocks(f, size-keep); end > 0 && unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_COLLAPSE_RANGE, 0,
		end) == nil {
		return nil
	}
	tail, err := io.ReadAll(io.NewSectionReader(f, size-keep, keep))
	if err != nil {
		return err
	}
	if at := bytes.IndexByte(tail, '\n'); at >= 0 && keep < size {
		tail = tail[at+1:] // the first line is cut
	}
	// The program appends at the same time; so does this.
	if _, err := unix.FcntlInt(f.Fd(), unix.F_SETFL, unix.O_APPEND); err != nil {
		return err
	}
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err = f.Write(tail)
	return err
}

// wholeBlocks is how much of the file a collapse can take off its front: whole blocks, and not the last one.
func wholeBlocks(f *os.File, size int64) int64 {
	var st unix.Stat_t
	if unix.Fstat(int(f.Fd()), &st) != nil || st.Blksize <= 0 {
		return 0
	}
	block := int64(st.Blksize)
	return (size - 1) / block * block
}

// sibling is a file in the log's directory.
func (l opened) sibling(suffix string) *beneath.Place {
	return l.at.Sibling(filepath.Base(l.at.Path()) + suffix)
}

// backup is the i-th backup, the newest being the first.
func (l opened) backup(i int, compressed bool) *beneath.Place {
	suffix := fmt.Sprintf(".%d", i)
	if compressed {
		suffix += ".gz"
	}
	return l.sibling(suffix)
}

// copyOut appends the part of the log between two offsets to a file, compressed if backups are. A gzip file may
// consist of several parts, so this can be done to one file more than once.
func (l opened) copyOut(f *os.File, to *beneath.Place, from, end int64, mode fs.FileMode) (int64, error) {
	out, err := to.Open(os.O_WRONLY|os.O_CREATE|os.O_APPEND, mode)
	if err != nil {
		return from, err
	}
	if l.Limits.Compress {
		z, _ := gzip.NewWriterLevel(out, gzip.BestSpeed)
		z.ModTime = time.Now()
		from, err = copyWritten(z, f, from, end)
		err = errors.Join(err, z.Close())
	} else {
		from, err = copyWritten(out, f, from, end)
	}
	return from, errors.Join(err, out.Close())
}

// copyWritten copies what was written between two offsets of a log, without its holes: the program may make its log any
// length with them, and copying that would keep the supervisor at work for days. It returns how far it came.
func copyWritten(w io.Writer, f *os.File, from, end int64) (int64, error) {
	for from < end {
		data, hole := written(f, from, end)
		n, err := io.Copy(w, io.NewSectionReader(f, data, hole-data))
		if err != nil {
			return data + n, err
		}
		if data+n < hole {
			return data + n, nil // it became shorter
		}
		from = hole
	}
	return from, nil
}

// written returns where the first data at or after from begins and ends, at most at end. Where the file system cannot
// tell, that is everything.
func written(f *os.File, from, end int64) (data, hole int64) {
	data, err := unix.Seek(int(f.Fd()), from, unix.SEEK_DATA)
	if errors.Is(err, unix.ENXIO) {
		return end, end
	}
	if err != nil {
		return from, end
	}
	hole, err = unix.Seek(int(f.Fd()), data, unix.SEEK_HOLE)
	if err != nil {
		hole = end
	}
	return min(data, end), min(hole, end)
}

// shift makes room for a new first backup. Backups that were made with another setting of log_compress move along. One
// that cannot be moved does not keep the log from being rotated, since the log has to stay below its limit: a newer one
// takes its place, and the error says so.
func (l opened) shift() error {
	var errs []error
	for i := l.Limits.Backups; i >= 1; i-- {
		for _, compressed := range []bool{true, false} {
			backup := l.backup(i, compressed)
			change := backup.Remove
			if i < l.Limits.Backups {
				change = func() error { return backup.Rename(l.backup(i+1, compressed)) }
			}
			if err := beneath.IgnoreAbsent(change()); err != nil {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

// cut takes what was copied off the front of the log: by collapsing it, or by emptying the file once its end has been
// copied too.
func (l opened) cut(f *os.File, copied int64) error {
	if unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_COLLAPSE_RANGE, 0, copied) == nil {
		return nil
	}
	for {
		info, err := f.Stat()
		if err != nil {
			return err
		}
		if info.Size() <= copied {
			return f.Truncate(0)
		}
		if copied, err = l.copyOut(f, l.backup(1, l.Limits.Compress), copied, info.Size(),
			info.Mode().Perm()); err != nil {
			return err
		}
	}
}

// dropOldest removes the oldest backup and reports whether there was one.
func (l opened) dropOldest() bool {
	for i := l.Limits.Backups; i >= 1; i-- {
		for _, compressed := range []bool{true, false} {
			if l.backup(i, compressed).Remove() == nil {
				return true
			}
		}
	}
	return false
}

// enforceTotal removes the oldest backups until the log and its backups fit into the total.
func (l opened) enforceTotal() {
	for l.Limits.Total > 0 && l.totalSize() > l.Limits.Total && l.dropOldest() {
	}
}

func (l opened) totalSize() int64 {
	sum := placeSize(l.at)
	for i := 1; i <= l.Limits.Backups; i++ {
		sum += placeSize(l.backup(i, true)) + placeSize(l.backup(i, false))
	}
	return sum
}

func placeSize(p *beneath.Place) int64 {
	info, err := p.Lstat()
	if err != nil || !info.Mode().IsRegular() {
		return 0
	}
	return info.Size()
}
