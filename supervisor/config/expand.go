package config

import (
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/ochinchina/supervisord/config"
)

// expression is one %(name)s or %(name)02d.
var expression = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^%\(([^()]*)\)(0?[0-9]{0,2}[sd])`)
})

// expand replaces the %(name)s expressions of a value; %% is a percent sign. A percent sign before anything else is
// kept, where Python would refuse the value.
//
// The evaluation is config.StringExpression's. It expands again what it has expanded, so that a variable which
// contains an expression could name itself and never end; such a variable is refused before.
func expand(s string, vars map[string]string) (string, error) {
	var out strings.Builder
	for {
		at := strings.IndexByte(s, '%')
		if at < 0 {
			out.WriteString(s)
			return out.String(), nil
		}
		out.WriteString(s[:at])
		s = s[at:]
		if strings.HasPrefix(s, "%%") {
			out.WriteByte('%')
			s = s[2:]
			continue
		}
		if !strings.HasPrefix(s, "%(") {
			out.WriteByte('%')
			s = s[1:]
			continue
		}
		m := expression().FindStringSubmatch(s)
		if m == nil {
			return "", fmt.Errorf("%.40q is not an expression such as %%(program_name)s", s)
		}
		value, ok := vars[m[1]]
		if !ok {
			return "", fmt.Errorf("%s: there is no %s", m[0], m[1])
		}
		if strings.Contains(value, "%(") {
			return "", fmt.Errorf("%s stands for %.40q, which is an expression itself", m[0], value)
		}
		v, err := (config.NewStringExpression(m[1], value)).Eval(m[0])
		if err != nil {
			return "", fmt.Errorf("%s: %w", m[0], err)
		}
		out.WriteString(v)
		s = s[len(m[0]):]
	}
}
