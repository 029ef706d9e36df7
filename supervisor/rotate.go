package supervisor

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

// rotateEvery is how often sizes are looked at. A log may exceed its limit by what its program writes in that time.
const rotateEvery = time.Second

// logLimits say how large a log may become.
type logLimits struct {
	max      int64 // rotate beyond; 0 never
	backups  int
	compress bool
	total    int64 // of the log and its backups together; 0 no limit
}

// threshold is the size beyond which the log is rotated: low enough that a rotated part fits into the total too.
func (l logLimits) threshold() int64 {
	if l.total > 0 && (l.max == 0 || l.max > l.total/2) {
		return max(1, l.total/2)
	}
	return l.max
}

// managedLog is a log file with the user it belongs to.
type managedLog struct {
	path   string
	acct   account.User
	limits logLimits
	pid    int    // of the process that writes to it; 0 when there is none
	held   fileID // what that process was started with
}

// logs lists the log files of a program.
func (s *service) logs() []managedLog {
	s.mu.Lock()
	p, run, pid := s.prog, s.run, s.runningPID()
	s.mu.Unlock()
	if run.paths.out == "" && run.paths.err == "" {
		return nil // it has not run yet
	}
	var out []managedLog
	if run.paths.out != "" {
		out = append(out, managedLog{run.paths.out, run.acct,
			logLimits{p.StdoutLogfileMaxBytes, p.StdoutLogfileBackups, p.LogCompress, p.LogTotalMaxBytes}, pid, run.outMark.File})
	}
	if run.paths.err != "" && run.paths.err != run.paths.out {
		out = append(out, managedLog{run.paths.err, run.acct,
			logLimits{p.StderrLogfileMaxBytes, p.StderrLogfileBackups, p.LogCompress, p.LogTotalMaxBytes}, pid, run.errMark.File})
	}
	return out
}

// rotateLogs looks after the logs of all programs until the supervisor is closed. One goroutine does it all, so that
// compressing never takes more than one processor.
func (sup *Supervisor) rotateLogs() {
	for sleep(sup.ctx, rotateEvery) {
		for _, s := range sup.services() {
			logs := s.logs()
			sup.followDisplaced(s, logs)
			for _, l := range logs {
				limit := l.limits.threshold()
				if limit <= 0 {
					continue
				}
				info, err := os.Lstat(l.path)
				if err != nil || !info.Mode().IsRegular() || info.Size() <= limit {
					continue
				}
				if err := sup.rotate(l); err != nil {
					sup.log.Error().Str("program", s.status.Load().Name).Err(err).Msg("cannot rotate the log")
				}
			}
		}
	}
}

// RotateLogs rotates a program's logs now, whatever their size.
func (sup *Supervisor) RotateLogs(name string) error {
	s := sup.service(name)
	if s == nil {
		return &UnknownError{name}
	}
	var errs []error
	for _, l := range s.logs() {
		errs = append(errs, sup.rotate(l))
	}
	return errors.Join(errs...)
}

// rotate rotates a log, one at a time: a request may come while the supervisor rotates the same log by itself.
func (sup *Supervisor) rotate(l managedLog) error {
	sup.rotating.Lock()
	defer sup.rotating.Unlock()
	return l.rotate()
}

// rotate moves what is in the log to its first backup. With a full disk the oldest backup makes room; when there is
// none left the log is emptied: that it stays below its limit is what its owner relies on.
func (l managedLog) rotate() error {
	if !l.acct.Self && onlyRootWrites(l.path) {
		l.acct.Self = true
	}
	return l.acct.Do(func() error {
		p, err := logPlace(l.path, l.acct, false)
		if err != nil {
			return fmt.Errorf("%s: %w", l.path, withoutPath(err))
		}
		defer p.Close()
		return openedLog{l, p}.rotate()
	})
}

// openedLog is a log with its directory open. Everything is done there with the rights of the program's user, or with
// root's where only root can have put anything on the way.
type openedLog struct {
	managedLog
	at *beneath.Place
}

func (l openedLog) rotate() error {
	err := l.rotateOnce()
	for errors.Is(err, unix.ENOSPC) && l.dropOldest() {
		err = l.rotateOnce()
	}
	if errors.Is(err, unix.ENOSPC) {
		return errors.Join(fmt.Errorf("%s was emptied: %w", l.path, err), l.empty())
	}
	if err != nil {
		return fmt.Errorf("%s: %w", l.path, withoutPath(err))
	}
	l.enforceTotal()
	return nil
}

func (l openedLog) empty() error {
	f, err := openLogPlace(l.at, l.acct, os.O_WRONLY)
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(0), f.Close())
}

func (l openedLog) rotateOnce() error {
	f, err := openLogPlace(l.at, l.acct, os.O_RDWR)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() == 0 {
		return nil
	}
	if l.limits.backups == 0 {
		return l.keepTail(f, info.Size())
	}
	tmp := l.sibling(".rotating")
	_ = tmp.Remove() // of a supervisor that was killed
	end := wholeBlocks(f, info.Size())
	if end == 0 {
		end = info.Size()
	}
	copied, err := l.copyOut(f, tmp, 0, end, info.Mode().Perm())
	if err != nil {
		_ = tmp.Remove()
		return err
	}
	if err := l.shift(tmp); err != nil {
		return err
	}
	// From here on the copy has its place: whatever happens next, nothing is lost, at worst something is there twice.
	return l.cut(f, copied)
}

// keptTail is how much of a log without backups remains when it has grown too large, in bytes: what a program says before
// it dies is at the end.
const keptTail = 64 << 10

// keepTail cuts all but the end off a log that has no backups.
func (l openedLog) keepTail(f *os.File, size int64) error {
	keep := min(keptTail, size)
	if l.limits.max > 0 {
		keep = min(keep, max(1, l.limits.max/2))
	}
	if end := wholeBlocks(f, size-keep); end > 0 && unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_COLLAPSE_RANGE, 0, end) == nil {
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
func (l openedLog) sibling(suffix string) *beneath.Place {
	return l.at.Sibling(filepath.Base(l.at.Path()) + suffix)
}

// backup is the i-th backup, the newest being the first.
func (l openedLog) backup(i int, compressed bool) *beneath.Place {
	suffix := fmt.Sprintf(".%d", i)
	if compressed {
		suffix += ".gz"
	}
	return l.sibling(suffix)
}

// copyOut appends the part of the log between two offsets to a file, compressed if backups are. A gzip file may
// consist of several parts, so this can be done to one file more than once.
func (l openedLog) copyOut(f *os.File, to *beneath.Place, from, end int64, mode fs.FileMode) (int64, error) {
	out, err := to.Open(os.O_WRONLY|os.O_CREATE|os.O_APPEND, mode)
	if err != nil {
		return from, err
	}
	if l.limits.compress {
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

// shift makes room for a new first backup and puts it there. Backups that were made with another setting of
// log_compress move along.
func (l openedLog) shift(tmp *beneath.Place) error {
	for i := l.limits.backups; i >= 1; i-- {
		for _, compressed := range []bool{true, false} {
			backup := l.backup(i, compressed)
			if i == l.limits.backups {
				_ = backup.Remove()
			} else {
				_ = backup.Rename(l.backup(i+1, compressed))
			}
		}
	}
	return tmp.Rename(l.backup(1, l.limits.compress))
}

// cut takes what was copied off the front of the log: by collapsing it, or by emptying the file once its end has been
// copied too.
func (l openedLog) cut(f *os.File, copied int64) error {
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
		if copied, err = l.copyOut(f, l.backup(1, l.limits.compress), copied, info.Size(), info.Mode().Perm()); err != nil {
			return err
		}
	}
}

// dropOldest removes the oldest backup and reports whether there was one.
func (l openedLog) dropOldest() bool {
	for i := l.limits.backups; i >= 1; i-- {
		for _, compressed := range []bool{true, false} {
			if l.backup(i, compressed).Remove() == nil {
				return true
			}
		}
	}
	return false
}

// enforceTotal removes the oldest backups until the log and its backups fit into the total.
func (l openedLog) enforceTotal() {
	for l.limits.total > 0 && l.totalSize() > l.limits.total && l.dropOldest() {
	}
}

func (l openedLog) totalSize() int64 {
	sum := placeSize(l.at)
	for i := 1; i <= l.limits.backups; i++ {
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
