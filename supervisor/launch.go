package supervisor

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"fate-installer/installer/host/beneath"
	"fate-installer/supervisor/account"
	"fate-installer/supervisor/config"
	"fate-installer/supervisor/logfile"
	"fate-installer/supervisor/process"
	"fate-installer/supervisor/shim"
)

// processes gives what the programs' processes have in common.
func (sup *Supervisor) processes() process.Host {
	return process.Host{Boot: sup.boot, Reaper: sup.reaper, Table: sup.table}
}

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
	sh, err := s.sup.processes().Start(stdout, stderr, func(st process.Exit) {
		s.sup.background(func() { s.exited(number, st) })
	})
	if err != nil {
		return s.sup.taskShortage(err, nil)
	}
	s.run = run{
		number: number, proc: sh.Tree, started: time.Now(), startedBoot: s.sup.bootNow(),
		program: fingerprintOf(&s.prog), acct: acct, paths: paths,
		outMark: logfile.MarkEnd(stdout), errMark: logfile.MarkEnd(stderr), oomKills: -1, cancel: func() {},
	}
	s.run.ownMarks = logfile.MarkAll(s.prog.LogFiles, acct)
	s.run.proc.ID.Exe = exe
	s.run.proc.Marker = s.sup.marker(s.prog.Name)
	if s.sup.cgroups != nil {
		s.joinCgroup(spec)
	}
	s.saveStarting()
	notes, err := sh.Execute(spec)
	err = s.sup.taskShortage(err, spec)
	s.noteLaunch(notes)
	if err != nil {
		s.run.ended, s.run.stopped, s.run.stoppedBoot = true, time.Now(), s.sup.bootNow()
		s.sup.reaper.Forget(sh.Tree.ID.PID)
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

// joinCgroup makes the program's control group, and puts the shim into it or has it enter before all else. A shim that
// then cannot enter executes nothing: the record says that the program is in the group.
func (s *service) joinCgroup(spec *shim.Spec) {
	g, err := s.sup.cgroups.Create(s.prog.Name)
	tasks := ""
	if err == nil {
		tasks = g.Tasks()
	}
	switch {
	case err != nil:
	case tasks == "":
		err = g.Add(s.run.proc.ID.PID)
	default:
		err = unix.Access(tasks, unix.W_OK)
	}
	if err != nil {
		s.sup.log.Warn().Str("program", s.prog.Name).Err(err).Msg("no control group; stops rely on the process group")
		return
	}
	s.run.proc.Cgroup, spec.Tasks = g, tasks
	s.run.oomKills = g.OOMKills()
}

// shimSpec gathers what the shim has to do for the program, and identifies the file it will execute.
func (sup *Supervisor) shimSpec(p *config.Program, a account.User) (*shim.Spec, beneath.FileID, error) {
	env := sup.environment(p, a)
	path, info, err := process.FindExecutable(p.Command[0], envValue(env, "PATH"), p.Directory)
	if err != nil {
		return nil, beneath.FileID{}, err
	}
	spec := &shim.Spec{
		Path: path, Argv: p.Command, Env: env, Dir: p.Directory, Umask: -1, OOMScoreAdj: p.OOMScoreAdj,
		SetUser: !a.Self, UID: a.UID, GID: a.GID, Groups: a.Groups,
	}
	if score := 0; spec.OOMScoreAdj == nil && process.OwnOOMScoreAdj() < 0 {
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
var notInherited = []string{"NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "WATCHDOG_USEC",
	"WATCHDOG_PID",
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
	return process.MarkerVar + sup.tag + ":" + program
}

// passing are the causes of a failed start that may be gone at the next one: something is short or busy for the moment.
var passing = []error{
	unix.EAGAIN, unix.ENOMEM, unix.EMFILE, unix.ENFILE, unix.ENOSPC, unix.EDQUOT, unix.ETXTBSY, unix.EBUSY, unix.EINTR,
	unix.EIO, unix.ENODEV, unix.ESTALE, unix.ETIMEDOUT, unix.EPIPE, os.ErrDeadlineExceeded, process.ErrEnded,
}

// mayPass reports whether a start that failed with err may succeed without anybody's help. A file, user or directory
// that does not exist does not come into being.
func mayPass(err error) bool {
	return slices.ContainsFunc(passing, func(cause error) bool { return errors.Is(err, cause) })
}
