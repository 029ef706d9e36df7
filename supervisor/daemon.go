package supervisor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"
)

// DaemonOptions are what Run needs besides the configuration file.
type DaemonOptions struct {
	Config string // main configuration file
	Stderr io.Writer
	Keep   bool // SIGTERM leaves the programs running
	// Serve answers the API on the listeners, of which tcp may be nil, until closed.
	Serve func(d *Daemon, unix *net.UnixListener, tcp net.Listener) (io.Closer, error)
	// CheckArgs are the arguments with which a new version of the executable checks that it can run in this one's
	// place; see Upgrade.
	CheckArgs []string
	NoCgroups bool
}

// Daemon is a supervisor with all that makes it a service of the machine: log, lock, sockets, signals.
type Daemon struct {
	opts   DaemonOptions
	cfg    *Config
	sup    *Supervisor
	log    zerolog.Logger
	file   *logWriter
	notify notifier
	lock   *os.File
	unix   *net.UnixListener
	tcp    net.Listener
	api    io.Closer
	began  time.Time

	requests chan request
}

type request struct {
	kind requestKind
	path string
}

type requestKind int

const (
	requestShutdown requestKind = iota // stop everything and end
	requestLeave                       // end, and leave everything running
	requestRestart                     // stop everything, read the configuration again, start everything
	requestReload                      // as SIGHUP
	requestUpgrade                     // execute path in place of this process
)

// Run is the daemon: it takes over what runs, starts what should, serves the API, and returns after it was told to end.
func Run(ctx context.Context, o DaemonOptions) error {
	h := receiveHandover()
	cfg, warnings, err := Load(o.Config)
	if err != nil {
		return err
	}
	d := &Daemon{
		opts: o, cfg: cfg, began: time.Now(), notify: newNotifier(os.Environ()),
		requests: make(chan request, 16),
	}
	if err := d.open(h); err != nil {
		return err
	}
	defer d.closeFiles()
	h.close()
	for _, w := range warnings {
		d.log.Warn().Msg(w.String())
	}
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGHUP, syscall.SIGUSR2)
	defer signal.Stop(signals)
	for {
		again, err := d.serve(ctx, signals)
		if !again {
			d.log.Info().AnErr("error", err).Msg("ends")
			return err
		}
	}
}

// stateDir is where the records of running programs are.
func stateDir(c *DaemonConfig) string { return filepath.Join(filepath.Dir(c.Socket), "state") }

// open takes the lock and everything else there can be only one of.
func (d *Daemon) open(h handover) error {
	c := &d.cfg.Daemon
	if c.Umask != "" {
		mask, err := parseUmask(c.Umask)
		if err != nil {
			return err
		}
		syscall.Umask(mask)
	}
	for _, dir := range []string{filepath.Dir(c.Socket), filepath.Dir(c.PidFile), c.ChildLogDir} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("cannot make the directory %s: %w", dir, withoutPath(err))
		}
	}
	var err error
	if d.lock, err = acquireLock(filepath.Join(filepath.Dir(c.Socket), "supervisord.lock"), h); err != nil {
		return err
	}
	if err = d.openLog(); err == nil {
		_, err = openRecords(stateDir(c))
	}
	if err == nil {
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
	_ = os.Remove(path)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(strconv.Itoa(os.Getpid()) + "\n")
	return errors.Join(err, f.Close())
}

func (d *Daemon) openLog() error {
	c := &d.cfg.Daemon
	file, err := openLogWriter(c.LogFile, c.LogMaxBytes, c.LogBackups)
	if err != nil {
		return err
	}
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
	return nil
}

// lineWriter makes lines for people. The time is that of writing, because an entry's own has no fractions of a second
// unless a global of the library says so.
func lineWriter(w io.Writer, layout string) zerolog.ConsoleWriter {
	return zerolog.ConsoleWriter{Out: w, NoColor: true, FormatTimestamp: func(any) string { return time.Now().Format(layout) }}
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

// serve supervises until the daemon is told to end, or to begin anew with the configuration read again.
func (d *Daemon) serve(ctx context.Context, signals <-chan os.Signal) (again bool, err error) {
	d.sup, err = New(d.cfg, Options{
		StateDir: stateDir(&d.cfg.Daemon),
		Environ:  os.Environ(), Log: d.log, NoCgroups: d.opts.NoCgroups, Subreaper: true,
	})
	if err != nil {
		return false, err
	}
	defer d.sup.Close()
	if err := d.openAPI(); err != nil {
		return false, err
	}
	d.sup.Autostart()
	d.log.Info().Int("pid", os.Getpid()).Str("config", d.cfg.Path).Int("programs", len(d.cfg.Programs)).Msg("supervising")
	d.notify.send("READY=1", "MAINPID="+strconv.Itoa(os.Getpid()), fmt.Sprintf("STATUS=supervising %d programs", len(d.cfg.Programs)))
	for {
		var r request
		select {
		case <-ctx.Done():
			r.kind = requestLeave
		case r = <-d.requests:
		case sig := <-signals:
			d.log.Info().Stringer("signal", sig).Msg("received")
			switch sig {
			case syscall.SIGHUP:
				r.kind = requestReload
			case syscall.SIGUSR2:
				_ = d.file.reopen(false)
				continue
			default:
				r.kind = d.endKind()
			}
		}
		if end, again, err := d.handle(ctx, r, signals); end {
			return again, err
		}
	}
}

// endKind decides what a signal to end means for the programs.
func (d *Daemon) endKind() requestKind {
	if d.opts.Keep || d.restartJob() {
		return requestLeave
	}
	return requestShutdown
}

func (d *Daemon) handle(ctx context.Context, r request, signals <-chan os.Signal) (end, again bool, err error) {
	switch r.kind {
	case requestReload:
		d.reload(ctx)
		return false, false, nil
	case requestUpgrade:
		d.log.Info().Str("path", r.path).Msg("executes a new version of itself; the programs go on")
		d.notify.send("RELOADING=1", monotonicNow())
		d.closeAPI()
		d.sup.Close()
		err := d.exec(r.path)
		d.log.Error().Err(err).Msg("cannot execute the new version; goes on with this one")
		return true, true, nil
	case requestLeave:
		d.log.Info().Msg("leaves the programs running")
		d.notify.send("STOPPING=1")
		d.closeAPI()
		return true, false, nil
	}
	d.notify.send("STOPPING=1", "STATUS=stopping the programs")
	d.log.Info().Msg("stops the programs")
	stopCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // a second signal ends the wait; whatever still runs is left to the next daemon
		select {
		case <-signals:
			cancel()
		case <-stopCtx.Done():
		}
	}()
	err = d.sup.Shutdown(stopCtx)
	d.closeAPI()
	if r.kind == requestRestart && err == nil {
		cfg, warnings, e := Load(d.opts.Config)
		if e != nil {
			return true, false, e
		}
		for _, w := range warnings {
			d.log.Warn().Msg(w.String())
		}
		d.cfg = cfg
		return true, true, nil
	}
	return true, false, err
}

func (d *Daemon) reload(ctx context.Context) {
	d.notify.send("RELOADING=1", monotonicNow())
	changes, err := d.sup.Update(ctx)
	if err != nil {
		d.log.Error().Err(err).Msg("cannot apply the configuration; the old one stays in force")
	} else {
		d.log.Info().Msg("configuration applied: " + changes.String())
	}
	d.notify.send("READY=1")
}

// monotonicNow is what Type=notify-reload wants to hear along with RELOADING.
func monotonicNow() string {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now)
	return "MONOTONIC_USEC=" + strconv.FormatInt(now.Nano()/1000, 10)
}

// openAPI serves on copies of the listeners: the API closes its own, and the sockets must outlive it when the daemon
// begins anew or executes a new version of itself.
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
		_ = os.Remove(d.cfg.Daemon.Socket) // still ours: the lock is not released yet
		d.unix.Close()
	}
	if d.tcp != nil {
		d.tcp.Close()
	}
	if d.lock != nil {
		_ = os.Remove(d.cfg.Daemon.PidFile)
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
	err := duplicate("lock", func() (*os.File, error) { return dupFile(d.lock) })
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

// Supervisor is what the daemon supervises with. It changes when the daemon begins anew; do not keep it.
func (d *Daemon) Supervisor() *Supervisor { return d.sup }

// Config is the configuration the daemon was started with.
func (d *Daemon) Config() *Config { return d.cfg }

// Log is the daemon's log.
func (d *Daemon) Log() zerolog.Logger { return d.log }

// Shutdown asks the daemon to end; keep leaves the programs running.
func (d *Daemon) Shutdown(keep bool) {
	kind := requestShutdown
	if keep {
		kind = requestLeave
	}
	d.ask(request{kind: kind})
}

// Restart asks the daemon to stop all programs, read its configuration and start them again.
func (d *Daemon) Restart() { d.ask(request{kind: requestRestart}) }

// Upgrade asks the daemon to execute the file at path in its own place; "" is its own file. The programs keep their
// processes. The file is tried first: it must be able to read the configuration.
func (d *Daemon) Upgrade(ctx context.Context, path string) error {
	if path == "" {
		exe, err := os.Readlink("/proc/self/exe")
		if err != nil {
			return fmt.Errorf("cannot find the executable: %w", err)
		}
		path = trimDeleted(exe)
	}
	if _, err := checkExecutable(path); err != nil {
		return err
	}
	if len(d.opts.CheckArgs) > 0 {
		ctx, cancel := context.WithTimeout(ctx, startWait)
		defer cancel()
		if _, err := d.sup.output(ctx, append([]string{path}, d.opts.CheckArgs...)...); err != nil {
			return fmt.Errorf("the new version cannot take over: %w", err)
		}
	}
	d.ask(request{kind: requestUpgrade, path: path})
	return nil
}

// ask hands a request to the daemon's loop; one that comes while the daemon ends has no effect.
func (d *Daemon) ask(r request) {
	select {
	case d.requests <- r:
	default:
	}
}

// ClearLog empties the daemon's log.
func (d *Daemon) ClearLog() error { return d.file.reopen(true) }

// trimDeleted takes off what the kernel adds to the name of an executable whose file was replaced.
func trimDeleted(exe string) string {
	const mark = " (deleted)"
	if len(exe) > len(mark) && exe[len(exe)-len(mark):] == mark {
		return exe[:len(exe)-len(mark)]
	}
	return exe
}
