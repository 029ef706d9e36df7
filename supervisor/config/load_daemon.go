package config

import (
	"errors"
	"path/filepath"
	"slices"
)

// daemonKey is a key of one of the daemon's own sections.
type daemonKey struct {
	section, name string
	set           func(d *Daemon, v string) error
}

func daemonText(section, name string, field func(*Daemon) *string) daemonKey {
	return daemonKey{section, name, func(d *Daemon, v string) error { *field(d) = v; return nil }}
}

var daemonKeys = []daemonKey{
	daemonText("unix_http_server", "file", func(d *Daemon) *string { return &d.Socket }),
	{"unix_http_server", "chmod", func(d *Daemon, v string) (err error) { d.SocketMode, err = parseFileMode(v); return err }},
	daemonText("unix_http_server", "chown", func(d *Daemon) *string { return &d.SocketOwner }),
	daemonText("unix_http_server", "username", func(d *Daemon) *string { return &d.Username }),
	{"unix_http_server", "password", func(d *Daemon, v string) error { d.Password = Password(v); return nil }},
	daemonText("inet_http_server", "port", func(d *Daemon) *string { return &d.TCPAddr }),
	daemonText("inet_http_server", "username", func(d *Daemon) *string { return &d.TCPUsername }),
	{"inet_http_server", "password", func(d *Daemon, v string) error { d.TCPPassword = Password(v); return nil }},
	daemonText("supervisord", "logfile", func(d *Daemon) *string { return &d.LogFile }),
	{"supervisord", "logfile_maxbytes", func(d *Daemon, v string) (err error) { d.LogMaxBytes, err = parseBytes(v); return err }},
	{"supervisord", "logfile_backups", func(d *Daemon, v string) (err error) { d.LogBackups, err = parseInt(v, 0, 1000); return err }},
	daemonText("supervisord", "loglevel", func(d *Daemon) *string { return &d.LogLevel }),
	daemonText("supervisord", "pidfile", func(d *Daemon) *string { return &d.PidFile }),
	daemonText("supervisord", "childlogdir", func(d *Daemon) *string { return &d.ChildLogDir }),
	daemonText("supervisord", "identifier", func(d *Daemon) *string { return &d.Identifier }),
	{"supervisord", "minfds", func(d *Daemon, v string) (err error) { d.MinFDs, err = parseInt(v, 1, 1<<20); return err }},
	{"supervisord", "umask", func(d *Daemon, v string) error { d.Umask = v; _, err := ParseUmask(v); return err }},
	{"supervisord", "environment", func(d *Daemon, v string) (err error) { d.Environment, err = splitEnvironment(v); return err }},
	{"supervisord", "pass_environment", func(d *Daemon, v string) (err error) { d.PassEnvironment, err = parseNames(v); return err }},
}

// ignoredDaemonKeys are supervisor's keys that make no difference here and deserve no warning either: what they ask
// for is either always so (nocleanup, nodaemon under systemd) or set in the boot unit.
var ignoredDaemonKeys = []string{"nodaemon", "minprocs", "nocleanup", "user", "directory", "strip_ansi", "silent"}

func (l *loader) daemonDefaults() Daemon {
	return Daemon{
		Socket: filepath.Join(l.here, "run", "supervisor.sock"), SocketMode: 0o660,
		LogFile: filepath.Join(l.here, "logs", "supervisord.log"), LogMaxBytes: defaultLogMaxBytes,
		LogBackups: defaultLogBackups, LogLevel: "info", Identifier: "supervisor",
		PidFile: filepath.Join(l.here, "run", "supervisord.pid"), MinFDs: 1024,
	}
}

// daemonEnvironment makes the variables of [supervisord]'s environment known to programs, as %(ENV_X)s. What is wrong with
// it is reported with the section.
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
	for _, key := range daemonKeys {
		if key.section != s.name {
			continue
		}
		known = append(known, key.name)
		for _, k := range s.keys {
			if k.name != key.name {
				continue
			}
			v, err := expand(k.value, l.vars)
			if err == nil {
				err = key.set(d, v)
			}
			if err != nil {
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
}

func (l *loader) checkDaemon(d *Daemon) {
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
