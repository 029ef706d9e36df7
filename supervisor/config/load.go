package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/ochinchina/supervisord/config"
)

// Settings is everything that a configuration file and the files it includes say.
type Settings struct {
	Path     string // the main file
	Daemon   Daemon
	Programs []Program // sorted by name
}

// Daemon holds the settings of the supervisor itself: [supervisord], [unix_http_server], [inet_http_server],
// [metrics_http_server].
type Daemon struct {
	Socket      string // unix socket of the API
	SocketMode  os.FileMode
	SocketOwner string // user[:group]; "" leaves the daemon's own
	Username    string // asked for on the socket too when set
	Password    Password

	TCPAddr     string // "" for none; never without credentials
	TCPUsername string
	TCPPassword Password

	Metrics Metrics

	LogFile     string
	LogMaxBytes int64
	LogBackups  int
	LogLevel    string
	PidFile     string
	ChildLogDir string // where AUTO log files go
	Identifier  string
	MinFDs      int // open files the daemon needs
	Umask       string
	Environment map[string]string // for every program

	// PassEnvironment names variables of the daemon's own environment that every program gets, besides those of
	// Inherited.
	PassEnvironment []string
}

// Password keeps a secret out of logs and JSON. A value that starts with {SHA} is the SHA-1 of the password, in hex.
type Password string

// String hides the password.
func (Password) String() string { return "[redacted]" }

// MarshalText hides the password.
func (Password) MarshalText() ([]byte, error) { return []byte("[redacted]"), nil }

// Load reads a configuration file and the files its [include] section names. A file that cannot be used gives
// Problems; what is odd but harmless (an unknown key, say) comes back as warnings. The values of environ
// are known as %(ENV_NAME)s. Nothing on the machine but these files and the host name is looked at.
//
// The dialect is supervisor 4's, with the expressions and groups of ochinchina/supervisord's config package. Its
// Config.Load is not used: it drops a program whose command has a mistake without a word, takes an unreadable file for
// an empty one, hangs on a dependency cycle, and cannot tell the line of anything.
func Load(confPath string, environ []string) (*Settings, []Problem, error) {
	abs, err := filepath.Abs(confPath)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot find %s: %w", confPath, err)
	}
	l := &loader{path: abs, here: filepath.Dir(abs), vars: commonVars(environ), groups: config.NewProcessGroup()}
	return l.load()
}

// LoadFiles is Load for files, by their absolute names, that need not be on the machine.
func LoadFiles(confPath string, files map[string][]byte) (*Settings, []Problem, error) {
	l := &loader{path: confPath, here: filepath.Dir(confPath), vars: commonVars(os.Environ()),
		groups: config.NewProcessGroup(), files: files}
	return l.load()
}

func (l *loader) load() (*Settings, []Problem, error) {
	l.vars["here"] = l.here
	l.readFile(l.path)
	for _, f := range l.includes() {
		l.readFile(f)
	}
	cfg := l.build()
	if len(l.problems) > 0 {
		return nil, l.warnings, Problems(l.problems)
	}
	return cfg, l.warnings, nil
}

func commonVars(environ []string) map[string]string {
	vars := make(map[string]string, len(environ)+8)
	for _, e := range environ {
		k, v, _ := strings.Cut(e, "=")
		vars["ENV_"+k] = v
	}
	vars["host_node_name"], _ = os.Hostname()
	return vars
}

type loader struct {
	files      map[string][]byte // read instead of the machine's; nil: the machine's are
	path, here string
	vars       map[string]string
	sections   []iniSection
	groups     *config.ProcessGroup
	groupLine  map[string]position // of the [group:x] that names a program
	problems   []Problem
	warnings   []Problem

	metricsFaults []Problem // of the section for metrics
}

type position struct {
	file string
	line int
}

func (l *loader) problem(file string, line int, format string, args ...any) {
	l.problems = append(l.problems, Problem{file, line, fmt.Sprintf(format, args...)})
}

func (l *loader) warn(file string, line int, format string, args ...any) {
	l.warnings = append(l.warnings, Problem{file, line, fmt.Sprintf(format, args...)})
}

func (l *loader) readFile(path string) {
	data, err := l.read(path)
	if err != nil {
		l.problem(path, 0, "cannot be read: %v", err)
		return
	}
	sections, problems := parseINI(path, data)
	l.problems = append(l.problems, problems...)
	for _, s := range sections {
		for _, have := range l.sections {
			switch {
			case have.name != s.name:
			case s.name == metricsSection:
				l.metricsFault(Problem{s.file, s.line, fmt.Sprintf("[%s] is given twice, first in %s:%d", s.name,
					have.file, have.line)})
			default:
				l.problem(s.file, s.line, "[%s] is given twice, first in %s:%d", s.name, have.file, have.line)
			}
		}
		l.sections = append(l.sections, s)
	}
}

func (l *loader) read(path string) ([]byte, error) {
	if l.files == nil {
		return readBounded(path)
	}
	data, ok := l.files[path]
	if !ok {
		return nil, os.ErrNotExist
	}
	return data, nil
}

// glob lists the files that match a pattern.
func (l *loader) glob(pattern string) ([]string, error) {
	if l.files == nil {
		return filepath.Glob(pattern)
	}
	var out []string
	for name := range l.files {
		match, err := filepath.Match(pattern, name)
		if err != nil {
			return nil, err
		}
		if match {
			out = append(out, name)
		}
	}
	return out, nil
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		if failed := new(os.PathError); errors.As(err, &failed) {
			err = failed.Err // the problem names the file already
		}
		return nil, err
	}
	defer f.Close()
	if st, err := f.Stat(); err == nil && !st.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	return io.ReadAll(io.LimitReader(f, maxFileBytes+1))
}

func (l *loader) section(name string) *iniSection {
	for i := range l.sections {
		if l.sections[i].name == name {
			return &l.sections[i]
		}
	}
	return nil
}

// includes returns the files of [include] in a fixed order. A pattern that matches nothing is normal: a fresh
// supervisor.d is empty.
func (l *loader) includes() []string {
	s := l.section("include")
	if s == nil {
		return nil
	}
	var out []string
	for _, k := range s.keys {
		if k.name != "files" {
			l.unknownKey(s, k, []string{"files"})
			continue
		}
		value, err := expand(k.value, l.vars)
		if err != nil {
			l.problem(s.file, k.line, "files: %v", err)
			continue
		}
		for _, pattern := range strings.Fields(value) {
			if !filepath.IsAbs(pattern) {
				pattern = filepath.Join(l.here, pattern)
			}
			matches, err := l.glob(pattern)
			if err != nil {
				l.problem(s.file, k.line, "files: %q is not a pattern: %v", pattern, err)
			}
			slices.Sort(matches)
			out = append(out, matches...)
		}
	}
	return slices.Compact(out)
}

func (l *loader) build() *Settings {
	cfg := &Settings{Path: l.path, Daemon: daemonDefaults()}
	l.buildGroups()
	l.daemonEnvironment()
	positions := make(map[string]position)
	for i := range l.sections {
		s := &l.sections[i]
		kind, name, _ := strings.Cut(s.name, ":")
		switch kind {
		case "program":
			for _, p := range l.programs(s, strings.TrimSpace(name)) {
				if first, ok := positions[p.Name]; ok {
					l.problem(s.file, s.line, "program %s is defined twice, first in %s:%d", p.Name,
						first.file, first.line)
					continue
				}
				positions[p.Name] = position{s.file, s.line}
				cfg.Programs = append(cfg.Programs, p)
			}
		case "group", "include":
		case "supervisord", "unix_http_server", "inet_http_server", metricsSection:
			l.daemonSection(s, &cfg.Daemon)
		case "supervisorctl", "rpcinterface", "ctlplugin":
			// Meant for supervisorctl or for Python; of no concern here.
		case "eventlistener", "fcgi-program":
			l.problem(s.file, s.line, "[%s]: programs of this kind are not supported", s.name)
		default:
			l.warn(s.file, s.line, "[%s] is not a section that means anything here", s.name)
		}
	}
	l.checkDaemon(&cfg.Daemon)
	slices.SortFunc(cfg.Programs, func(a, b Program) int { return strings.Compare(a.Name, b.Name) })
	l.checkGraph(cfg.Programs, positions)
	return cfg
}

func (l *loader) buildGroups() {
	l.groupLine = make(map[string]position)
	for i := range l.sections {
		s := &l.sections[i]
		name, ok := strings.CutPrefix(s.name, "group:")
		if !ok {
			continue
		}
		if err := ValidName(name); err != nil {
			l.problem(s.file, s.line, "[%s]: %v", s.name, err)
		}
		for _, k := range s.keys {
			switch k.name {
			case "programs":
				for _, p := range splitList(k.value) {
					if first, ok := l.groupLine[p]; ok {
						l.problem(s.file, k.line, "program %s is in two groups, first in %s:%d", p,
							first.file, first.line)
					}
					if l.section("program:"+p) == nil {
						l.problem(s.file, k.line, "group %s names the program %s, which is not defined", name, p)
					}
					l.groupLine[p] = position{s.file, k.line}
					l.groups.Add(name, p)
				}
			case "priority":
			default:
				l.unknownKey(s, k, []string{"programs", "priority"})
			}
		}
	}
}

// checkGraph finds dependencies that do not exist or run in a circle.
func (l *loader) checkGraph(programs []Program, positions map[string]position) {
	if len(programs) > MaxPrograms {
		l.problem(l.path, 0, "there are %d programs; at most %d are possible", len(programs), MaxPrograms)
		return
	}
	var names []string
	for _, p := range programs {
		names = append(names, p.Name)
	}
	for _, p := range programs {
		at := positions[p.Name]
		// What it needs and does not wait for may be defined later: an installer writes one file after the other.
		for _, d := range p.DependsOn {
			if _, ok := positions[d]; !ok {
				l.problem(at.file, at.line, "program %s depends on %s, which is not defined%s", p.Name, d,
					nearest(d, names))
			}
		}
	}
	if cycle := findCycle(programs); cycle != nil {
		at := positions[cycle[0]]
		l.problem(at.file, at.line, "the dependencies go in a circle: %s", strings.Join(cycle, " -> "))
	}
}

func (l *loader) unknownKey(s *iniSection, k iniKey, known []string) {
	l.warn(s.file, k.line, "[%s] %s is not a key that means anything here%s", s.name, k.name, nearest(k.name, known))
}

// nearest gives ", did you mean X?" when a known name is close to what was written.
func nearest(name string, known []string) string {
	best, distance := "", 3
	for _, k := range known {
		if k == name || len(k) > len(name)+2 || len(name) > len(k)+2 {
			continue
		}
		if d := levenshtein.ComputeDistance(name, k); d < distance {
			best, distance = k, d
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + best + "?"
}

// LoadDaemon reads only what the main file says of the supervisor itself, for a command that wants to speak to it. A
// file that cannot be read, or not be understood, counts as empty: the socket is then where it is by default.
func LoadDaemon(confPath string) Daemon {
	abs, err := filepath.Abs(confPath)
	if err != nil {
		abs = confPath
	}
	l := &loader{path: abs, here: filepath.Dir(abs), vars: commonVars(os.Environ())}
	l.vars["here"] = l.here
	l.readFile(abs)
	d := daemonDefaults()
	for i := range l.sections {
		if _, ours := daemonKeys[l.sections[i].name]; ours {
			l.daemonSection(&l.sections[i], &d)
		}
	}
	l.checkDaemon(&d)
	return d
}
