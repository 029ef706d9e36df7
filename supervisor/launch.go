package supervisor

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"fate-installer/installer/host/beneath"
	"fate-installer/supervisor/account"
	"fate-installer/supervisor/config"
	"fate-installer/supervisor/logfile"
	"fate-installer/supervisor/shim"
)

// startWait bounds how long the system may take to execute a program's file, which may lie on a slow network mount.
const startWait = 30 * time.Second

// launch starts the program's process: a shim first, which becomes the program once its pid is on disk.
func (s *service) launch() error {
	acct, err := account.Lookup(s.prog.User)
	if err != nil {
		return err
	}
	spec, exe, err := s.sup.shimSpec(&s.prog, acct)
	if err != nil {
		return err
	}
	paths := logfile.PathsOf(&s.prog, s.sup.config().Daemon.ChildLogDir)
	stdout, stderr, err := paths.Open(acct)
	if err != nil {
		return err
	}
	defer stdout.Close()
	defer stderr.Close()

	number := s.run.number + 1
	sh, err := s.sup.startShim(stdout, stderr, func(st exitStatus) {
		s.sup.background(func() { s.exited(number, st) })
	})
	if err != nil {
		return err
	}
	s.run = run{
		number: number, proc: sh.proc, started: time.Now(), startedBoot: s.sup.bootNow(),
		program: fingerprintOf(&s.prog), acct: acct, paths: paths,
		outMark: logfile.MarkEnd(stdout), errMark: logfile.MarkEnd(stderr), oomKills: -1, cancel: func() {},
	}
	s.run.ownMarks = logfile.MarkAll(s.prog.LogFiles, acct)
	s.run.proc.id.Exe = exe
	s.run.proc.marker = s.sup.marker(s.prog.Name)
	if s.sup.cgroups != nil {
		s.joinCgroup()
	}
	s.saveStarting()
	notes, err := sh.become(spec)
	s.noteLaunch(notes)
	if err != nil {
		s.run.ended, s.run.stopped, s.run.stoppedBoot = true, time.Now(), s.sup.bootNow()
		s.sup.reaper.forget(sh.proc.id.PID)
		return err
	}
	s.watchReadiness()
	return nil
}

// noteLaunch logs what could not be quite as defined, unless it was so at the start before.
func (s *service) noteLaunch(notes []string) {
	for _, note := range notes {
		if !slices.Contains(s.notes, note) {
			s.sup.log.Warn().Str("program", s.prog.Name).Msg(note)
		}
	}
	s.notes = notes
}

// saveStarting writes the record of a process that is about to be.
func (s *service) saveStarting() {
	state := s.state
	s.state = Starting
	s.save()
	s.state = state
}

func (s *service) joinCgroup() {
	g, err := s.sup.cgroups.create(s.prog.Name)
	if err == nil {
		err = g.add(s.run.proc.id.PID)
	}
	if err != nil {
		s.sup.log.Warn().Str("program", s.prog.Name).Err(err).Msg("no control group; stops rely on the process group")
		return
	}
	s.run.proc.cgroup = g
	s.run.oomKills = g.oomKills()
}

// shimSpec gathers what the shim has to do for the program, and identifies the file it will execute.
func (sup *Supervisor) shimSpec(p *config.Program, a account.User) (*shim.Spec, beneath.FileID, error) {
	env := sup.environment(p, a)
	path, info, err := executable(p.Command[0], envValue(env, "PATH"), p.Directory)
	if err != nil {
		return nil, beneath.FileID{}, err
	}
	spec := &shim.Spec{
		Path: path, Argv: p.Command, Env: env, Dir: p.Directory, Umask: -1, OOMScoreAdj: p.OOMScoreAdj,
		SetUser: !a.Self, UID: a.UID, GID: a.GID, Groups: a.Groups,
	}
	if score := 0; spec.OOMScoreAdj == nil && ownOOMScoreAdj() < 0 {
		spec.OOMScoreAdj = &score // the supervisor's protection is not for its programs
	}
	if p.Umask != "" {
		if spec.Umask, err = config.ParseUmask(p.Umask); err != nil {
			return nil, beneath.FileID{}, err
		}
	}
	for _, l := range []struct {
		key, value string
		resource   int
	}{
		{"limit_nofile", p.LimitNoFile, unix.RLIMIT_NOFILE},
		{"limit_nproc", p.LimitNProc, unix.RLIMIT_NPROC},
		{"limit_core", p.LimitCore, unix.RLIMIT_CORE},
	} {
		if l.value == "" {
			continue
		}
		soft, hard, err := config.ParseLimit(l.value)
		if err != nil {
			return nil, beneath.FileID{}, fmt.Errorf("%s: %w", l.key, err)
		}
		spec.Limits = append(spec.Limits, shim.Limit{Name: l.key, Resource: l.resource, Soft: soft, Hard: hard})
	}
	return spec, beneath.IDOf(info), nil
}

// inherited are the variables that programs take over from the daemon.
var inherited = []string{"HOME", "LANG", "LOGNAME", "PATH", "SHELL", "TZ", "USER"}

// Inherited reports whether programs take over a variable of the daemon's environment without pass_environment.
func Inherited(name string) bool { return slices.Contains(inherited, name) }

// notInherited are variables that speak to the daemon and are not passed on even when pass_environment names
// them: on systemd's notification socket, a program could declare the supervisor ready or dead.
var notInherited = []string{"NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "WATCHDOG_USEC", "WATCHDOG_PID",
	"INVOCATION_ID", "JOURNAL_STREAM", "SYSTEMD_EXEC_PID", "MAINPID"}

// environment has [supervisord]'s variables and the program's. Of the daemon's own it has those of Inherited and those
// that pass_environment names: a proxy, a JVM's or Python's options, or a library path that systemd's manager or the
// shell of "svc run" has would change what programs do. Where the user changes, HOME, USER and LOGNAME change along,
// unless the program sets them: supervisord keeps root's, on which Python and Java trip.
func (sup *Supervisor) environment(p *config.Program, a account.User) []string {
	env := make(map[string]string)
	passed := slices.Concat(sup.config().Daemon.PassEnvironment, p.PassEnvironment)
	for _, e := range sup.environ {
		k, v, _ := strings.Cut(e, "=")
		if slices.Contains(inherited, k) || slices.Contains(passed, k) && !slices.Contains(notInherited, k) {
			env[k] = v
		}
	}
	if env["PATH"] == "" {
		env["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	}
	if !a.Self {
		env["HOME"], env["USER"], env["LOGNAME"] = a.Home, a.Name, a.Name
	}
	for _, more := range []map[string]string{sup.config().Daemon.Environment, p.Environment} {
		for k, v := range more {
			env[k] = v
		}
	}
	env["SUPERVISOR_ENABLED"], env["SUPERVISOR_PROCESS_NAME"], env["SUPERVISOR_GROUP_NAME"] = "1", p.Name, p.Group
	k, v, _ := strings.Cut(sup.marker(p.Name), "=")
	env[k] = v
	out := make([]string, 0, len(env))
	for k, v := range env {
		out = append(out, k+"="+v)
	}
	slices.Sort(out)
	return out
}

func envValue(env []string, key string) string {
	for _, e := range env {
		if v, ok := strings.CutPrefix(e, key+"="); ok {
			return v
		}
	}
	return ""
}

// marker is the variable by which what a program started is known, wherever it went.
func (sup *Supervisor) marker(program string) string {
	return markerVar + sup.tag + ":" + program
}

// waiting is a process that waits for its orders; see package shim.
type waiting struct {
	proc   *process
	orders *os.File
	report *os.File
}

// startShim forks a shim with the given output in a session of its own.
func (sup *Supervisor) startShim(stdout, stderr *os.File, onExit func(exitStatus)) (*waiting, error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	ordersR, ordersW, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer ordersR.Close()
	reportR, reportW, err := os.Pipe()
	if err != nil {
		ordersW.Close()
		return nil, err
	}
	defer reportW.Close()
	sh := &waiting{orders: ordersW, report: reportR}
	attr := &os.ProcAttr{
		Files: []*os.File{null, stdout, stderr, ordersR, reportW},
		Env:   []string{"GOGC=off", "GOTRACEBACK=none"},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	}
	// /proc/self/exe is this very program even when its file was replaced by another version.
	pid, err := sup.reaper.start(func() (int, error) { return forkExec("/proc/self/exe", attr) }, onExit)
	if err != nil {
		sh.close()
		return nil, fmt.Errorf("cannot fork: %w", err)
	}
	st, err := readStat(pid)
	if err != nil {
		sh.close()
		sup.reaper.forget(pid)
		return nil, fmt.Errorf("cannot look at the new process: %w", err)
	}
	sh.proc = &process{
		id:     identity{PID: pid, Start: st.start, Boot: sup.boot},
		reaper: sup.reaper, table: sup.table, child: true, pidfd: -1,
	}
	return sh, nil
}

// forkExec starts a process without os.Process, whose Wait would compete with the reaper.
func forkExec(path string, attr *os.ProcAttr) (int, error) {
	files := make([]uintptr, len(attr.Files))
	for i, f := range attr.Files {
		files[i] = f.Fd()
		_ = unix.SetNonblock(int(f.Fd()), false) // the child expects descriptors that block
	}
	return syscall.ForkExec(path, []string{shim.Name}, &syscall.ProcAttr{Env: attr.Env, Files: files, Sys: attr.Sys})
}

func (sh *waiting) close() {
	sh.orders.Close()
	sh.report.Close()
}

// become gives the shim its orders and waits until it has executed the program. The notes say what is not quite as
// ordered.
func (sh *waiting) become(spec *shim.Spec) (notes []string, err error) {
	defer sh.close()
	deadline := time.Now().Add(startWait)
	_ = sh.orders.SetWriteDeadline(deadline)
	_ = sh.report.SetReadDeadline(deadline)
	_, err = sh.orders.Write(spec.Encode())
	sh.orders.Close()
	if err != nil {
		_ = sh.proc.signal(unix.SIGKILL)
		return nil, fmt.Errorf("cannot give orders to the new process: %w", err)
	}
	report, err := io.ReadAll(io.LimitReader(sh.report, 64<<10))
	if err != nil {
		_ = sh.proc.signal(unix.SIGKILL)
		return nil, fmt.Errorf("cannot execute %s within %s: %w", spec.Path, startWait, err)
	}
	outcome, ok := shim.DecodeOutcome(report)
	switch {
	case !ok:
		return nil, errors.New("cannot execute " + spec.Path + ": the new process reported nonsense")
	case outcome.Err != nil:
		return outcome.Notes, execFailure(spec, outcome.Err)
	}
	return outcome.Notes, nil
}

// execFailure explains why the program could not be executed. A missing file behind an existing one is the
// interpreter of a script, or the loader of a program built for another C library.
func execFailure(spec *shim.Spec, failed *shim.Error) error {
	if !strings.HasPrefix(failed.Step, "execute ") {
		return failed
	}
	e := &ExecError{Path: spec.Path, Text: failed.Error(), Err: failed.Errno}
	switch failed.Errno {
	case unix.ENOENT:
		e.Missing = true
		e.Text += ": the interpreter in its first line, or its dynamic loader, does not exist"
	case unix.ENOEXEC:
		e.Text += ": it is neither a program for this machine nor a script with #! in its first line"
	case unix.EACCES:
		e.Text += ": look at the execute bits on the way to it and for a file system mounted noexec"
	}
	return e
}

// passing are the causes of a failed start that may be gone at the next one: something is short or busy for the moment.
var passing = []error{
	unix.EAGAIN, unix.ENOMEM, unix.EMFILE, unix.ENFILE, unix.ENOSPC, unix.EDQUOT, unix.ETXTBSY, unix.EBUSY, unix.EINTR,
	unix.EIO, unix.ESTALE, unix.ETIMEDOUT, unix.EPIPE, os.ErrDeadlineExceeded,
}

// mayPass reports whether a start that failed with err may succeed without anybody's help. A file, user or directory
// that does not exist does not come into being.
func mayPass(err error) bool {
	return slices.ContainsFunc(passing, func(cause error) bool { return errors.Is(err, cause) })
}
