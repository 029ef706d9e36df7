package supervisor

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"fate-installer/payload/count"
	"fate-installer/supervisor/config"
	"fate-installer/supervisor/logfile"
	"fate-installer/supervisor/process"
)

// DaemonOptions are the inputs of Run besides the configuration file.
type DaemonOptions struct {
	Config string // main configuration file
	Stderr io.Writer
	Keep   bool // SIGTERM leaves the programs running
	// Serve answers the API on the listeners, of which tcp may be nil, until closed.
	Serve func(d *Daemon, unix *net.UnixListener, tcp net.Listener) (io.Closer, error)
	// CheckArgs are the arguments with which a new version of the executable checks that it can run in this one's
	// place; see Upgrade.
	CheckArgs []string
	// Record is called when a client's request begins that changes something, and what it returns when it has ended;
	// nil records nothing.
	Record    func(r Requester, action string) (done func(error))
	NoCgroups bool
}

// Daemon is a supervisor with all that makes it a service of the machine: log, lock, sockets, signals.
type Daemon struct {
	opts   DaemonOptions
	cfg    *config.Settings
	sup    *Supervisor
	log    zerolog.Logger
	file   *logfile.Writer
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

// Run is the daemon: it takes over what runs, starts what should, serves the API, and returns after a request to end.
func Run(ctx context.Context, o DaemonOptions) error {
	prepareThreads(taskLimits())
	h := receiveHandover()
	cfg, warnings, err := config.Load(o.Config, os.Environ())
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

// serve supervises until a request to end, or to begin again with the configuration reread.
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
	d.log.Info().Int("pid", os.Getpid()).Str("config", d.cfg.Path).Int("programs",
		len(d.cfg.Programs)).Msg("supervising")
	d.notify.send("READY=1", "MAINPID="+strconv.Itoa(os.Getpid()),
		"STATUS=supervising "+count.Of(len(d.cfg.Programs), "program"))
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
				_ = d.file.Reopen()
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
	err = d.sup.Shutdown(stopCtx, r.kind == requestRestart)
	d.closeAPI()
	if r.kind == requestRestart && err == nil {
		cfg, warnings, e := config.Load(d.opts.Config, os.Environ())
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

// monotonicNow is the value that Type=notify-reload requires with RELOADING.
func monotonicNow() string {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now)
	return "MONOTONIC_USEC=" + strconv.FormatInt(now.Nano()/1000, 10)
}

// Supervisor is the daemon's supervisor. It changes when the daemon begins again; do not keep it.
func (d *Daemon) Supervisor() *Supervisor { return d.sup }

// Config is the configuration the daemon was started with.
func (d *Daemon) Config() *config.Settings { return d.cfg }

// Record notes that a client's request begins that changes something. The returned function notes its outcome.
func (d *Daemon) Record(r Requester, action string) (done func(error)) {
	if d.opts.Record == nil {
		return func(error) {}
	}
	return d.opts.Record(r, action)
}

// Began is when this version of the daemon was executed.
func (d *Daemon) Began() time.Time { return d.began }

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

// TakesOver is an environment variable of a check that is made before the daemon executes another version of itself.
// The programs have their logs open, so that one that could not be opened now does no harm.
const TakesOver = "FATE_SUPERVISOR_TAKES_OVER"

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
	if _, err := process.CheckExecutable(path); err != nil {
		return err
	}
	if len(d.opts.CheckArgs) > 0 {
		ctx, cancel := context.WithTimeout(ctx, process.StartWait)
		defer cancel()
		p := config.NewProgram("supervisor", append([]string{path}, d.opts.CheckArgs...)...)
		p.Environment = map[string]string{TakesOver: "1"}
		if _, err := d.sup.runCommand(ctx, &p, p.Command); err != nil {
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
func (d *Daemon) ClearLog() error { return d.file.Truncate() }

// OpenLog opens the daemon's log for reading: the file that is being written, whatever its name leads to by now.
func (d *Daemon) OpenLog() (*os.File, error) { return d.file.Reader() }
