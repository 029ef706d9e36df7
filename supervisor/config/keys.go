package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// programKey is one key of a [program:...] section: what it is called and how its value gets into a Program.
type programKey struct {
	name string
	set  func(p *Program, v string) error
}

// programKeys are the keys with a meaning, in the order they are applied. command, environment, process_name,
// numprocs and numprocs_start are handled before these, because other values refer to them.
var programKeys = []programKey{
	textKey("directory", func(p *Program) *string { return &p.Directory }),
	textKey("user", func(p *Program) *string { return &p.User }),
	{"umask", func(p *Program, v string) error { p.Umask = v; _, err := ParseUmask(v); return err }},

	{"pass_environment", func(p *Program, v string) (err error) { p.PassEnvironment, err = parseNames(v); return err }},

	boolKey("autostart", func(p *Program) *bool { return &p.AutoStart }),
	{"autorestart", setAutoRestart},
	intKey("startsecs", 0, 86400, func(p *Program) *int { return &p.StartSecs }),
	intKey("startretries", 0, 1_000_000, func(p *Program) *int { return &p.StartRetries }),
	{"exitcodes", func(p *Program, v string) (err error) { p.ExitCodes, err = parseInts(v, 0, 255); return err }},
	intKey("priority", -1_000_000, 1_000_000, func(p *Program) *int { return &p.Priority }),

	{"stopsignal", setStopSignal},
	intKey("stopwaitsecs", 0, 86400, func(p *Program) *int { return &p.StopWaitSecs }),
	intKey("stopwaitsecs_starting", 0, 86400, func(p *Program) *int { return &p.StopWaitStarting }),
	boolKey("stopasgroup", func(p *Program) *bool { return &p.StopAsGroup }),
	boolKey("killasgroup", func(p *Program) *bool { return &p.KillAsGroup }),
	durationKey("restart_delay", func(p *Program) *time.Duration { return &p.RestartDelay }),
	durationKey("restart_delay_max", func(p *Program) *time.Duration { return &p.RestartDelayMax }),
	durationKey("restart_reset", func(p *Program) *time.Duration { return &p.RestartReset }),

	boolKey("redirect_stderr", func(p *Program) *bool { return &p.RedirectStderr }),
	{"stdout_logfile", func(p *Program, v string) error { p.StdoutLogfile = logfileName(v); return nil }},
	bytesKey("stdout_logfile_maxbytes", func(p *Program) *int64 { return &p.StdoutLogfileMaxBytes }),
	intKey("stdout_logfile_backups", 0, 1000, func(p *Program) *int { return &p.StdoutLogfileBackups }),
	{"stderr_logfile", func(p *Program, v string) error { p.StderrLogfile = logfileName(v); return nil }},
	bytesKey("stderr_logfile_maxbytes", func(p *Program) *int64 { return &p.StderrLogfileMaxBytes }),
	intKey("stderr_logfile_backups", 0, 1000, func(p *Program) *int { return &p.StderrLogfileBackups }),
	boolKey("log_compress", func(p *Program) *bool { return &p.LogCompress }),
	bytesKey("log_total_maxbytes", func(p *Program) *int64 { return &p.LogTotalMaxBytes }),

	{"log_files", func(p *Program, v string) (err error) { p.LogFiles, err = splitWords(v); return err }},
	{"data_dirs", func(p *Program, v string) (err error) { p.DataDirs, err = splitWords(v); return err }},

	{"depends_on", func(p *Program, v string) error { p.DependsOn = splitList(v); return nil }},
	{"needs", func(p *Program, v string) error { p.Needs = splitList(v); return nil }},
	{"dependants_after", func(p *Program, v string) error { p.DependantsAfter = strings.ToLower(v); return nil }},
	textKey("ready_tcp", func(p *Program) *string { return &p.ReadyTCP }),
	{"ready_http", func(p *Program, v string) (err error) { p.ReadyHTTP, err = parseHTTPProbe(v); return err }},
	{"ready_exec", func(p *Program, v string) (err error) { p.ReadyExec, err = splitWords(v); return err }},
	{"ready_log", setReadyLog},
	durationKey("ready_interval", func(p *Program) *time.Duration { return &p.ReadyInterval }),
	durationKey("ready_timeout", func(p *Program) *time.Duration { return &p.ReadyTimeout }),
	textKey("liveness_tcp", func(p *Program) *string { return &p.LivenessTCP }),
	{"liveness_http", func(p *Program, v string) (err error) { p.LivenessHTTP, err = parseHTTPProbe(v); return err }},
	{"liveness_exec", func(p *Program, v string) (err error) { p.LivenessExec, err = splitWords(v); return err }},
	durationKey("liveness_interval", func(p *Program) *time.Duration { return &p.LivenessInterval }),
	durationKey("liveness_timeout", func(p *Program) *time.Duration { return &p.LivenessTimeout }),
	intKey("liveness_threshold", 1, 1000, func(p *Program) *int { return &p.LivenessThreshold }),
	{"liveness_action", func(p *Program, v string) error { p.LivenessAction = strings.ToLower(v); return nil }},

	limitKey("limit_nofile", func(p *Program) *string { return &p.LimitNoFile }),
	limitKey("limit_nproc", func(p *Program) *string { return &p.LimitNProc }),
	limitKey("limit_core", func(p *Program) *string { return &p.LimitCore }),
	{"oom_score_adj", func(p *Program, v string) error {
		n, err := parseInt(v, -1000, 1000)
		p.OOMScoreAdj = &n
		return err
	}},
	{"ports", func(p *Program, v string) (err error) { p.Ports, err = parseInts(v, 1, 65535); return err }},
}

// ignoredProgramKeys are supervisor's own keys that are accepted without effect, each with the reason.
var ignoredProgramKeys = map[string]string{
	"stdout_capture_maxbytes": "programs write to their log files directly, nothing is captured",
	"stderr_capture_maxbytes": "programs write to their log files directly, nothing is captured",
	"stdout_events_enabled":   "programs write to their log files directly, there are no output events",
	"stderr_events_enabled":   "programs write to their log files directly, there are no output events",
	"stdout_syslog":           "programs write to their log files directly, not to syslog",
	"stderr_syslog":           "programs write to their log files directly, not to syslog",
	"serverurl":               "programs do not get the address of the supervisor",
}

// misleadingProgramKeys are keys that AnsibleFATE's files carry although supervisor never knew them.
var misleadingProgramKeys = map[string]string{
	"logfile_maxbytes": "it belongs to [supervisord]; for a program it is stdout_logfile_maxbytes",
	"logfile_backups":  "it belongs to [supervisord]; for a program it is stdout_logfile_backups",
	"loglevel":         "it belongs to [supervisord]",
	"logfile":          "it belongs to [supervisord]; for a program it is stdout_logfile",
}

func textKey(name string, field func(*Program) *string) programKey {
	return programKey{name, func(p *Program, v string) error { *field(p) = v; return nil }}
}

func boolKey(name string, field func(*Program) *bool) programKey {
	return programKey{name, func(p *Program, v string) (err error) { *field(p), err = parseBool(v); return err }}
}

func intKey(name string, low, high int, field func(*Program) *int) programKey {
	return programKey{name, func(p *Program, v string) (err error) { *field(p), err = parseInt(v, low, high); return err }}
}

func bytesKey(name string, field func(*Program) *int64) programKey {
	return programKey{name, func(p *Program, v string) (err error) { *field(p), err = parseBytes(v); return err }}
}

func durationKey(name string, field func(*Program) *time.Duration) programKey {
	return programKey{name, func(p *Program, v string) (err error) { *field(p), err = parseDuration(v); return err }}
}

func limitKey(name string, field func(*Program) *string) programKey {
	return programKey{name, func(p *Program, v string) error {
		*field(p) = v
		_, _, err := ParseLimit(v)
		return err
	}}
}

func setAutoRestart(p *Program, v string) error {
	p.AutoRestart = strings.ToLower(v)
	if p.AutoRestart == "unexpected" {
		return nil
	}
	on, err := parseBool(v)
	p.AutoRestart = fmt.Sprint(on)
	if err != nil {
		return fmt.Errorf("%q is none of true, false and unexpected", v)
	}
	return nil
}

func setStopSignal(p *Program, v string) error {
	p.StopSignal = strings.TrimPrefix(strings.ToUpper(v), "SIG")
	_, err := ParseSignal(v)
	return err
}

func setReadyLog(p *Program, v string) error {
	p.ReadyLog = v
	if v == "" || v[0] != '"' && v[0] != '\'' {
		return nil
	}
	words, err := splitWords(v)
	if err == nil && len(words) != 1 {
		err = errors.New("there is text after the quoted expression")
	}
	if err == nil {
		p.ReadyLog = words[0]
	}
	return err
}

// logfileName normalises the two special names, which supervisor takes in any case.
func logfileName(v string) string {
	if up := strings.ToUpper(v); up == "AUTO" || up == "NONE" {
		return up
	}
	if v == "" {
		return "NONE"
	}
	return v
}

// knownProgramKeys lists every key a [program:...] section may have, for the hint at a misspelt one.
func knownProgramKeys() []string {
	names := []string{"command", "environment", "process_name", "numprocs", "numprocs_start"}
	for _, k := range programKeys {
		names = append(names, k.name)
	}
	slices.Sort(names)
	return names
}
