package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// daemonKeys are the keys of the daemon's own sections, by section. Paths that are not absolute lie in the directory of
// the main file.
var daemonKeys = map[string][]key[Daemon]{
	"unix_http_server": {
		std("file", filepath.Join("run", "supervisor.sock"), "socket of the API",
			text(func(d *Daemon) *string { return &d.Socket })),
		std("chmod", "0660", "mode of the socket",
			fileMode(func(d *Daemon) *os.FileMode { return &d.SocketMode })),
		std("chown", "", "owner of the socket: user or user:group",
			text(func(d *Daemon) *string { return &d.SocketOwner })),
		std("username", "", "user name that a client has to give",
			text(func(d *Daemon) *string { return &d.Username })),
		std("password", "", "password that a client has to give",
			secret(func(d *Daemon) *Password { return &d.Password })),
	},
	"inet_http_server": {
		std("port", "", "host:port of the API",
			text(func(d *Daemon) *string { return &d.TCPAddr })),
		std("username", "", "user name that a client has to give",
			text(func(d *Daemon) *string { return &d.TCPUsername })),
		std("password", "", "password that a client has to give",
			secret(func(d *Daemon) *Password { return &d.TCPPassword })),
	},
	metricsSection: metricsKeys,
	"supervisord": {
		std("logfile", filepath.Join("logs", "supervisord.log"), "the supervisor's log",
			text(func(d *Daemon) *string { return &d.LogFile })),
		std("logfile_maxbytes", "50MB", "rotate the log beyond this size; 0 is never",
			size(func(d *Daemon) *int64 { return &d.LogMaxBytes })),
		std("logfile_backups", "10", "rotated logs that are kept",
			number(0, 1000, func(d *Daemon) *int { return &d.LogBackups })),
		std("loglevel", "info", "least important messages that are logged",
			text(func(d *Daemon) *string { return &d.LogLevel })),
		std("pidfile", filepath.Join("run", "supervisord.pid"), "file with the supervisor's pid",
			text(func(d *Daemon) *string { return &d.PidFile })),
		std("childlogdir", "", "directory of AUTO logs; that of logfile when empty",
			text(func(d *Daemon) *string { return &d.ChildLogDir })),
		std("identifier", "supervisor", "name of this supervisor in its API",
			text(func(d *Daemon) *string { return &d.Identifier })),
		std("minfds", "1024", "open files that the supervisor needs",
			number(1, 1<<20, func(d *Daemon) *int { return &d.MinFDs })),
		std("umask", "", "octal mask of the files that the supervisor and its programs make",
			umask(func(d *Daemon) *string { return &d.Umask })),
		std("environment", "", `variables of every program: A="1",B="2"`,
			variables(func(d *Daemon) *map[string]string { return &d.Environment })),
		added("pass_environment", "", "variables of the supervisor's own environment that every program gets: a,b",
			variableNames(func(d *Daemon) *[]string { return &d.PassEnvironment })),
	},
}

// ignoredDaemonKeys are supervisor's keys that make no difference here and deserve no warning either: what they ask
// for is either always so (nocleanup, nodaemon under systemd) or set in the boot unit.
var ignoredDaemonKeys = []string{"nodaemon", "minprocs", "nocleanup", "user", "directory", "strip_ansi", "silent"}

func daemonDefaults() Daemon {
	var d Daemon
	for _, keys := range daemonKeys {
		setDefaults(keys, &d)
	}
	return d
}

// daemonEnvironment makes the variables of [supervisord]'s environment known to programs, as %(ENV_X)s. What is wrong
// with it is reported with the section.
func (l *loader) daemonEnvironment() {
	s := l.section("supervisord")
	if s == nil {
		return
	}
	for _, k := range s.keys {
		if k.name != "environment" {
			continue
		}
		text, err := expand(k.value, l.vars)
		if err != nil {
			return
		}
		env, err := splitEnvironment(text)
		if err != nil {
			return
		}
		for name, value := range env {
			l.vars["ENV_"+name] = value
		}
	}
}

func (l *loader) daemonSection(s *iniSection, d *Daemon) {
	var known []string
	for _, key := range daemonKeys[s.name] {
		known = append(known, key.name)
		for _, k := range s.keys {
			if k.name != key.name {
				continue
			}
			v, err := expand(k.value, l.vars)
			if err == nil {
				err = key.parse(d, v)
			}
			switch {
			case err == nil:
			case s.name == metricsSection && k.name == "password": // the error would show a part of it
				l.metricsFault(Problem{s.file, k.line, "[" + s.name + "] password: write each percent sign before a " +
					"parenthesis twice"})
			case s.name == metricsSection:
				l.metricsFault(Problem{s.file, k.line, fmt.Sprintf("[%s] %s: %v", s.name, k.name, err)})
			default:
				l.problem(s.file, k.line, "%s: %v", k.name, err)
			}
		}
	}
	for _, k := range s.keys {
		if !slices.Contains(known, k.name) && !slices.Contains(ignoredDaemonKeys, k.name) {
			l.unknownKey(s, k, known)
		}
	}
	if s.name == "inet_http_server" && d.TCPAddr != "" && (d.TCPUsername == "" || d.TCPPassword == "") {
		l.problem(s.file, s.line, "[inet_http_server] needs username and password: "+
			"every client that reaches the port could stop every program")
	}
	if s.name == metricsSection {
		for _, fault := range s.faults {
			l.metricsFault(fault)
		}
		for _, problem := range d.Metrics.problems() {
			l.metricsFault(Problem{s.file, s.line, fmt.Sprintf("[%s] %s", s.name, problem)})
		}
	}
}

// metricsFault notes what is wrong with the section for metrics. That is a warning: without metrics the programs run
// all the same, and a supervisor that does not start would leave them alone.
func (l *loader) metricsFault(p Problem) {
	l.metricsFaults = append(l.metricsFaults, p)
	l.warnings = append(l.warnings, p)
}

func (l *loader) checkDaemon(d *Daemon) {
	if len(l.metricsFaults) > 0 {
		d.Metrics = Metrics{Fault: Problems(l.metricsFaults).Error()}
	}
	for _, path := range []*string{&d.Socket, &d.LogFile, &d.PidFile, &d.ChildLogDir} {
		if *path != "" && !filepath.IsAbs(*path) {
			*path = filepath.Join(l.here, *path)
		}
	}
	if d.ChildLogDir == "" {
		d.ChildLogDir = filepath.Dir(d.LogFile)
	}
	if d.Socket == "" {
		l.problem(l.path, 0, "[unix_http_server] has an empty file")
	}
	// sockaddr_un.sun_path has 108 bytes, the last one for NUL.
	if len(d.Socket) > 107 {
		l.problem(l.path, 0, "[unix_http_server] file: %v", errors.New("a socket path has at most 107 bytes"))
	}
}
