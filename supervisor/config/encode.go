package config

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// INI writes the program as a [program:NAME] section. Loading the section gives an equal Program back, whatever
// quotes, percent signs, semicolons, backslashes or spaces its words contain, provided Validate accepts it. Only keys
// that differ from NewProgram are written, so that the file shows what is particular about the program. Group is not
// part of the section: see GroupINI.
func (p Program) INI() []byte {
	d := NewProgram(p.Name)
	e := &encoder{}
	fmt.Fprintf(&e.buf, "[program:%s]\n", p.Name)
	e.words("command", p.Command)
	e.str("directory", p.Directory, d.Directory)
	e.str("user", p.User, d.User)
	e.environment("environment", p.Environment)
	e.str("pass_environment", strings.Join(p.PassEnvironment, ","), "")
	e.str("umask", p.Umask, d.Umask)

	e.boolean("autostart", p.AutoStart, d.AutoStart)
	e.str("autorestart", p.AutoRestart, d.AutoRestart)
	e.num("startsecs", int64(p.StartSecs), int64(d.StartSecs))
	e.num("startretries", int64(p.StartRetries), int64(d.StartRetries))
	e.ints("exitcodes", p.ExitCodes, d.ExitCodes)
	e.num("priority", int64(p.Priority), int64(d.Priority))

	e.str("stopsignal", p.StopSignal, d.StopSignal)
	e.num("stopwaitsecs", int64(p.StopWaitSecs), int64(d.StopWaitSecs))
	e.num("stopwaitsecs_starting", int64(p.StopWaitStarting), int64(d.StopWaitStarting))
	e.boolean("stopasgroup", p.StopAsGroup, d.StopAsGroup)
	e.boolean("killasgroup", p.KillAsGroup, d.KillAsGroup)
	e.duration("restart_delay", p.RestartDelay, d.RestartDelay)
	e.duration("restart_delay_max", p.RestartDelayMax, d.RestartDelayMax)
	e.duration("restart_reset", p.RestartReset, d.RestartReset)

	e.boolean("redirect_stderr", p.RedirectStderr, d.RedirectStderr)
	e.str("stdout_logfile", p.StdoutLogfile, d.StdoutLogfile)
	e.num("stdout_logfile_maxbytes", p.StdoutLogfileMaxBytes, d.StdoutLogfileMaxBytes)
	e.num("stdout_logfile_backups", int64(p.StdoutLogfileBackups), int64(d.StdoutLogfileBackups))
	e.str("stderr_logfile", p.StderrLogfile, d.StderrLogfile)
	e.num("stderr_logfile_maxbytes", p.StderrLogfileMaxBytes, d.StderrLogfileMaxBytes)
	e.num("stderr_logfile_backups", int64(p.StderrLogfileBackups), int64(d.StderrLogfileBackups))
	e.boolean("log_compress", p.LogCompress, d.LogCompress)
	e.num("log_total_maxbytes", p.LogTotalMaxBytes, d.LogTotalMaxBytes)

	e.words("log_files", p.LogFiles)
	e.words("data_dirs", p.DataDirs)

	e.str("depends_on", strings.Join(p.DependsOn, ","), "")
	e.str("needs", strings.Join(p.Needs, ","), "")
	e.str("dependants_after", p.DependantsAfter, d.DependantsAfter)
	e.str("ready_tcp", p.ReadyTCP, d.ReadyTCP)
	e.http("ready_http", p.ReadyHTTP)
	e.words("ready_exec", p.ReadyExec)
	if p.ReadyLog != "" {
		e.words("ready_log", []string{p.ReadyLog})
	}
	e.duration("ready_interval", p.ReadyInterval, d.ReadyInterval)
	e.duration("ready_timeout", p.ReadyTimeout, d.ReadyTimeout)
	e.str("liveness_tcp", p.LivenessTCP, d.LivenessTCP)
	e.http("liveness_http", p.LivenessHTTP)
	e.words("liveness_exec", p.LivenessExec)
	e.duration("liveness_interval", p.LivenessInterval, d.LivenessInterval)
	e.duration("liveness_timeout", p.LivenessTimeout, d.LivenessTimeout)
	e.num("liveness_threshold", int64(p.LivenessThreshold), int64(d.LivenessThreshold))
	e.str("liveness_action", p.LivenessAction, d.LivenessAction)

	e.str("limit_nofile", p.LimitNoFile, d.LimitNoFile)
	e.str("limit_nproc", p.LimitNProc, d.LimitNProc)
	e.str("limit_core", p.LimitCore, d.LimitCore)
	if p.OOMScoreAdj != nil {
		e.put("oom_score_adj", strconv.Itoa(*p.OOMScoreAdj))
	}
	e.ints("ports", p.Ports, nil)
	return e.buf.Bytes()
}

// GroupINI writes a [group:NAME] section that gathers the programs under one name.
func GroupINI(name string, programs []string) []byte {
	return fmt.Appendf(nil, "[group:%s]\nprograms = %s\n", name, strings.Join(programs, ","))
}

type encoder struct{ buf bytes.Buffer }

// put writes one key. The value is in the dialect already, except for the percent sign, which begins an expression.
func (e *encoder) put(key, value string) {
	fmt.Fprintf(&e.buf, "%s = %s\n", key, strings.ReplaceAll(value, "%", "%%"))
}

func (e *encoder) str(key, v, def string) {
	if v != def {
		e.put(key, v)
	}
}

func (e *encoder) boolean(key string, v, def bool) {
	if v != def {
		e.put(key, strconv.FormatBool(v))
	}
}

func (e *encoder) num(key string, v, def int64) {
	if v != def {
		e.put(key, strconv.FormatInt(v, 10))
	}
}

func (e *encoder) duration(key string, v, def time.Duration) {
	if v != def {
		e.put(key, v.String())
	}
}

func (e *encoder) ints(key string, v, def []int) {
	if slices.Equal(v, def) {
		return
	}
	words := make([]string, len(v))
	for i, n := range v {
		words[i] = strconv.Itoa(n)
	}
	e.put(key, strings.Join(words, ","))
}

func (e *encoder) words(key string, words []string) {
	if len(words) == 0 {
		return
	}
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = quoteWord(w)
	}
	e.put(key, strings.Join(quoted, " "))
}

func (e *encoder) environment(key string, env map[string]string) {
	if len(env) == 0 {
		return
	}
	pairs := make([]string, 0, len(env))
	for _, k := range slices.Sorted(maps.Keys(env)) {
		pairs = append(pairs, k+"="+quoteAlways(env[k]))
	}
	e.put(key, strings.Join(pairs, ","))
}

func (e *encoder) http(key string, h *HTTPProbe) {
	if h == nil {
		return
	}
	var words []string
	if h.Method != "" {
		words = append(words, h.Method)
	}
	words = append(words, h.URL)
	if h.Status != 0 {
		words = append(words, "status="+strconv.Itoa(h.Status))
	}
	if h.OrStatus != 0 {
		words = append(words, "or_status="+strconv.Itoa(h.OrStatus))
	}
	for _, k := range slices.Sorted(maps.Keys(h.Header)) {
		words = append(words, "header="+k+": "+h.Header[k])
	}
	if h.Body != "" {
		words = append(words, "body="+h.Body)
	}
	if h.BodyContains != "" {
		words = append(words, "contains="+h.BodyContains)
	}
	e.words(key, words)
}

// quoteWord quotes a word for splitWords when it needs it.
func quoteWord(w string) string {
	if w != "" && !strings.ContainsFunc(w, func(r rune) bool { return strings.ContainsRune(" \t\n\"'\\;#", r) }) {
		return w
	}
	return quoteAlways(w)
}

// quoteAlways quotes a word so that shlex in its POSIX mode (supervisor's command), shlex in its plain mode
// (supervisor's environment, where backslash does not escape) and splitWords read the same. There is no escape that
// all three know, so quotes of the other kind are used, and pieces are put side by side where one kind is not enough.
// A piece also ends where ini would see a comment (a space, then ; or #) and around each newline, so that
// neither the end of a line nor the indent of the next one can eat a space that belongs to the word.
func quoteAlways(w string) string {
	var b strings.Builder
	quote := pickQuote(w)
	b.WriteByte(quote)
	for i := 0; i < len(w); i++ {
		c := w[i]
		switch {
		case c == quote || c == '\\' && quote == '"':
			// POSIX shlex honours a backslash inside double quotes only.
			b.WriteByte(quote)
			quote = pickQuote(w[i:])
			b.WriteByte(quote)
			b.WriteByte(c)
		case (c == ';' || c == '#') && i > 0 && isBlank(w[i-1]):
			b.WriteByte(quote)
			b.WriteByte(quote)
			b.WriteByte(c)
		case c == '\n':
			b.WriteByte(quote)
			b.WriteByte(quote)
			b.WriteString("\n\t")
			b.WriteByte(quote)
			b.WriteByte(quote)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte(quote)
	return b.String()
}

// pickQuote chooses the kind of quote that can hold the beginning of w.
func pickQuote(w string) byte {
	for i := 0; i < len(w); i++ {
		switch w[i] {
		case '"', '\\':
			return '\''
		case '\'':
			return '"'
		}
	}
	return '"'
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }
