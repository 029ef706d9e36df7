package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// subject is a supervisor to measure: how it is configured, run and asked.
type subject struct {
	name   string
	config func(dir string) string // path of its main configuration file below dir
	keys   string                  // for every program: restart at once, count as started at once
	daemon func(dir string) []string
	ctl    func(dir string, args ...string) []string
}

// common is understood by all three.
const common = `[unix_http_server]
file=%[1]s/s.sock
[supervisord]
logfile=%[1]s/daemon.log
pidfile=%[1]s/daemon.pid
nodaemon=true
minfds=10000
[supervisorctl]
serverurl=unix://%[1]s/s.sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
`

func fate(path string) subject {
	conf := func(dir string) string { return filepath.Join(dir, "projects/common/supervisord/supervisord.conf") }
	return subject{
		name: "fate-installer", config: conf, keys: "restart_delay=0s\nrestart_delay_max=0s\n",
		daemon: func(dir string) []string { return []string{path, "--base", dir, "svc", "run"} },
		ctl: func(dir string, args ...string) []string {
			return append([]string{path, "--base", dir, "svc"}, args...)
		},
	}
}

func debian(path string) subject {
	conf := func(dir string) string { return filepath.Join(dir, "supervisord.conf") }
	return subject{
		name: "supervisor (Python)", config: conf,
		daemon: func(dir string) []string { return []string{path, "-n", "-c", conf(dir)} },
		ctl: func(dir string, args ...string) []string {
			return append([]string{filepath.Join(filepath.Dir(path), "supervisorctl"), "-c", conf(dir)}, args...)
		},
	}
}

func ochinchina(path string) subject {
	conf := func(dir string) string { return filepath.Join(dir, "supervisord.conf") }
	return subject{
		name: "ochinchina/supervisord", config: conf,
		daemon: func(dir string) []string { return []string{path, "-c", conf(dir)} },
		ctl: func(dir string, args ...string) []string {
			return append([]string{path, "ctl", "-c", conf(dir)}, args...)
		},
	}
}

// write puts a configuration with the given programs into dir.
func (s subject) write(dir string, programs []string) error {
	path := s.config(dir)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	text := fmt.Sprintf(common, dir) + strings.Join(programs, "")
	return os.WriteFile(path, []byte(text), 0o600)
}

// program is a section for a command.
func (s subject) program(name, command, more string) string {
	return fmt.Sprintf("[program:%s]\ncommand=%s\nautorestart=true\nstartsecs=0\nstartretries=1000000\nstdout_logfile=/dev/null\nredirect_stderr=true\n%s%s",
		name, command, s.keys, more)
}
