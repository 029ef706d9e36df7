package config

import (
	"fmt"
	"slices"
	"time"
)

// key is what the dialect says about one key of a section that describes a T.
type key[T any] struct {
	name  string
	def   string // the default as a file would have it; "" is the field's zero value
	about string // one line for the help
	added bool   // not known to supervisor 4
	form[T]
	rules []func(*T) error // what has to hold between this key and others
}

func std[T any](name, def, about string, f form[T], rules ...func(*T) error) key[T] {
	return key[T]{name: name, def: def, about: about, form: f, rules: rules}
}

func added[T any](name, def, about string, f form[T], rules ...func(*T) error) key[T] {
	return key[T]{name: name, def: def, about: about, added: true, form: f, rules: rules}
}

// programKeys are the keys of a [program:...] section that have a field, in the order in which they are written and
// read. environment is read before the others: they may refer to its variables.
var programKeys = []key[Program]{
	std("command", "", "the program and its arguments",
		argv(func(p *Program) *[]string { return &p.Command }), hasCommand),
	std("directory", "", "the working directory",
		text(func(p *Program) *string { return &p.Directory })),
	std("user", "", "the user that it runs as",
		text(func(p *Program) *string { return &p.User })),
	std("environment", "", `its variables: A="1",B="2"`,
		variables(func(p *Program) *map[string]string { return &p.Environment })),
	added("pass_environment", "", "variables of the supervisor's own environment that it gets: a,b",
		variableNames(func(p *Program) *[]string { return &p.PassEnvironment })),
	std("umask", "", "octal mask of the files that it makes",
		umask(func(p *Program) *string { return &p.Umask })),

	std("autostart", "true", "start it with the supervisor",
		boolean(func(p *Program) *bool { return &p.AutoStart })),
	std("autorestart", "unexpected",
		"restart it when it ends: true, false, or unexpected for an exit code not in exitcodes",
		restarts(func(p *Program) *string { return &p.AutoRestart })),
	std("startsecs", "1", "seconds that it has to live to count as started",
		number(0, 86400, func(p *Program) *int { return &p.StartSecs })),
	std("startretries", "3", "starts that may fail in a row before it is given up",
		number(0, 1_000_000, func(p *Program) *int { return &p.StartRetries })),
	std("exitcodes", "0", "exit codes of a normal end",
		numbers(0, 255, func(p *Program) *[]int { return &p.ExitCodes })),
	std("priority", "999", "among programs that may start at once, lower goes first",
		number(-1_000_000, 1_000_000, func(p *Program) *int { return &p.Priority })),

	std("stopsignal", "TERM", "the signal that ends it",
		signalName(func(p *Program) *string { return &p.StopSignal })),
	std("stopwaitsecs", "10", "seconds from stopsignal to KILL",
		number(0, 86400, func(p *Program) *int { return &p.StopWaitSecs })),
	added("stopwaitsecs_starting", "", "stopwaitsecs for a process that has not been ready yet; 0 is stopwaitsecs",
		number(0, 86400, func(p *Program) *int { return &p.StopWaitStarting })),
	std("stopasgroup", "false", "send stopsignal to its whole process group",
		boolean(func(p *Program) *bool { return &p.StopAsGroup }), stopsWholeGroup),
	std("killasgroup", "true", "kill what it leaves behind in its process group",
		boolean(func(p *Program) *bool { return &p.KillAsGroup })),
	added("restart_delay", "500ms", "pause before the first restart, which doubles with each further failure",
		duration(func(p *Program) *time.Duration { return &p.RestartDelay })),
	added("restart_delay_max", "30s", "longest pause before a restart",
		duration(func(p *Program) *time.Duration { return &p.RestartDelayMax })),
	added("restart_reset", "30s", "up for this long, its next failure counts as the first",
		duration(func(p *Program) *time.Duration { return &p.RestartReset })),

	std("redirect_stderr", "false", "write stderr where stdout goes",
		boolean(func(p *Program) *bool { return &p.RedirectStderr })),
	std("stdout_logfile", "AUTO", "log of stdout: a path, AUTO or NONE",
		logfile(func(p *Program) *string { return &p.StdoutLogfile })),
	std("stdout_logfile_maxbytes", "50MB", "rotate the log beyond this size; 0 is never",
		size(func(p *Program) *int64 { return &p.StdoutLogfileMaxBytes })),
	std("stdout_logfile_backups", "10", "rotated logs that are kept",
		number(0, 1000, func(p *Program) *int { return &p.StdoutLogfileBackups })),
	std("stderr_logfile", "AUTO", "log of stderr: a path, AUTO or NONE",
		logfile(func(p *Program) *string { return &p.StderrLogfile })),
	std("stderr_logfile_maxbytes", "50MB", "rotate the log beyond this size; 0 is never",
		size(func(p *Program) *int64 { return &p.StderrLogfileMaxBytes })),
	std("stderr_logfile_backups", "10", "rotated logs that are kept",
		number(0, 1000, func(p *Program) *int { return &p.StderrLogfileBackups })),
	added("log_compress", "true", "gzip rotated logs",
		boolean(func(p *Program) *bool { return &p.LogCompress })),
	added("log_total_maxbytes", "", "limit for a log with all that was rotated; 0 is none",
		size(func(p *Program) *int64 { return &p.LogTotalMaxBytes })),

	added("log_files", "", "logs that the program writes by itself, with wildcards, for status and why",
		patterns(func(p *Program) *[]string { return &p.LogFiles })),
	added("data_dirs", "", "other directories that it writes to: it is degraded while a file system of these or of "+
		"its\n"+
		"logs has less than 512 MiB free, or than 5 % of its size",
		paths(func(p *Program) *[]string { return &p.DataDirs })),

	added("depends_on", "", "programs that must be ready first: a,b",
		names(func(p *Program) *[]string { return &p.DependsOn }), dependsOnOthers),
	added("needs", "", "programs without which it cannot work, and which it does not wait for at its start",
		names(func(p *Program) *[]string { return &p.Needs }), needsOthers),
	added("dependants_after", DependantsReady,
		"when programs that depend on it may start: ready, or listening when its\n"+
			"ready_tcp and ready_http pass",
		choice(func(p *Program) *string { return &p.DependantsAfter }, DependantsReady, DependantsListening),
		canListen),
	added("ready_tcp", "", "host:port that accepts a connection",
		address(func(p *Program) *string { return &p.ReadyTCP })),
	added("ready_http", "", `[METHOD] URL [status=N] [or_status=N] [header="K: V"] [body=...] [contains=...]`,
		request(func(p *Program) **HTTPProbe { return &p.ReadyHTTP })),
	added("ready_exec", "", "a command that exits with 0",
		argv(func(p *Program) *[]string { return &p.ReadyExec })),
	added("ready_log", "", "a regular expression that a line written since the start matches",
		expressionText(func(p *Program) *string { return &p.ReadyLog }), hasLog),
	added("ready_interval", "1s", "time between two attempts",
		duration(func(p *Program) *time.Duration { return &p.ReadyInterval }), readyIntervalAboveZero),
	added("ready_timeout", "2m", "time from its start until it counts as failed",
		duration(func(p *Program) *time.Duration { return &p.ReadyTimeout }), readyTimeoutAboveZero),
	added("liveness_tcp", "", "host:port that accepts a connection while the program is ready",
		address(func(p *Program) *string { return &p.LivenessTCP })),
	added("liveness_http", "", "a request as that of ready_http, while it is ready",
		request(func(p *Program) **HTTPProbe { return &p.LivenessHTTP })),
	added("liveness_exec", "", "a command that exits with 0 while it is ready",
		argv(func(p *Program) *[]string { return &p.LivenessExec })),
	added("liveness_interval", "10s", "time between two attempts",
		duration(func(p *Program) *time.Duration { return &p.LivenessInterval }), livenessIntervalAboveZero),
	added("liveness_timeout", "5s", "time for one attempt",
		duration(func(p *Program) *time.Duration { return &p.LivenessTimeout }), livenessTimeoutAboveZero),
	added("liveness_threshold", "3", "failures in a row before liveness_action",
		number(1, 1000, func(p *Program) *int { return &p.LivenessThreshold })),
	added("liveness_action", "restart", "restart, stop or none",
		choice(func(p *Program) *string { return &p.LivenessAction }, "restart", "stop", "none")),

	added("limit_nofile", "", "open files: N, SOFT:HARD or unlimited",
		limit(func(p *Program) *string { return &p.LimitNoFile })),
	added("limit_nproc", "", "processes of its user: N, SOFT:HARD or unlimited",
		limit(func(p *Program) *string { return &p.LimitNProc })),
	added("limit_core", "", "bytes of a core file: N, SOFT:HARD or unlimited",
		limit(func(p *Program) *string { return &p.LimitCore })),
	added("oom_score_adj", "", "-1000 to 1000",
		optionalNumber(-1000, 1000, func(p *Program) **int { return &p.OOMScoreAdj })),
	added("ports", "", "what it listens on, for status and why",
		numbers(1, 65535, func(p *Program) *[]int { return &p.Ports })),
}

// numberingKeys are the keys of a [program:...] section that say how many programs it stands for and how these are
// called. They have no field.
var numberingKeys = []string{"process_name", "numprocs", "numprocs_start"}

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

// setDefaults gives the fields of the keys their defaults.
func setDefaults[T any](keys []key[T], t *T) {
	for _, k := range keys {
		if k.def == "" {
			continue
		}
		if err := k.parse(t, k.def); err != nil {
			panic(fmt.Sprintf("config: the default of %s: %v", k.name, err))
		}
	}
}

// Key describes a key of a [program:...] section to people.
type Key struct {
	Name    string
	About   string // lines of text, without a newline at the end
	Default string // as a file would have it; "" is none
}

// AddedKeys lists the keys of a [program:...] section that supervisor 4 does not have.
func AddedKeys() []Key {
	var out []Key
	for _, k := range programKeys {
		if k.added {
			out = append(out, Key{k.name, k.about, k.def})
		}
	}
	return out
}

// knownProgramKeys lists every key a [program:...] section may have, for the hint at a misspelt one.
func knownProgramKeys() []string {
	known := slices.Clone(numberingKeys)
	for _, k := range programKeys {
		known = append(known, k.name)
	}
	slices.Sort(known)
	return known
}
