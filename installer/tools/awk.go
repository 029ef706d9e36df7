package tools

import (
	"os"
	"strings"

	"github.com/benhoyt/goawk/interp"
	"github.com/benhoyt/goawk/parser"
)

// awk runs an AWK program: -F SEPARATOR, -v NAME=VALUE, -f FILE. Statuses: the program's own, 2 for wrong usage.
func awk(s streams, args []string) int {
	config := &interp.Config{Stdin: s.in, Output: s.out, Error: s.err, Argv0: "awk"}
	var program []byte
	given := false
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' {
		option, value := args[0][:2], args[0][2:]
		args = args[1:]
		if option == "--" && value == "" {
			break
		}
		if !strings.Contains("Fvf", option[1:]) {
			return s.fail(2, "awk", "unknown option %s: this is fate-installer's own awk, which knows -F, -f and -v",
				option+value)
		}
		if value == "" {
			if len(args) == 0 {
				return s.fail(2, "awk", "%s needs a value", option)
			}
			value, args = args[0], args[1:]
		}
		switch option {
		case "-F":
			config.Vars = append(config.Vars, "FS", value)
		case "-v":
			name, text, ok := strings.Cut(value, "=")
			if !ok {
				return s.fail(2, "awk", "-v needs NAME=VALUE, not %q", value)
			}
			config.Vars = append(config.Vars, name, text)
		case "-f":
			data, err := os.ReadFile(value)
			if err != nil {
				return s.fail(2, "awk", "%v", err)
			}
			program, given = append(append(program, data...), '\n'), true
		}
	}
	if !given {
		if len(args) == 0 {
			return s.fail(2, "awk", "no program given; usage: awk [-F SEPARATOR] [-v NAME=VALUE] 'PROGRAM' [FILE...]")
		}
		program, args = []byte(args[0]), args[1:]
	}
	parsed, err := parser.ParseProgram(program, nil)
	if err != nil {
		return s.fail(2, "awk", "%v", err)
	}
	config.Args = args
	status, err := interp.ExecProgram(parsed, config)
	if err != nil {
		return s.fail(2, "awk", "%v", err)
	}
	return status
}
