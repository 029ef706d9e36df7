package config

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// maxNumProcs bounds numprocs, so that a slip of the finger does not fork a hundred thousand processes.
const maxNumProcs = 1000

// programs returns the program of a section, or all of them where numprocs is above one.
func (l *loader) programs(s *iniSection, name string) []Program {
	if err := ValidName(name); err != nil {
		l.problem(s.file, s.line, "[%s]: %v", s.name, err)
		return nil
	}
	get := func(key, def string) (string, int) {
		for _, k := range s.keys {
			if k.name == key {
				return k.value, k.line
			}
		}
		return def, s.line
	}
	text, line := get("numprocs", "1")
	count, err := parseInt(text, 1, maxNumProcs)
	if err != nil {
		l.problem(s.file, line, "numprocs: %v", err)
		return nil
	}
	text, line = get("numprocs_start", "0")
	first, err := parseInt(text, 0, 1_000_000)
	if err != nil {
		l.problem(s.file, line, "numprocs_start: %v", err)
		return nil
	}
	processName, line := get("process_name", "%(program_name)s")
	if count > 1 && !strings.Contains(processName, "%(process_num)") {
		l.problem(s.file, line, "numprocs is %d, so process_name must contain %%(process_num)", count)
		return nil
	}
	l.warnKeys(s)
	var out []Program
	for n := first; n < first+count; n++ {
		vars := make(map[string]string, len(l.vars)+8)
		for k, v := range l.vars {
			vars[k] = v
		}
		vars["here"] = filepath.Dir(s.file) // also in an included file, as supervisor 4 has it
		vars["program_name"], vars["process_num"], vars["numprocs"] = name, strconv.Itoa(n), strconv.Itoa(count)
		vars["group_name"] = l.groups.GetGroup(name, name)
		p, ok := l.program(s, processName, vars)
		if !ok {
			return out
		}
		out = append(out, p)
	}
	return out
}

// program builds one program; values may refer to its own environment as %(ENV_X)s.
func (l *loader) program(s *iniSection, processName string, vars map[string]string) (Program, bool) {
	p := NewProgram(vars["program_name"])
	before := len(l.problems)
	values := make(map[string]iniKey, len(s.keys))
	take := func(name string, set func(v string) error) {
		k, ok := values[name]
		if !ok {
			return
		}
		v, err := expand(k.value, vars)
		if err == nil {
			err = set(v)
		}
		if err != nil {
			l.problem(s.file, k.line, "%s: %v%s", name, err, k.hint())
		}
	}
	for _, k := range s.keys {
		values[k.name] = k
	}
	takeKeys := func(environment bool) {
		for _, key := range programKeys {
			if (key.name == "environment") == environment {
				take(key.name, func(v string) error { return key.parse(&p, v) })
			}
		}
	}
	takeKeys(true)
	for k, v := range p.Environment {
		vars["ENV_"+k] = v
	}
	name, err := expand(processName, vars)
	if err != nil {
		l.problem(s.file, s.line, "process_name: %v", err)
	}
	p.Name, p.Group = name, vars["group_name"]
	takeKeys(false)
	for _, path := range []*string{&p.StdoutLogfile, &p.StderrLogfile} {
		if *path != "AUTO" && *path != "NONE" && !filepath.IsAbs(*path) {
			*path = filepath.Join(l.here, *path)
		}
	}
	if len(l.problems) == before {
		if err := p.Validate(); err != nil {
			l.problem(s.file, s.line, "program %s: %v", p.Name, oneLine(err))
		}
	}
	return p, len(l.problems) == before
}

func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

func (l *loader) warnKeys(s *iniSection) {
	known := knownProgramKeys()
	for _, k := range s.keys {
		if _, found := slices.BinarySearch(known, k.name); found {
			continue
		}
		if why, ok := ignoredProgramKeys[k.name]; ok {
			l.warn(s.file, k.line, "[%s] %s has no effect: %s", s.name, k.name, why)
		} else if why, ok := misleadingProgramKeys[k.name]; ok {
			l.warn(s.file, k.line, "[%s] %s has no effect: %s", s.name, k.name, why)
		} else {
			l.unknownKey(s, k, known)
		}
	}
}
