package supervisor

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"fate-installer/installer/host/beneath"
	"fate-installer/supervisor/config"
	"fate-installer/supervisor/logfile"
)

// stateDir is where the records of running programs are.
func stateDir(c *config.Daemon) string { return filepath.Join(filepath.Dir(c.Socket), "state") }

// open takes the lock and everything else there can be only one of.
func (d *Daemon) open(h handover) error {
	c := &d.cfg.Daemon
	if c.Umask != "" {
		mask, err := config.ParseUmask(c.Umask)
		if err != nil {
			return err
		}
		syscall.Umask(mask)
	}
	for _, dir := range []string{filepath.Dir(c.Socket), filepath.Dir(c.PidFile)} {
		if err := beneath.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("cannot make the directory %s: %w", dir, beneath.WithoutPath(err))
		}
	}
	var err error
	if d.lock, err = acquireLock(filepath.Join(filepath.Dir(c.Socket), "supervisord.lock"), h); err != nil {
		return err
	}
	d.openLog()
	if err := beneath.MkdirAll(c.ChildLogDir, 0o755); err != nil { // a program that needs it says so
		d.log.Warn().Err(err).Msg("cannot make the directory of the programs' logs")
	}
	if _, err = openRecords(stateDir(c)); err == nil {
		d.unix, err = listenUnix(c, h)
	}
	if err == nil {
		d.tcp, err = listenTCP(c, h)
	}
	if err == nil {
		err = raiseFileLimit(c.MinFDs)
	}
	if err != nil {
		d.closeFiles()
		return err
	}
	if err := writePidFile(c.PidFile); err != nil {
		d.log.Warn().Err(err).Msg("cannot write the pid file")
	}
	return nil
}

// writePidFile replaces what is there instead of writing into it: it may be a link to somewhere else.
func writePidFile(path string) error {
	return beneath.At(path, func(p *beneath.Place) error {
		_ = p.Remove() // if it stays, it cannot be made
		f, err := p.Open(os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return err
		}
		_, err = f.WriteString(strconv.Itoa(os.Getpid()) + "\n")
		return errors.Join(err, f.Close())
	})
}

// openLog opens the daemon's log. Without it the daemon runs all the same, and says so where it is started from.
func (d *Daemon) openLog() {
	c := &d.cfg.Daemon
	file, failure := logfile.NewWriter(c.LogFile, c.LogMaxBytes, c.LogBackups)
	d.file = file
	level, err := zerolog.ParseLevel(logLevelName(c.LogLevel))
	if err != nil {
		level = zerolog.InfoLevel
	}
	writers := []io.Writer{lineWriter(file, "2006-01-02 15:04:05.000")}
	if d.opts.Stderr != nil {
		writers = append(writers, lineWriter(d.opts.Stderr, "15:04:05.000"))
	}
	d.log = zerolog.New(zerolog.MultiLevelWriter(writers...)).Level(level).With().Timestamp().Logger()
	if failure != nil && !errors.Is(failure, logfile.ErrNoFile) {
		d.log.Error().Err(failure).Msg("the log file is not written")
	}
}

// lineWriter makes lines for people. The time is that of writing, because an entry's own has no fractions of a second
// unless a global of the library says so.
func lineWriter(w io.Writer, layout string) zerolog.ConsoleWriter {
	return zerolog.ConsoleWriter{Out: w, NoColor: true,
		FormatTimestamp: func(any) string { return time.Now().Format(layout) }}
}

// logLevelName translates supervisor's names for levels.
func logLevelName(name string) string {
	switch name {
	case "critical":
		return "fatal"
	case "trace", "blather":
		return "trace"
	}
	return name
}

// raiseFileLimit makes room for the descriptors of many programs and clients; minfds is what must be possible.
func raiseFileLimit(minFDs int) error {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return fmt.Errorf("cannot read the limit of open files: %w", err)
	}
	if l.Cur >= uint64(minFDs) {
		return nil
	}
	l.Cur = min(uint64(minFDs), l.Max)
	if l.Max < uint64(minFDs) && os.Geteuid() == 0 {
		l.Cur, l.Max = uint64(minFDs), uint64(minFDs)
	}
	if err := syscall.Setrlimit(unix.RLIMIT_NOFILE, &l); err != nil || l.Cur < uint64(minFDs) {
		return fmt.Errorf("cannot open minfds=%d files: the hard limit is %d", minFDs, l.Max)
	}
	return nil
}

// openAPI serves on copies of the listeners: the API closes its own, and the sockets must outlive it when the daemon
// begins again or executes a new version of itself.
func (d *Daemon) openAPI() error {
	unix, err := copyListener(d.unix)
	if err != nil {
		return fmt.Errorf("cannot copy the socket: %w", err)
	}
	var tcp net.Listener
	if l, ok := d.tcp.(*net.TCPListener); ok {
		if tcp, err = copyListener(l); err != nil {
			return fmt.Errorf("cannot copy the TCP socket: %w", err)
		}
	}
	d.api, err = d.opts.Serve(d, unix.(*net.UnixListener), tcp)
	return err
}

func copyListener(l interface{ File() (*os.File, error) }) (net.Listener, error) {
	f, err := l.File()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return net.FileListener(f)
}

func (d *Daemon) closeAPI() {
	if d.api != nil {
		_ = d.api.Close()
		d.api = nil
	}
}

func (d *Daemon) closeFiles() {
	d.closeAPI()
	if d.unix != nil {
		d.removeFile(d.cfg.Daemon.Socket) // still ours: the lock is not released yet
		d.unix.Close()
	}
	if d.tcp != nil {
		d.tcp.Close()
	}
	if d.lock != nil {
		d.removeFile(d.cfg.Daemon.PidFile)
		d.lock.Close()
	}
	if d.file != nil {
		d.file.Close()
	}
}

// exec replaces this process by the executable at path. It returns only if that fails.
func (d *Daemon) exec(path string) error {
	var pairs string
	keep := func(name string, fd int) {
		pairs += fmt.Sprintf("%s=%d,", name, fd)
	}
	var files []*os.File
	defer func() {
		for _, f := range files {
			_ = unix.SetNonblock(int(f.Fd()), true) // Fd has made it block, and the listener shares that
			f.Close()
		}
	}()
	duplicate := func(name string, file func() (*os.File, error)) error {
		f, err := file()
		if err != nil {
			return err
		}
		files = append(files, f)
		keep(name, int(f.Fd()))
		return nil
	}
	err := duplicate("lock", func() (*os.File, error) { return beneath.Dup(d.lock) })
	err = errors.Join(err, duplicate("unix", d.unix.File))
	if l, ok := d.tcp.(*net.TCPListener); ok {
		err = errors.Join(err, duplicate("tcp", l.File))
	}
	if err != nil {
		return err
	}
	for _, f := range files {
		if _, err := unix.FcntlInt(f.Fd(), unix.F_SETFD, 0); err != nil {
			return err
		}
	}
	argv := append([]string{path}, os.Args[1:]...)
	return syscall.Exec(path, argv, append(os.Environ(), handoverVar+"="+pairs))
}

// trimDeleted takes off what the kernel adds to the name of an executable whose file was replaced.
func trimDeleted(exe string) string {
	const mark = " (deleted)"
	if len(exe) > len(mark) && exe[len(exe)-len(mark):] == mark {
		return exe[:len(exe)-len(mark)]
	}
	return exe
}

// removeFile removes a file of the daemon, if it is there.
func (d *Daemon) removeFile(path string) {
	if err := beneath.Drop(path); err != nil {
		d.log.Warn().Err(err).Msg("cannot remove a file that only a running supervisor has")
	}
}
